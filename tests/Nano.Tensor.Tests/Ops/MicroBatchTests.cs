namespace Nano.Tests;

/// <summary>
/// Gradients of parameters accumulated over micro-batches have the bits of one large batch: the
/// sums over rows continue where they stopped.
/// </summary>
public class MicroBatchTests
{
    private const int Rows = 37;

    private sealed record BatchCase(string Name, Func<Random, Tensor> Input, Func<Random, Tensor[]> Parameters,
        Func<Compute, Tensor, int, Tensor[], Tensor> Run);

    private static readonly int[] Tokens = new Random(8).Ids(Rows * 3, 11);

    private static readonly BatchCase[] Cases =
    [
        new("linear", r => r.Normal(Rows, 3, 19), r => [r.Normal(35, 19), r.Normal(35)],
            (c, x, first, p) => c.Linear(x, p[0], p[1])),
        // more rows than a block of k
        new("linear, long", r => r.Normal(Rows, 30, 5), r => [r.Normal(3, 5), r.Normal(3)],
            (c, x, first, p) => c.Linear(x, p[0], p[1])),
        new("layernorm", r => r.Normal(Rows, 3, 19), r => [r.AroundOne(19), r.Normal(19)],
            (c, x, first, p) => c.LayerNorm(x, p[0], p[1], 1e-5f)),
        new("rmsnorm", r => r.Normal(Rows, 3, 19), r => [r.AroundOne(19)],
            (c, x, first, p) => c.RmsNorm(x, p[0], 1e-5f)),
        new("add", r => r.Normal(Rows, 3, 19), r => [r.Normal(3, 19)], (c, x, first, p) => c.Add(x, p[0])),
        new("multiply by a table row", r => r.Normal(Rows, 3, 19), r => [r.Normal(11, 19)],
            (c, x, first, p) => c.Multiply(x, c.Embedding(p[0], Part(first, x.Shape[0])))),
        new("selective scan", r => r.Normal(Rows, 3, 19), r => [r.Normal(15, 2), r.Normal(15)],
            (c, x, first, p) => c.SelectiveScan(x.SliceColumns(0, 15), x.SliceColumns(0, 15), p[0],
                x.SliceColumns(15, 2), x.SliceColumns(17, 2), p[1]).Y),
        new("ssd", r => r.Normal(Rows, 3, 19), r => [r.Normal(3), r.Normal(3)],
            (c, x, first, p) => c.Ssd(x.SliceColumns(0, 12), x.SliceColumns(12, 3), p[0], x.SliceColumns(15, 2),
                x.SliceColumns(17, 2), 1, p[1]).Y),
        new("causal convolution", r => r.Normal(Rows, 3, 19), r => [r.Normal(19, 1, 4), r.Normal(19)],
            (c, x, first, p) => c.DepthwiseCausalConv(x, p[0], p[1]).Y),
        .. Enum.GetValues<CellKind>().Select(kind => new BatchCase($"{kind} cell", r => r.Normal(Rows, 3, 19),
            r => ScanCases.Weights(r, kind, 19, 5), (c, x, first, p) => ScanCases.Recurrent(c, kind, x, p, 0))),
        new("convolution", r => r.Normal(Rows, 3, 19), r => [r.Normal(4, 3, 3), r.Normal(4)],
            (c, x, first, p) => c.Conv(x, p[0], p[1], new ConvOptions(2, 1))),
    ];

    public static TheoryData<string> Names => [.. Cases.Select(c => c.Name)];

    /// <summary>The ids of these rows, three each.</summary>
    private static Tensor Part(int first, int rows) =>
        Tensor.FromIds(new Shape(rows, 3), Tokens.AsSpan(3 * first, 3 * rows));

    [Theory, MemberData(nameof(Names))]
    public void Two_halves_give_the_gradient_of_the_whole(string name)
    {
        var test = Cases.Single(c => c.Name == name);
        foreach (var width in SimdWidths.All)
            foreach (int threads in new[] { 1, 3 })
            {
                var whole = Cut(test, width, threads, [Rows], forget: false);
                foreach (int first in new[] { 1, 12, 20 })
                    foreach (bool forget in new[] { false, true })
                    {
                        var halves = Cut(test, width, threads, [first, Rows - first], forget);
                        for (int i = 0; i < whole.Length; i++)
                            Assert.True(whole[i].AsSpan().SequenceEqual(halves[i]),
                                $"{name}, {width}, {threads} threads, first {first} rows, forget {forget}: "
                                + $"parameter {i}");
                    }
            }
    }

    /// <summary>
    /// The bits of the parameters' gradients after running these numbers of rows one after the
    /// other.
    /// </summary>
    private static int[][] Cut(BatchCase test, SimdWidth width, int threads, int[] counts, bool forget)
    {
        using var compute = TestTensors.Dirty(threads, width);
        compute.Tape = new Tape();
        var random = new Random(6);
        var (x, parameters) = (test.Input(random), test.Parameters(random));
        foreach (var parameter in parameters)
        {
            parameter.SetGradient(new Tensor(parameter.Shape));
            if (!forget)
                continue;
            parameter.Gradient.Data.Fill(float.NaN); // must be overwritten, not added to
            parameter.ForgetGradient();
        }
        Tensor? dy = null;
        int start = 0;
        foreach (int count in counts)
        {
            var y = test.Run(compute, x.SliceRows(start, count).Copy(), start, parameters);
            dy ??= random.Normal(Rows, (int)(y.Length / count));
            compute.Tape.Backward(compute, y, dy.SliceRows(start, count).Reshape(y.Shape));
            compute.NextStep();
            start += count;
        }
        return [.. parameters.Select(parameter => parameter.Gradient.Bits())];
    }
}
