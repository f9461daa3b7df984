namespace Nano.Tests;

/// <summary>Models with a state instead of keys and values; their numbers are tested with the goldens of zoo.</summary>
public class StateSpaceModelTests
{
    const int V = 19;

    static readonly MambaConfig Mamba = new()
    {
        VocabSize = V,
        ContextLength = 90,
        Layers = 2,
        Heads = 1,
        Channels = 10,
        Intermediate = 70,
        StateSize = 5,
        StepRank = 3,
    };

    static readonly MambaConfig Mamba2 = Mamba with
    {
        IsMamba2 = true,
        Heads = 6,
        HeadDim = 7,
        Intermediate = 42,
        StepRank = 1,
        Groups = 2,
        Kernel = 3,
        Bias = true,
        ConvolutionBias = false,
        TiedHead = false,
    };

    static readonly Rwkv7Config Rwkv7 = new()
    {
        VocabSize = V,
        ContextLength = 90,
        Layers = 3,
        Heads = 2,
        Channels = 12,
        Intermediate = 20,
        DecayRank = 3,
        RateRank = 2,
        ValueRank = 4,
        GateRank = 5,
        TiedHead = false,
    };

    public static TheoryData<string> Names => ["mamba", "mamba2", "rwkv7"];

    static RecurrentConfig Named(string name) => name == "mamba" ? Mamba : name == "mamba2" ? Mamba2 : Rwkv7;

    [Theory, MemberData(nameof(Names))]
    public void Steps_from_a_state_have_the_bits_of_the_whole_text_at_every_width_and_number_of_threads(string name)
    {
        using var model = Models.Random(Named(name));
        int[] ids = Models.RandomIds(70, V);
        int[]? whole = null;
        foreach (var width in SimdWidths.All)
            foreach (int threads in (int[])[1, 2, 3, 7])
            {
                using var compute = new Compute(threads, width);
                int[] bits = Models.Bits(Models.Logits(model, compute, ids));
                Assert.Equal(whole ??= bits, bits);
                foreach (int[] pieces in new int[][] { [.. Enumerable.Repeat(1, 70)], [5, 65], [64, 1, 5], [2, 1, 67] })
                    Assert.Equal(whole, InPieces(model, compute, ids, pieces));
            }
        using var single = new Compute(1);
        Assert.All(Models.Logits(model, single, ids), value => Assert.True(float.IsFinite(value)));
    }

    [Theory, MemberData(nameof(Names))]
    public void Rows_of_a_batch_have_states_of_their_own_that_are_copied_and_cleared(string name)
    {
        using var model = Models.Random(Named(name));
        using var compute = new Compute(2);
        using var cache = model.Config.NewCache(3, 90);
        int[] a = Models.RandomIds(20, V, 1), b = Models.RandomIds(20, V, 2);
        Next([1], a[..9]);
        Next([0], b[..4]);
        AssertSame(Next([0, 1], [b[4], a[9]]), b[..5], a[..10]);
        cache.CopyRow(1, 2, 10); // as beams do, which share a prompt
        AssertSame(Next([2, 0, 1], [b[0], b[5], a[10]]), [.. a[..10], b[0]], b[..6], a[..11]);
        cache.Clear(0);
        Assert.Equal((0, 11), (cache.LengthOf(0), cache.LengthOf(2)));
        AssertSame(Next([0], a[..3]), [a[..3]]);
        cache.Clear();
        AssertSame(Next([0, 1, 2], [a[0], b[0], a[5]]), a[..1], b[..1], a[5..6]);

        float[] Next(int[] rows, int[] ids)
        {
            compute.NextStep();
            cache.Select(rows);
            var input = Tensor.FromIds(new Shape(rows.Length, ids.Length / rows.Length), ids);
            return model.NextLogits(compute, input, cache).Data.ToArray();
        }
        void AssertSame(float[] logits, params int[][] texts)
        {
            for (int i = 0; i < texts.Length; i++)
                Assert.Equal(Models.Bits(Models.Logits(model, compute, texts[i]))[^V..],
                    Models.Bits(logits.AsSpan(i * V, V)));
        }
    }

    [Theory, MemberData(nameof(Names))]
    public void Beams_have_the_log_probabilities_of_their_whole_texts(string name)
    {
        using var model = Models.Random(Named(name));
        using var compute = new Compute(2);
        using var generator = new Generator(model, compute);
        int[] prompt = [3, 1, 4];
        foreach (var beam in generator.Search(prompt, new BeamOptions { Beams = 4, MaxTokens = 6, LengthPenalty = 0 }))
        {
            int[] text = [.. prompt, .. beam.Ids];
            float[] logits = Models.Logits(model, compute, text);
            double sum = 0;
            for (int t = prompt.Length; t < text.Length; t++)
            {
                var row = logits.AsSpan((t - 1) * V, V).ToArray();
                sum += row[text[t]] - Math.Log(row.Sum(value => Math.Exp(value)));
            }
            Assert.Equal(sum, beam.LogProbability, 4);
        }
    }

    [Theory, MemberData(nameof(Names))]
    public void A_block_that_is_recomputed_gives_the_same_gradients(string name)
    {
        Assert.Equal(Gradients(Keep.All), Gradients(Keep.Nothing));

        Dictionary<string, int[]> Gradients(Keep keep)
        {
            using var model = Models.Random(Named(name));
            using var compute = new Compute(2) { Tape = new Tape() };
            model.Parameters.EnableGradients();
            var (ids, targets) = (Models.RandomIds(40, V), Models.RandomIds(40, V, 2));
            var (loss, _) = model.Loss(compute, Tensor.FromIds(new Shape(2, 20), ids),
                Tensor.FromIds(new Shape(2, 20), targets), pass: new() { Keep = keep });
            compute.Tape.Backward(compute, loss);
            return model.Parameters.All.ToDictionary(parameter => parameter.Name!,
                parameter => Models.Bits(parameter.Gradient.Data));
        }
    }

    [Theory, MemberData(nameof(Names))]
    public void A_config_json_that_was_written_reads_as_the_same_config(string name)
    {
        var config = Named(name);
        string json = config.ToJson();
        var read = ConfigFile.FromJson(json, "config.json");
        Assert.Equal(config, read);
        Assert.Equal(json, read.ToJson());
        Assert.NotEqual(config, read.WithSizes(90, layers: 1, heads: null, channels: null));
    }

    [Fact]
    public void Sizes_that_cannot_be_are_refused_by_name()
    {
        AssertRefused("42 channels", Mamba2 with { Heads = 5 });
        AssertRefused("groups", Mamba2 with { Groups = 4 });
        AssertRefused("a mamba has one", Mamba with { Heads = 2 });
        AssertRefused("kernel", Mamba with { Kernel = 0 });
        AssertRefused("number of states", Mamba with { StateSize = 1 << 20 });
        AssertRefused("rank of step sizes", Mamba with { StepRank = 0 });
        AssertRefused("epsilon", Mamba with { NormEpsilon = 0 });
        AssertRefused("do not share", Rwkv7 with { HeadDim = 5 });
        AssertRefused("rank of values", Rwkv7 with { ValueRank = 0 });
        AssertRefused("head of its own", Rwkv7 with { TiedHead = true });

        static void AssertRefused(string problem, ModelConfig config) => Assert.Contains(problem,
            Assert.Throws<NanoException>(() => LanguageModel.Create(config)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("mamba", "\"hidden_act\": \"silu\"", "\"hidden_act\": \"relu\"", "hidden_act")]
    [InlineData("mamba2", "\"n_groups\": 2", "\"n_groups\": 4", "groups")]
    [InlineData("mamba2", "\"hidden_act\"", "\"time_step_limit\": [0.0, 0.1], \"hidden_act\"", "time_step_limit")]
    [InlineData("rwkv7", "\"head_size\": 6", "\"head_size\": 5", "head_size")]
    [InlineData("rwkv7", "\"head_size\": 6", "\"head_size\": 0", "head_size")]
    public void A_variant_that_is_not_supported_is_refused_by_name(string name, string from, string to, string problem)
    {
        string json = Named(name).ToJson();
        Assert.Contains(from, json, StringComparison.Ordinal);
        Assert.Contains(problem, Assert.Throws<BadFileException>(() => ConfigFile.FromJson(
            json.Replace(from, to, StringComparison.Ordinal), "config.json")).Message, StringComparison.Ordinal);
    }

    [Theory, MemberData(nameof(Names))]
    public void A_state_is_not_rounded_and_documents_do_not_share_a_row(string name)
    {
        using var model = Models.Random(Named(name));
        using var compute = new Compute(1);
        Assert.Contains("take f32", Assert.Throws<NanoException>(
            () => new Generator(model, compute, WeightType.Q8_0)).Hint, StringComparison.Ordinal);
        Assert.Throws<NanoException>(() => model.Config.NewCache(1, 8, WeightType.F16));
        Assert.Contains("document", Assert.Throws<NanoException>(() => model.Forward(compute,
            Tensor.FromIds(new Shape(1, 4), [1, 2, 3, 4]), new() { Segments = new Segments(compute, [2, 2]) })).Message,
            StringComparison.Ordinal);
        using var cache = model.Config.NewCache(2, 8);
        Assert.Contains("cannot take", Assert.Throws<ArgumentException>(() => cache.SetState(compute, 0, 0,
            Tensor.From(new Shape(1, 2), [1f, 2f]))).Message, StringComparison.Ordinal);
    }

    // 129,135,360 and 128,989,632: the published models. A state holds K - 1 inputs of the convolution and N numbers
    // for each channel.
    [Fact]
    public void Published_sizes_have_the_published_number_of_parameters_and_a_state_of_one_size()
    {
        var mamba = Mamba with
        {
            VocabSize = 50280,
            Layers = 24,
            Channels = 768,
            Intermediate = 1536,
            StateSize = 16,
            StepRank = 48,
        };
        var summary = ModelSummary.Of(mamba);
        Assert.Equal(129_135_360, summary.Parameters);
        Assert.Equal((0, 24L * 4 * ((3 * 1536) + (16 * 1536))), (summary.CacheBytesPerToken, summary.CacheBytes));
        Assert.Equal(128_989_632, ModelSummary.Of(mamba with
        {
            IsMamba2 = true,
            VocabSize = 50288,
            Heads = 24,
            HeadDim = 64,
            StateSize = 128,
        }).Parameters);
    }

    [Fact]
    public void Mamba_begins_with_the_decays_and_step_sizes_of_its_paper()
    {
        using var model = LanguageModel.Create(Mamba);
        model.Initialize(3);
        var values = model.Parameters.All.ToDictionary(parameter => parameter.Name!,
            parameter => parameter.Data.ToArray());
        Assert.All(values["backbone.layers.1.mixer.A_log"].Index(), pair =>
            Assert.Equal(Math.Log(1 + (pair.Index % 5)), pair.Item, 6));
        Assert.All(values["backbone.layers.1.mixer.D"], value => Assert.Equal(1, value));
        double[] steps = [.. values["backbone.layers.0.mixer.dt_proj.bias"].Select(b => Math.Log(1 + Math.Exp(b)))];
        Assert.All(steps, step => Assert.InRange(step, 0.000999, 0.1001));
        Assert.InRange(steps.Select(Math.Log10).Average(), -2.3, -1.7); // log-uniform
        double bound = 1 / Math.Sqrt(70 * 2); // 70 inputs, two layers
        Assert.InRange(values["backbone.layers.0.mixer.out_proj.weight"].Max(Math.Abs), 0.95 * bound, bound);
    }

    [Theory, MemberData(nameof(Names))]
    public void A_few_steps_of_training_from_the_first_weights_learn_a_text(string name)
    {
        using var model = LanguageModel.Create(Named(name));
        model.Initialize(1);
        model.Parameters.EnableGradients();
        using var compute = new Compute(2) { Tape = new Tape() };
        using var optimizer = new AdamW(model.Parameters.All, new OptimizerOptions("adamw", 0.9, 0.95, 1e-8, 0));
        int[] text = Models.RandomIds(33, V, 5);
        var losses = new List<float>();
        for (int step = 0; step < 60; step++)
        {
            compute.NextStep();
            model.Parameters.ForgetGradients();
            var (loss, _) = model.Loss(compute, Tensor.FromIds(new Shape(1, 32), text.AsSpan(0, 32)),
                Tensor.FromIds(new Shape(1, 32), text.AsSpan(1)));
            losses.Add(loss.Data[0]);
            compute.Tape.Backward(compute, loss);
            optimizer.Step(compute, 0.02, 1);
        }
        Assert.InRange(losses[0], Math.Log(V) - 0.3, Math.Log(V) + 0.3); // an even guess
        Assert.InRange(losses[^1], 0, 1);
    }

    [Theory, MemberData(nameof(Names))]
    public void A_gguf_file_of_a_recurrent_model_is_refused_by_its_type(string name) =>
        Assert.Contains(name, GgufConfig.Refusal(Named(name)), StringComparison.Ordinal);

    static int[] InPieces(LanguageModel model, Compute compute, int[] ids, IEnumerable<int> pieces)
    {
        using var cache = model.Config.NewCache(1, ids.Length);
        var bits = new List<int>();
        int at = 0;
        foreach (int length in pieces)
        {
            compute.NextStep();
            bits.AddRange(Models.Bits(model.Forward(compute,
                Tensor.FromIds(new Shape(1, length), ids.AsSpan(at, length)), new() { Cache = cache }).Data));
            at += length;
        }
        return [.. bits];
    }
}
