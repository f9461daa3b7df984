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
        var texts = new[] { run.Folder, run.Checkpoint, Path.Combine(run.Checkpoint, "model.safetensors"),
            Path.Combine(run.Checkpoint, "config.json") }
            .Select(path => Text(Cli.Run(["generate", "--model", path, .. more]))).ToList();
        Assert.All(texts, text => Assert.Equal(texts[0], text));
        Assert.Equal("to be" + texts[0] + "\n",
            Cli.Run("generate", "--model", run.Folder, "--max-tokens", "20", "--prompt", "to be").Succeeds().Out);
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
        Assert.Equal(["whether", json.GetProperty("text").GetString()],
            decoded.Out.TrimEnd('\n').Split('\n').Select(line => JsonSerializer.Deserialize<string>(line)));
        Assert.Equal(ids, Cli.Run(["tokenize", "--tokenizer", Path.Combine(run.Checkpoint, "tokenizer.json"), "--json"],
            decoded.Out).Succeeds().Out);
    }

    [Theory]
    [InlineData("--max-tokens -1", "--max-tokens must be 0 or more, got -1")]
    [InlineData("--temperature -1", "the temperature must be 0 or more, got -1")]
    [InlineData("--temperature NaN", "the temperature must be 0 or more, got NaN")]
    [InlineData("--top-k -1", "top-k must be 0 (all) or more, got -1")]
    [InlineData("--top-p 0", "top-p must be above 0 and at most 1, got 0")]
    [InlineData("--top-p 1.5", "top-p must be above 0 and at most 1, got 1.5")]
    [InlineData("--min-p 2", "min-p must be from 0 to 1, got 2")]
    [InlineData("--typical 0", "typical must be above 0")]
    [InlineData("--repetition-penalty 0", "the repetition penalty must be above 0")]
    [InlineData("--logit-bias 3", "--logit-bias takes the id of a token and a number", "'3'")]
    [InlineData("--logit-bias 3:1 --logit-bias 3:2", "gives token 3 two values")]
    [InlineData("--logit-bias 24:1", "there is no token 24", "0 to 23")]
    [InlineData("--logprobs -1", "must be 0 or more, got -1")]
    [InlineData("--beams 0", "the number of beams must be from 1 to 1024, got 0")]
    [InlineData("--beams 2 --top-k 5", "--top-k does not go with --beams")]
    [InlineData("--beams 2 --prompt t --prompt o", "a second --prompt does not go with --beams")]
    [InlineData("--device webgp", "there is no device 'webgp'", "hint: did you mean 'webgpu'?")]
    [InlineData("--threads 0", "--threads must be from 1 to 1024, got 0")]
    [InlineData("--prompt ROMEO:", "the character 'R' (U+0052) at position 0 is not among the 24 characters", "hint: ")]
    [InlineData("--prompt toßbe", "the character 'ß' (U+00DF) at position 2")]
    [InlineData("--prompt totobetotobetotobe", "the prompt has 18 tokens and the model's context only 16",
        "hint: shorten")]
    [InlineData("--prompt ", "the prompt is empty")]
    [InlineData("--tokenizer nowhere.json", "nowhere.json")]
    public void What_cannot_be_is_an_error(string options, params string[] words) =>
        Assert.Empty(Generate(options.Split(' ')).Fails(1, words).Out);

    [Fact]
    public void Several_prompts_are_a_batch_of_the_same_texts()
    {
        string[] more = ["--max-tokens", "30", "--temperature", "1", "--repetition-penalty", "1.1", "--min-p", "0.01",
            "--typical", "0.95", "--presence-penalty", "0.1", "--frequency-penalty", "0.1"];
        var batch = Generate([.. more, "--prompt", "to be", "--prompt", "that is the que", "--logprobs", "2"])
            .Succeeds();
        var rows = batch.Json.GetProperty("rows").EnumerateArray().ToArray();
        Assert.Equal(["prompt_ids", "ids", "text", "finish_reason", "logprobs"],
            rows[1].EnumerateObject().Select(property => property.Name));
        Assert.Equal(["rows", "prefill_tokens_per_second", "decode_tokens_per_second"], batch.JsonKeys);
        Assert.Equal(Text(Generate([.. more, "--prompt", "to be"])), rows[0].GetProperty("text").GetString());
        Assert.Equal(Text(Generate([.. more, "--prompt", "that is the que"])), rows[1].GetProperty("text").GetString());
        Assert.Contains("to be" + rows[0].GetProperty("text").GetString(), batch.Error, StringComparison.Ordinal);
        Assert.Contains("its older half is dropped", batch.Error, StringComparison.Ordinal);
        var thoughts = rows[0].GetProperty("logprobs").EnumerateArray().ToArray();
        Assert.Equal(rows[0].GetProperty("ids").EnumerateArray().Select(id => id.GetInt32()),
            thoughts.Select(thought => thought.GetProperty("chosen").GetProperty("id").GetInt32()));
        Assert.All(thoughts, thought =>
        {
            double[] top = [.. thought.GetProperty("top").EnumerateArray()
                .Select(entry => entry.GetProperty("logprob").GetDouble())];
            Assert.True(top.Length == 2 && top[0] >= top[1] && top[0] <= 0
                && thought.GetProperty("chosen").GetProperty("logprob").GetDouble() <= top[0]);
        });
    }

    [Fact]
    public void The_context_ends_a_text_where_it_may_not_slide()
    {
        var result = Generate("--max-tokens", "80", "--prompt", "to be", "--slide", "false").Succeeds();
        Assert.Equal("length", result.Json.GetProperty("finish_reason").GetString());
        // 16 positions can be read, and what follows the last be chosen
        Assert.Equal(16 + 1 - 5, result.Json.GetProperty("ids").GetArrayLength());
        Assert.StartsWith(result.Json.GetProperty("text").GetString()!,
            Text(Generate("--max-tokens", "80", "--prompt", "to be")), StringComparison.Ordinal);
        Assert.DoesNotContain("older half", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_forbidden_does_not_come()
    {
        string text = Text(Generate("--max-tokens", "60", "--temperature", "0"));
        char most = text.GroupBy(c => c).MaxBy(group => group.Count())!.Key;
        string vocabulary = new([.. Tiny.Text().Distinct().Order()]);
        string without = Text(Generate("--max-tokens", "60", "--temperature", "0", "--logit-bias",
            $"{vocabulary.IndexOf(most, StringComparison.Ordinal)}:-1000", "--stop", "never", "--stop", "ever"));
        Assert.DoesNotContain(most, without);
        Assert.Equal(60, without.Length);
    }

    [Fact]
    public void Beams_find_a_text_at_least_as_likely_as_the_greedy_one()
    {
        var greedy = Generate("--max-tokens", "8", "--prompt", "to be", "--temperature", "0", "--logprobs", "0")
            .Succeeds().Json;
        double sum = greedy.GetProperty("logprobs").EnumerateArray()
            .Sum(thought => thought.GetProperty("chosen").GetProperty("logprob").GetDouble());
        var result = Generate("--max-tokens", "8", "--prompt", "to be", "--beams", "4").Succeeds();
        Assert.Equal(["prompt_ids", "beams"], result.JsonKeys);
        var beams = result.Json.GetProperty("beams").EnumerateArray().ToArray();
        Assert.Equal(4, beams.Length);
        Assert.True(beams[0].GetProperty("logprob").GetDouble() >= sum - 1e-9);
        Assert.All(beams, beam =>
        {
            Assert.Equal("length", beam.GetProperty("finish_reason").GetString());
            Assert.Equal(8, beam.GetProperty("text").GetString()!.Length);
            Assert.Equal(beam.GetProperty("logprob").GetDouble() / 8, beam.GetProperty("score").GetDouble(), 1e-9);
            Assert.Contains("] to be" + beam.GetProperty("text").GetString(), result.Error, StringComparison.Ordinal);
        });
    }

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
        Assert.Equal(string.Concat(text.TrimEnd('\n').Split('\n')
            .Select(line => string.Join(' ', line.Select(c => vocabulary.IndexOf(c, StringComparison.Ordinal)))
                + "\n")), ids.Out);
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
        Cli.Run(["tokenize", "--tokenizer", run.Folder, .. options.Split(' ', StringSplitOptions.RemoveEmptyEntries)],
            stdin).Fails(1, words);

    [Fact]
    public void Info_of_gpt2_counts_its_parameters()
    {
        var result = Cli.Run("info", "--model", "gpt2", "--json").Succeeds();
        Assert.Equal(124_439_808, result.Json.GetProperty("parameters").GetInt64()); // as published with the model
        Assert.Contains("124,439,808", result.Error, StringComparison.Ordinal);
    }

    /// <summary>The prompt is the text that an encoder-decoder reads; options of sampling are refused.</summary>
    [Fact]
    public void An_encoder_decoder_writes_about_its_prompt()
    {
        using var folder = new TempFolder();
        foreach (string file in (string[])["config.json", "model.safetensors"])
            File.Copy(Path.Combine(Goldens.Path("zoo_more/bart"), file), folder.File(file));
        File.WriteAllText(folder.File("vocab.txt"),
            "[UNK]\n" + string.Concat(Enumerable.Range(1, 46).Select(i => $"w{i}\n")));
        var made = Cli.Run("generate", "--model", folder.Root, "--prompt", "w3 w9", "--max-tokens", "5", "--json")
            .Succeeds();
        Assert.Equal(["prompt_ids", "ids", "text", "finish_reason", "tokens_per_second"], made.JsonKeys);
        Assert.Equal("[3,9]", made.Json.GetProperty("prompt_ids").GetRawText());
        Assert.StartsWith("w", made.Json.GetProperty("text").GetString(), StringComparison.Ordinal);
        Cli.Run("generate", "--model", folder.Root).Fails(1, "--prompt");
        Cli.Run("generate", "--model", folder.Root, "--prompt", "w3", "--top-k", "5").Fails(1, "--top-k does not go");
    }
}
