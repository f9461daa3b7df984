using Nano.Tests;

namespace Nano.Cli.Tests;

/// <summary>nano quantize.</summary>
public class QuantizeTests
{
    [Fact]
    public void A_quantised_model_is_smaller_and_answers()
    {
        using var folder = new TempFolder();
        string golden = Goldens.Path("llama_tiny"), file = folder.File("q8.gguf");
        var made = Cli.Run("quantize", golden, file, "--type", "Q8_0", "--json").Succeeds();
        Assert.Equal(["input", "output", "from", "to", "bytes", "bits_per_weight", "notes"], made.JsonKeys);
        Assert.InRange(made.Json.GetProperty("bits_per_weight").GetDouble(), 8.5, 12);
        Cli.Run("convert", golden, folder.File("f32.gguf")).Succeeds();
        Assert.True(new FileInfo(file).Length < new FileInfo(folder.File("f32.gguf")).Length);
    }

    [Fact]
    public void Bad_types_and_tensors_are_refused_and_nothing_is_written()
    {
        using var folder = new TempFolder();
        string golden = Goldens.Path("llama_tiny"), file = folder.File("a.gguf");
        Cli.Run("quantize", golden, file, "--type", "IQ1_S").Fails(2, "IQ1_S");
        Cli.Run("quantize", golden, file, "--type", "F16").Fails(2, "F16");
        Cli.Run("quantize", golden, file, "--tensor", "output.weight=7").Fails(1, "there is no type '7'");
        Cli.Run("quantize", golden, file, "--tensor", "Q8_0").Fails(1, "'Q8_0' is no NAME=TYPE");
        Cli.Run("quantize", golden, file, "--tensor", "blk.9.attn_q.weight=Q8_0")
            .Fails(1, "there is no tensor 'blk.9.attn_q.weight'");
        Assert.Empty(Directory.GetFileSystemEntries(folder.Root));
    }

    [Fact]
    public void A_quantised_model_is_quantised_again_only_if_that_is_allowed()
    {
        using var folder = new TempFolder();
        string first = folder.File("q8.gguf"), second = folder.File("q4.gguf");
        Cli.Run("quantize", Goldens.Path("llama_tiny"), first, "--type", "Q8_0").Succeeds();
        Cli.Run("quantize", first, second, "--type", "Q4_0").Fails(1, "is quantised already", "hint: ");
        Cli.Run("quantize", first, second, "--type", "Q4_0", "--requantize").Succeeds();
    }

    [Fact]
    public void Methods_write_folders_and_gguf_files_that_evaluate()
    {
        using var folder = new TempFolder();
        string run = folder.File("run"), text = folder.File("text.txt");
        File.WriteAllText(text, PatternedText.Sentences());
        Cli.Run("train", "llama-char", "--data", text, "--layers", "1", "--heads", "2", "--channels", "96", "--steps",
            "2", "--seq", "16", "--batch", "2", "--out", run).Succeeds();
        string made = folder.File("gptq"), file = folder.File("awq.gguf");
        Cli.Run("quantize", run, made, "--method", "gptq", "--data", text, "--group", "32", "--chunks", "4", "--json")
            .Succeeds();
        Cli.Run("quantize", run, file, "--method", "awq", "--data", text, "--chunks", "4", "--type", "Q5_0").Succeeds();
        Cli.Run("quantize", run, folder.File("hqq"), "--method", "hqq", "--group", "32").Succeeds();
        Cli.Run("eval", "--model", made, "--data", text).Succeeds();
        Cli.Run("eval", "--model", file, "--data", text, "--tokenizer", run).Succeeds();
        Cli.Run("quantize", run, made, "--method", "gptq", "--data", text).Fails(1, "is there already");
        Cli.Run("quantize", run, folder.File("b"), "--method", "gptq").Fails(1, "Gptq needs a text", "--data");
        Cli.Run("quantize", run, folder.File("b"), "--method", "hqq", "--data", text).Fails(1, "looks at no text");
        Cli.Run("quantize", run, folder.File("b"), "--method", "gptq", "--data", text, "--imatrix", text)
            .Fails(1, "--imatrix does not go with --method");
        Cli.Run("quantize", run, folder.File("b.gguf"), "--bits", "4").Fails(1, "--bits belongs to --method");
        Cli.Run("quantize", run, folder.File("b"), "--method", "nearest", "--bits", "5").Fails(1, "with 5 bits");
        Assert.False(Path.Exists(folder.File("b")) || Path.Exists(folder.File("b.gguf")));
    }
}
