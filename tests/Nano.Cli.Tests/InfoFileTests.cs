using System.Text.Json;
using Nano.Tests;

namespace Nano.Cli.Tests;

/// <summary>nano info of a file: every tensor, and the types with their sizes.</summary>
public class InfoFileTests
{
    private const string Quantised = "quant_models/gpt2_256-Q4_K_M.gguf";

    [Fact]
    public void Tensors_of_a_quantised_file_have_the_types_that_llama_cpp_gave_them()
    {
        using var index = JsonDocument.Parse(File.ReadAllText(Goldens.Path("quant_models/index.json")));
        var expected = index.RootElement.GetProperty("models").EnumerateArray()
            .SelectMany(model => model.GetProperty("files").EnumerateArray())
            .Single(file => file.GetProperty("file").GetString() == Path.GetFileName(Quantised))
            .GetProperty("tensor_types").EnumerateObject().ToDictionary(type => type.Name, type => type.Value.GetString()!);
        var json = Cli.Run("info", Goldens.Path(Quantised), "--json").Succeeds().Json;
        var tensors = json.GetProperty("tensors").EnumerateArray().ToList();
        Assert.Equal(expected, tensors.ToDictionary(tensor => tensor.GetProperty("name").GetString()!,
            tensor => tensor.GetProperty("type").GetString()!.ToLowerInvariant()));
        var q6 = json.GetProperty("types").EnumerateArray().Single(type => type.GetProperty("type").GetString() == "Q6_K");
        // token_embd [320, 256], attn_qkv [768, 256], ffn_down [256, 1024]: blocks of 256 weights in 210 bytes
        Assert.Equal((3, 2112 * 256, 2112 * 210, 6.5625), (q6.GetProperty("tensors").GetInt32(),
            q6.GetProperty("weights").GetInt64(), q6.GetProperty("bytes").GetInt64(),
            q6.GetProperty("bits_per_weight").GetDouble()));
        Assert.Equal(json.GetProperty("stored_bytes").GetInt64(),
            tensors.Sum(tensor => tensor.GetProperty("bytes").GetInt64()));
        Assert.Equal("gpt2", json.GetProperty("model_type").GetString());
    }

    [Fact]
    public void Types_are_always_shown_and_tensors_when_asked()
    {
        string file = Goldens.Path(Quantised), brief = Cli.Run("info", file).Succeeds().Out;
        Assert.Matches(@"\nQ4_K +2 +327,680 +184,320 +4\.500\n", brief);
        Assert.Matches(@"\nall +16 +937,728 +905,344 +7\.724\n", brief);
        Assert.DoesNotContain("blk.0", brief, StringComparison.Ordinal);
        Assert.Matches(@"\nblk\.0\.ffn_up\.weight +Q4_K +\[1024, 256\] +147,456\n",
            Cli.Run("info", file, "--tensors").Succeeds().Out);
        Assert.Matches(@"\nF32 +28 +110,400 +441,600 +32\.000\n",
            Cli.Run("info", "--model", Goldens.Path("gpt2_tiny")).Succeeds().Out);
    }

    [Fact]
    public void A_file_without_a_model_shows_its_tensors_with_names_fit_for_a_terminal()
    {
        using var folder = new TempFolder();
        SafetensorsWriter.Write(folder.File("x.safetensors"), [new SafetensorsTensor("red \u001b[31m\u202e name",
            SafetensorsType.I8, [3, 2], stream => stream.Write(new byte[6]))]);
        var result = Cli.Run("info", folder.File("x.safetensors"), "--tensors").Succeeds();
        Assert.Contains("no model that runs here: ", result.Out, StringComparison.Ordinal);
        Assert.Matches(@"\nred \\u\{1B\}\[31m\\u\{202E\} name +I8 +\[3, 2\] +6\n", result.Out);
        var tensor = Cli.Run("info", folder.File("x.safetensors"), "--json").Succeeds().Json.GetProperty("tensors")[0];
        Assert.Equal("red \u001b[31m\u202e name", tensor.GetProperty("name").GetString());
    }

    [Fact]
    public void Files_that_are_damaged_and_options_that_name_nothing_are_refused()
    {
        using var folder = new TempFolder();
        File.WriteAllBytes(folder.File("cut.gguf"), File.ReadAllBytes(Goldens.Path(Quantised))[..900_000]);
        Cli.Run("info", folder.File("cut.gguf")).Fails(1, "cut short");
        Cli.Run("info", "gpt2", "--tensors").Fails(1, "stored nowhere");
        Cli.Run("info", "--tensors").Fails(2, "name it");
        Cli.Run("info", "gpt2", "--model", "gpt2").Fails(2, "give one of them");
    }
}
