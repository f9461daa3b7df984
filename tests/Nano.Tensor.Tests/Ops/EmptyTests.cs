namespace Nano.Tests;

/// <summary>
/// Every op with each of its dimensions 0: it works, forward and backward, or refuses by name. What
/// an empty sum leaves behind is zero, not rubbish.
/// </summary>
public class EmptyTests
{
    private static Tensor T(params ReadOnlySpan<int> dims) => new Random(6).Normal(dims);

    private static Tensor Ids(int count) => new(new Shape(count), DType.Int32);

    private static Dispatch Order(Compute c, int tokens) => new(c, Ids(2 * tokens).Reshape(new Shape(tokens, 2)), 4);

    /// <summary>
    /// An op over sizes, all of which may be 0 one at a time; the shape its output must have; its
    /// inputs.
    /// </summary>
    private sealed record Case(string Name, int[] Sizes, Func<int[], Tensor[]> Inputs,
        Func<Compute, Tensor[], Tensor> Run, Func<int[], Shape> Output);

    private static readonly Case[] Cases =
    [
        new("linear [B, T, K] [N, K] [N]", [2, 3, 4, 5], s => [T(s[0], s[1], s[2]), T(s[3], s[2]), T(s[3])],
            (c, x) => c.Linear(x[0], x[1], x[2]), s => new(s[0], s[1], s[3])),
        new("matmul [B, M, K] [B, K, N]", [2, 3, 4, 5], s => [T(s[0], s[1], s[2]), T(s[0], s[2], s[3])],
            (c, x) => c.MatMul(x[0], x[1]), s => new(s[0], s[1], s[3])),
        new("matmul transposed", [2, 3, 4, 5], s => [T(s[0], s[2], s[1]), T(s[0], s[3], s[2])],
            (c, x) => c.MatMul(x[0], x[1], true, true), s => new(s[0], s[1], s[3])),
        new("add", [3, 4], s => [T(s), T(s)], (c, x) => c.Add(x[0], x[1]), s => new(s)),
        new("add a row", [2, 3, 4], s => [T(s), T(s[1], s[2])], (c, x) => c.Add(x[0], x[1]), s => new(s)),
        new("multiply", [3, 4], s => [T(s), T(s)], (c, x) => c.Multiply(x[0], x[1]), s => new(s)),
        new("scale", [3, 4], s => [T(s)], (c, x) => c.Scale(x[0], 2), s => new(s)),
        new("divide", [3, 4], s => [T(s), T(s)], (c, x) => c.Divide(x[0], x[1]), s => new(s)),
        new("multiply by a column", [3, 4], s => [T(s), T(s[0], 1)], (c, x) => c.Multiply(x[0], x[1]), s => new(s)),
        new("permute", [2, 3, 4], s => [T(s)], (c, x) => c.Permute(x[0], 2, 0, 1), s => new(s[2], s[0], s[1])),
        new("expand", [2, 4], s => [T(s[0], 1, s[1])],
            (c, x) => c.Expand(x[0], new(x[0].Shape[0], 3, x[0].Shape[2])), s => new(s[0], 3, s[1])),
        new("concat", [2, 3, 4, 5], s => [T(s[0], s[1], s[2]), T(s[0], s[3], s[2])],
            (c, x) => c.Concat(1, x[0], x[1]), s => new(s[0], s[1] + s[3], s[2])),
        new("gather without ids", [2, 3, 4], s => [T(s)], (c, x) => c.Gather(x[0], Ids(0), 1),
            s => new(s[0], 0, s[2])),
        new("scatter-add", [2, 4], s => [T(s[0], 3, s[1])], (c, x) => c.ScatterAdd(x[0], Ids(3), 1, 5),
            s => new(s[0], 5, s[1])),
        new("sum over a dimension", [2, 3, 4], s => [T(s)], (c, x) => c.Sum(x[0], 1), s => new(s[0], s[2])),
        new("sum over the last", [2, 3, 4], s => [T(s)], (c, x) => c.Sum(x[0], [0, 2]), s => new(s[1])),
        new("max", [2, 4], s => [T(s[0], 3, s[1])], (c, x) => c.Max(x[0], 1), s => new(s[0], s[1])),
        new("l2 normalize", [2, 3, 4], s => [T(s)], (c, x) => c.L2Normalize(x[0]), s => new(s)),
        new("group norm", [2, 4, 3], s => [T(s), T(s[1]), T(s[1])],
            (c, x) => c.GroupNorm(x[0], x[1], x[2], 2, 1e-5f), s => new(s)),
        new("batch norm", [2, 4, 3], s => [T(s), T(s[1]), T(s[1])],
            (c, x) => c.BatchNorm(x[0], x[1], x[2], (new Tensor(x[1].Shape), new Tensor(x[1].Shape)), false, 1e-5f),
            s => new(s)),
        new("activation", [3, 4], s => [T(s)], (c, x) => c.Activation(ActivationKind.GeluErf, x[0]), s => new(s)),
        new("swiglu", [3, 4], s => [T(s), T(s)], (c, x) => c.SwiGlu(x[0], x[1]), s => new(s)),
        new("dropout", [3, 4], s => [T(s)], (c, x) => c.Dropout(x[0], 0.5f, 1, 1), s => new(s)),
        new("layernorm", [2, 3, 4], s => [T(s), T(s[2]), T(s[2])], (c, x) => c.LayerNorm(x[0], x[1], x[2], 1e-5f),
            s => new(s)),
        new("rmsnorm", [2, 3, 4], s => [T(s), T(s[2])], (c, x) => c.RmsNorm(x[0], x[1], 1e-5f), s => new(s)),
        new("softmax", [2, 3, 4], s => [T(s)], (c, x) => c.Softmax(x[0]), s => new(s)),
        new("rope [B, T, H D]", [2, 3, 2], s => [T(s[0], s[1], 4 * s[2])],
            (c, x) => c.Rope(x[0], new RopeTable(RopeTable.InverseFrequencies(4, 10000), new int[x[0].Shape[1]]),
                RopePairing.RotateHalf), s => new(s[0], s[1], 4 * s[2])),
        new("embedding [V, C], ids", [3, 4], s => [T(5, s[1])], (c, x) => c.Embedding(x[0], Ids(3)), s => new(3, s[1])),
        new("embedding without ids", [3, 4], s => [T(s)], (c, x) => c.Embedding(x[0], Ids(0)), s => new(0, s[1])),
        new("attention [B, T, H D]", [2, 3, 4],
            s => [T(s[0], s[1], 4 * s[2]), T(s[0], s[1], 2 * s[2]), T(s[0], s[1], 2 * s[2])],
            (c, x) => c.CausalAttention(x[0], x[1], x[2], 4, 2), s => new(s[0], s[1], 4 * s[2])),
        new("attention, cross, with every change of scores", [2, 3, 4, 5],
            s => [T(s[0], s[1], 4 * s[2]), T(s[0], s[3], 2 * s[2]), T(s[0], s[3], 6), T(8, 4), T(4)],
            (c, x) => c.Attention(x[0], x[1], x[2], new AttentionOptions(4, 2)
            {
                IsCausal = false, SoftCap = 2, Slopes = T(4), RelativeBias = new RelativeBias(x[3], true, 20),
                LearnedSink = x[4], Lengths = Ids(x[0].Shape[0]),
            }), s => new(s[0], s[1], 12)),
        new("attention, cross", [2, 3, 4, 5], s => [T(s[0], s[1], 4 * s[2]), T(s[0], s[3], 4 * s[2]), T(s[0], s[3], 8)],
            (c, x) => c.Attention(x[0], x[1], x[2], new AttentionOptions(4, 4) { IsCausal = false }),
            s => new(s[0], s[1], 8)),
        new("sum", [3, 4], s => [T(s)], (c, x) => c.Sum(x[0]), _ => new()),
        new("linear cross-entropy, denominator given", [0, 4], s => [T(0, s[1]), T(5, s[1])],
            (c, x) => c.LinearCrossEntropy(x[0], x[1], Ids(0), 7).Loss, _ => new()),
        new("checkpoint", [3, 4], s => [T(s)], (c, x) => c.Checkpoint(x[0], (inner, t) => inner.Scale(t, 2)),
            s => new(s)),
        new("bfloat16 storage", [3, 4], s => [T(s)],
            (c, x) => c.StoringBFloat16(x[0], (inner, t) => inner.Activation(ActivationKind.Tanh, inner.Scale(t, 2))),
            s => new(s)),
        new("cross-entropy, denominator given", [0, 4], s => [T(0, s[1])],
            (c, x) => c.CrossEntropy(x[0], Ids(0), 7).Loss, _ => new()),
        new("router", [3], s => [T(s[0], 4)], (c, x) => c.Router(x[0], new RouterRule(2)).Weights, s => new(s[0], 2)),
        new("combine", [3, 4], s => [T(2 * s[0], s[1]), T(s[0], 2)],
            (c, x) => Order(c, x[1].Shape[0]).Combine(c, x[0], x[1]), s => new(s[0], s[1])),
        new("balance loss", [3], s => [T(s[0], 4)],
            (c, x) => c.BalanceLoss([x[0]], [Ids(2 * x[0].Shape[0]).Reshape(new Shape(x[0].Shape[0], 2))]),
            _ => new()),
        new("sequence balance loss", [3], s => [T(s[0], 4)],
            (c, x) => c.SequenceBalanceLoss([x[0]], [Ids(2 * x[0].Shape[0]).Reshape(new Shape(x[0].Shape[0], 2))],
                RouterScoring.Sigmoid, 3), _ => new()),
        new("router z-loss", [3], s => [T(s[0], 4)], (c, x) => c.RouterZLoss([x[0]]), _ => new()),
        .. ScanCases.Empty.Select(test => new Case(test.Name, test.Sizes,
            s => [.. test.Shapes(s).Select(shape => T(shape))],
            test.Run, s => new(test.Output(s)))),
    ];

    [Fact]
    public void Every_op_is_among_the_cases()
    {
        using var compute = new Compute(1) { Tape = new Tape() };
        foreach (var test in Cases)
            test.Run(compute, test.Inputs(test.Sizes));
        var ops = typeof(AddOp).Assembly.GetTypes().Where(type => type.IsValueType && type.IsAssignableTo(typeof(IOp)));
        Assert.Empty(ops.Except(compute.Tape.Ops.Select(op => op.GetType())).Select(type => type.Name));
    }

    [Fact]
    public void Each_dimension_may_be_zero()
    {
        foreach (var width in SimdWidths.All)
            foreach (var test in Cases)
                for (int zero = 0; zero < test.Sizes.Length; zero++)
                {
                    using var compute = TestTensors.Dirty(2, width);
                    compute.Tape = new Tape();
                    int[] sizes = [.. test.Sizes.Select((size, i) => i == zero ? 0 : size)];
                    var inputs = test.Inputs(sizes);
                    var y = test.Run(compute, inputs);
                    Assert.Equal(test.Output(sizes), y.Shape);
                    compute.Tape.Backward(compute, y);
                    foreach (var input in inputs)
                    {
                        Assert.Equal(input.Shape, input.Gradient.Shape);
                        if (y.Length == 0)
                            Assert.True(input.Gradient.Data.IndexOfAnyExcept(0f) < 0,
                                $"{test.Name} of {string.Join(", ", sizes)}: the gradient of {input} is not zero");
                    }
                }
    }

    [Fact]
    public void A_sum_over_nothing_is_zero_and_a_mean_over_nothing_is_none()
    {
        using var compute = TestTensors.Dirty(1, SimdWidth.Scalar);
        Assert.Equal(0, compute.Sum(new Tensor(new Shape(3, 0))).Data[0]);
        Assert.Equal(float.NaN, compute.Mean(new Tensor(new Shape(0, 3))).Data[0]);
        Assert.Equal(0, compute.SumOfSquares(new Tensor(new Shape(0))));
        Assert.All(compute.Linear(new Tensor(new Shape(2, 0)), new Tensor(new Shape(3, 0)), null).Data.ToArray(),
            value => Assert.Equal(0, value));
        Assert.All(compute.MatMul(new Tensor(new Shape(2, 0)), new Tensor(new Shape(0, 3))).Data.ToArray(),
            value => Assert.Equal(0, value));
        compute.AdamW(new Tensor(new Shape(0)), new Tensor(new Shape(0)), new Tensor(new Shape(0)),
            new Tensor(new Shape(0)), default);
        compute.Sgd(T(0), T(0), T(0), default);
        compute.Lion(T(0), T(0), T(0), default);
        compute.Lamb(T(0), T(0), T(0), T(0), default, true);
        compute.AdamW8Bit(T(0), T(0), (Ids(0), T(0)), (Ids(0), T(0)), default);
    }

    [Fact]
    public void What_has_no_answer_is_refused_by_name()
    {
        using var compute = new Compute(1);
        Assert.StartsWith("cross-entropy: all of the 0 targets",
            Assert.Throws<ArgumentException>(() => compute.CrossEntropy(T(0, 4), Ids(0))).Message,
            StringComparison.Ordinal);
        Assert.StartsWith("cross-entropy: target 0 is not below the vocabulary size 0",
            Assert.Throws<ArgumentException>(() => compute.CrossEntropy(T(2, 0), Ids(2))).Message,
            StringComparison.Ordinal);
        Assert.StartsWith("embedding: id 0 at position 0 is not below the vocabulary size 0",
            Assert.Throws<ArgumentException>(() => compute.Embedding(T(0, 4), Ids(2))).Message,
            StringComparison.Ordinal);
    }
}
