namespace Nano.Tests;

/// <summary>
/// Steps from a state have the bits of the whole sequence, in which gradients of the states continue too; nothing is
/// allocated in a steady state.
/// </summary>
public class ScanTests
{
    private const int Batch = 3, Times = 37;

    /// <summary>
    /// A recurrence over x [B, T, columns] from a state, null before the first step: the output and the states after
    /// the last step.
    /// </summary>
    private sealed record Recurrence(string Name, int Columns,
        Func<Compute, Tensor, Tensor[], Tensor?[], Tensor[]> Run);

    private static readonly Recurrence[] Recurrences =
    [
        new("selective scan", 74, (c, x, p, s) => Both(c.SelectiveScan(x.SliceColumns(0, 33), x.SliceColumns(33, 33),
            p[0], x.SliceColumns(66, 4), x.SliceColumns(70, 4), p[1], s[0], logA: true))),
        new("causal convolution", 19, (c, x, p, s) => Both(c.DepthwiseCausalConv(x, p[2], p[3], s[0]))),
        new("lstm", 9, (c, x, p, s) =>
        {
            var (y, h, memory) = c.Lstm(x, new(p[4], p[5], p[6], p[6]), s[0], s[1]);
            return [y, h, memory];
        }),
        new("gru", 9, (c, x, p, s) => Both(c.Gru(x, new(p[7], p[8]), s[0]))),
        new("rnn", 9, (c, x, p, s) => Both(c.Rnn(x, new(p[9], p[10]), s[0]))),
        new("ssd", 42 + 2 + 8, (c, x, p, s) => Both(c.Ssd(x.SliceColumns(0, 42), x.SliceColumns(42, 2), p[11],
            x.SliceColumns(44, 4), x.SliceColumns(48, 4), 1, null, s[0], logA: true))),
        new("retention", 52, (c, x, p, s) => Both(c.Retention(x.SliceColumns(0, 6), x.SliceColumns(6, 6),
            x.SliceColumns(12, 40), Tensor.From(new Shape(2), [0.5f, 0.9f]), s[0]))),
        new("linear attention", 52, (c, x, p, s) => Both(c.LinearAttention(x.SliceColumns(0, 6), x.SliceColumns(6, 6),
            x.SliceColumns(12, 40), 2, s[0]))),
        new("wkv7", 60, (c, x, p, s) => Both(c.Wkv7(x.SliceColumns(0, 4), x.SliceColumns(4, 4), x.SliceColumns(8, 4),
            x.SliceColumns(12, 40), x.SliceColumns(52, 4), x.SliceColumns(56, 4), 2, s[0]))),
        new("gated delta rule", 56, (c, x, p, s) => Both(c.GatedDeltaRule(x.SliceColumns(0, 6), x.SliceColumns(6, 6),
            x.SliceColumns(12, 40), x.SliceColumns(52, 2), x.SliceColumns(54, 2), s[0]))),
    ];

    public static TheoryData<string> Names => [.. Recurrences.Select(one => one.Name)];

    private static Tensor[] Both((Tensor Y, Tensor State) results) => [results.Y, results.State];

    private static Tensor[] Parameters(Random r) =>
    [
        r.Normal(33, 4), r.Normal(33), r.Normal(19, 1, 4), r.Normal(19), r.Normal(4 * 21, 9), r.Normal(4 * 21, 21),
        r.Normal(4 * 21), r.Normal(3 * 21, 9), r.Normal(3 * 21, 21), r.Normal(21, 9), r.Normal(21, 21), r.Normal(2),
    ];

    /// <summary>Small positive inputs, with which no state grows.</summary>
    private static Tensor Inputs(Random r, int columns)
    {
        var x = r.Normal(Batch, Times, columns);
        foreach (ref float value in x.Data)
            value = 0.3f / (1 + MathF.Abs(value));
        return x;
    }

    /// <summary>Times [start, start + count) of every row, a copy.</summary>
    private static Tensor Part(Tensor x, int start, int count)
    {
        var part = new Tensor(new Shape(Batch, count, x.Shape[2]));
        for (int row = 0; row < Batch; row++)
            part.SliceRows(row, 1).CopyFrom(x.Reshape(new Shape(Batch * Times, x.Shape[2]))
                .SliceRows((row * Times) + start, count).Reshape(new Shape(1, count, x.Shape[2])));
        return part;
    }

    [Theory, MemberData(nameof(Names))]
    public void Parts_of_a_sequence_give_the_bits_of_the_whole(string name)
    {
        var one = Recurrences.Single(one => one.Name == name);
        foreach (var width in SimdWidths.All)
        {
            using var compute = TestTensors.Dirty(2, width);
            var (x, p) = (Inputs(new Random(1), one.Columns), Parameters(new Random(2)));
            var whole = one.Run(compute, x, p, [null, null]);
            foreach (int[] cuts in new int[][] { [18, 19], [1, 36], [32, 5], [.. Enumerable.Repeat(1, Times)] })
            {
                Tensor?[] states = [null, null];
                int start = 0;
                foreach (int count in cuts)
                {
                    var results = one.Run(compute, Part(x, start, count), p, states);
                    Assert.True(Part(whole[0], start, count).Bits().AsSpan().SequenceEqual(results[0].Bits()),
                        $"{name}, {width}: times {start} to {start + count}");
                    for (int i = 1; i < results.Length; i++)
                        states[i - 1] = results[i];
                    start += count;
                }
                for (int i = 1; i < whole.Length; i++)
                    Assert.Equal(whole[i].Bits(), states[i - 1]!.Bits());
            }
        }
    }

    /// <summary>Gradients of the inputs: what reaches the state of the first part comes from the second.</summary>
    [Theory, MemberData(nameof(Names))]
    public void Gradients_go_through_the_state_between_two_parts(string name)
    {
        const int First = 32; // where a state is retained in the whole too
        var one = Recurrences.Single(one => one.Name == name);
        using var compute = new Compute(2) { Tape = new Tape() };
        var (x, p) = (Inputs(new Random(1), one.Columns), Parameters(new Random(2)));
        var y = one.Run(compute, x, p, [null, null])[0];
        var upstream = new Random(3).Normal(Batch, Times, y.Shape[2]);
        compute.Tape.Backward(compute, y, upstream);
        Tensor firstPart = Part(x, 0, First), secondPart = Part(x, First, Times - First);
        var first = one.Run(compute, firstPart, p, [null, null]);
        var second = one.Run(compute, secondPart, p, [first[1], first.Length > 2 ? first[2] : null]);
        compute.Tape.Backward(compute, compute.Add(
            compute.Sum(compute.Multiply(first[0], Part(upstream, 0, First))),
            compute.Sum(compute.Multiply(second[0], Part(upstream, First, Times - First)))));
        Assert.Equal(Part(x.Gradient, 0, First).Bits(), firstPart.Gradient.Bits());
        Assert.Equal(Part(x.Gradient, First, Times - First).Bits(), secondPart.Gradient.Bits());
    }

    [Fact]
    public void A_steady_state_allocates_nothing()
    {
        foreach (var test in ScanCases.All)
        {
            using var compute = new Compute(2) { Tape = new Tape() };
            compute.StepTensors.Reuses = true;
            var inputs = test.Inputs(new Random(1));
            Tensor? upstream = null;
            void Run(int steps)
            {
                for (int i = 0; i < steps; i++)
                {
                    foreach (var input in inputs)
                        input.ForgetGradient();
                    compute.NextStep();
                    var y = test.Run(compute, inputs);
                    upstream ??= new Random(2).Normal((int)y.Length).Reshape(y.Shape);
                    compute.Tape!.Backward(compute, y, upstream);
                }
            }
            Run(20);
            long reserved = compute.StepArena.ReservedBytes, allocated = Allocations.Of(() => Run(10));
            Assert.True(allocated < 10 * 64, $"{test.Name}: {allocated} bytes in 10 steps");
            Assert.Equal(reserved, compute.StepArena.ReservedBytes);
        }
    }
}
