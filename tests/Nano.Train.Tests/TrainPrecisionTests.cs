using static Nano.Tests.RoundedTraining;

namespace Nano.Tests;

/// <summary>Training with products of bfloat16 operands.</summary>
public class TrainPrecisionTests
{
    private static readonly TrainOptions Options = Runs.Tiny with
    {
        Model = SmallModel(23),
        Batch = 8,
        Time = 23, // odd: a micro-batch of one row ends in the middle of a pair
        Precision = Precision.BFloat16,
    };

    [Fact]
    public void Every_width_team_and_split_into_micro_batches_gives_the_same_bits()
    {
        var plain = Options with { Model = Options.Model with { Dropout = 0 } };
        foreach (int rows in new[] { 1, 2, 4 })
            Assert.Equal(Train(plain).Parameters, Train(plain with { Batch = rows, Accumulate = 8 / rows }).Parameters);
        Assert.Equal(Train(plain).Parameters, Train(plain with { KeptActivations = Keep.Nothing }).Parameters);
        var expected = Train(Options, 1, SimdWidth.Scalar);
        foreach (var (width, threads) in new[] { (SimdWidth.W128, 7), (SimdWidth.W256, 1), (SimdWidth.W512, 1),
            (SimdWidth.W512, 2), (SimdWidth.W512, 3), (SimdWidth.W512, 7) })
        {
            var actual = Train(Options, threads, width);
            Assert.Equal(expected.Results, actual.Results);
            Assert.Equal(expected.Parameters, actual.Parameters);
        }
    }

    [Fact]
    public void Losses_and_gradients_are_close_to_those_of_float32()
    {
        var (parameters, results) = Train(Options);
        var (exact, expected) = Train(Options with { Precision = Precision.Float32 });
        Assert.NotEqual(exact, parameters);
        Assert.NotEqual(expected[0].Loss, results[0].Loss);
        Assert.Equal(1, results[0].Loss / expected[0].Loss, 1e-3);
        Assert.Equal(1, results[0].GradientNorm / expected[0].GradientNorm, 1e-2);
    }

    [Fact]
    public void A_text_is_learned_by_heart_as_well() =>
        LearnByHeart(Runs.Tiny with { Batch = 2, Time = 12, Precision = Precision.BFloat16 });

    [Fact]
    public void After_the_first_steps_a_step_reserves_nothing()
    {
        using var model = Runs.NewModel(Options);
        using var compute = new Compute(2);
        using var step = new TrainStep(model, compute,
            new BatchLoader(Runs.RandomTokens(500, 29), Options.Batch, Options.Time, "test"), Options);
        for (int i = 0; i < 3; i++)
            step.Run(i, 1e-3);
        long reserved = step.ReservedBytes, scratch = compute.ScratchBytes,
            before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 3; i < 13; i++)
            step.Run(i, 1e-3);
        long perStep = (GC.GetAllocatedBytesForCurrentThread() - before) / 10;
        Assert.True(perStep < 48 * 1024, $"{perStep} bytes per step");
        Assert.Equal((reserved, scratch), (step.ReservedBytes, compute.ScratchBytes));
    }

    [Fact]
    public void It_is_described_and_a_run_does_not_resume_with_another()
    {
        Assert.Equal("bf16", Options.Describe()["precision"]);
        Assert.Equal("float32", Runs.Tiny.Describe()["precision"]);
        RunState saved = new(Options, new Dictionary<string, string>(), []),
            now = new(Options with { Precision = Precision.Float32 }, new Dictionary<string, string>(), []);
        Assert.Equal(["precision was bf16 and is now float32"], now.DifferencesFrom(saved));
        Assert.Empty(saved.DifferencesFrom(saved));
    }

    [Fact]
    public void Float16_is_left_to_devices()
    {
        using var model = Runs.NewModel(Options);
        using var compute = new Compute(1);
        var e = Assert.Throws<NanoException>(() => new TrainStep(model, compute,
            new BatchLoader(Runs.RandomTokens(500, 29), 8, 23, "test"),
            Options with { Precision = Precision.Float16 }));
        Assert.Contains("`precision` float16", e.Message, StringComparison.Ordinal);
    }
}
