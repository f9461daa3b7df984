namespace Nano.Tests;

/// <summary>The plan against what steps really take, and against arithmetic by hand.</summary>
public class MemoryPlanTests
{
    static readonly Gpt2Config Model = new()
    {
        VocabSize = 29,
        ContextLength = 40,
        Layers = 3,
        Heads = 3,
        Channels = 48
    };
    static readonly TrainOptions Base = Runs.Tiny with { Model = Model, Batch = 6, Time = 40, Steps = 9 };

    static readonly DecoderConfig Llama = new()
    {
        VocabSize = 29,
        ContextLength = 40,
        Layers = 3,
        Heads = 6,
        KvHeads = 2,
        HeadDim = 10,
        Channels = 48,
        Intermediate = 100,
        QkNorm = true,
        Window = 9
    };

    public static TheoryData<TrainOptions> Options =>
    [
        Base with { Model = Llama },
        Base with { Model = Llama with { TiedHead = false, QkvBias = true, Dropout = 0.1f },
            KeptActivations = Keep.Nothing, Accumulate = 2 },
        Base,
        Base with { KeptActivations = Keep.Nothing },
        Base with { KeptActivations = Keep.BFloat16, Accumulate = 2 },
        Base with { Model = Llama with { Dropout = 0.1f }, KeptActivations = Keep.BFloat16 },
        Base with { Precision = Precision.BFloat16 },
        Base with { Batch = 1, Time = 7, Accumulate = 3 },
        Base with { Model = Model with { Dropout = 0.2f, TiedHead = false, Bias = false } },
        Base with { Model = Base.Model with { Dropout = 0.2f }, KeptActivations = Keep.Nothing, Accumulate = 2 },
        Base with { Model = Base.Model with { Channels = 240, Layers = 5 } }, // more than one chunk of the arena
    ];

    [Theory]
    [MemberData(nameof(Options))]
    public void Activations_and_scratch_are_planned_to_the_byte(TrainOptions options)
    {
        using var model = Runs.NewModel(options);
        using var compute = new Compute(2, SimdWidth.W256);
        using var step = new TrainStep(model, compute,
            new BatchLoader(Runs.RandomTokens(500, 29), options.Batch, options.Time, "test"), options);
        for (int i = 0; i < 6; i++)
            step.Run(i, 1e-3);
        var plan = MemoryPlan.Of(options, 2, SimdWidth.W256);
        Assert.Equal(step.ActivationBytes, plan.Activations);
        Assert.Equal(compute.ScratchBytes, plan.Scratch);
        // what is given back is found again
        Assert.InRange(compute.StepArena.TouchedBytes, compute.StepArena.PeakBytes, 1.2 * compute.StepArena.PeakBytes);
    }

    [Fact]
    public void Parameters_gradients_and_moments_are_four_times_the_parameters()
    {
        var plan = MemoryPlan.Of(Base, 1);
        long bytes = 4 * Base.Model.ParameterShapes().Sum(parameter => parameter.Shape.Length);
        Assert.Equal((bytes, bytes, 2 * bytes), (plan.Parameters, plan.Gradients, plan.Moments));
        Assert.Equal((4 * bytes) + plan.Activations + plan.Scratch + MemoryPlan.Runtime, plan.Total);
    }

    /// <summary>
    /// By hand: a block keeps 16 tensors of B T C floats (two norms, q, k, v, attention, the sum
    /// after it, wide and its GELU at 4 each, the sum after that).
    /// </summary>
    [Fact]
    public void A_step_of_GPT_2_is_planned_without_its_memory()
    {
        var options = Base with { Model = Gpt2Config.Named("gpt2"), Batch = 4, Time = 64 };
        var plan = MemoryPlan.Of(options, 1);
        const double blocks = 12 * 16 * 4 * 64 * 768 * sizeof(float), logits = 256.0 * 50257 * sizeof(float);
        Assert.InRange(plan.Activations, blocks + logits, 1.05 * (blocks + logits));
        var again = MemoryPlan.Of(options with { KeptActivations = Keep.Nothing }, 1);
        Assert.InRange(again.Activations, 1, 0.4 * plan.Activations);
        Assert.Equal(plan with { Activations = again.Activations }, again);
        // Of the 16, half of 15 and the sum after a block, which stays float32; and one block as it was computed.
        var halved = MemoryPlan.Of(options with { KeptActivations = Keep.BFloat16 }, 1);
        const double kept = blocks * 8.5 / 16, one = blocks / 12 * 15 / 16;
        Assert.InRange(halved.Activations, kept + one, 1.05 * (kept + one + logits));
        Assert.Equal(plan with { Activations = halved.Activations }, halved);
    }

    [Fact]
    public void A_model_that_no_machine_here_holds_can_be_planned()
    {
        var plan = MemoryPlan.Of(Base with { Model = Gpt2Config.Named("gpt2-xl"), Batch = 1, Time = 1024 }, 1);
        Assert.Equal(16 * 1_557_611_200L, plan.Parameters + plan.Gradients + plan.Moments);
        Assert.True(plan.Activations > 48L * 16 * 1024 * 1600 * sizeof(float));
    }

    [Fact]
    public void Impossible_options_are_refused() =>
        Assert.Throws<NanoException>(() => MemoryPlan.Of(Base with { Time = 41 }));
}
