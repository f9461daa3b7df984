namespace Nano.Tests;

/// <summary>
/// NaN and infinity go through every op as IEEE arithmetic has it, and a bad row spoils no other:
/// every other row has the bits it has without it, forward and backward.
/// </summary>
public partial class BadNumberTests
{
    private const int Rows = 29;

    public static TheoryData<SimdWidth> Widths => TestTensors.Widths;

    /// <summary>An op on x whose outermost entries are independent.</summary>
    private sealed record RowCase(string Name, Shape Shape, Func<Compute, Tensor, Tensor> Run);

    private static Tensor Other(params ReadOnlySpan<int> dims) => new Random(77).Normal(dims);

    private static readonly RopeTable Table = new(RopeTable.InverseFrequencies(4, 10000), [0, 1, 2, 3, 4]);

    private static readonly RowCase[] Cases =
    [
        new("linear", new(Rows, 37), (c, x) => c.Linear(x, Other(41, 37), Other(41))),
        new("matmul", new(Rows, 37), (c, x) => c.MatMul(x, Other(37, 41))),
        new("matmul, b transposed", new(Rows, 37), (c, x) => c.MatMul(x, Other(41, 37), transposeB: true)),
        new("matmul of a batch", new(3, 14, 37), (c, x) => c.MatMul(x, Other(3, 37, 41))),
        new("matmul as the right side", new(3, 14, 37), (c, x) => c.MatMul(Other(3, 13, 14), x)),
        new("add", new(Rows, 37), (c, x) => c.Add(x, Other(Rows, 37))),
        new("add a row", new(Rows, 37), (c, x) => c.Add(x, Other(37))),
        new("multiply", new(Rows, 37), (c, x) => c.Multiply(x, Other(Rows, 37))),
        new("scale", new(Rows, 37), (c, x) => c.Scale(x, -1.5f)),
        new("divide", new(Rows, 37), (c, x) => c.Divide(x, Other(Rows, 37))),
        new("divide by", new(Rows, 37), (c, x) => c.Divide(Other(Rows, 37), x)),
        new("expand", new(Rows, 1, 37), (c, x) => c.Expand(x, new(Rows, 3, 37))),
        new("permute", new(Rows, 5, 7), (c, x) => c.Permute(x, 0, 2, 1)),
        new("concat", new(Rows, 5), (c, x) => c.Concat(1, x, x)),
        new("gather", new(Rows, 5), (c, x) => c.Gather(x, Tensor.FromIds(new Shape(6), [4, 0, 1, 4, 2, 3]), 1)),
        new("scatter-add", new(Rows, 5), (c, x) => c.ScatterAdd(x,
            Tensor.FromIds(new Shape(5), [2, 0, 1, 2, 3]), 1, 4)),
        new("sum over a dimension", new(Rows, 5, 7), (c, x) => c.Sum(x, 1)),
        new("max", new(Rows, 37), (c, x) => c.Max(x, 1, keep: true)),
        new("l2 normalize", new(Rows, 37), (c, x) => c.L2Normalize(x)),
        new("group norm", new(Rows, 6, 5), (c, x) => c.GroupNorm(x, Other(6), Other(6), 2, 1e-5f)),
        new("swiglu gate", new(Rows, 37), (c, x) => c.SwiGlu(x, Other(Rows, 37))),
        new("swiglu up", new(Rows, 37), (c, x) => c.SwiGlu(Other(Rows, 37), x)),
        new("layernorm", new(Rows, 37), (c, x) => c.LayerNorm(x, Other(37), Other(37), 1e-5f)),
        new("rmsnorm", new(Rows, 37), (c, x) => c.RmsNorm(x, Other(37), 1e-5f)),
        new("softmax", new(Rows, 37), (c, x) => c.Softmax(x)),
        new("rope", new(3, 5, 12), (c, x) => c.Rope(x, Table, RopePairing.RotateHalf)),
        new("rope interleaved", new(3, 5, 12), (c, x) => c.Rope(x, Table, RopePairing.Interleaved)),
        new("embedding", new(Rows, 37),
            (c, x) => c.Embedding(x, Tensor.FromIds(new Shape(Rows), [.. Enumerable.Range(0, Rows)]))),
        new("dropout", new(Rows, 37), (c, x) => c.Dropout(x, 0.1f, 1, 4)),
        new("cross-entropy", new(Rows, 37), (c, x) => c.CrossEntropy(x, Targets).Nll),
        new("linear cross-entropy", new(Rows, 37), (c, x) => c.LinearCrossEntropy(x, Other(41, 37), Targets).Nll),
        new("checkpoint", new(Rows, 37),
            (c, x) => c.Checkpoint(x, (inner, input) => inner.Linear(input, Other(41, 37), null))),
        new("bfloat16 storage", new(Rows, 37),
            (c, x) => c.StoringBFloat16(x,
                (inner, input) => inner.Activation(ActivationKind.Tanh, inner.Linear(input, Other(41, 37), null)))),
        new("attention of a batch", new(3, 70, 30),
            (c, x) => c.CausalAttention(x.SliceColumns(0, 10), x.SliceColumns(10, 10), x.SliceColumns(20, 10), 2, 2)),
        new("capped attention of a batch, not causal, with a sink", new(3, 70, 30),
            (c, x) => c.Attention(x.SliceColumns(0, 10), x.SliceColumns(10, 10), x.SliceColumns(20, 10),
                new AttentionOptions(2, 2) { IsCausal = false, SoftCap = 2, LearnedSink = Other(2) })),
        new("router, weights of every expert", new(Rows, 6), (c, x) => c.Router(x, new RouterRule(6)).Weights),
        new("mixture", new(Rows, 37), (c, x) =>
        {
            var order = new Dispatch(c, Tensor.FromIds(new Shape(Rows, 2), new Random(6).Ids(Rows * 2, 5)), 5);
            return order.Combine(c, c.SelectRows(x, order.Tokens), Other(Rows, 2));
        }),
        .. ScanCases.Rows.Select(test => new RowCase(test.Name, new(3, 7, test.Columns),
            (c, x) => test.Run(c, x, x, new Random(78)))),
        .. Enum.GetValues<ActivationKind>()
            .Select(kind => new RowCase($"{kind}", new(Rows, 37), (c, x) => c.Activation(kind, x))),
    ];

    private static Tensor Targets => Tensor.FromIds(new Shape(Rows), new Random(5).Ids(Rows, 37));

    private static readonly float[] Bad = [float.NaN, float.PositiveInfinity, float.NegativeInfinity];

    [Fact]
    public void Every_op_is_among_the_cases()
    {
        using var compute = new Compute(1) { Tape = new Tape() };
        foreach (var test in Cases)
            test.Run(compute, new Tensor(test.Shape));
        var ops = typeof(AddOp).Assembly.GetTypes().Where(type => type.IsValueType && type.IsAssignableTo(typeof(IOp)));
        // they have a single row
        Assert.Equal(["BalanceLossOp", "RouterZLossOp", "SequenceBalanceLossOp", "SumOp"], ops.Except(compute.Tape.Ops.Select(op => op.GetType())).Select(type => type.Name)
            .Order());
    }

    /// <summary>
    /// Output and gradient of x for an upstream gradient of ones, spoiled or not.
    /// </summary>
    private static (Tensor Y, Tensor DX) Run(Compute c, RowCase test, Tensor x, Action<Tensor> spoilUpstream)
    {
        c.NextStep();
        var y = test.Run(c, x);
        var ops = c.Tape!.Ops;
        var output = ops.Any(op => op.Output == y) ? y : ops[^1].Output; // of cross-entropy, the loss
        var upstream = new Tensor(output.Shape);
        upstream.Data.Fill(1);
        if (output == y)
            spoilUpstream(upstream);
        c.Tape.Backward(c, output, upstream);
        return (y.Copy(), x.Gradient.Copy());
    }

    private static void AssertOtherRowsSame(string what, Tensor expected, Tensor actual, int bad)
    {
        for (int row = 0; row < expected.Shape[0]; row++)
            if (row != bad && !expected.SliceRows(row, 1).Bits().AsSpan()
                .SequenceEqual(actual.SliceRows(row, 1).Bits()))
                Assert.Fail($"{what}: row {row} changed");
    }

    [Theory, MemberData(nameof(Widths))]
    public void A_bad_input_spoils_its_own_row_only(SimdWidth width)
    {
        using var compute = new Compute(2, width) { Tape = new Tape() };
        foreach (var test in Cases)
        {
            var random = new Random(3);
            float[] values = random.Normal((int)test.Shape.Length).Data.ToArray();
            var (y, dx) = Run(compute, test, Tensor.From(test.Shape, values), _ => { });
            int length = values.Length / test.Shape[0];
            foreach (int row in new[] { 0, test.Shape[0] / 2, test.Shape[0] - 1 })
                foreach (float bad in Bad)
                {
                    string what = $"{test.Name}, {width}, {bad} in row {row}";
                    var spoiled = Tensor.From(test.Shape, values);
                    spoiled.Data[(row * length) + random.Next(length)] = bad;
                    var (badY, badDx) = Run(compute, test, spoiled, _ => { });
                    AssertOtherRowsSame(what + ", output", y, badY, row);
                    AssertOtherRowsSame(what + ", gradient", dx, badDx, row);
                    if (float.IsNaN(bad) && test.Name != "dropout") // which may have dropped it
                        Assert.True(badY.SliceRows(row, 1).Data.ToArray().Any(float.IsNaN), what + ": the NaN is lost");
                }
        }
    }

    [Theory, MemberData(nameof(Widths))]
    public void A_bad_gradient_spoils_its_own_row_only(SimdWidth width)
    {
        using var compute = new Compute(2, width) { Tape = new Tape() };
        // whose output is one number
        foreach (var test in Cases.Where(test => !test.Name.EndsWith("cross-entropy", StringComparison.Ordinal)))
        {
            var random = new Random(4);
            var x = random.Normal((int)test.Shape.Length).Reshape(test.Shape).Copy();
            var dx = Run(compute, test, x, _ => { }).DX;
            foreach (int row in new[] { 0, test.Shape[0] - 1 })
                foreach (float bad in Bad)
                {
                    string what = $"{test.Name}, {width}, {bad} in row {row} of dy";
                    var badDx = Run(compute, test, x,
                        dy => dy.Data[(row * (int)(dy.Length / dy.Shape[0]))
                            + random.Next((int)dy.Length / dy.Shape[0])] = bad).DX;
                    AssertOtherRowsSame(what, dx, badDx, row);
                    if (float.IsNaN(bad) && test.Name != "dropout")
                        Assert.True(badDx.SliceRows(row, 1).Data.ToArray().Any(float.IsNaN),
                            what + ": the NaN is lost");
                }
        }
    }

    [Theory, MemberData(nameof(Widths))]
    public void A_bad_query_spoils_its_own_output_only(SimdWidth width)
    {
        using var compute = new Compute(2, width);
        float[] queries = new Random(1).Normal(140 * 20).Data.ToArray();
        Tensor k = Other(1, 140, 20), v = new Random(78).Normal(1, 140, 20);
        var y = compute.CausalAttention(Tensor.From(new Shape(1, 140, 20), queries), k, v, 2, 2).Copy()
            .Reshape(new Shape(140, 20));
        foreach (int row in new[] { 0, 63, 64, 139 })
            foreach (float bad in Bad)
            {
                var q = Tensor.From(new Shape(1, 140, 20), queries);
                q.Data[(row * 20) + 3] = bad;
                var spoiled = compute.CausalAttention(q, k, v, 2, 2).Copy().Reshape(new Shape(140, 20));
                AssertOtherRowsSame($"{width}, {bad} in query {row}", y, spoiled, row);
                Assert.True(!float.IsNaN(bad) || spoiled.SliceRows(row, 1).SliceColumns(0, 10).Data.ToArray()
                    .All(float.IsNaN), "the NaN is lost");
                Assert.True(y.SliceRows(row, 1).SliceColumns(10, 10).Bits().AsSpan()
                    .SequenceEqual(spoiled.SliceRows(row, 1).SliceColumns(10, 10).Bits()), "the other head");
            }
    }

    [Fact]
    public void A_row_that_is_left_out_of_the_loss_may_hold_anything()
    {
        using var compute = new Compute(1) { Tape = new Tape() };
        var x = new Random(1).Normal(3, 5);
        var targets = Tensor.FromIds(new Shape(3), [2, -100, 4]);
        float clean = compute.CrossEntropy(x, targets).Loss.Data[0];
        foreach (float bad in Bad)
        {
            x.Data[7] = bad;
            compute.NextStep();
            var loss = compute.CrossEntropy(x, targets).Loss;
            Assert.Equal(clean, loss.Data[0]);
            compute.Tape.Backward(compute, loss);
            Assert.All(x.Gradient.Data.ToArray(), value => Assert.True(float.IsFinite(value)));
        }
    }

    [Theory]
    [InlineData(float.NaN, float.NaN)]
    [InlineData(float.PositiveInfinity, float.NaN)] // infinity - infinity
    [InlineData(float.NegativeInfinity, 0)]
    public void Softmax_of_a_bad_number_is_what_the_formula_gives(float bad, float expected)
    {
        foreach (var width in SimdWidths.All)
        {
            using var compute = new Compute(1, width);
            for (int at = 0; at < 19; at++)
            {
                var x = new Random(at).Normal(19);
                x.Data[at] = bad;
                Assert.Equal(expected, compute.Softmax(x).Data[at]);
            }
        }
    }

    [Theory]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    [InlineData(float.NaN)]
    public void Sums_products_and_updates_carry_bad_numbers_on(float bad)
    {
        foreach (var width in SimdWidths.All)
        {
            using var compute = new Compute(1, width);
            var x = new Random(2).Normal(3, 21);
            x.Data[40] = bad;
            Assert.Equal(bad, compute.Sum(x).Data[0]);
            Assert.Equal(bad, compute.Mean(x).Data[0]);
            Assert.Equal(float.IsNaN(bad) ? double.NaN : double.PositiveInfinity, compute.SumOfSquares(x));
            // 0 times a bad number is a NaN in IEEE arithmetic: a product must not skip zeros.
            var y = compute.Linear(x, new Tensor(new Shape(2, 21)), null);
            Assert.Equal([0, 0, float.NaN, float.NaN, 0, 0], y.Data.ToArray());
            var (parameter, mean, square) = (new Random(3).Normal(3, 21), new Tensor(x.Shape), new Tensor(x.Shape));
            compute.AdamW(parameter, x, mean, square, new AdamWNumbers(0.1, 0.9, 0.95, 1e-8, 0, 1, 1));
            for (int i = 0; i < 63; i++)
                Assert.Equal(i != 40, float.IsFinite(parameter.Data[i]));
        }
    }
}
