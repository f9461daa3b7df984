using System.Text.Json;
using Nano.Tests;

namespace Nano.Cli.Tests;

/// <summary>nano tokenize with vocabularies of others, and learning one.</summary>
public class TokenizeTests
{
    private const string Text = "the cat sat on the mat, the cat's mat sat on the cat\n";

    private static Dictionary<string, string> Data()
    {
        string? folder = Environment.GetEnvironmentVariable("NANO_DATA");
        Assert.SkipWhen(folder is null || !File.Exists(Path.Combine(folder, "gpt2", "vocab.bpe")),
            "NANO_DATA names no folder with gpt2/vocab.bpe");
        return new() { ["NANO_DATA"] = folder };
    }

    [Fact]
    public void Gpt2_by_name_line_by_line()
    {
        var data = Data();
        Assert.Equal("31373 995\n\n464\n", Cli.Run(["tokenize", "--tokenizer", "gpt2"], "hello world\n\nThe\n", data).Succeeds().Out);
        Assert.Equal("hello world\n\nThe\n", Cli.Run(["tokenize", "--tokenizer", "gpt2", "--decode"], "31373 995\n\n464\n", data).Succeeds().Out);
        Assert.Equal("[31373,995]\n[198]\n[27,91,437,1659,5239,91,29]\n", Cli.Run(["tokenize", "--tokenizer", "gpt2", "--json"], "\"hello world\"\n\"\\n\"\n\"<|endoftext|>\"\n", data).Succeeds().Out);
        Assert.Equal("[50256]\n", Cli.Run(["tokenize", "--tokenizer", "gpt2", "--json", "--allow-special"], "\"<|endoftext|>\"\n", data).Succeeds().Out);
        Assert.Equal("\"hello world\"\n", Cli.Run(["tokenize", "--tokenizer", "gpt2", "--json", "--decode"], "[31373,995]\n", data).Succeeds().Out);
        Cli.Run(["tokenize", "--tokenizer", "gpt2", "--decode"], "50257\n", data).Fails(1, "line 1", "id 50257", "0 to 50256");
        Cli.Run(["tokenize", "--tokenizer", "gpt2", "--json"], "\"\\ud800\"\n", data).Fails(1, "line 1");
    }

    [Theory]
    [InlineData("gpt2", "gpt2/vocab.bpe", "nano data gpt2-tokenizer")]
    [InlineData("o200k_base", "o200k_base.tiktoken", "NANO_DATA")]
    public void A_vocabulary_that_is_not_here_is_named_with_what_to_do(string name, params string[] words) => Cli.Run(["tokenize", "--tokenizer", name], "").Fails(1, words);

    [Fact]
    public void A_vocabulary_is_learned_and_used()
    {
        using var temp = new TempFolder();
        File.WriteAllText(temp.File("a.txt"), Text);
        File.WriteAllText(temp.File("b.txt"), Text + Text);
        string[] train = ["tokenize", "train", "--vocab", "270", "--threads", "1", "--out", temp.File("1.json"), temp.File("a.txt"), temp.File("b.txt"), "--json"];
        var result = Cli.Run(train).Succeeds();
        Assert.Equal(["path", "vocab", "seconds", "tokens", "bytes_per_token"], result.JsonKeys);
        Assert.Equal(3.0 * Text.Length / result.Json.GetProperty("tokens").GetInt32(), result.Json.GetProperty("bytes_per_token").GetDouble(), 1e-9);
        Assert.Contains("270 of 270 tokens", result.Error, StringComparison.Ordinal);
        Cli.Run([.. train.Select(word => word.Replace("1.json", "2.json", StringComparison.Ordinal)).Where(word => word is not ("--threads" or "1"))]).Succeeds();
        Assert.Equal(File.ReadAllText(temp.File("1.json")), File.ReadAllText(temp.File("2.json")));
        string ids = Cli.Run(["tokenize", "--tokenizer", temp.File("1.json"), "--json"], JsonSerializer.Serialize(Text)).Succeeds().Out;
        Assert.True(JsonSerializer.Deserialize<int[]>(ids)!.Length < Text.Length / 2, ids);
        Assert.Equal(Text, JsonSerializer.Deserialize<string>(Cli.Run(["tokenize", "--tokenizer", temp.File("1.json"), "--json", "--decode"], ids).Succeeds().Out));
        Cli.Run("tokenize", "train", "--vocab", "2000", "--out", temp.File("x.json"), temp.File("a.txt")).Fails(1, "not 2000", "or fewer");
        Assert.False(File.Exists(temp.File("x.json")));
    }

    [Fact]
    public void Speed_is_measured()
    {
        using var temp = new TempFolder();
        File.WriteAllText(temp.File("a.txt"), string.Concat(Enumerable.Repeat(Text, 100)));
        Cli.Run("tokenize", "train", "--vocab", "270", "--out", temp.File("t.json"), temp.File("a.txt")).Succeeds();
        var result = Cli.Run("tokenize", "bench", "--tokenizer", temp.File("t.json"), temp.File("a.txt"), "--json").Succeeds();
        Assert.Equal(["tokenizer", "bytes", "tokens", "encode_mb_per_s", "decode_mb_per_s", "allocated", "runs"], result.JsonKeys);
        Assert.Equal(100 * Text.Length, result.Json.GetProperty("bytes").GetInt32());
        Assert.Equal(["a", "^", " ", "中", "😀"], result.Json.GetProperty("runs").EnumerateArray().Select(run => run.GetProperty("character").GetString()));
    }

    [Theory]
    [InlineData("tokenize train --vocab 300", "--out", "nano tokenize train --help")]
    [InlineData("tokenize bench", "--tokenizer", "nano tokenize bench --help")]
    [InlineData("tokenize train --vocab many --out x y", "whole number", "nano tokenize train --help")]
    public void Wrong_usage_points_to_the_help_of_the_part(string args, params string[] words) => Cli.Run(args.Split(' ')).Fails(2, words);
}
