namespace Nano.Tests;

public class RecipeTests
{
    const string Model =
        """{"model_type":"gpt2","vocab_size":65,"n_positions":64,"n_layer":2,"n_head":2,"n_embd":32,"resid_pdrop":0,"embd_pdrop":0,"attn_pdrop":0}""";

    static TrainOptions Read(string json)
    {
        using var folder = new TempFolder();
        File.WriteAllText(folder.File("my.json"), json);
        return Presets.Get(folder.File("my.json"));
    }

    [Fact]
    public void What_is_left_out_has_its_default()
    {
        var options = Read($$"""{"name":"mine","model":{{Model}},"training":{"batch":3,"steps":7,"lr":2e-3,"beta2":0.98,"recompute":true} }""");
        Assert.Equal(("mine", 3, 7, 64, 1, 2e-3, 2e-4, 100),
            (options.Preset, options.Batch, options.Steps, options.Time, options.Accumulate, options.LearningRate,
                options.MinLearningRate, options.WarmupSteps));
        Assert.Equal((0.9, 0.98, Keep.Nothing, null, (2, 32)),
            (options.Optimizer.Beta1, options.Optimizer.Beta2, options.KeptActivations, options.DefaultTokenizer,
                (options.Model.Layers, options.Model.Channels)));
    }

    [Theory]
    [InlineData("""[]""", "object")]
    [InlineData("""{"name":"x","model":MODEL,"training":{"steps":7,"lr":1e-3}}""", "'training.batch' is missing")]
    [InlineData("""{"name":"x","training":{"batch":1,"steps":7,"lr":1e-3}}""", "'model' is missing")]
    [InlineData("""{"name":7,"model":MODEL,"training":{"batch":1,"steps":7,"lr":1e-3}}""",
        "'name' must be a JSON string")]
    [InlineData("""{"nam":"x"}""", "did you mean 'name'?")]
    [InlineData("""{"name":"x","model":MODEL,"training":{"batch":1,"steps":7,"lr":1e-3,"warmup_stepps":3}}""",
        "did you mean 'warmup_steps'?")]
    [InlineData("""{"name":"x","model":MODEL,"training":{"batch":"many","steps":7,"lr":1e-3}}""",
        "'batch' cannot be 'many': it takes a whole number, at least 1")]
    [InlineData("""{"name":"x","model":MODEL,"training":{"batch":1.5,"steps":7,"lr":1e-3}}""",
        "'batch' cannot be '1.5'")]
    [InlineData("""{"name":"x","model":MODEL,"training":{"batch":1,"steps":7,"lr":"0,001"}}""",
        "'lr' cannot be '0,001': it takes a positive number")]
    [InlineData("""{"name":"x","model":MODEL,"training":{"batch":1,"steps":7,"lr":1e-3,"activations":"fp8"}}""",
        "it takes float32 or bf16")]
    [InlineData("""{"name":"x","model":MODEL,"training":{"batch":1,"steps":7,"lr":1e-3,"on_spike":"maybe"}}""",
        "it takes off, warn, skip or rollback")]
    [InlineData("""{"name":"x","model":MODEL,"training":{"batch":1,"steps":7,"lr":1e-3,"checkpoint_activations":true}}""", "'checkpoint_activations' is now called 'recompute'")]
    [InlineData("""{"name":"x","model":MODEL,"training":{"batch":1,"steps":7,"lr":1e-3,"warmup":3}}""",
        "'warmup' is called 'warmup_steps' in a recipe")]
    [InlineData("""{"name":"x","model":MODEL,"training":{"batch":99999999999,"steps":7,"lr":1e-3}}""",
        "'batch' cannot be")]
    [InlineData("""{"name":"x","model":{"model_type":"xlnet"},"training":{"batch":1,"steps":7,"lr":1e-3}}""",
        "model_type")]
    [InlineData("""{"name":"x","model":MODEL,"training":{"batch":1,"steps":7,"lr":1e-3}""", "JSON")]
    [InlineData("""{"name":"\ud800","model":MODEL,"training":{"batch":1,"steps":7,"lr":1e-3}}""",
        "'name' is not valid Unicode")]
    [InlineData("""{"name":"x","tokenizer":"\udc00","model":MODEL,"training":{"batch":1,"steps":7,"lr":1e-3}}""",
        "'tokenizer' is not valid Unicode")]
    [InlineData("""{"name":"x","model":MODEL,"training":{"batch":1,"steps":7,"lr":1e-3,"optimizer":"\ud83d"}}""",
        "'training.optimizer' is not valid Unicode")]
    [InlineData("""{"name":"x","model":{"model_type":"\ud800"},"training":{"batch":1,"steps":7,"lr":1e-3}}""",
        "'model_type' is not valid Unicode")]
    [InlineData("""{"\ud800":1,"name":"x","model":MODEL,"training":{"batch":1,"steps":7,"lr":1e-3}}""", "JSON")]
    [InlineData("""{"name":"x","model":MODEL,"training":{"batch":null,"steps":7,"lr":1e-3}}""", "'batch' cannot be ''")]
    [InlineData("""{"name":null,"model":MODEL,"training":{"batch":1,"steps":7,"lr":1e-3}}""", "'name' is missing")]
    [InlineData("""{"name":"x","model":null,"training":null}""", "'model' is missing")]
    [InlineData("""{"name":"x","model":MODEL,"training":{"batch":[1],"steps":{},"lr":true}}""",
        "'batch' cannot be '[1]'")]
    public void What_is_no_recipe_is_refused_and_the_key_named(string json, string expected) =>
        Assert.Contains(expected,
            Assert.Throws<BadFileException>(() => Read(json.Replace("MODEL", Model, StringComparison.Ordinal))).Message,
            StringComparison.Ordinal);

    [Fact]
    public void Values_that_cannot_be_are_refused_as_on_the_command_line() =>
        Assert.Contains("`lr`",
            Assert.Throws<NanoException>(() =>
                Read($$"""{"name":"mine","model":{{Model}},"training":{"batch":3,"steps":7,"lr":0} }""")).Message,
                StringComparison.Ordinal);

    /// <summary>What a checkpoint says of its run is enough to make the same options again.</summary>
    [Fact]
    public void Every_setting_survives_its_text()
    {
        foreach (var preset in Presets.All.Values)
            foreach (var (kind, recompute) in OptimizerKind.All.SelectMany(
                kind => new[] { (kind, "true"), (kind, "false") }))
            {
                string activations = recompute == "true" ? "float32" : "bf16"; // which exclude each other
                string Other(TrainSetting setting, int i) => setting.Key switch
                {
                    "recompute" => recompute,
                    "activations" => activations,
                    "fake_quant" => "q4_0",
                    "precision" => "bf16",
                    "on_spike" => "skip",
                    "schedule" => "wsd",
                    "sampling" => "epochs",
                    "optimizer" => kind.Name,
                    _ => bool.TryParse(setting.Get(preset), out bool on) ? (on ? "false" : "true")
                        : setting.Key == "nesterov" ? "true" : $"{i + 101}",
                };
                var odd = TrainSettings.Apply(preset,
                    TrainSettings.All.Select((setting, i) => KeyValuePair.Create(setting.Key, Other(setting, i))));
                var said = TrainSettings.All.Where(setting => setting.Get(odd) is not null)
                    .ToDictionary(setting => setting.Key, setting => setting.Get(odd)!);
                Assert.Equal(odd.Describe(), TrainSettings.Apply(preset, said).Describe());
                Assert.Equal((recompute, activations), (said["recompute"], said["activations"]));
                Assert.All(TrainSettings.All.Where(setting => setting.Get(odd) is not null
                    && setting.Key is not ("optimizer" or "recompute" or "activations")), setting => Assert.NotEqual(setting.Get(preset), setting.Get(odd)));
            }
    }
}
