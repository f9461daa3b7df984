namespace Nano.Tests;

/// <summary>
/// Canonical arithmetic: outputs and gradients have the same bits at every SIMD width and for any
/// number of threads, and a row has the bits of its solo run. Sizes are odd and large enough for
/// several chunks of work.
/// </summary>
public class BitwiseTests
{
    private sealed record BitCase(string Name, Func<Random, Tensor[]> Inputs, Func<Compute, Tensor[], Tensor> Run);

    private static readonly BitCase[] Cases =
    [
        new("linear", r => [r.Normal(101, 67), r.Normal(131, 67), r.Normal(131)], (c, x) => c.Linear(x[0], x[1], x[2])),
        new("linear, many rows", r => [r.Normal(700, 5), r.Normal(3, 5), r.Normal(3)],
            (c, x) => c.Linear(x[0], x[1], x[2])),
        new("linear, deep", r => [r.Normal(7, 1100), r.Normal(5, 1100)], (c, x) => c.Linear(x[0], x[1], null)),
        new("linear of columns", r => [r.Normal(29, 71), r.Normal(19, 37)],
            (c, x) => c.Linear(x[0].SliceColumns(13, 37), x[1], null)),
        new("matmul", r => [r.Normal(2, 30, 45), r.Normal(2, 45, 70)], (c, x) => c.MatMul(x[0], x[1])),
        new("matmul a^T b", r => [r.Normal(45, 101), r.Normal(45, 70)],
            (c, x) => c.MatMul(x[0], x[1], transposeA: true)),
        new("matmul a b^T", r => [r.Normal(2, 30, 45), r.Normal(2, 70, 45)],
            (c, x) => c.MatMul(x[0], x[1], transposeB: true)),
        new("matmul a^T b^T", r => [r.Normal(45, 30), r.Normal(70, 45)], (c, x) => c.MatMul(x[0], x[1], true, true)),
        new("add", r => [r.Normal(3, 7001), r.Normal(3, 7001)], (c, x) => c.Add(x[0], x[1])),
        new("add a row", r => [r.Normal(151, 137), r.Normal(137)], (c, x) => c.Add(x[0], x[1])),
        new("multiply", r => [r.Normal(3, 7001), r.Normal(3, 7001)], (c, x) => c.Multiply(x[0], x[1])),
        new("scale", r => [r.Normal(21001)], (c, x) => c.Scale(x[0], 0.37f)),
        new("divide", r => [r.Normal(3, 7001), r.Normal(3, 7001)], (c, x) => c.Divide(x[0], x[1])),
        new("multiply by a column", r => [r.Normal(151, 137), r.Normal(151, 1)], (c, x) => c.Multiply(x[0], x[1])),
        new("add, both repeated", r => [r.Normal(3, 1, 137), r.Normal(51, 1)], (c, x) => c.Add(x[0], x[1])),
        new("permute", r => [r.Normal(31, 27, 29)], (c, x) => c.Permute(x[0], 2, 0, 1)),
        new("concat", r => [r.Normal(3, 701, 7), r.Normal(3, 5, 7)], (c, x) => c.Concat(1, x[0], x[1])),
        new("gather", r => [r.Normal(3, 50, 301)],
            (c, x) => c.Gather(x[0], Tensor.FromIds(new Shape(300), new Random(1).Ids(300, 50)), 1)),
        new("scatter-add", r => [r.Normal(3, 300, 301)],
            (c, x) => c.ScatterAdd(x[0], Tensor.FromIds(new Shape(300), new Random(1).Ids(300, 50)), 1, 50)),
        new("sum over rows", r => [r.Normal(151, 537)], (c, x) => c.Sum(x[0], 0)),
        new("mean over columns", r => [r.Normal(151, 537)], (c, x) => c.Mean(x[0], 1)),
        new("sum over the outer and the last", r => [r.Normal(7, 19, 3, 137)], (c, x) => c.Sum(x[0], [0, 3])),
        new("max", r => [r.Normal(19, 53, 37)], (c, x) => c.Max(x[0], 1)),
        new("embedding", r => [r.Normal(50, 151)],
            (c, x) => c.Embedding(x[0], Tensor.FromIds(new Shape(300), new Random(1).Ids(300, 50)))),
        new("dropout", r => [r.Normal(21001)], (c, x) => c.Dropout(x[0], 0.4f, 7, 1)),
        new("layernorm", r => [r.Normal(151, 137), r.AroundOne(137), r.Normal(137)],
            (c, x) => c.LayerNorm(x[0], x[1], x[2], 1e-5f)),
        new("rmsnorm", r => [r.Normal(151, 137), r.AroundOne(137)], (c, x) => c.RmsNorm(x[0], x[1], 1e-5f)),
        new("l2 normalize", r => [r.Normal(151, 137)], (c, x) => c.L2Normalize(x[0])),
        new("group norm", r => [r.Normal(5, 12, 19, 37), r.AroundOne(12), r.Normal(12)],
            (c, x) => c.GroupNorm(x[0], x[1], x[2], 3, 1e-5f)),
        new("batch norm", r => [r.Normal(15, 12, 19, 7), r.AroundOne(12), r.Normal(12)],
            (c, x) => c.BatchNorm(x[0], x[1], x[2], (new Tensor(new Shape(12)), new Tensor(new Shape(12))), true,
                1e-5f)),
        new("softmax", r => [r.Normal(151, 137)], (c, x) => c.Softmax(x[0])),
        new("swiglu", r => [r.Normal(3, 7001), r.Normal(3, 7001)], (c, x) => c.SwiGlu(x[0], x[1])),
        new("rope", r => [r.Normal(2, 53, 3 * 34)], (c, x) => c.Rope(x[0], Table(34, 53), RopePairing.RotateHalf)),
        new("rope interleaved", r => [r.Normal(2, 53, 3 * 34)],
            (c, x) => c.Rope(x[0], Table(34, 53), RopePairing.Interleaved)),
        new("attention", r => [r.Normal(2, 131, 4 * 21), r.Normal(2, 131, 2 * 21), r.Normal(2, 131, 2 * 21)],
            (c, x) => c.CausalAttention(x[0], x[1], x[2], 4, 2)),
        new("attention in one [B, T, 3C]", r => [r.Normal(3, 70, 3 * 32)],
            (c, x) => c.CausalAttention(x[0].SliceColumns(0, 32), x[0].SliceColumns(32, 32),
                x[0].SliceColumns(64, 32), 2, 2)),
        new("attention with every change of scores", r => [r.Normal(2, 131, 4 * 21), r.Normal(2, 131, 2 * 21),
                r.Normal(2, 131, 2 * 10), r.Normal(8, 4), r.Normal(4)],
            (c, x) => c.Attention(x[0], x[1], x[2], new AttentionOptions(4, 2)
            {
                SoftCap = 2, Slopes = Tensor.From(new Shape(4), Alibi.Slopes(4)), Window = 30, Sinks = 5,
                RelativeBias = new RelativeBias(x[3], false, 40), LearnedSink = x[4],
            })),
        new("cross-entropy", r => [r.Normal(151, 137)],
            (c, x) => c.CrossEntropy(x[0], Tensor.FromIds(new Shape(151), new Random(1).Ids(151, 137, 5))).Loss),
        new("cross-entropy, smoothed, z-loss", r => [r.Normal(151, 137)],
            (c, x) => c.CrossEntropy(x[0], Tensor.FromIds(new Shape(151), new Random(1).Ids(151, 137, 5)),
                new LossOptions(0, 0.1, 1e-3)).Loss),
        new("linear cross-entropy", r => [r.Normal(151, 67), r.Normal(137, 67)],
            (c, x) => c.LinearCrossEntropy(x[0], x[1],
                Tensor.FromIds(new Shape(151), new Random(1).Ids(151, 137, 5))).Loss),
        new("checkpoint", r => [r.Normal(151, 67), r.Normal(67, 67)],
            (c, x) => c.Checkpoint(x[0],
                (c, t) => c.Add(t, c.Activation(ActivationKind.GeluTanh, c.Linear(t, x[1], null))))),
        new("bfloat16 storage", r => [r.Normal(151, 67), r.Normal(67, 67)],
            (c, x) => c.StoringBFloat16(x[0],
                (c, t) => c.Add(t, c.Activation(ActivationKind.GeluTanh, c.Linear(t, x[1], null))))),
        new("sum", r => [r.Normal(21001)], (c, x) => c.Sum(x[0])),
        new("mean of rows", r => [r.Normal(151, 137)], (c, x) => c.Mean(x[0])),
        new("mixture of experts", r => [r.Normal(151, 67), r.Normal(7, 67)], (c, x) =>
        {
            var logits = c.Linear(x[0], x[1], null);
            var (experts, weights) = c.Router(logits, new RouterRule(3));
            var order = new Dispatch(c, experts, 7);
            var y = c.Sum(order.Combine(c, c.SelectRows(x[0], order.Tokens), weights));
            y = c.Add(y, c.SequenceBalanceLoss([logits], [experts], RouterScoring.Sigmoid, 151));
            return c.Add(c.Add(y, c.BalanceLoss([logits], [experts])), c.RouterZLoss([logits]));
        }),
        .. ScanCases.All.Select(test => new BitCase(test.Name, test.Inputs, test.Run)),
        .. Enum.GetValues<ActivationKind>().Select(kind =>
            new BitCase($"activation {kind}", r => [r.Normal(3, 7001)], (c, x) => c.Activation(kind, x[0]))),
    ];

    public static TheoryData<string> Names => [.. Cases.Select(c => c.Name)];

    [Fact]
    public void Every_op_is_among_the_cases()
    {
        using var compute = new Compute(1) { Tape = new Tape() };
        foreach (var test in Cases)
            test.Run(compute, test.Inputs(new Random(1)));
        var ops = typeof(AddOp).Assembly.GetTypes().Where(type => type.IsValueType && type.IsAssignableTo(typeof(IOp)));
        Assert.Empty(ops.Except(compute.Tape.Ops.Select(op => op.GetType())).Select(type => type.Name));
    }

    [Theory, MemberData(nameof(Names))]
    public void Width_and_threads_change_no_bit(string name)
    {
        var test = Cases.Single(c => c.Name == name);
        int[][]? expected = null;
        foreach (var width in SimdWidths.All)
            foreach (int threads in new[] { 1, 2, 3, 7 })
            {
                int[][] actual = ForwardAndBackward(test, width, threads);
                expected ??= actual;
                for (int i = 0; i < actual.Length; i++)
                    Assert.True(expected[i].AsSpan().SequenceEqual(actual[i]),
                        $"{name}, {width}, {threads} threads: {(i == 0 ? "output" : $"gradient of input {i - 1}")} "
                        + "has other bits");
            }
    }

    private static int[][] ForwardAndBackward(BitCase test, SimdWidth width, int threads)
    {
        using var compute = TestTensors.Dirty(threads, width);
        compute.Tape = new Tape();
        var random = new Random(test.Name.Length);
        var inputs = test.Inputs(random);
        var y = test.Run(compute, inputs);
        int[] output = y.Bits();
        compute.Tape.Backward(compute, y, y.Shape.Rank == 0 ? null : random.Normal((int)y.Length).Reshape(y.Shape));
        return [output, .. inputs.Select(input => input.Gradient.Bits())];
    }

    [Fact]
    public void Optimizer_kernels_have_the_same_bits_everywhere()
    {
        int[]? expected = null;
        foreach (var width in SimdWidths.All)
            foreach (int threads in new[] { 1, 2, 3, 7 })
            {
                using var compute = new Compute(threads, width);
                var random = new Random(4);
                var (parameter, gradient) = (random.Normal(3, 12345), random.Normal(3, 12345));
                var (mean, square) = (new Tensor(parameter.Shape), new Tensor(parameter.Shape));
                double norm = Math.Sqrt(compute.SumOfSquares(gradient));
                for (int step = 1; step <= 2; step++)
                    compute.AdamW(parameter, gradient, mean, square,
                        new AdamWNumbers(1e-3, 0.9, 0.95, 1e-8, 0.1, 1 / norm, step));
                int[] actual = [.. parameter.Bits(), .. mean.Bits(), .. square.Bits()];
                expected ??= actual;
                Assert.True(expected.AsSpan().SequenceEqual(actual), $"{width}, {threads} threads");
            }
    }

    /// <summary>
    /// Ops that treat each entry of the outermost dimension alone: the input is cut there, the rest
    /// stays.
    /// </summary>
    private static readonly (string Name, Func<Random, Tensor> Input,
        Func<Compute, Tensor, Random, Tensor> Run)[] RowCases =
    [
        ("linear", r => r.Normal(41, 67), (c, x, r) => c.Linear(x, r.Normal(131, 67), r.Normal(131))),
        ("layernorm", r => r.Normal(41, 67), (c, x, r) => c.LayerNorm(x, r.AroundOne(67), r.Normal(67), 1e-5f)),
        ("rmsnorm", r => r.Normal(41, 67), (c, x, r) => c.RmsNorm(x, r.AroundOne(67), 1e-5f)),
        ("softmax", r => r.Normal(41, 67), (c, x, r) => c.Softmax(x)),
        ("attention", r => r.Normal(5, 70, 30), (c, x, r) =>
            c.CausalAttention(x.SliceColumns(0, 10), x.SliceColumns(10, 10), x.SliceColumns(20, 10), 2, 2)),
        .. ScanCases.Rows.Select(test => (test.Name, (Func<Random, Tensor>)(r => r.Normal(5, 7, test.Columns)),
            (Func<Compute, Tensor, Random, Tensor>)((c, x, r) => test.Run(c, x, x, r)))),
    ];

    [Fact]
    public void A_row_of_a_batch_has_the_bits_of_its_solo_run()
    {
        foreach (var (name, input, run) in RowCases)
            foreach (var width in SimdWidths.All)
            {
                using var compute = new Compute(3, width);
                var x = input(new Random(2));
                var batch = run(compute, x, new Random(3));
                for (int row = 0; row < x.Shape[0]; row++)
                    Assert.True(batch.SliceRows(row, 1).Bits().AsSpan()
                        .SequenceEqual(run(compute, x.SliceRows(row, 1), new Random(3)).Bits()),
                        $"{name}, {width}, row {row}");
            }
    }

    private static RopeTable Table(int headDim, int times) =>
        new(RopeTable.InverseFrequencies(headDim, 10000), [.. Enumerable.Range(0, times)]);
}
