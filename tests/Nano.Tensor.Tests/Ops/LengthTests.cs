namespace Nano.Tests;

/// <summary>
/// Every length from 0 to two of the widest vectors and one, from misaligned addresses, at every
/// width: results agree with the reference, nothing beyond them is written, and gradients of a view
/// stay inside the view.
/// </summary>
public class LengthTests
{
    private const int Longest = (2 * 16) + 1;
    private const double Tolerance = 8 * GradCase.Rounding;

    public static TheoryData<SimdWidth> Widths => TestTensors.Widths;

    private sealed record Elementwise(string Name, int Inputs, Func<Compute, Tensor[], Tensor> Run,
        Func<double[][], double[]> Reference, bool IsRelative = false);

    private static readonly Elementwise[] ElementwiseOps =
    [
        new("add", 2, (c, x) => c.Add(x[0], x[1]), x => Reference.Add(x[0], x[1])),
        new("multiply", 2, (c, x) => c.Multiply(x[0], x[1]), x => Reference.Multiply(x[0], x[1])),
        new("divide", 2, (c, x) => c.Divide(x[0], x[1]), x => [.. x[0].Zip(x[1], (a, b) => a / b)],
            IsRelative: true),
        new("swiglu", 2, (c, x) => c.SwiGlu(x[0], x[1]), x => Reference.SwiGlu(x[0], x[1])),
        new("scale", 1, (c, x) => c.Scale(x[0], 1.3f), x => Reference.Scale(x[0], 1.3f)),
        new("dropout", 1, (c, x) => c.Dropout(x[0], 0.5f, 1, 2), x => Reference.Multiply(x[0], Mask(x[0].Length))),
        new("softmax", 1, (c, x) => c.Softmax(x[0]), x => Reference.Softmax(x[0], x[0].Length)),
        .. Enum.GetValues<ActivationKind>().Select(kind =>
            new Elementwise($"{kind}", 1, (c, x) => c.Activation(kind, x[0]), x => Reference.Activation(kind, x[0]),
                IsRelative: kind == ActivationKind.Exp)),
    ];

    /// <summary>What dropout keeps of ones: 0 or 2.</summary>
    private static double[] Mask(int length)
    {
        using var compute = new Compute(1, SimdWidth.Scalar);
        var ones = new Tensor(new Shape(length));
        ones.Data.Fill(1);
        double[] mask = compute.Dropout(ones, 0.5f, 1, 2).Doubles();
        Assert.All(mask, value => Assert.True(value is 0 or 2));
        return mask;
    }

    [Theory, MemberData(nameof(Widths))]
    public void Elementwise_ops_at_every_length_and_alignment(SimdWidth width)
    {
        using var compute = new Compute(1, width);
        foreach (var op in ElementwiseOps)
            for (int length = 0; length <= Longest; length++)
                for (int offset = 0; offset < 4; offset++)
                {
                    var random = new Random(length);
                    var parents = Enumerable.Range(0, op.Inputs).Select(_ => random.Normal(Longest + 8)).ToArray();
                    var inputs = parents.Select((parent, i) => parent.SliceRows(offset + i, length)).ToArray();
                    var y = Canary.Check(compute, c => op.Run(c, inputs), inputs);
                    double[] expected = op.Reference([.. inputs.Select(input => input.Doubles())]);
                    double error = TestTensors.Error(y.Data, expected);
                    Assert.True(error <= Tolerance * (op.IsRelative ? expected.Append(1).Max(Math.Abs) : 1),
                        $"{op.Name}, {width}, length {length}, offset {offset}: error {error}");
                    if (length == 0)
                        continue;
                    compute.Tape!.Backward(compute, y, random.Normal(length));
                    for (int i = 0; i < parents.Length; i++)
                        AssertZeroOutside(parents[i].Gradient.Data, offset + i, length);
                }
    }

    private static void AssertZeroOutside(ReadOnlySpan<float> gradient, int start, int length)
    {
        for (int i = 0; i < gradient.Length; i++)
            if ((i < start || i >= start + length) && gradient[i] != 0)
                Assert.Fail($"the gradient of a view at {start} of length {length} wrote {gradient[i]} at {i}");
    }

    private sealed record RowOp(string Name, Func<Compute, Tensor, Tensor, Tensor> Run,
        Func<double[], double[], double[]> Reference);

    /// <summary>
    /// Three rows of each length, so that rows start at every alignment; the second operand is one
    /// row.
    /// </summary>
    private static readonly RowOp[] RowOps =
    [
        new("add a row", (c, x, w) => c.Add(x, w), Reference.Add),
        new("layernorm", (c, x, w) => c.LayerNorm(x, w, w, 1e-3f), (x, w) => Reference.LayerNorm(x, w, w, 1e-3f)),
        new("rmsnorm", (c, x, w) => c.RmsNorm(x, w, 1e-3f), (x, w) => Reference.RmsNorm(x, w, 1e-3f)),
        new("softmax of rows", (c, x, w) => c.Softmax(x), (x, w) => Reference.Softmax(x, w.Length)),
        new("cross-entropy",
            (c, x, w) => c.CrossEntropy(x,
                Tensor.FromIds(new Shape(3), [0, x.Shape.Columns - 1, x.Shape.Columns / 2])).Nll,
            (x, w) => [.. Enumerable.Range(0, 3)
                .SelectMany(row => Reference.CrossEntropy(x[(row * w.Length)..((row + 1) * w.Length)],
                [row == 0 ? 0 : row == 1 ? w.Length - 1 : w.Length / 2], 1))]),
        new("linear", (c, x, w) => c.Linear(x, w.Reshape(new Shape(1, w.Shape.Columns)), null),
            (x, w) => Reference.Linear(x, w, null, 1, w.Length)),
        new("attention", (c, x, w) => c.CausalAttention(Batch(x), Batch(x), Batch(x), 1, 1),
            (x, w) => Reference.Attention(x, x, x, 1, 3, 3, 1, 1, w.Length, 1 / Math.Sqrt(w.Length))),
    ];

    private static Tensor Batch(Tensor x) => x.Reshape(new Shape(1, x.Shape[0], x.Shape[1]));

    [Theory, MemberData(nameof(Widths))]
    public void Row_ops_at_every_length_and_alignment(SimdWidth width)
    {
        using var compute = new Compute(1, width);
        foreach (var op in RowOps)
            for (int length = 1; length <= Longest; length++)
                for (int offset = 0; offset < 3; offset++)
                {
                    var random = new Random(length);
                    var (parent, other) = (random.Normal((3 * Longest) + 8), random.AroundOne(Longest + 8));
                    var (x, w) = (parent.SliceRows(offset, 3 * length)
                        .Reshape(new Shape(3, length)), other.SliceRows(offset + 1, length));
                    // Cross-entropy's second result, the loss, is what it records; its first is what is compared.
                    var y = Canary.Check(compute, c => op.Run(c, x, w), x, w);
                    double error = TestTensors.Error(y.Data, op.Reference(x.Doubles(), w.Doubles()));
                    Assert.True(error <= Tolerance * Math.Max(8, length),
                        $"{op.Name}, {width}, length {length}, offset {offset}: error {error}");
                    var start = compute.Tape!.Ops.Single().Output;
                    compute.Tape.Backward(compute, start,
                        start.Shape.Rank == 0 ? null : random.Normal((int)start.Length).Reshape(start.Shape));
                    AssertZeroOutside(parent.Gradient.Data, offset, 3 * length);
                    if (other.HasGradient)
                        AssertZeroOutside(other.Gradient.Data, offset + 1, length);
                }
    }

    [Theory, MemberData(nameof(Widths))]
    public void Products_at_every_small_size(SimdWidth width)
    {
        using var compute = new Compute(1, width);
        int[] sizes = [0, 1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 13, 15, 16, 17, 24, 25, 31, 32, 33, 65];
        var random = new Random(5);
        foreach (int m in sizes)
            foreach (int n in sizes)
            {
                int k = sizes[random.Next(sizes.Length)];
                var (x, w, b) = (random.Normal(m, k), random.Normal(n, k), random.Normal(n));
                var y = Canary.Check(compute, c => c.Linear(x, w, b), x, w, b);
                double[] expected = k == 0 ? [.. Enumerable.Repeat(b.Doubles(), m).SelectMany(row => row)]
                    : Reference.Linear(x.Doubles(), w.Doubles(), b.Doubles(), n, k);
                Assert.True(TestTensors.Error(y.Data, expected) <= GradCase.Rounding * (8 + (4 * k)),
                    $"linear {m} x {n} x {k}, {width}");
            }
    }

    [Fact]
    public void A_canary_notices_a_write_beyond_the_result()
    {
        using var compute = new Compute(1);
        var x = new Random(1).Normal(5);
        Assert.ThrowsAny<Exception>(() => Canary.Check(compute, c =>
        {
            var stray = c.New(new Shape(1));
            stray.Data[0] = 1; // in the arena, but in no op
            return c.Scale(x, 2);
        }, x));
    }
}
