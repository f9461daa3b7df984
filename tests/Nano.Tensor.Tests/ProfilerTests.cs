namespace Nano.Tests;

/// <summary>
/// Laps are counted under the right names with the right costs; how long they take is no matter for
/// a test.
/// </summary>
public class ProfilerTests
{
    private static readonly Machine Machine = new(100, 10, 10);

    /// <summary>
    /// An op on small inputs with what it must cost: name, operations and bytes of forward, then of
    /// backward (null: several laps).
    /// </summary>
    private static readonly (Func<Compute, Random, Tensor> Run, Work Forward, Work? Backward)[] Costs =
    [
        // 2 x 3 x 5 x 4 twice: x [3, 4], W [5, 4], y [3, 5]
        ((c, r) => c.Linear(r.Normal(3, 4), r.Normal(5, 4), r.Normal(5)), new("linear forward", 120, 4 * (12 + 20 + 15),
            (3, 5, 4)), null),
        // Two products of a [3, 4], b [4, 5] in a batch; backward has two of each
        ((c, r) => c.MatMul(r.Normal(2, 3, 4), r.Normal(2, 4, 5)), new("matmul forward", 240, 2 * 4 * (12 + 20 + 15),
            (3, 5, 4)), new("matmul backward", 480, 4 * 4 * (12 + 20 + 15), (3, 5, 4))),
        ((c, r) => c.MatMul(r.Normal(4, 3), r.Normal(5, 4), true, true), new("matmul forward", 120, 4 * (12 + 20 + 15),
            (3, 5, 4)), new("matmul backward", 240, 2 * 4 * (12 + 20 + 15), (3, 5, 4))),
        ((c, r) => c.Add(r.Normal(2, 6), r.Normal(6)), new("add forward", 12, 4 * (12 + 6 + 12)), new("add backward",
            12, 4 * (12 + 6))),
        ((c, r) => c.Multiply(r.Normal(2, 6), r.Normal(2, 6)), new("multiply forward", 12,
            4 * 36), new("multiply backward", 24, 4 * 60)),
        ((c, r) => c.Scale(r.Normal(12), 2), new("scale forward", 12, 4 * 24), new("scale backward", 12, 4 * 24)),
        ((c, r) => c.L2Normalize(r.Normal(2, 6)), new("l2 normalize forward", 36, 4 * (12 + 12 + 2)),
            new("l2 normalize backward", 60, 4 * (12 + 2 + 12 + 12))),
        ((c, r) => c.GroupNorm(r.Normal(2, 6), r.Normal(6), r.Normal(6), 3, 1e-5f), new("channel norm forward", 84,
            4 * (12 + 6 + 6 + 12 + 6 + 6)), new("channel norm backward", 144,
                4 * (12 + 6 + 6 + 6 + 12 + 12 + 6 + 6))),
        ((c, r) => c.Divide(r.Normal(12), r.Normal(12)), new("divide forward", 12, 4 * 36), new("divide backward", 48,
            4 * 72)),
        ((c, r) => c.Permute(r.Normal(3, 4), 1, 0), new("permute forward", 0, 4 * 24), new("permute backward", 0,
            4 * 24)),
        ((c, r) => c.Expand(r.Normal(3, 1), new Shape(3, 4)), new("expand forward", 0, 4 * 15), new("expand backward",
            12, 4 * 15)),
        ((c, r) => c.Concat(0, r.Normal(3), r.Normal(4)), new("concat forward", 0, 4 * 14), new("concat backward", 0,
            4 * 14)),
        ((c, r) => c.Gather(r.Normal(7, 3), Tensor.FromIds(new Shape(2), [4, 4]), 0), new("gather forward", 0,
            4 * (2 + 6 + 6)), new("gather backward", 6, 4 * (2 + 6 + 21))),
        ((c, r) => c.ScatterAdd(r.Normal(2, 3),
            Tensor.FromIds(new Shape(2), [4, 4]), 0, 7), new("scatter-add forward", 6,
            4 * (2 + 6 + 21)), new("scatter-add backward", 0, 4 * (2 + 6 + 21))),
        ((c, r) => c.Sum(r.Normal(2, 6), 0), new("sum forward", 12, 4 * 18), new("sum backward", 12, 4 * 18)),
        ((c, r) => c.Max(r.Normal(2, 6), 1), new("max forward", 12, 4 * (12 + 2 + 2)), new("max backward", 0,
            4 * (12 + 2 + 2))),
        ((c, r) => c.Activation(ActivationKind.Relu, r.Normal(12)), new("activation forward", 12,
            4 * 24), new("activation backward", 24, 4 * 36)),
        ((c, r) => c.SwiGlu(r.Normal(12), r.Normal(12)), new("gated forward", 36, 4 * 36), new("gated backward",
            120, 4 * 60)),
        ((c, r) => c.Dropout(r.Normal(12), 0.5f, 1, 1), new("dropout forward", 12, 4 * 24), new("dropout backward",
            12, 4 * 24)),
        ((c, r) => c.LayerNorm(r.Normal(2, 6), r.Normal(6), r.Normal(6), 1e-5f), new("layernorm forward", 96,
            4 * (12 + 6 + 6 + 12 + 2 + 2)), new("layernorm backward", 216, 4 * (12 + 6 + 2 + 2 + 12 + 12 + 6 + 6))),
        ((c, r) => c.LayerNorm(r.Normal(2, 6), r.Normal(6), null, 1e-5f), new("layernorm forward", 96,
            4 * (12 + 6 + 12 + 2 + 2)), new("layernorm backward", 216, 4 * (12 + 6 + 2 + 2 + 12 + 12 + 6))),
        ((c, r) => c.RmsNorm(r.Normal(2, 6), r.Normal(6), 1e-5f), new("rmsnorm forward", 48,
            4 * (12 + 6 + 12 + 2)), new("rmsnorm backward", 132, 4 * (12 + 6 + 2 + 12 + 12 + 6))),
        ((c, r) => c.Softmax(r.Normal(2, 6)), new("softmax forward", 60, 4 * 24), new("softmax backward", 48, 4 * 36)),
        ((c, r) => c.Rope(r.Normal(3, 8), new RopeTable(RopeTable.InverseFrequencies(4, 10000), [0, 1, 2]),
            RopePairing.RotateHalf), new("rope forward", 72, 4 * (24 + 6 + 6 + 24)), new("rope backward", 72,
                4 * (24 + 6 + 6 + 24))),
        ((c, r) => c.Embedding(r.Normal(7, 3), Tensor.FromIds(new Shape(2), [4, 4])), new("embedding forward", 0,
            4 * (2 + 6 + 6)), null),
        // B 2, 3 queries that see 1 + 2 + 3 keys, 2 heads of 4: each product 2 x 2 x 2 x 4 x 6 = 192
        ((c, r) => c.CausalAttention(r.Normal(2, 3, 8), r.Normal(2, 3, 4), r.Normal(2, 3, 4), 2, 1),
            new("attention forward", 384, 4 * (48 + 24 + 24 + 48 + 12)), new("attention backward", 960,
                4 * (48 + 24 + 24 + 48 + 48 + 12 + 48 + 24 + 24))),
        // 2 heads: of 3 queries over 4 and over 2 keys, 12 + 6 pairs; each product over keys 2 x 2 x 4 x 18 = 288,
        // over values of 3 channels 216; backward three and two of them
        ((c, r) => c.Attention(r.Normal(2, 3, 8), r.Normal(2, 4, 4), r.Normal(2, 4, 3), new AttentionOptions(2, 1)
            {
                IsCausal = false, Lengths = Tensor.FromIds(new Shape(2), [4, 2])
            }), new("attention forward", 504, 4 * (48 + 32 + 24 + 36 + 12)), new("attention backward", 1296,
                4 * (48 + 32 + 24 + 36 + 36 + 12 + 48 + 32 + 24))),
        // 1 head: 5 queries with a window of 2 and a sink see 1 + 2 + 3 + 3 + 3 keys
        ((c, r) => c.Attention(r.Normal(1, 5, 4), r.Normal(1, 5, 4), r.Normal(1, 5, 4), new AttentionOptions(1, 1)
            {
                Window = 2, Sinks = 1
            }), new("attention forward", 192, 4 * 85), new("attention backward", 480, 4 * 165)),
        ((c, r) => c.CrossEntropy(r.Normal(2, 6), Tensor.FromIds(new Shape(2), [4, 5])).Loss, new("cross-entropy forward",
            48, 4 * (12 + 2 + 2 + 2)), new("cross-entropy backward", 48, 4 * (12 + 2 + 2 + 2 + 12))),
        ((c, r) => c.LinearCrossEntropy(r.Normal(2, 3), r.Normal(6, 3), Tensor.FromIds(new Shape(2), [4, 5])).Loss,
            new("mean loss", 2, 0), new("head gradient handed on", 0, 0)),
        ((c, r) => c.Checkpoint(r.Normal(2, 6), (inner, x) => inner.Scale(x, 2)), new("checkpoint", 0, 0), null),
        ((c, r) => c.StoringBFloat16(r.Normal(2, 6), (inner, x) => inner.Scale(x, 2)), new("bfloat16 storage",
            0, 0), null),
        ((c, r) => c.Sum(r.Normal(2, 6)), new("sum forward", 12, 4 * 12), new("sum backward", 0, 4 * 12)),
        // u, dt, y [1, 2, 3], A [3, 4], B, C [1, 2, 4], D [3], states [4, 3] at the start and at the end
        ((c, r) => ScanCases.SelectiveScan(c, r).Y, new("selective scan forward", ((7 * 4) + 3) * 6,
            4 * (6 + 6 + 12 + 8 + 8 + 3 + 12 + 12 + 6)), new("selective scan backward", ((20 * 4) + 8) * 6,
            4 * (6 + 6 + 12 + 8 + 8 + 3 + 12 + 6 + 6 + 6 + 12 + 8 + 8))),
        ((c, r) => ScanCases.SelectiveScan(c, r).State, new("final state forward", 0, 4 * 24),
            new("final state backward", 0, 4 * 24)),
        // x, y [2, 3, 4], three taps, a tail of two inputs
        ((c, r) => c.DepthwiseCausalConv(r.Normal(2, 3, 4), r.Normal(4, 1, 3), r.Normal(4)).Y,
            new("causal conv forward", 2 * 3 * 24, 4 * (24 + 12 + 4 + 16 + 24)),
            new("causal conv backward", 4 * 3 * 24, 4 * (24 + 12 + 24 + 24 + 12))),
        // 6 rows of 4 numbers times [20, 4], and of 5 times [20, 5]
        ((c, r) => c.Lstm(r.Normal(2, 3, 4), new(r.Normal(20, 4), r.Normal(20, 5))).Y, new("lstm forward",
            2 * 6 * 20 * 9, 4 * (24 + 80 + 100 + 120 + 30)), new("lstm backward", 4 * 6 * 20 * 9,
            8 * (24 + 80 + 100 + 120 + 30))),
        // x, y [1, 2, 6], dt [1, 2, 2], B, C [1, 2, 4], states [2, 4, 3]
        ((c, r) => c.Ssd(r.Normal(1, 2, 6), r.Normal(1, 2, 2), r.Normal(2), r.Normal(1, 2, 4), r.Normal(1, 2, 4), 1).Y,
            new("ssd forward", ((5 * 4) + 3) * 12, 4 * (12 + 4 + 2 + 8 + 8 + 24 + 24 + 12)), new("ssd backward",
            ((16 * 4) + 8) * 12, 4 * (12 + 4 + 2 + 8 + 8 + 24 + 12 + 12 + 4 + 2 + 8 + 8))),
        // two heads of 4 keys and 3 values, two times
        ((c, r) => c.Retention(r.Normal(1, 2, 8), r.Normal(1, 2, 8), r.Normal(1, 2, 6), r.Normal(2)).Y,
            new("retention forward", 5 * 4 * 12, 4 * (16 + 16 + 12 + 24 + 24 + 12)), new("retention backward",
            16 * 4 * 12, 4 * (16 + 16 + 12 + 24 + 12 + 16 + 16 + 12))),
        ((c, r) => c.Wkv7(r.Normal(1, 2, 8), r.Normal(1, 2, 8), r.Normal(1, 2, 8), r.Normal(1, 2, 6), r.Normal(1, 2, 8),
            r.Normal(1, 2, 8), 2).Y, new("wkv7 forward", 9 * 4 * 12, 4 * ((5 * 16) + 12 + 24 + 24 + 12)),
            new("wkv7 backward", 30 * 4 * 12, 4 * ((5 * 16) + 12 + 24 + 12 + (5 * 16) + 12))),
        ((c, r) => c.GatedDeltaRule(r.Normal(1, 2, 8), r.Normal(1, 2, 8), r.Normal(1, 2, 6), r.Normal(1, 2, 2),
            r.Normal(1, 2, 2)).Y, new("gated delta rule forward", 7 * 4 * 12,
            4 * (16 + 16 + 12 + 4 + 4 + 24 + 24 + 12)),
            new("gated delta rule backward", 24 * 4 * 12,
            4 * (16 + 16 + 12 + 4 + 4 + 24 + 12 + 16 + 16 + 12 + 4 + 4))),
        // 9 inputs of each of 4 x 5 outputs in 2 images
        ((c, r) => c.Conv(r.Normal(2, 3, 7), r.Normal(4, 3, 3), r.Normal(4)), new("conv forward", 2 * 9 * 40,
            4 * (42 + 36 + 4 + 40)), new("conv backward", 2 * 9 * 40 * 2, 4 * (42 + 36 + 40 + 42 + 36))),
        // two experts of three tokens
        ((c, r) => c.Router(r.Normal(3, 4), new RouterRule(2)).Weights, new("router forward", 48, 4 * (12 + 12 + 6)),
            new("router backward", 48, 4 * (12 + 6 + 12))),
        ((c, r) => c.BalanceLoss([r.Normal(3, 4)], [new Tensor(new Shape(3, 2), DType.Int32)]),
            new("balance loss forward", 12, 0), new("balance loss backward", 12, 0)),
        ((c, r) => c.SequenceBalanceLoss([r.Normal(3, 4)], [new Tensor(new Shape(3, 2), DType.Int32)],
            RouterScoring.Softmax, 3), new("sequence balance loss forward", 12, 0),
            new("sequence balance loss backward", 12, 0)),
        ((c, r) => c.RouterZLoss([r.Normal(3, 4)]), new("router z-loss forward", 12, 0),
            new("router z-loss backward", 12, 0)),
        ((c, r) => c.Pool(PoolKind.Max, r.Normal(2, 3, 4, 4), 2), new("pool forward", 4 * 24, 4 * (96 + 24)),
            new("pool backward", 4 * 24, 4 * (96 + 24 + 96))),
    ];

    [Fact]
    public void Every_op_costs_what_counting_by_hand_gives()
    {
        using var compute = new Compute(1) { Tape = new Tape() };
        foreach (var (run, forward, backward) in Costs)
        {
            var y = run(compute, new Random(1));
            var op = compute.Tape.Ops.LastOrDefault(op => op.Output == y) ?? compute.Tape.Ops[^1];
            Assert.Equal(forward, op.ForwardWork);
            Assert.Equal(backward, op.BackwardWork);
        }
        var ops = typeof(AddOp).Assembly.GetTypes().Where(type => type.IsValueType && type.IsAssignableTo(typeof(IOp)));
        Assert.Empty(ops.Except(compute.Tape.Ops.Select(op => op.GetType())).Select(type => type.Name));
    }

    /// <summary>
    /// Operations per element and tensors moved, counted by hand for two inputs of 12 numbers.
    /// </summary>
    [Theory]
    [InlineData("add", true, false, 0, 0)] // dy becomes da
    [InlineData("add", false, true, 1, 2)] // dy read, db written
    [InlineData("multiply", true, false, 1, 3)] // dy and b read, da written
    [InlineData("multiply", false, true, 1, 3)]
    [InlineData("gated", true, false, 7, 4)] // dy, gate and up read, dgate written
    [InlineData("gated", false, true, 3, 3)] // dy and gate read, dup written
    public void A_gradient_that_nobody_wants_costs_nothing(string name, bool first, bool second, int operations,
        int tensors)
    {
        using var compute = new Compute(1) { Tape = new Tape() };
        var r = new Random(1);
        Tensor a = r.Normal(2, 6), b = r.Normal(2, 6);
        (a.WantsGradient, b.WantsGradient) = (first, second);
        _ = name switch
        {
            "add" => compute.Add(a, b),
            "multiply" => compute.Multiply(a, b),
            _ => compute.SwiGlu(a, b),
        };
        Assert.Equal(new Work(name + " backward", 12 * operations, 4 * 12 * tensors),
            compute.Tape.Ops[^1].BackwardWork);
    }

    [Fact]
    public void A_query_after_cached_keys_sees_all_of_them()
    {
        using var compute = new Compute(1) { Tape = new Tape() };
        var r = new Random(1);
        compute.CausalAttention(r.Normal(1, 2, 4), r.Normal(1, 5, 4), r.Normal(1, 5, 4), 1, 1);
        Assert.Equal(2 * (2 * 4 * (4 + 5)), compute.Tape.Ops[^1].ForwardWork.Flops);
    }

    [Fact]
    public void Each_op_of_a_step_is_a_lap_under_its_own_name_and_size()
    {
        using var compute = new Compute(1) { Tape = new Tape(), Profiler = new Profiler() };
        var r = new Random(1);
        var (x, first, second, bias) = (r.Normal(3, 4), r.Normal(5, 4), r.Normal(5, 5), r.Normal(5));
        for (int step = 0; step < 2; step++)
        {
            compute.NextStep();
            compute.Profiler.StartStep();
            var y = compute.Linear(compute.Activation(ActivationKind.Tanh,
                compute.Linear(compute.Linear(x, first, bias), second, null)), second, null);
            compute.Tape.Backward(compute, y);
            compute.Profiler.EndStep();
        }
        var expected = new (string, string, double)[]
        {
            ("activation backward", "", 1), ("activation forward", "", 1), ("linear dW", "5 x 4 x 3", 1),
            ("linear dW", "5 x 5 x 3", 2), ("linear dX", "3 x 4 x 5", 1), ("linear dX", "3 x 5 x 5", 2),
            ("linear db", "", 1), ("linear forward", "3 x 5 x 4", 1), ("linear forward", "3 x 5 x 5", 2),
            ("other", "", 1),
        };
        Assert.Equal(expected, compute.Profiler.Rows(Machine).Select(row => (row.Name, row.Shape, row.Calls)).Order());
        Assert.Equal(2, compute.Profiler.Steps);
    }

    /// <summary>A clock that stands still until it is moved; a tick is a microsecond.</summary>
    private sealed class Clock : TimeProvider
    {
        public long Now { get; set; }

        public override long TimestampFrequency => 1_000_000;

        public override long GetTimestamp() => Now;
    }

    [Fact]
    public void Time_belongs_to_the_work_that_has_just_ended()
    {
        var clock = new Clock();
        var profiler = new Profiler(clock);
        for (int step = 0; step < 2; step++)
        {
            clock.Now += 1_000_000; // between steps
            profiler.StartStep();
            clock.Now += 2000;
            profiler.Lap(new Work("busy", 4.1e6, 1e6));
            clock.Now += 5000;
            profiler.Lap(Work.Of("product", 100, 100, 100));
            clock.Now += 1500;
            profiler.Lap(null);
            clock.Now += 1500;
            profiler.Lap(new Work("copy", 4e6, 1e6));
            clock.Now += 700;
            profiler.Skip();
            clock.Now += 1000;
            profiler.Lap(new Work("busy", 4.1e6, 1e6));
            clock.Now += 300;
            profiler.EndStep();
        }
        Assert.Equal(12, profiler.MillisecondsPerStep, 1e-9);
        // Machine: 100 GFLOP/s, 10 GB/s. "busy": 8.2e6 operations in 3 ms; the product: 2e6 in 5 ms, 120 kB.
        ProfileRow[] expected =
        [
            new("product", "100 x 100 x 100", 1, 5, 500 / 12.0, 0.4, 0.024, "arithmetic", 0.4),
            new("busy", "", 2, 3, 25, 8.2 / 3, 2 / 3.0, "arithmetic", 8.2 / 3),
            new("copy", "", 1, 3, 25, 4 / 3.0, 1 / 3.0, "memory", 10 / 3.0),
            new("other", "", 1, 1, 100 / 12.0, null, null, "", null),
        ];
        Assert.Equal(expected.Select(Rounded), profiler.Rows(Machine).Select(Rounded));

        static ProfileRow Rounded(ProfileRow row) => row with
        {
            Ms = Math.Round(row.Ms, 9),
            Percent = Math.Round(row.Percent, 9),
            Gflops = row.Gflops is { } flops ? Math.Round(flops, 9) : null,
            Gbps = row.Gbps is { } bytes ? Math.Round(bytes, 9) : null,
            PercentOfCeiling = row.PercentOfCeiling is { } percent ? Math.Round(percent, 9) : null,
        };
    }

    [Fact]
    public void Laps_outside_a_step_do_not_count()
    {
        using var compute = new Compute(1) { Profiler = new Profiler() };
        compute.Scale(new Tensor(new Shape(3)), 2);
        Assert.Empty(compute.Profiler.Rows(Machine));
        compute.Profiler.StartStep();
        compute.Profiler.EndStep();
        compute.Scale(new Tensor(new Shape(3)), 2);
        Assert.Equal("other", Assert.Single(compute.Profiler.Rows(Machine)).Name);
    }

    [Fact]
    public void Laps_allocate_nothing_once_their_rows_exist()
    {
        var profiler = new Profiler();
        var x = new Tensor(new Shape(3));
        void Run()
        {
            for (int i = 0; i < 50; i++)
            {
                profiler.StartStep();
                profiler.Lap(Work.Of("linear dX", i % 4, 2, 3));
                profiler.Lap(Work.Of("adamw", 15 * x.Length, x, x, x, null, x));
                profiler.EndStep();
            }
        }
        Run();
        Assert.Equal(0, Allocations.Of(Run));
    }
}
