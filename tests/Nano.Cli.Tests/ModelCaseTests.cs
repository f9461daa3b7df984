using System.Text.Json;
using System.Text.Json.Nodes;
using Nano.Tests;

namespace Nano.Cli.Tests;

/// <summary>Models with more rows than their tokenizer has tokens, and the reverse.</summary>
public sealed class ModelCaseTests : IDisposable
{
    private static readonly string Model = Goldens.Path("../cases/models/more-rows-than-tokens");
    private readonly TempFolder temp = new();

    public void Dispose() => temp.Dispose();

    [Fact]
    public void An_id_without_a_token_is_never_chosen()
    {
        using var expected = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Model, "expect.json")));
        var root = expected.RootElement;
        var made = Cli.Run(["generate", "--model", Model, "--prompt", root.GetProperty("prompt").GetString()!,
            "--max-tokens", "8", "--temperature", "0", "--json"]).Succeeds().Json;
        Assert.Equal(Ids(root.GetProperty("promptIds")), Ids(made.GetProperty("prompt_ids")));
        Assert.Equal(Ids(root.GetProperty("ids")), Ids(made.GetProperty("ids")).Take(8));
    }

    [Fact]
    public void Every_verb_takes_such_a_model()
    {
        string text = temp.File("text.txt"), prompts = temp.File("prompts.jsonl"), choices = temp.File("choices.jsonl");
        File.WriteAllText(text, string.Concat(Enumerable.Repeat("hello the hello\n", 400)));
        File.WriteAllText(prompts, """{"prompt": "hello", "references": ["the"]}""" + "\n");
        Cli.Run("generate", "--model", Model, "--prompt", "hello", "--max-tokens", "20", "--seed", "3").Succeeds();
        Cli.Run("generate", "--model", Model, "--prompt", "hello", "--max-tokens", "6", "--beams", "3").Succeeds();
        Cli.Run("eval", "--model", Model, "--data", text).Succeeds();
        Cli.Run("eval", "generate", "--model", Model, "--data", prompts, "--max-tokens", "4").Succeeds();
        Cli.Run("convert", Model, temp.File("copy")).Succeeds();
        Cli.Run("generate", "--model", temp.File("copy"), "--prompt", "hello", "--max-tokens", "8", "--temperature",
            "0").Succeeds();
        string[] train = ["train", "--from", Model, "--data", text, "--batch", "2", "--accumulate", "1", "--seq", "8",
            "--eval-interval", "2"];
        Cli.Run([.. train, "--steps", "4", "--out", temp.File("run")]).Succeeds();
        Assert.Equal(272, ConfigFile.Load(Path.Combine(temp.File("run"), "step-000004", "config.json")).VocabSize);
        Cli.Run("generate", "--model", temp.File("run"), "--prompt", "hello", "--max-tokens", "8").Succeeds();
    }

    /// <summary>Special tokens beyond the last row do no harm until a text holds one.</summary>
    [Fact]
    public void A_special_token_that_the_model_has_no_row_for_is_refused_where_it_is_used()
    {
        string model = temp.File("model");
        Tiny.CopyFolder(Model, model);
        var json = JsonNode.Parse(File.ReadAllText(Path.Combine(model, "tokenizer.json")))!;
        for (int id = 264; id < 275; id++)
            json["added_tokens"]!.AsArray().Add(new JsonObject
            {
                ["id"] = id,
                ["content"] = $"<|extra{id}|>",
                ["single_word"] = false,
                ["lstrip"] = false,
                ["rstrip"] = false,
                ["normalized"] = false,
                ["special"] = true,
            });
        File.WriteAllText(Path.Combine(model, "tokenizer.json"), json.ToJsonString());
        Cli.Run("generate", "--model", model, "--prompt", "hello the", "--max-tokens", "8", "--temperature", "0")
            .Succeeds();
        Cli.Run("generate", "--model", model, "--prompt", "hello <|extra274|>", "--special", "--max-tokens", "2")
            .Fails(1, "274", "the model's ids run from 0 to 271");
    }

    [Fact]
    public void Another_tokenizer_is_the_way_out_where_a_models_own_is_not_supported()
    {
        string model = temp.File("model");
        Tiny.CopyFolder(Model, model);
        var json = JsonNode.Parse(File.ReadAllText(Path.Combine(model, "tokenizer.json")))!;
        json["pre_tokenizer"] = new JsonObject { ["type"] = "SomethingNew" };
        File.WriteAllText(Path.Combine(model, "tokenizer.json"), json.ToJsonString());
        string[] generate = ["generate", "--model", model, "--prompt", "hello", "--max-tokens", "4",
            "--temperature", "0"];
        Cli.Run(generate).Fails(1, "SomethingNew", "--tokenizer");
        Assert.Equal(Cli.Run("generate", "--model", Model, "--prompt", "hello", "--max-tokens", "4", "--temperature",
            "0").Succeeds().Out,
            Cli.Run([.. generate, "--tokenizer", Model]).Succeeds().Out);
        // A graph needs no tokenizer.
        Cli.Run("export", "--model", model, "--out", temp.File("a.onnx")).Succeeds();
    }

    private static IEnumerable<int> Ids(JsonElement array) => array.EnumerateArray().Select(id => id.GetInt32());
}
