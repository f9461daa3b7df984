namespace Nano.Tests;

/// <summary>Plans against arithmetic by hand from the published configurations.</summary>
public class TrainingPlanTests
{
    /// <summary>
    /// GPT-2 124M: tokens 50,257 x 768, positions 1,024 x 768; a block has norms 2 x 1,536,
    /// attention 768 x 2,304 + 2,304 + 768 x 768 + 768 and MLP 768 x 3,072 + 3,072 + 3,072 x 768 +
    /// 768, which is 7,087,872; twelve of them and a norm of 1,536.
    /// </summary>
    [Fact]
    public void GPT_2_by_hand()
    {
        var plan = TrainingPlan.Of(Presets.Get("gpt2-124m"));
        Assert.Equal(38_597_376 + 786_432 + (12 * 7_087_872L) + 1_536, plan.Parameters);
        Assert.Equal(124_439_808, plan.Parameters);
        Assert.Equal(85_056_000, plan.ParametersWithoutEmbeddings);
        Assert.Equal(5000L * 16 * 4 * 1024, plan.Tokens);
        Assert.Equal(746_638_848, plan.EstimatedFlopsPerToken);
        // Every weight but the positions' multiplies; attention to 1,024 keys in 12 layers of 768 channels.
        Assert.Equal((6.0 * 123_653_376) + (12.0 * 12 * 768 * 1024), plan.FlopsPerToken);
        // Forward once more, 2 per weight and 4 L C T, without the head of 2 x 50,257 x 768.
        Assert.Equal((2.0 * 85_056_000) + (4.0 * 12 * 768 * 1024), plan.RecomputedFlopsPerToken, 1);
        Assert.Equal(2_488_796_160, plan.OptimalTokens);
        Assert.Equal(37_977, plan.OptimalSteps); // of 65,536 tokens: 37,976 leave 1,024 over
    }

    [Fact]
    public void Time_is_arithmetic_over_a_share_of_the_peak()
    {
        var plan = TrainingPlan.Of(Presets.Get("gpt2-124m"));
        Assert.Equal(1000 * 855_166_464.0 / (100e9 * 0.5), plan.Seconds(1000, 100, 0.5, recompute: false), 1e-9);
        Assert.Equal(1000 * (855_166_464 + 207_860_736.0) / (100e9 * 0.5),
            plan.Seconds(1000, 100, 0.5, recompute: true), 1e-6);
    }

    /// <summary>
    /// llama2.c's 15M: a vocabulary of 32,000 in 288 channels, six layers of 4 x 288 x 288 + 3 x
    /// 288 x 768 and two norms, a norm; no table of positions.
    /// </summary>
    [Fact]
    public void A_Llama_by_hand()
    {
        var plan = TrainingPlan.Of(Presets.Get("llama-15m"));
        const long blocks = (6 * ((4 * 288 * 288) + (3 * 288 * 768) + (2 * 288))) + 288;
        Assert.Equal((32_000 * 288) + blocks, plan.Parameters);
        Assert.Equal(15_191_712, plan.Parameters);
        Assert.Equal(blocks, plan.ParametersWithoutEmbeddings);
        Assert.Equal((6.0 * 15_191_712) + (12.0 * 6 * 288 * 256), plan.FlopsPerToken);
        Assert.Equal(303_834_240, plan.OptimalTokens);
    }

    /// <summary>The bound is the task's: GPT-2 124M, float32, AdamW, 4 rows of 64 tokens in 2.5 GB.</summary>
    [Fact]
    public void Memory_of_a_step_of_GPT_2()
    {
        var preset = Presets.Get("gpt2-124m");
        using var compute = new Compute(2);
        var small = TrainingPlan.Of(preset with { Time = 64, Accumulate = 1 });
        var estimate = small.Estimate(compute, 400, recompute: false, share: 0.5, longestStep: 2);
        Assert.InRange(estimate.Memory.Total, 16 * 124_439_808L, 2_500_000_000);
        Assert.Equal((0.5, false, false), (estimate.Share, estimate.Measured, estimate.Recompute));
        Assert.Equal(small.Seconds(256, 400, 0.5, recompute: false), estimate.StepSeconds);
        Assert.Equal(5000 * estimate.StepSeconds, estimate.Seconds, 1e-6);
        Assert.Equal(small.OptimalTokens / 256.0 * estimate.StepSeconds, estimate.OptimalSeconds, 1e-3);
        var plan = TrainingPlan.Of(preset);
        var (kept, again) = (plan.Estimate(compute, 400, recompute: false, share: null, longestStep: 2),
            plan.Estimate(compute, 400, recompute: true, share: null, longestStep: 2));
        // a step of 65,536 tokens is too long to try
        Assert.Equal((TrainingPlan.AssumedShare, false), (again.Share, again.Measured));
        // A block keeps 16 B T C floats for the backward pass, or, computed again, what enters it: one.
        const long rows = 4L * 1024 * 768 * sizeof(float);
        Assert.True(kept.Memory.Activations > 12 * 16 * rows);
        Assert.InRange(again.Memory.Activations, (12 + 16) * rows, 60 * rows);
        Assert.True(again.Seconds > kept.Seconds);
    }

    [Fact]
    public void A_small_run_is_measured()
    {
        using var compute = new Compute(1);
        var estimate = TrainingPlan.Of(Runs.Tiny).Estimate(compute, 100, recompute: true, share: null, longestStep: 2);
        Assert.True(estimate.Measured && estimate.Share > 0);
        Assert.Null(compute.Tape);
        Assert.False(TrainingPlan.Of(Runs.Tiny).Estimate(compute, 100, recompute: true, share: null,
            longestStep: 0).Measured);
    }

    [Fact]
    public void Activations_that_are_rounded_count_only_where_they_are_kept()
    {
        using var compute = new Compute(1);
        var options = Presets.Get("shakespeare-gpt");
        TrainingEstimate Of(Keep kept, bool recompute) =>
            TrainingPlan.Of(options with { KeptActivations = kept })
                .Estimate(compute, 100, recompute, share: 0.5, longestStep: 2);
        Assert.Equal(Of(Keep.All, recompute: true), Of(Keep.BFloat16, recompute: true));
        Assert.InRange(Of(Keep.BFloat16, recompute: false).Memory.Activations, 1,
            0.8 * Of(Keep.All, recompute: false).Memory.Activations);
    }

    [Fact]
    public void Impossible_runs_are_refused() =>
        Assert.Throws<NanoException>(() => TrainingPlan.Of(Runs.Tiny with { Batch = 0 }));
}
