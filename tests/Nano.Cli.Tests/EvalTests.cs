using System.Text.Json;
using Nano.Tests;

namespace Nano.Cli.Tests;

/// <summary>The verbs of nano eval, and nano plan.</summary>
[Collection(nameof(TinyRun))]
public class EvalTests(TinyRun run)
{
    private const string Questions = """
        {"context": "to be or not ", "choices": ["to be", "zzz"], "answer": 0}
        {"context": "that is", "choices": [" the question", " whether", " tis"], "answer": 0}
        """;

    private static string Write(TempFolder temp, string name, string text)
    {
        File.WriteAllText(temp.File(name), text);
        return temp.File(name);
    }

    private static void AssertScore(JsonElement score) =>
        Assert.Equal(["value", "stderr", "low", "high"], score.EnumerateObject().Select(property => property.Name));

    [Fact]
    public void Choices()
    {
        using var temp = new TempFolder();
        string data = Write(temp, "questions.jsonl", Questions.Replace("zzz", "eb ot", StringComparison.Ordinal));
        var result = Cli.Run("eval", "choices", "--model", run.Folder, "--data", data, "--json", "--threads", "1")
            .Succeeds();
        Assert.Equal(["examples", "truncated", "acc", "acc_norm", "acc_bytes"], result.JsonKeys);
        // the model's context is 16
        Assert.Equal((2, 2),
            (result.Json.GetProperty("examples").GetInt32(), result.Json.GetProperty("truncated").GetInt32()));
        foreach (string key in (string[])["acc", "acc_norm", "acc_bytes"])
            AssertScore(result.Json.GetProperty(key));
        Assert.Contains("acc_norm", result.Error, StringComparison.Ordinal);
        Assert.Contains("the beginning of 2 contexts is left out", result.Error, StringComparison.Ordinal);
        Assert.Equal(result.Out,
            Cli.Run("eval", "choices", "--model", run.Folder, "--data", data, "--json", "--threads", "2")
                .Succeeds().Out);
        var one = Cli.Run("eval", "choices", "--model", run.Folder, "--data", data, "--json", "--limit", "1")
            .Succeeds();
        Assert.Equal(1, one.Json.GetProperty("examples").GetInt32());
        Assert.Equal(JsonValueKind.Null, one.Json.GetProperty("acc").GetProperty("stderr").ValueKind);
        Cli.Run("eval", "choices", "--model", run.Folder, "--data", Write(temp, "bad.jsonl", Questions + "\n{}\n"))
            .Fails(1, "bad.jsonl", "line 3", "'choices'");
        Cli.Run("eval", "choices", "--model", run.Folder, "--data", Write(temp, "zzz.jsonl", Questions))
            .Fails(1, "example 1", "z");
        Cli.Run("eval", "choices", "--model", run.Folder).Fails(2, "--data", "nano eval choices --help");
    }

    [Fact]
    public void HellaSwag()
    {
        using var temp = new TempFolder();
        int[] header = new int[256];
        ((int[])[20240522, 1, 1, 34]).CopyTo(header, 0);
        ushort[] example = [65535, 34, 0, 1, 4, 2, 5, 6, 1, 7, 2, 8, 9, 1, 3, 1, 4];
        File.WriteAllBytes(temp.File("questions.bin"),
            [.. header.SelectMany(BitConverter.GetBytes), .. example.SelectMany(BitConverter.GetBytes)]);
        var result = Cli.Run("eval", "hellaswag", "--model", run.Folder, "--data", temp.File("questions.bin"), "--json")
            .Succeeds();
        Assert.Equal(["examples", "truncated", "acc", "acc_norm"], result.JsonKeys);
        AssertScore(result.Json.GetProperty("acc_norm"));
        Assert.Contains("1 of 1 questions", result.Error, StringComparison.Ordinal);
        Cli.Run("eval", "hellaswag", "--model", run.Folder, "--data", run.Data).Fails(1, "20240522");
    }

    [Fact]
    public void Generated_texts_score_as_their_file_does_later()
    {
        using var temp = new TempFolder();
        string data = Write(temp, "prompts.jsonl",
            "{\"prompt\": \"to be\", \"references\": [\" or not\", \"tis\"]}\n{\"prompt\": \"that is \", "
            + "\"references\": [\"the\"]}\n"), made = temp.File("made.jsonl");
        var result = Cli.Run("eval", "generate", "--model", run.Folder, "--data", data, "--max-tokens", "7", "--out",
            made, "--json").Succeeds();
        string[] keys = ["pairs", "bleu", "bleu_precisions", "brevity_penalty", "rouge_l", "exact_match", "f1"];
        Assert.Equal([.. keys, "truncated"], result.JsonKeys);
        Assert.Equal(2, File.ReadLines(made).Count());
        var later = Cli.Run("eval", "score", "--data", made, "--json").Succeeds();
        Assert.Equal(keys, later.JsonKeys);
        Assert.All(keys, key => Assert.Equal(result.Json.GetProperty(key).GetRawText(),
            later.Json.GetProperty(key).GetRawText()));
        Cli.Run("eval", "generate", "--model", run.Folder, "--data", data, "--max-tokens", "16")
            .Fails(1, "from 1 to 15");
    }

    /// <summary>Two of three match; the interval is Wilson's for 2 of 3.</summary>
    [Fact]
    public void Score_needs_no_model()
    {
        using var temp = new TempFolder();
        string data = Write(temp, "pairs.jsonl",
            "{\"prediction\": \"The cat.\", \"references\": [\"cat\"]}\n{\"prediction\": \"dog\", \"references\": "
            + "[\"cow\", \"a dog\"]}\n{\"prediction\": \"x\", \"references\": [\"y\"]}\n");
        var result = Cli.Run("eval", "score", "--data", data, "--json").Succeeds();
        var exact = result.Json.GetProperty("exact_match");
        Assert.Equal(2.0 / 3, exact.GetProperty("value").GetDouble(), 1e-15);
        Assert.Equal(1 - 0.7923403991979522, exact.GetProperty("low").GetDouble(), 1e-9); // 1 of 3 turned round
        Assert.Equal(1 - 0.06149194472039623, exact.GetProperty("high").GetDouble(), 1e-9);
        Assert.Equal(result.Out, Cli.Run("eval", "score", "--data", data, "--json").Succeeds().Out);
        Assert.Contains("exact_match  0.6667", Cli.Run("eval", "score", "--data", data).Succeeds().Out,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("eval choices")]
    [InlineData("eval hellaswag")]
    [InlineData("eval generate")]
    [InlineData("eval score")]
    [InlineData("plan")]
    public void Every_verb_has_help_with_an_example(string verb)
    {
        var help = Cli.Run([.. verb.Split(' '), "--help"]).Succeeds();
        Assert.Contains($"nano {verb} ", help.Out, StringComparison.Ordinal);
        Assert.Contains("--json", help.Out, StringComparison.Ordinal);
        Assert.Empty(help.Error);
    }

    [Fact]
    public void Plan()
    {
        var result = Cli.Run("plan", "gpt2-124m", "--data-tokens", "300000000", "--share", "0.5", "--threads", "1",
            "--json").Succeeds();
        Assert.Equal(["preset", "parameters", "parameters_without_embeddings", "steps", "tokens_per_step", "tokens",
            "flops_per_token", "flops_per_token_6n", "flops", "flops_6nd", "recomputed_flops_per_token",
            "optimal_tokens", "optimal_steps", "optimal_flops", "optimal_flops_6nd", "data_tokens", "epochs",
                "optimal_epochs", "peak_gflops", "estimates"], result.JsonKeys);
        var json = result.Json;
        Assert.Equal(124_439_808, json.GetProperty("parameters").GetInt64());
        Assert.Equal(746_638_848.0 * 327_680_000, json.GetProperty("flops_6nd").GetDouble());
        Assert.Equal(2_488_796_160.0 / 300_000_000, json.GetProperty("optimal_epochs").GetDouble(), 1e-12);
        var ways = json.GetProperty("estimates").EnumerateArray().ToList();
        Assert.Equal([false, true], ways.Select(way => way.GetProperty("checkpoint_activations").GetBoolean()));
        Assert.All(ways, way => Assert.Equal((0.5, false),
            (way.GetProperty("share_of_peak").GetDouble(), way.GetProperty("share_measured").GetBoolean())));
        Assert.All(ways, way => Assert.Equal(way.GetProperty("total_bytes").GetInt64(),
            way.EnumerateObject().Where(entry => entry.Name.EndsWith("_bytes", StringComparison.Ordinal))
                .Sum(entry => entry.Value.GetInt64()) / 2));
        Assert.Contains("124,439,808", result.Error, StringComparison.Ordinal);
        Assert.Contains("8.30 epochs of 300,000,000", result.Error, StringComparison.Ordinal);
        Assert.Contains("50 % given", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_plan_of_a_small_model_is_measured()
    {
        var result = Cli.Run("plan", "shakespeare-char", "--layers", "1", "--heads", "2", "--channels", "16", "--seq",
            "16", "--batch", "2", "--steps", "30", "--threads", "1").Succeeds();
        Assert.Contains("% measured", result.Out, StringComparison.Ordinal);
        Assert.Contains("30 steps of 1 x 2 x 16 tokens: 960 tokens", result.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("epochs", result.Out, StringComparison.Ordinal);
        Cli.Run("plan", "gpt-124m").Fails(1, "no preset 'gpt-124m'", "did you mean 'gpt2-124m'?");
        Cli.Run("plan", "gpt2-124m", "--data-tokens", "0").Fails(1, "--data-tokens");
        Cli.Run("plan", "gpt2-124m", "--share", "1.5").Fails(1, "--share", "1.5");
        Cli.Run("plan").Fails(2, "nano plan --help");
    }
}
