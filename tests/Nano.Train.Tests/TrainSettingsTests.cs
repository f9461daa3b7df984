namespace Nano.Tests;

/// <summary>The table of settings: names, words, bounds, and values laid over a preset.</summary>
public class TrainSettingsTests
{
    private static readonly TrainOptions Preset = Presets.Get("shakespeare-char");

    private static TrainOptions Override(params (string Key, string Value)[] values) =>
        TrainSettings.Override(Preset, values.ToDictionary(value => value.Key, value => value.Value));

    [Fact]
    public void Keys_and_options_are_unique_and_every_setting_is_described()
    {
        Setting[] all = [.. TrainSettings.All, .. TrainSettings.OfModel];
        Assert.Equal(all.Length, all.Select(setting => setting.Key).Distinct().Count());
        Assert.Equal(all.Length, all.Select(setting => setting.Option).Distinct().Count());
        Assert.Empty(all.Select(setting => setting.FormerKey).OfType<string>()
            .Intersect(all.Select(setting => setting.Key)));
        Assert.All(all, setting => Assert.True(setting.Help.Length > 5 && setting.Accepts.Length > 5, setting.Key));
    }

    [Fact]
    public void Every_word_of_a_setting_is_accepted_and_read_back()
    {
        foreach (var setting in TrainSettings.All.Where(setting => setting.Kind == SettingKind.Word))
        {
            Assert.True(setting.Words.Count > 1, setting.Key);
            Assert.All(setting.Words, word => Assert.Equal(word, setting.Get(setting.Set(Preset, word))));
            if (!setting.IsName)
                Assert.Throws<FormatException>(() => setting.Set(Preset, setting.Words[0] + "x"));
        }
    }

    [Theory]
    [InlineData("batch", "1", "0")]
    [InlineData("steps", "0", "-1")]
    [InlineData("warmup_steps", "0", "-1")]
    [InlineData("beta2", "0", "1")]
    [InlineData("epsilon", "1e-300", "0")]
    [InlineData("weight_decay", "0", "Infinity")]
    [InlineData("clip_norm", "Infinity", "NaN")]
    [InlineData("z_loss", "0", "Infinity")]
    [InlineData("label_smoothing", "0.999", "1")]
    [InlineData("spike_z", "0.001", "0")]
    [InlineData("patience", "0", "-1")]
    [InlineData("eval_batches", "1", "0")]
    public void Bounds_are_accepted_and_what_lies_beyond_is_refused_by_its_key(string key, string within, string beyond)
    {
        Override((key, within)).Validate();
        Assert.StartsWith($"`{key}` must be ", Assert.Throws<NanoException>(Override((key, beyond)).Validate).Message,
            StringComparison.Ordinal);
    }

    /// <summary>What a recipe of three values gives: the table's defaults are those.</summary>
    [Fact]
    public void Defaults_in_the_table_are_those_of_a_recipe_that_leaves_all_out()
    {
        const string json = """{"name":"x","model":{"model_type":"gpt2","vocab_size":65,"n_positions":64,"n_layer":2,"n_head":2,"n_embd":32,"resid_pdrop":0,"embd_pdrop":0,"attn_pdrop":0},"training":{"batch":3,"steps":7,"lr":2e-3}}""";
        var options = Recipe.FromJson(json, "x.json");
        foreach (var setting in TrainSettings.All
            .Where(setting => setting is { IsRequired: false, DefaultSource: null }))
            Assert.Equal(setting.Get(options), setting.Default);
        Assert.Equal(("6", "10", "1337"), (Default("spike_z"), Default("max_rollbacks"), Default("seed")));
    }

    private static string? Default(string key) => TrainSettings.All.First(setting => setting.Key == key).Default;

    [Fact]
    public void An_update_rule_brings_its_learning_rate_and_a_learning_rate_the_lowest_one()
    {
        var sgd = Override(("optimizer", "sgd"));
        Assert.Equal((Preset.LearningRate * 100, Preset.MinLearningRate * 100),
            (sgd.LearningRate, sgd.MinLearningRate));
        var given = Override(("lr", "0.5"));
        Assert.Equal(0.5 * Preset.MinLearningRate / Preset.LearningRate, given.MinLearningRate, 12);
        Assert.Equal(0.25, Override(("lr", "0.5"), ("min_lr", "0.25")).MinLearningRate);
    }

    [Fact]
    public void A_length_is_the_context_of_a_new_model() =>
        Assert.Equal((32, 32), (Override(("seq", "32")).Time, Override(("seq", "32")).Model.ContextLength));

    [Theory]
    [InlineData(Keep.All, null, null, Keep.All)]
    [InlineData(Keep.All, "true", null, Keep.Nothing)]
    [InlineData(Keep.All, null, "bf16", Keep.BFloat16)]
    [InlineData(Keep.All, "true", "float32", Keep.Nothing)]
    [InlineData(Keep.All, "false", "bf16", Keep.BFloat16)]
    [InlineData(Keep.All, "true", "bf16", null)]
    [InlineData(Keep.Nothing, null, "float32", Keep.Nothing)]
    [InlineData(Keep.Nothing, null, "bf16", Keep.BFloat16)]
    [InlineData(Keep.Nothing, "false", null, Keep.All)]
    [InlineData(Keep.Nothing, "false", "bf16", Keep.BFloat16)]
    [InlineData(Keep.Nothing, "true", "bf16", null)]
    [InlineData(Keep.BFloat16, "false", null, Keep.BFloat16)]
    [InlineData(Keep.BFloat16, null, "float32", Keep.All)]
    [InlineData(Keep.BFloat16, "true", "float32", Keep.Nothing)]
    [InlineData(Keep.BFloat16, "true", null, null)]
    [InlineData(Keep.BFloat16, "true", "bf16", null)]
    public void Two_settings_say_how_activations_are_kept_and_contradict_each_other_or_not(Keep before,
        string? recompute, string? activations, Keep? expected)
    {
        var given = new Dictionary<string, string>();
        if (recompute is not null)
            given["recompute"] = recompute;
        if (activations is not null)
            given["activations"] = activations;
        var options = Preset with { KeptActivations = before };
        if (expected is not null)
        {
            Assert.Equal(expected, TrainSettings.Override(options, given).KeptActivations);
            return;
        }
        var e = Assert.Throws<NanoException>(() => TrainSettings.Override(options, given));
        Assert.Contains("`activations` bf16", e.Message, StringComparison.Ordinal);
        Assert.Contains("leave out one", e.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public void A_model_to_start_from_keeps_its_sizes()
    {
        var from = Preset with { From = "other" };
        var values = new Dictionary<string, string> { ["layers"] = "5" };
        var e = Assert.Throws<NanoException>(() => TrainSettings.Override(from, values));
        Assert.Contains("`layers` is 5, and the model 'other' has", e.Message, StringComparison.Ordinal);
        Assert.Throws<FormatException>(() => Override(("layers", "many")));
        Assert.Contains("`rho` does not apply to adamw",
            Assert.Throws<NanoException>(() => Override(("rho", "1"))).Message, StringComparison.Ordinal);
    }
}
