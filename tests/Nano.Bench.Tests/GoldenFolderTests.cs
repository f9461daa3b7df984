namespace Nano.Tests;

/// <summary>Folders of golden values are recognised by their index, pass, and notice damage.</summary>
public sealed class GoldenFolderTests : IDisposable
{
    private readonly Compute compute = new(2);
    private readonly TempFolder folder = new();

    public void Dispose()
    {
        compute.Dispose();
        folder.Dispose();
    }

    private IReadOnlyList<GoldenCheck> Run(string directory) =>
        GoldenFolder.Run(directory, compute, CorpusStore.DefaultFolder).Checks;

    [Fact]
    public void Ops_and_models_are_recognised()
    {
        Assert.Equal(OpVerifier.Run(Goldens.Path("ops"), compute).Select(row => row.Name),
            GoldenFolder.Run(Goldens.Path("ops"), compute, "").Rows.Select(row => row.Name));
        Assert.Contains(GoldenFolder.Run(Goldens.Path("gpt2_tiny"), compute, "").Rows, row => row.Name == "logits");
    }

    [Fact]
    public void Every_format_passes()
    {
        var checks = Run(Goldens.Path("quant"));
        Assert.All(checks, check => Assert.True(check.Pass, $"{check}"));
        Assert.Equal(18 + 9, checks.Select(check => check.Of).Distinct().Count()); // formats and methods
        Assert.Equal(16, checks.Count(check => check.Name == "dequantised floats that differ" && check.Items > 15000));
        Assert.Equal(18, checks.Count(check => check.Name == "quantised bytes that differ" && check.Items > 3000));
        Assert.Equal(11, checks.Count(check => check.Name == "bytes with importance that differ"));
        Assert.Equal(16, checks.Count(check => check.Name.StartsWith("products, exact path", StringComparison.Ordinal)));
    }

    [Fact]
    public void Every_quantised_model_whose_file_or_source_is_there_passes()
    {
        var checks = Run(Goldens.Path("quant_models"));
        Assert.All(checks, check => Assert.True(check.Pass, $"{check}"));
        Assert.True(checks.Count(check => check.Name == "quantised again, tensors whose bytes differ") >= 13);
        Assert.True(checks.Count(check => check.Name == "integer path, greedy ids that differ") >= 6);
        Assert.Equal(14, checks.Count(check => check.Of.StartsWith("gpt2", StringComparison.Ordinal)
            && check.Name == "types chosen that differ" && check.Items == 16));
    }

    [Theory]
    [InlineData("q4_k.dequantized", "q4_k", "dequantised floats that differ")]
    [InlineData("q6_k.bytes", "q6_k", "quantised bytes that differ")]
    [InlineData("tq1_0.bytes", "tq1_0", "dequantised floats that differ")]
    [InlineData("imatrix.q2_k.bytes", "q2_k", "bytes with importance that differ")]
    [InlineData("half.bf16", "bf16", "edge numbers that differ")]
    public void A_changed_number_of_a_format_fails_in_that_format_alone(string tensor, string of, string name)
    {
        string copy = Copy("quant");
        Change(Path.Combine(copy, "quant.safetensors"), tensor);
        var failed = Run(copy).Where(check => !check.Pass).ToList();
        Assert.Contains(failed, check => (check.Of, check.Name) == (of, name) && check.Error >= 1 && check.Note != null);
        Assert.All(failed, check => Assert.Equal(of, check.Of));
    }

    [Theory]
    [InlineData("int8.absmax_row.codes", "int8")]
    [InlineData("int8.zeropoint.scale_zero", "int8")]
    [InlineData("nf4.packed", "nf4")]
    [InlineData("double.codes", "nf4")]
    [InlineData("llmint8.y", "LLM.int8()")]
    [InlineData("rtn.zero", "rtn")]
    [InlineData("gptq.codes", "gptq")]
    [InlineData("gptq_actorder.scale", "gptq_actorder")]
    [InlineData("awq.scale", "awq")]
    [InlineData("smooth.y", "smoothquant")]
    [InlineData("hqq.codes", "hqq")]
    public void A_changed_number_of_a_method_fails_in_that_method_alone(string tensor, string of)
    {
        string copy = Copy("quant");
        Change(Path.Combine(copy, "methods.safetensors"), tensor);
        var failed = Run(copy).Where(check => !check.Pass).ToList();
        Assert.Contains(failed, check => check.Of == of && check.Name.StartsWith(tensor, StringComparison.Ordinal));
        Assert.All(failed, check => Assert.Equal(of, check.Of));
    }

    [Theory]
    [InlineData("\"exact_with_nano_activations\": ", "products, integer path with its own activations")]
    [InlineData("\"exact\": ", "products, exact path, of sum |w||x|")]
    [InlineData("\"block_bytes\": ", "sizes and number of the type that differ")]
    public void A_changed_number_of_the_index_fails(string before, string name)
    {
        string copy = Copy("quant");
        InsertDigit(Path.Combine(copy, "index.json"), before);
        Assert.Contains(Run(copy), check => !check.Pass && check.Name == name);
    }

    [Theory]
    [InlineData("gpt2_256-Q4_K_M.exact", "exact path, largest error of logits")]
    [InlineData("gpt2_256-Q4_K_M.nano8", "integer path, rms to that arithmetic in float64")]
    [InlineData("gpt2_256-Q4_K_M.llamacpp", "integer path, rms to llama.cpp")]
    public void Changed_logits_fail(string tensor, string name)
    {
        string copy = Copy("quant_models");
        Change(Path.Combine(copy, "golden.safetensors"), tensor);
        Assert.Contains(Run(copy), check => !check.Pass && check.Of == "gpt2_256 Q4_K_M" && check.Name == name);
    }

    [Theory]
    [InlineData("llama256-Q8_0.gguf", "llama256 Q8_0", "the file, tensors whose bytes differ")]
    [InlineData("llama256-Q8_0.gguf", "llama256 Q5_K_M", "quantised again, tensors whose bytes differ")]
    [InlineData("gpt2_256-Q4_K_M.gguf", "gpt2_256 Q4_K_M", "the file, tensors whose bytes differ")]
    public void A_changed_model_file_fails_itself_and_as_a_source(string file, string of, string name)
    {
        string path = Path.Combine(Copy("quant_models"), file);
        byte[] bytes = File.ReadAllBytes(path);
        bytes[^3000] ^= 0x40;
        File.WriteAllBytes(path, bytes);
        Assert.Contains(Run(Path.GetDirectoryName(path)!), check => !check.Pass && (check.Of, check.Name) == (of, name));
    }

    [Theory]
    [InlineData("\"greedy\":{\"exact\":[", "exact path, greedy ids that differ")]
    [InlineData("\"nll\":{\"exact\":", "exact path, loss, nats")]
    public void Changed_results_in_the_index_fail(string before, string name)
    {
        string copy = Copy("quant_models");
        InsertDigit(Path.Combine(copy, "index.json"), before);
        Assert.Contains(Run(copy), check => !check.Pass && check.Name == name);
    }

    [Fact]
    public void Models_without_their_files_are_skipped_with_the_reason()
    {
        string copy = Copy("quant_models");
        foreach (string file in Directory.EnumerateFiles(copy, "*.gguf"))
            File.Delete(file);
        var checks = GoldenFolder.Run(copy, compute, folder.File("nowhere")).Checks;
        Assert.Equal(9, checks.Count(check => check.Name == "logits, losses and ids"));
        Assert.All(checks, check => Assert.Contains("at hand", check.Skipped, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("quant", "\"q4_k\": {", "\"q9_k\": {", "type q9_k")]
    [InlineData("quant", "\"block_bytes\": 18", "\"block_size\": 18", "type q4_0")]
    [InlineData("quant", "\"types\"", "\"sorts\"", "expected \"cases\"")]
    [InlineData("quant_models", "\"file_type\":7,", "\"file_type\":77,", "file_type 77")]
    [InlineData("quant_models", "\"name\":\"llama256\"", "\"name\":\"other\"", "'other.ids' is missing")]
    public void A_damaged_index_is_refused(string golden, string from, string to, string inMessage)
    {
        string copy = Copy(golden), index = Path.Combine(copy, "index.json");
        string text = File.ReadAllText(index);
        Assert.Contains(from, text, StringComparison.Ordinal);
        File.WriteAllText(index, text.Replace(from, to, StringComparison.Ordinal));
        Assert.Contains(inMessage, Assert.Throws<BadFileException>(() => Run(copy)).Message, StringComparison.Ordinal);
    }

    private string Copy(string golden)
    {
        string copy = Directory.CreateDirectory(folder.File("copy")).FullName;
        foreach (string file in Directory.EnumerateFiles(Goldens.Path(golden)))
            File.WriteAllBytes(Path.Combine(copy, Path.GetFileName(file)), File.ReadAllBytes(file));
        return copy;
    }

    /// <summary>Flips bits of the fourth byte of a tensor: the exponent of a float.</summary>
    private static void Change(string path, string tensor)
    {
        long offset;
        using (var reader = SafetensorsReader.Open(path))
            offset = reader.Entries[tensor].Offset + (reader.Entries[tensor].Type == SafetensorsType.F64 ? 6 : 3);
        byte[] bytes = File.ReadAllBytes(path);
        bytes[offset] ^= 0x11;
        File.WriteAllBytes(path, bytes);
    }

    /// <summary>Puts a digit before the number that follows a text for the last time.</summary>
    private static void InsertDigit(string path, string before)
    {
        string text = File.ReadAllText(path);
        int at = text.LastIndexOf(before, StringComparison.Ordinal);
        Assert.True(at >= 0);
        File.WriteAllText(path, text.Insert(at + before.Length, "1"));
    }
}
