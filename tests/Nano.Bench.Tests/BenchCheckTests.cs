namespace Nano.Tests.Benchmarks;

/// <summary>Every kind of case is proved right at small sizes, and the proof notices when it is not.</summary>
public class BenchCheckTests
{
    private static IEnumerable<BenchCase> Small() =>
    [
        .. Enum.GetValues<GemmProduct>().Select(product => BenchCases.Gemm("small", new(product, 37, 19, 23))),
        BenchCases.Gemm("few", new(GemmProduct.Forward, 2, 19, 23)),
        BenchCases.Attention(2, 70, 3, 8, backward: false),
        BenchCases.Attention(2, 70, 3, 8, backward: true),
        .. BenchCases.Ops(rows: 12, wide: 37, channels: 21, vocabulary: 80),
    ];

    /// <summary>Sizes of which only a part is computed in scalar code.</summary>
    private static IEnumerable<BenchCase> Large() =>
    [
        .. Enum.GetValues<GemmProduct>().Select(product => BenchCases.Gemm("large", new(product, 512, 800, 700))),
        BenchCases.Attention(2, 1024, 8, 64, backward: false),
        BenchCases.Attention(1, 1024, 8, 64, backward: true),
    ];

    public static TheoryData<string> Names() => [.. Small().Select(of => of.ToString())];

    public static TheoryData<string> LargeNames() => [.. Large().Select(of => of.ToString())];

    private static BenchCase Case(string name) => Small().Concat(Large()).Single(of => of.ToString() == name);

    [Theory]
    [MemberData(nameof(Names))]
    [MemberData(nameof(LargeNames))]
    public void A_right_result_passes_again_and_again(string name)
    {
        var of = Case(name);
        using var compute = new Compute(2);
        using var work = of.Create();
        BenchCheck.Verify(of, work, compute);
        for (int i = 0; i < 3; i++)
        {
            work.Prepare?.Invoke(compute);
            work.Run(compute);
        }
        BenchCheck.Verify(of, work, compute);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void One_wrong_bit_at_one_width_is_noticed_in_every_output(string name)
    {
        var of = Case(name);
        using var compute = new Compute(1, SimdWidth.W512);
        using var work = of.Create();
        int outputs = 1;
        for (int i = 0; i < outputs; i++)
        {
            int corrupt = i;
            var wrong = Spoiled(work, (width, made) =>
            {
                outputs = made.Count;
                ref float value = ref made[corrupt].Values.Data[^1];
                value = width == SimdWidth.Scalar ? value : MathF.BitIncrement(value);
            });
            Assert.Contains("the bits differ",
                Assert.Throws<NanoException>(() => BenchCheck.Verify(of, wrong, compute)).Message,
                StringComparison.Ordinal);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void An_error_that_all_widths_share_is_noticed_in_every_output(string name)
    {
        var of = Case(name);
        using var compute = new Compute(1);
        using var work = of.Create();
        int outputs = 1;
        for (int i = 0; i < outputs; i++)
        {
            int corrupt = i;
            var wrong = Spoiled(work, (_, made) =>
            {
                outputs = made.Count;
                foreach (ref float value in made[corrupt].Values.Data)
                    value += 0.01f * (MathF.Abs(value) + 1);
            });
            Assert.Contains("must be",
                Assert.Throws<NanoException>(() => BenchCheck.Verify(of, wrong, compute)).Message,
                StringComparison.Ordinal);
        }
    }

    [Theory]
    [MemberData(nameof(LargeNames))]
    public void A_wrong_row_of_a_large_case_is_noticed(string name)
    {
        var of = Case(name);
        using var compute = new Compute(1);
        using var work = of.Create();
        var wrong = Spoiled(work, (width, made) => made[0].Values.Data[^1] += width == SimdWidth.Scalar ? 0 : 1);
        Assert.Contains("the bits differ",
            Assert.Throws<NanoException>(() => BenchCheck.Verify(of, wrong, compute)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_training_step_is_proved_by_its_twin()
    {
        using var compute = new Compute(2);
        var of = BenchCases.TrainStep("shakespeare-char", 12, 64);
        using var work = of.Create();
        BenchCheck.Verify(of, work, compute);
        foreach (int i in (int[])[0, 1, 3]) // the first loss, its norm, the norm after an update
        {
            var wrong = Spoiled(work, (width, made) => made[1].Values.Data[i] += width == SimdWidth.Scalar ? 0 : 1e-3f);
            Assert.Contains("the bits differ",
                Assert.Throws<NanoException>(() => BenchCheck.Verify(of, wrong, compute)).Message,
                StringComparison.Ordinal);
        }
        var shared = Spoiled(work, (_, made) => made[1].Values.Data[0] += 1);
        Assert.Contains("first loss",
            Assert.Throws<NanoException>(() => BenchCheck.Verify(of, shared, compute)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_peer_that_computes_something_else_is_refused()
    {
        var of = BenchCases.Gemm("small", new(GemmProduct.Forward, 2, 2, 2));
        static BenchPeer Peer(string name, params float[] theirs) =>
            new(name, () => { }, () => [new("y", [3], [3]), new("dx", theirs, [1, 2])]);
        BenchCheck.Compare(of, Peer("twin", 1, 2.0001f));
        var thrown = Assert.Throws<NanoException>(() => BenchCheck.Compare(of, Peer("stranger", 1, 2.001f)));
        Assert.Contains("stranger computes 2.001 for element 1 of dx, Nano 2", thrown.Message, StringComparison.Ordinal);
        Assert.Throws<NanoException>(() => BenchCheck.Compare(of, Peer("nan", float.NaN, 2)));
        Assert.Contains("1 elements of dx, Nano 2",
            Assert.Throws<NanoException>(() => BenchCheck.Compare(of, Peer("short", 1))).Message,
            StringComparison.Ordinal);
    }

    /// <summary>
    /// The same work with its outputs spoiled on the way to the check, once for each width they
    /// were made at.
    /// </summary>
    private static BenchWork Spoiled(BenchWork work, Action<SimdWidth, IReadOnlyList<BenchOutput>> spoil)
    {
        var width = SimdWidth.Scalar;
        Action<Compute>? Noting(Action<Compute>? action) => action is null ? null : c =>
        {
            width = c.Width;
            action(c);
        };
        return work with
        {
            Run = Noting(work.Run)!,
            Twin = Noting(work.Twin),
            Part = Noting(work.Part),
            Outputs = () =>
            {
                var outputs = work.Outputs();
                spoil(width, outputs);
                return outputs;
            },
        };
    }
}
