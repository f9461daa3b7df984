using static Nano.Tests.RoundedTraining;

namespace Nano.Tests;

/// <summary>Training with activations stored as bfloat16.</summary>
public class TrainActivationsTests
{
    private static readonly TrainOptions Options = Runs.Tiny with
    {
        Model = SmallModel(72),
        Batch = 8,
        Time = 72,
        KeptActivations = Keep.BFloat16,
    };

    [Fact]
    public void Every_width_team_and_split_into_micro_batches_gives_the_same_bits()
    {
        var plain = Options with { Model = Options.Model with { Dropout = 0 } };
        Assert.Equal(Train(plain).Parameters, Train(plain with { Batch = 2, Accumulate = 4 }).Parameters);
        var expected = Train(Options, 1, SimdWidth.Scalar);
        foreach (var (width, threads) in new[] { (SimdWidth.W128, 7), (SimdWidth.W256, 1), (SimdWidth.W512, 3) })
        {
            var actual = Train(Options, threads, width);
            Assert.Equal(expected.Results, actual.Results);
            Assert.Equal(expected.Parameters, actual.Parameters);
        }
    }

    [Fact]
    public void The_first_loss_is_that_of_float32_and_the_gradient_close_to_it()
    {
        var (parameters, results) = Train(Options);
        var (exact, expected) = Train(Options with { KeptActivations = Keep.All });
        Assert.Equal(expected[0].Loss, results[0].Loss);
        Assert.NotEqual(expected[0].GradientNorm, results[0].GradientNorm);
        Assert.Equal(1, results[0].GradientNorm / expected[0].GradientNorm, 1e-2);
        Assert.NotEqual(exact, parameters);
    }

    [Fact]
    public void After_the_first_steps_a_step_allocates_next_to_nothing()
    {
        var options = Options with { Batch = 4, Accumulate = 2 };
        using var model = Runs.NewModel(options);
        using var compute = new Compute(2);
        using var step = new TrainStep(model, compute,
            new BatchLoader(Runs.RandomTokens(500, 29), options.Batch, options.Time, "test"), options);
        for (int i = 0; i < 3; i++)
            step.Run(i, 1e-3);
        long reserved = step.ReservedBytes, before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 3; i < 13; i++)
            step.Run(i, 1e-3);
        long perStep = (GC.GetAllocatedBytesForCurrentThread() - before) / 10;
        Assert.True(perStep < 48 * 1024, $"{perStep} bytes per step");
        Assert.Equal(reserved, step.ReservedBytes);
    }

    [Fact]
    public void A_text_is_learned_by_heart_as_well() =>
        LearnByHeart(Runs.Tiny with { Batch = 2, Time = 12, KeptActivations = Keep.BFloat16 });

    [Fact]
    public void A_profile_shows_what_storing_costs()
    {
        var options = Runs.Tiny with { KeptActivations = Keep.BFloat16 };
        using var model = Runs.NewModel(options);
        using var compute = new Compute(1) { Profiler = new Profiler() };
        using var step = new TrainStep(model, compute,
            new BatchLoader(Runs.RandomTokens(500, 11), options.Batch, options.Time, "test"), options);
        step.Run(0, 1e-3);
        var rows = compute.Profiler.Rows(new Machine(1, 1, 1))
            .ToDictionary(row => row.Name + row.Shape, row => row.Calls);
        // Two blocks of seven tensors: two norms, qkv, attention, the sum after it, the wide layer and its GELU.
        Assert.Equal((14, 14), (rows["float32 to bfloat16"], rows["bfloat16 to float32"]));
    }

    [Fact]
    public void It_is_described_as_part_of_the_results_and_computing_again_is_not()
    {
        Assert.Equal("bf16", Options.Describe()["activations"]);
        Assert.Equal("float32", Runs.Tiny.Describe()["activations"]);
        Assert.Equal(Runs.Tiny.Describe(), (Runs.Tiny with { KeptActivations = Keep.Nothing }).Describe());
    }
}
