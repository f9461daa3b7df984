using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using Nano.Tests;

namespace Nano.Cli.Tests;

/// <summary>
/// One small model of each kind of file that a run can start from, all with the same vocabulary but
/// the run of characters.
/// </summary>
public sealed class StartModels : IDisposable
{
    private readonly TempFolder temp = new();

    public StartModels()
    {
        Data = Tiny.WriteText(temp);
        string text = Tiny.Text();
        Validation = temp.File("validation.txt");
        File.WriteAllText(Validation, text[(int)(text.Length * 0.9)..]);
        Tokenizer = temp.File("bpe.json");
        BpeTrainer.Train([text], 280, threads: 1).Save(Tokenizer);
        string[] sizes = ["--layers", "2", "--heads", "2", "--channels", "16", "--seq", "16", "--batch", "4", "--steps",
            "10", "--lr", "0.01", "--tokenizer", Tokenizer, "--data", Data];
        Cli.Run(["train", "gpt2-124m", .. sizes, "--out", temp.File("gpt2")]).Succeeds();
        Cli.Run(["train", "llama-char", .. sizes, "--out", temp.File("llama")]).Succeeds();
        Cli.Run(["train", "shakespeare-char", "--data", Data, "--out", temp.File("characters"), .. Tiny.Options])
            .Succeeds();
        Cli.Run("convert", Path.Combine(temp.File("gpt2"), "step-000010"), temp.File("folder")).Succeeds();
        Cli.Run("convert", temp.File("gpt2"), temp.File("llmc.bin")).Succeeds();
        Cli.Run("convert", temp.File("llama"), temp.File("llama.gguf")).Succeeds();
        Cli.Run("convert", temp.File("llama"), temp.File("half.gguf"), "--dtype", "f16").Succeeds();
        Cli.Run("convert", temp.File("llama"), temp.File("brain"), "--dtype", "bf16").Succeeds();
        Cli.Run("convert", temp.File("llama"), temp.File("llama2c.bin")).Succeeds();
    }

    public string Data { get; }

    /// <summary>The last tenth of the text, on which runs are validated.</summary>
    public string Validation { get; }

    public string Tokenizer { get; }

    public string this[string name] => temp.File(name);

    public void Dispose() => temp.Dispose();
}

/// <summary>nano train --from.</summary>
public sealed class TrainFromTests(StartModels models) : IClassFixture<StartModels>, IDisposable
{
    private static string[] Short(int steps = 20) =>
        ["--steps", $"{steps}", "--batch", "4", "--accumulate", "1", "--seq", "16", "--eval-interval", "5"];

    private readonly TempFolder temp = new();

    public void Dispose() => temp.Dispose();

    [Theory]
    [InlineData("folder", false)]
    [InlineData("gpt2", false)]
    [InlineData("characters", false)]
    [InlineData("llama.gguf", false)]
    [InlineData("half.gguf", false)]
    [InlineData("brain", false)]
    [InlineData("llmc.bin", true)]
    [InlineData("llama2c.bin", true)]
    public void The_loss_before_the_first_step_is_that_of_nano_eval_to_the_last_bit(string model, bool named)
    {
        string[] tokenizer = named ? ["--tokenizer", models.Tokenizer] : [];
        var run = Cli.Run(["train", "--from", models[model], "--data", models.Data, "--out", temp.File("run"),
            .. Short(0), "--json", .. tokenizer]).Succeeds().Json;
        var eval = Cli.Run(["eval", "--model", models[model], "--data", models.Validation, "--seq", "16", "--json",
            .. tokenizer]).Succeeds().Json;
        double expected = eval.GetProperty("loss").GetDouble();
        Assert.Equal(expected, run.GetProperty("val_loss_before").GetDouble());
        Assert.Equal(expected, run.GetProperty("val_loss").GetDouble());
        // And what was saved is the same model again.
        Assert.Equal(expected,
            Cli.Run("eval", "--model", temp.File("run"), "--data", models.Validation, "--seq", "16", "--json")
                .Succeeds().Json.GetProperty("loss").GetDouble());
    }

    [Theory]
    [InlineData("folder")]
    [InlineData("half.gguf")]
    public void A_killed_run_is_resumed_to_the_same_bytes_also_where_the_model_is_gone(string model)
    {
        string copy = temp.File(model);
        if (Directory.Exists(models[model]))
            Tiny.CopyFolder(models[model], copy);
        else
            File.Copy(models[model], copy);
        string whole = temp.File("whole"), killed = temp.File("killed");
        string[] Train(string run) => ["train", "--from", copy, "--data", models.Data, "--out", run, .. Short()];
        Cli.Run(Train(whole)).Succeeds();
        using (var program = Cli.Start(Train(killed)))
        {
            program.WaitFor("eval      5");
            program.Kill();
            program.Finish();
        }
        if (Directory.Exists(copy))
            Directory.Delete(copy, recursive: true);
        File.Delete(copy);
        var resumed = Cli.Run("train", "--resume", killed, "--json", "--threads", "1").Succeeds();
        Tiny.AssertSame(whole, killed);
        Assert.Equal(JsonValueKind.Null, resumed.Json.GetProperty("val_loss_before").ValueKind);
        Assert.Contains(Tiny.Log(killed), line => (string)JsonNode.Parse(line)!["kind"]! == "start");
    }

    [Fact]
    public void It_learns_and_two_starts_are_told_apart()
    {
        string[] Train(string model, string run, int steps = 20) => ["train", "--from", models[model], "--data",
            models.Data, "--out", temp.File(run), .. Short(steps), "--lr", "0.003", "--json"];
        var result = Cli.Run(Train("folder", "a")).Succeeds();
        Assert.True(result.Json.GetProperty("val_loss").GetDouble()
            < result.Json.GetProperty("val_loss_before").GetDouble() - 0.1, result.ToString());
        Assert.Contains($"from     {models["folder"]}, every weight\n", result.Error, StringComparison.Ordinal);
        Cli.Run(Train("folder", "b")).Succeeds();
        Tiny.AssertSame(temp.File("a"), temp.File("b"));
        Cli.Run("train", "--resume", temp.File("a"), "--from", models["llama.gguf"])
            .Fails(1, "started from", "leave out --from");
        Cli.Run("train", "--from", models["folder"], "--data", models.Data, "--out", temp.File("a"))
            .Fails(1, "already holds a run", "--resume");
        // Half precision is another start than the weights it was made from.
        Cli.Run(Train("half.gguf", "c", 0)).Succeeds();
        Cli.Run(Train("llama.gguf", "d", 0)).Succeeds();
        string Start(string run) =>
            (string)JsonNode.Parse(Tiny.Log(temp.File(run))
                .First(line => line.Contains("\"start\"", StringComparison.Ordinal)))!["sha256"]!;
        Assert.NotEqual(Start("c"), Start("d"));
        Assert.Equal(Start("a"), Start("b"));
    }

    [Fact]
    public void What_is_drawn_at_random_is_said_and_all_else_is_as_it_was()
    {
        string run = temp.File("run");
        var result = Cli.Run(["train", "--from", models["llama"], "--data", models.Data, "--out", run, .. Short(0),
            "--reinit", "*.self_attn.?_proj.weight, model.norm.weight"]).Succeeds();
        Assert.Contains("but model.layers.0.self_attn.q_proj.weight, ", result.Out, StringComparison.Ordinal);
        using var before = ModelDirectory.Load(models["llama"]).Model;
        using var after = ModelDirectory.Load(run).Model;
        foreach (var (old, now) in before.Parameters.All.Zip(after.Parameters.All))
            Assert.Equal(!old.Name!.Contains("self_attn", StringComparison.Ordinal) && old.Name != "model.norm.weight",
                MemoryMarshal.AsBytes(old.Data).SequenceEqual(MemoryMarshal.AsBytes(now.Data)));
        Assert.All(after.Parameters.All[^1].Data.ToArray(), value => Assert.Equal(1, value));
        Cli.Run("train", "--from", models["llama"], "--data", models.Data, "--out", temp.File("x"), "--reinit", "head")
            .Fails(1, "no parameter of the model is called 'head'", "model.embed_tokens.weight");
        Cli.Run("train", "shakespeare-char", "--data", models.Data, "--out", temp.File("x"), "--reinit", "*")
            .Fails(1, "--reinit", "--from");
        Assert.False(Directory.Exists(temp.File("x")));
    }

    [Fact]
    public void What_does_not_go_together_is_refused_before_anything_is_written()
    {
        string small = temp.File("small.json"), large = temp.File("large.json"), run = temp.File("run");
        BpeTrainer.Train([Tiny.Text()], 270, threads: 1).Save(small);
        BpeTrainer.Train([Tiny.Text()], 300, threads: 1).Save(large);
        CliResult From(string model, params string[] more) =>
            Cli.Run(["train", "--from", models[model], "--data", models.Data, "--out", run, .. more]);
        From("folder", "--tokenizer", large).Fails(1,
            "the tokenizer has 300 tokens and the model to start from 280", "hint: ");
        From("folder", "--tokenizer", "characters").Fails(1, "leave out --tokenizer");
        From("folder", "--layers", "3").Fails(1, "--layers is 3", "has 2");
        From("folder", "--seq", "17").Fails(1, "--seq 17 is longer than the model's context of 16");
        From("llmc.bin").Fails(1, "brings no tokenizer", "--tokenizer gpt2");
        Cli.Run("train", "--from", temp.File("nowhere"), "--data", models.Data, "--out", run)
            .Fails(1, "there is no model at", "nowhere");
        Cli.Run("data", "prepare", models.Data, "--tokenizer", small, "--out", temp.File("prepared")).Succeeds();
        Cli.Run("train", "--from", models["folder"], "--data", temp.File("prepared"), "--out", run)
            .Fails(1, "prepared with another tokenizer", "it has 270 ids", "280");
        File.WriteAllText(temp.File("other.txt"), "Ä ö " + Tiny.Text() + "ß");
        Cli.Run("train", "--from", models["characters"], "--data", temp.File("other.txt"), "--out", run).Fails(1, "Ä");
        Assert.False(Directory.Exists(run));
    }

    /// <summary>Prepared data begins each document with the end-of-text token, and so needs no other.</summary>
    [Fact]
    public void Prepared_data_of_the_models_own_tokenizer_is_trained_on_and_evaluated_alike()
    {
        Cli.Run("data", "prepare", models.Data, "--tokenizer", models["folder"], "--out", temp.File("prepared"),
            "--validation", "0.2").Succeeds();
        var run = Cli.Run(["train", "--from", models["folder"], "--data", temp.File("prepared"), "--out",
            temp.File("run"), .. Short(0), "--json"]).Succeeds().Json;
        var eval = Cli.Run("eval", "--model", models["folder"], "--data", temp.File("prepared"), "--seq", "16",
            "--json").Succeeds().Json;
        Assert.Equal(eval.GetProperty("loss").GetDouble(), run.GetProperty("val_loss_before").GetDouble());
    }

    [Fact]
    public void Configuration_ends_and_chat_template_come_along_through_every_checkpoint()
    {
        const string template = "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}";
        string model = temp.File("model"), run = temp.File("run");
        Tiny.CopyFolder(models["folder"], model);
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(model, "config.json")))!;
        (config["bos_token_id"], config["eos_token_id"], config["resid_pdrop"], config["embd_pdrop"],
            config["attn_pdrop"]) = (3, 7, 0.1, 0.1, 0.1);
        File.WriteAllText(Path.Combine(model, "config.json"), config.ToJsonString());
        File.WriteAllText(Path.Combine(model, "generation_config.json"), """{ "eos_token_id": [7, 9] }""");
        File.WriteAllText(Path.Combine(model, "tokenizer_config.json"),
            new JsonObject { ["chat_template"] = template }.ToJsonString());
        var first = Cli.Run(["train", "--from", model, "--data", models.Data, "--out", run, .. Short(5)]).Succeeds();
        Assert.Contains("dropout 0, though its files say 0.1", first.Out, StringComparison.Ordinal);
        Cli.Run("train", "--resume", run, "--steps", "10", "--json").Fails(1, "steps was 5");
        string checkpoint = Path.Combine(run, "step-000005");
        Assert.Equal(template, File.ReadAllText(Path.Combine(checkpoint, "chat_template.jinja")));
        var saved = ConfigFile.Load(Path.Combine(checkpoint, "config.json"));
        Assert.Equal((3, 0f, 16), (saved.BosToken, saved.Dropout, saved.ContextLength));
        Assert.Superset(new HashSet<int> { 7, 9 }, saved.EosTokens.ToHashSet());
        Assert.Superset(new HashSet<int> { 7, 9 }, TokenizerLoader.Load(checkpoint).EndIds.ToHashSet());
        // A run that starts from this run has them too.
        Cli.Run(["train", "--from", run, "--data", models.Data, "--out", temp.File("again"), .. Short(5)]).Succeeds();
        Assert.Equal(template,
            File.ReadAllText(Path.Combine(temp.File("again"), "step-000005", "chat_template.jinja")));
    }

    /// <summary>
    /// llm.c reads its file from the first token on, four rows of 64 a step; the shape here is that
    /// of GPT-2 but for its sizes.
    /// </summary>
    [Fact]
    public void The_recipe_of_llm_c_runs_on_a_model_of_ones_own()
    {
        string model = temp.File("model"), run = temp.File("run");
        string[] sizes = ["--layers", "1", "--heads", "2", "--channels", "16", "--seq", "64", "--batch", "2",
            "--steps", "0"];
        Cli.Run(["train", "gpt2-124m", .. sizes, "--tokenizer", models.Tokenizer, "--data", models.Data, "--out",
            model]).Succeeds();
        var result = Cli.Run("train", "gpt2-124m-shakespeare", "--from", model, "--data", models.Data, "--out", run,
            "--json").Succeeds();
        Assert.Equal(40 * 4 * 64, result.Json.GetProperty("tokens").GetInt64());
        Assert.True(result.Json.GetProperty("val_loss").GetDouble()
            < result.Json.GetProperty("val_loss_before").GetDouble(), result.ToString());
        var steps = Tiny.Log(run).Select(line => JsonNode.Parse(line)!)
            .Where(entry => (string)entry["kind"]! == "step").ToList();
        Assert.All(steps, step => Assert.Equal(1e-4, (double)step["learning_rate"]!));
        Assert.Equal(40, steps.Count);
    }
}
