namespace Nano.Tests;

/// <summary>Mixtures in training: loads of experts, and biases that follow them.</summary>
public class RouterTrainingTests
{
    private const float Rate = 0.125f;

    /// <summary>DeepSeek's form: a dense layer, then 4 experts in 2 groups and a shared one.</summary>
    private static DecoderConfig Model => (DecoderConfig)ConfigFile.FromJson("""
        {
          "model_type": "deepseek_v3", "vocab_size": 11, "max_position_embeddings": 12, "num_hidden_layers": 2,
          "num_attention_heads": 2, "num_key_value_heads": 2, "hidden_size": 16, "intermediate_size": 24,
          "moe_intermediate_size": 8, "n_routed_experts": 4, "num_experts_per_tok": 2, "n_shared_experts": 1,
          "n_group": 2, "topk_group": 1, "first_k_dense_replace": 1, "kv_lora_rank": 8, "q_lora_rank": null,
          "qk_nope_head_dim": 4, "qk_rope_head_dim": 4, "v_head_dim": 8, "rms_norm_eps": 1e-5, "rope_theta": 10000,
          "aux_loss_alpha": 0.01, "seq_aux": true, "router_z_loss_coef": 0.001
        }
        """, "config.json");

    private static TrainOptions Options => Runs.Tiny with { Model = Model, RouterBiasRate = Rate };

    private static Tensor Bias(LanguageModel model) => model.Parameters.All
        .Single(tensor => tensor.Name == "model.layers.1.mlp.gate.e_score_correction_bias");

    private static TrainStep NewStep(LanguageModel model, Compute compute, TrainOptions options) => new(model, compute,
        new BatchLoader(Runs.RandomTokens(200, 11), options.Batch, 8, "test"), options);

    /// <summary>The choices of the same model for the same rows, counted by hand.</summary>
    [Fact]
    public void A_bias_moves_by_the_rate_towards_even_loads()
    {
        using var compute = new Compute(2);
        using var model = Runs.NewModel(Options);
        using var untouched = Runs.NewModel(Options);
        using var step = NewStep(model, compute, Options);
        step.Run(0, 1e-2);
        Tensor ids = new(new Shape(4, 8), DType.Int32), targets = new(new Shape(4, 8), DType.Int32);
        new BatchLoader(Runs.RandomTokens(200, 11), 4, 8, "test").Training(Options.Seed, 0, ids, targets);
        using var other = new Compute(1) { Tape = new Tape() };
        List<Routing> routings = [];
        untouched.Forward(other, ids, new() { Routings = routings });
        long[] loads = [.. Enumerable.Range(0, 4)
            .Select(e => (long)Assert.Single(routings).Experts.Ids.ToArray().Count(chosen => chosen == e))];
        Assert.Equal(64, loads.Sum());
        Assert.Equal(loads, step.Loads!.Of(1).ToArray());
        Assert.Equal(["block1"], step.Loads.ByBlock().Keys);
        Assert.Equal([.. loads.Select(load => Rate * Math.Sign(16 - load))], Bias(model).Data.ToArray());
    }

    [Fact]
    public void Losses_and_biases_are_those_of_the_whole_batch_for_any_split_and_threads()
    {
        var whole = After(Options, 1);
        Assert.Equal(whole.Bias, After(Options, 3).Bias);
        var split = After(Options with { Batch = 2, Accumulate = 2 }, 2);
        Assert.Equal(whole.Bias, split.Bias);
        Assert.Equal(whole.Loss, split.Loss, 1e-5);
        var plain = Options with { Model = Model with { Mixture = Plain } };
        Assert.Equal(After(plain, 1).Bias, After(plain with { KeptActivations = Keep.Nothing }, 2).Bias);

        (float[] Bias, double Loss) After(TrainOptions options, int threads)
        {
            using var compute = new Compute(threads);
            using var model = Runs.NewModel(options);
            using var step = NewStep(model, compute, options);
            double loss = 0;
            for (int i = 0; i < 3; i++)
                loss = step.Run(i, 1e-3).Loss;
            return (Bias(model).Data.ToArray(), loss);
        }
    }

    private static MixtureConfig Plain => Model.Mixture! with { SequenceLoss = 0, ZLoss = 0 };

    [Fact]
    public void A_rate_of_zero_leaves_the_biases()
    {
        using var compute = new Compute(1);
        using var model = Runs.NewModel(Options);
        using var step = NewStep(model, compute, Options with { RouterBiasRate = 0 });
        step.Run(0, 1e-2);
        Assert.All(Bias(model).Data.ToArray(), value => Assert.Equal(0, value));
    }

    [Fact]
    public void A_run_that_resumes_ends_with_the_bytes_of_one_that_never_stopped_and_its_log_tells_the_loads()
    {
        using var folder = new TempFolder();
        Train(folder.File("whole"), resume: false, stopAfter: 100);
        Train(folder.File("halves"), resume: false, stopAfter: 2);
        Train(folder.File("halves"), resume: true, stopAfter: 100);
        Assert.Equal(Runs.Files(Path.Combine(folder.File("whole"), "step-000006")),
            Runs.Files(Path.Combine(folder.File("halves"), "step-000006")));
        var loads = RunLog.Read(Path.Combine(folder.File("whole"), "log.jsonl")).OfType<StepEntry>().First()
            .ExpertLoads!;
        Assert.Equal(4 * 8 * 2, loads["block1"].Sum());
        Assert.Contains("Load of experts", File.ReadAllText(Path.Combine(folder.File("whole"), "report.html")),
            StringComparison.Ordinal);

        static void Train(string run, bool resume, int stopAfter)
        {
            using var compute = new Compute(2);
            using var trainer = new Trainer(Options with { DefaultTokenizer = CorpusTokenizer.Characters },
                TrainingData.FromText(new("test", PatternedText.Sentences(), "made for this test"), null), run, resume,
                compute, 100, "nano train test");
            using var stop = new CancellationTokenSource();
            foreach (var told in trainer.Run(stop.Token))
                if (told is StepDone && told.Step >= stopAfter)
                    stop.Cancel();
        }
    }

    [Fact]
    public void Experts_that_choose_their_tokens_train_without_samples()
    {
        var model = (DecoderConfig)ConfigFile.FromJson("""
            {
              "model_type": "mixtral", "vocab_size": 11, "max_position_embeddings": 12, "num_hidden_layers": 1,
              "num_attention_heads": 2, "num_key_value_heads": 2, "hidden_size": 16, "intermediate_size": 8,
              "num_local_experts": 4, "num_experts_per_tok": 2, "router_choice": "experts"
            }
            """, "config.json");
        using var folder = new TempFolder();
        using var compute = new Compute(2);
        using var trainer = new Trainer(Runs.Tiny with { Model = model, LearningRate = 1e-2, Steps = 60 },
            TrainingData.FromText(new("test", PatternedText.Sentences(), "made for this test"), null),
            folder.File("run"), false, compute, 100, "nano train test");
        Evaluated[] evaluations = [.. trainer.Run(CancellationToken.None).OfType<Evaluated>()];
        Assert.All(evaluations, evaluated => Assert.Equal("", evaluated.Sample));
        Assert.True(evaluations[^1].ValLoss < evaluations[0].ValLoss - 0.3);
    }

    [Fact]
    public void A_model_without_biases_is_refused()
    {
        var error = Assert.Throws<NanoException>(() => (Runs.Tiny with { RouterBiasRate = Rate }).Validate());
        Assert.Equal("`router_bias_rate` 0.125 moves the biases of DeepSeek-V3's routers, and a model of type gpt2 has "
            + "none", error.Message);
    }

    /// <summary>Loads 2, 6 and 4 have a mean of 4.</summary>
    [Fact]
    public void Shares_are_over_the_mean()
    {
        Assert.Equal((0.5, 1.5), LoadCurves.Shares([2, 6, 4]));
        Assert.Equal((double.NaN, double.NaN), LoadCurves.Shares([0, 0]));
    }
}
