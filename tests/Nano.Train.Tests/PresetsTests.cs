namespace Nano.Tests;

public class PresetsTests
{
    [Fact]
    public void Every_preset_validates_and_is_found_by_its_name()
    {
        Assert.NotEmpty(Presets.All);
        Assert.Equal(Presets.Names, Presets.All.Keys);
        Assert.Equal(Presets.Names.Select(name => $"recipes/{name}.json").Order(StringComparer.Ordinal),
            typeof(Presets).Assembly.GetManifestResourceNames()
                .Where(name => name.StartsWith("recipes/", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
        foreach (var (name, options) in Presets.All)
        {
            options.Validate();
            Assert.Equal(name, options.Preset);
            Assert.Same(options, Presets.Get(name));
        }
    }

    [Theory]
    [InlineData("shakespear-char", "shakespeare-char")]
    [InlineData("shakespeare-gtp", "shakespeare-gpt")]
    public void An_unknown_preset_is_refused_with_the_nearest(string wrong, string nearest)
    {
        var e = Assert.Throws<NanoException>(() => Presets.Get(wrong));
        Assert.Contains(wrong, e.Message, StringComparison.Ordinal);
        Assert.Contains($"did you mean '{nearest}'?", e.Hint, StringComparison.Ordinal);
        Assert.DoesNotContain("did you mean", Assert.Throws<NanoException>(() => Presets.Get("xyz")).Hint,
            StringComparison.Ordinal);
    }

    // nanoGPT's README, "I only have a macbook".
    [Fact]
    public void Shakespeare_char_is_the_recipe_of_nanoGPT_for_a_processor()
    {
        var options = Presets.Get("shakespeare-char");
        var model = (Gpt2Config)options.Model;
        Assert.Equal((4, 4, 128, 64, false, 0f, GeluForm.Erf, true),
            (model.Layers, model.Heads, model.Channels, model.ContextLength, model.Bias, model.Dropout, model.Gelu,
                model.TiedHead));
        Assert.Equal((12, 64, 1, 2000, 1e-3, 1e-4, 100),
            (options.Batch, options.Time, options.Accumulate, options.Steps, options.LearningRate,
                options.MinLearningRate, options.WarmupSteps));
        Assert.Equal((250, 20), (options.EvalInterval, options.EvalBatches));
        Assert.Equal(new OptimizerOptions("adamw", 0.9, 0.99, 1e-8, 0.1), options.Optimizer);
        Assert.Equal(768, options.TokensPerStep);
        Assert.Equal(804_096, Count(model));
    }

    // nanoGPT's config/train_shakespeare_char.py, which prints "number of parameters: 10.65M" (position table
    // not counted).
    [Fact]
    public void Shakespeare_gpt_is_the_larger_recipe_of_nanoGPT()
    {
        var options = Presets.Get("shakespeare-gpt");
        var model = (Gpt2Config)options.Model;
        Assert.Equal((6, 6, 384, 256, false, 0.2f),
            (model.Layers, model.Heads, model.Channels, model.ContextLength, model.Bias, model.Dropout));
        Assert.Equal((64, 256, 5000, 1e-3, 1e-4, 100, 0.99),
            (options.Batch, options.Time, options.Steps, options.LearningRate, options.MinLearningRate,
                options.WarmupSteps, options.Optimizer.Beta2));
        Assert.Equal(10.65e6, Count(model) - (256 * 384), 0.005e6);
    }

    [Fact]
    public void Llama_char_is_the_recipe_of_shakespeare_char_with_a_model_of_equal_size()
    {
        var (llama, gpt2) = (Presets.Get("llama-char"), Presets.Get("shakespeare-char"));
        Assert.Equal(gpt2 with { Preset = "llama-char", Model = llama.Model }, llama);
        Assert.IsType<DecoderConfig>(llama.Model);
        Assert.Equal(1, Count(llama.Model) / (double)Count(gpt2.Model), 0.01);
    }

    // llm.c's train_gpt2.c: B 4, T 64, 40 steps of AdamW at 1e-4 with betas 0.9 and 0.999, epsilon 1e-8, no
    // decay, no clipping; a validation of 5 batches every 10 steps.
    [Fact]
    public void Gpt2_124m_shakespeare_is_the_demonstration_of_llm_c()
    {
        var options = Presets.Get("gpt2-124m-shakespeare");
        Assert.Equal((4, 64, 1, 40, 10, 5),
            (options.Batch, options.Time, options.Accumulate, options.Steps, options.EvalInterval,
                options.EvalBatches));
        Assert.Equal(new OptimizerOptions("adamw", 0.9, 0.999, 1e-8, 0), options.Optimizer);
        Assert.All(Enumerable.Range(0, 40), step => Assert.Equal(1e-4, options.LearningRateAt(step)));
        Assert.Equal((double.PositiveInfinity, Sampling.InOrder, "openai-community/gpt2"),
            (options.ClipNorm, options.Sampling, options.From));
        Assert.Equal(Presets.Get("gpt2-124m").Model, options.Model);
    }

    // llama2.c's README names the sizes; stories15M.bin holds 15,191,712 weights: 60,816,028 bytes less
    // header and rotary tables.
    [Theory]
    [InlineData("llama-15m", 15_191_712)]
    [InlineData("llama-42m", 41_689_600)]
    [InlineData("llama-110m", 109_529_856)]
    [InlineData("gpt2-124m", 124_439_808)]
    [InlineData("gpt2-355m", 354_823_168)]
    [InlineData("gpt2-774m", 774_030_080)]
    [InlineData("gpt2-1558m", 1_557_611_200)]
    public void A_preset_for_pretraining_has_the_size_in_its_name(string name, long count)
    {
        var options = Presets.Get(name);
        Assert.Equal(count, options.Model.ParameterShapes().Sum(parameter => parameter.Shape.Length));
        Assert.Equal(double.Parse(name.Split('-')[1].TrimEnd('m'), System.Globalization.CultureInfo.InvariantCulture),
            count / 1e6, 1.0);
        Assert.Equal(options.Model.ContextLength, options.Time);
        Assert.Equal(Keep.Nothing, options.KeptActivations);
    }

    static long Count(ModelConfig config) => (config with { VocabSize = 65 }).ParameterShapes()
        .Sum(parameter => parameter.Shape.Length);

    public static TheoryData<TrainOptions, string> Impossible => new()
    {
        { Runs.Tiny with { Batch = 0 }, "`batch`" },
        { Runs.Tiny with { Time = 0 }, "`seq`" },
        { Runs.Tiny with { Accumulate = -1 }, "`accumulate`" },
        { Runs.Tiny with { EvalInterval = 0 }, "`eval_interval`" },
        { Runs.Tiny with { EvalBatches = 0 }, "`eval_batches`" },
        { Runs.Tiny with { Keep = 0 }, "`keep`" },
        { Runs.Tiny with { Batch = 1 << 14, Accumulate = 1 << 14 }, "`accumulate` 16384" },
        { Runs.Tiny with { Batch = int.MaxValue, Accumulate = int.MaxValue }, "`batch` 2147483647" },
        { Runs.Tiny with { Steps = -1 }, "`steps`" },
        { Runs.Tiny with { Time = 13 }, "12" },
        { Runs.Tiny with { LearningRate = 0 }, "`lr`" },
        { Runs.Tiny with { LearningRate = double.NaN }, "`lr`" },
        { Runs.Tiny with { LearningRate = double.PositiveInfinity }, "`lr`" },
        { Runs.Tiny with { Model = Runs.Tiny.Model with { Heads = 3 } }, "3 heads" },
    };

    [Theory]
    [MemberData(nameof(Impossible))]
    public void Impossible_options_are_refused_by_name(TrainOptions options, string expected) =>
        Assert.Contains(expected, Assert.Throws<NanoException>(options.Validate).Message, StringComparison.Ordinal);

    public static TheoryData<TrainOptions> Changes
    {
        get
        {
            var (o, m) = (Runs.Tiny, Runs.TinyModel);
            return
            [
                o with { Preset = "x" }, o with { Batch = 9 }, o with { Time = 9 }, o with { Accumulate = 9 },
                    o with { Steps = 9 }, o with { LearningRate = 9 }, o with { MinLearningRate = 9 },
                o with { WarmupSteps = 9 }, o with { EvalInterval = 9 }, o with { EvalBatches = 9 },
                    o with { Seed = 9 }, o with { Sampling = Sampling.Epochs }, o with { Pack = true },
                o with { Optimizer = new(Beta1: 0.5) }, o with { Optimizer = new(Beta2: 0.5) },
                    o with { Optimizer = new(Epsilon: 0.5) }, o with { Optimizer = new(WeightDecay: 0.5) },
                        o with { ClipNorm = 0.5 },
                o with { Model = m with { VocabSize = 9 } }, o with { Model = m with { ContextLength = 9 } },
                    o with { Model = m with { Layers = 9 } }, o with { Model = m with { Heads = 9 } },
                o with { Model = m with { Channels = 9 } }, o with { Model = m with { Bias = false } },
                    o with { Model = m with { Gelu = GeluForm.Erf } }, o with { Model = m with { Dropout = 0.5f } },
                o with { Model = m with { TiedHead = false } }, o with { Model = m with { LayerNormEpsilon = 0.5f } },
            ];
        }
    }

    /// <summary>
    /// A checkpoint is resumed only with equal descriptions, so whatever decides the bits must show
    /// in them.
    /// </summary>
    [Theory]
    [MemberData(nameof(Changes))]
    public void Whatever_decides_a_run_shows_in_its_description(TrainOptions changed)
    {
        var (before, after) = (Runs.Tiny.Describe(), changed.Describe());
        Assert.Equal(before.Keys, after.Keys);
        Assert.Single(before.Keys, key => before[key] != after[key]);
    }
}
