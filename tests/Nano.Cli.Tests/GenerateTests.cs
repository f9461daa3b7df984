using System.Text.Json;
using Nano.Tests;

namespace Nano.Cli.Tests;

/// <summary>nano generate and nano tokenize on a trained model.</summary>
[Collection(nameof(TinyRun))]
public class GenerateTests(TinyRun run)
{
    private CliResult Generate(params string[] more) => Cli.Run(["generate", "--model", run.Folder, "--json", .. more]);

    private static string Text(CliResult result) => result.Succeeds().Json.GetProperty("text").GetString()!;

    [Fact]
    public void The_seed_decides_the_text()
    {
        string text = Text(Generate("--max-tokens", "60", "--seed", "5"));
        Assert.Equal(60, text.Length);
        Assert.Equal(text, Text(Generate("--max-tokens", "60", "--seed", "5", "--threads", "1")));
        Assert.NotEqual(text, Text(Generate("--max-tokens", "60", "--seed", "6")));
        Assert.StartsWith(Text(Generate("--max-tokens", "30", "--seed", "5")), text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_run_a_checkpoint_and_a_file_in_it_are_the_same_model()
    {
        string[] more = ["--max-tokens", "20", "--prompt", "to be", "--json"];
        var texts = new[] { run.Folder, run.Checkpoint, Path.Combine(run.Checkpoint, "model.safetensors"), Path.Combine(run.Checkpoint, "config.json") }
            .Select(path => Text(Cli.Run(["generate", "--model", path, .. more]))).ToList();
        Assert.All(texts, text => Assert.Equal(texts[0], text));
        Assert.Equal("to be" + texts[0] + "\n", Cli.Run("generate", "--model", run.Folder, "--max-tokens", "20", "--prompt", "to be").Succeeds().Out);
    }

    [Fact]
    public void A_stop_text_ends_before_it_also_when_it_comes_in_several_tokens()
    {
        string whole = Text(Generate("--max-tokens", "80")), stop = whole[40..43]; // a token is one character here
        int at = whole.IndexOf(stop, StringComparison.Ordinal);
        var result = Generate("--max-tokens", "80", "--stop", stop);
        Assert.Equal(whole[..at], Text(result));
        Assert.Equal("stop", result.Json.GetProperty("finish_reason").GetString());
        Assert.Equal(at + 3, result.Json.GetProperty("ids").GetArrayLength());

        var never = Generate("--max-tokens", "80", "--stop", whole[^2..] + "never");
        Assert.Equal(whole, Text(never));
        Assert.Equal("length", never.Json.GetProperty("finish_reason").GetString());
    }

    [Fact]
    public void Ids_and_text_agree_with_the_tokenizer()
    {
        var json = Generate("--max-tokens", "40", "--prompt", "whether").Succeeds().Json;
        string ids = json.GetProperty("prompt_ids").GetRawText() + "\n" + json.GetProperty("ids").GetRawText() + "\n";
        var decoded = Cli.Run(["tokenize", "--tokenizer", run.Folder, "--decode", "--json"], ids).Succeeds();
        Assert.Equal(["whether", json.GetProperty("text").GetString()], decoded.Out.TrimEnd('\n').Split('\n').Select(line => JsonSerializer.Deserialize<string>(line)));
        Assert.Equal(ids, Cli.Run(["tokenize", "--tokenizer", Path.Combine(run.Checkpoint, "tokenizer.json"), "--json"], decoded.Out).Succeeds().Out);
    }

    [Theory]
    [InlineData("--max-tokens -1", "--max-tokens must be 0 or more, got -1")]
    [InlineData("--temperature -1", "the temperature must be 0 or more, got -1")]
    [InlineData("--temperature NaN", "the temperature must be 0 or more, got NaN")]
    [InlineData("--top-k -1", "top-k must be 0 (all) or more, got -1")]
    [InlineData("--top-p 0", "top-p must be above 0 and at most 1, got 0")]
    [InlineData("--top-p 1.5", "top-p must be above 0 and at most 1, got 1.5")]
    [InlineData("--threads 0", "--threads must be from 1 to 1024, got 0")]
    [InlineData("--prompt ROMEO:", "the character 'R' (U+0052) at position 0 is not among the 24 characters", "hint: ")]
    [InlineData("--prompt toßbe", "the character 'ß' (U+00DF) at position 2")]
    [InlineData("--prompt totobetotobetotobe", "the prompt has 18 tokens and the model's context only 16", "hint: shorten")]
    [InlineData("--prompt ", "the prompt is empty")]
    [InlineData("--tokenizer nowhere.json", "nowhere.json")]
    public void What_cannot_be_is_an_error(string options, params string[] words) => Assert.Empty(Generate(options.Split(' ')).Fails(1, words).Out);

    [Fact]
    public void No_tokens_at_all()
    {
        var json = Generate("--max-tokens", "0").Succeeds().Json;
        Assert.Equal("", json.GetProperty("text").GetString());
        Assert.Equal(JsonValueKind.Null, json.GetProperty("decode_tokens_per_second").ValueKind);
    }

    [Fact]
    public void Without_a_prompt_any_model_speaks()
    {
        using var temp = new TempFolder();
        File.WriteAllText(temp.File("text.txt"), Tiny.Text().Replace('\n', '/'));
        Cli.Run(Tiny.Train(temp.File("text.txt"), temp.File("run"))).Succeeds();
        Cli.Run("generate", "--model", temp.File("run"), "--max-tokens", "5").Succeeds();
    }

    [Fact]
    public void Lines_go_to_ids_and_back()
    {
        const string text = "to be or not\n\nthat is the question;\n";
        var ids = Cli.Run(["tokenize", "--tokenizer", run.Folder], text).Succeeds();
        string vocabulary = new([.. Tiny.Text().Distinct().Order()]); // ids are ranks among the characters of the text
        Assert.Equal(string.Concat(text.TrimEnd('\n').Split('\n').Select(line => string.Join(' ', line.Select(c => vocabulary.IndexOf(c, StringComparison.Ordinal))) + "\n")), ids.Out);
        Assert.Equal(text, Cli.Run(["tokenize", "--tokenizer", run.Folder, "--decode"], ids.Out).Succeeds().Out);
    }

    [Theory]
    [InlineData("--json", "\"to be\"\nto be\n", "line 2 of stdin")]
    [InlineData("--json", "\"to be\"\n\n[1]\n", "line 2 of stdin")]
    [InlineData("--json", "null\n", "line 1 of stdin")]
    [InlineData("--json", "\"to be\"\n\"to\\u0058\"\n", "line 2 of stdin", "'X' (U+0058) at position 2")]
    [InlineData("", "to be\nor\nROMEO\n", "line 3 of stdin", "'R' (U+0052)")]
    [InlineData("--decode --json", "[1,2]\n[1,\n", "line 2 of stdin")]
    [InlineData("--decode --json", "[1,2]\n[1.5]\n", "line 2 of stdin")]
    [InlineData("--decode --json", "[24]\n", "line 1 of stdin", "24", "0 to 23")]
    [InlineData("--decode", "1 2\n1 two\n", "line 2 of stdin", "two")]
    [InlineData("--decode", "1 99999999999\n", "line 1 of stdin")]
    public void A_bad_line_is_named(string options, string stdin, params string[] words) =>
        Cli.Run(["tokenize", "--tokenizer", run.Folder, .. options.Split(' ', StringSplitOptions.RemoveEmptyEntries)], stdin).Fails(1, words);

    [Fact]
    public void Info_of_gpt2_counts_its_parameters()
    {
        var result = Cli.Run("info", "--model", "gpt2", "--json").Succeeds();
        Assert.Equal(124_439_808, result.Json.GetProperty("parameters").GetInt64()); // as published with the model
        Assert.Contains("124,439,808", result.Error, StringComparison.Ordinal);
    }
}
