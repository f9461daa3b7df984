using Nano.Tests;

namespace Nano.Cli.Tests;

/// <summary>nano convert.</summary>
public class ConvertTests
{
    [Fact]
    public void A_model_goes_to_each_format_and_back_and_says_so()
    {
        using var folder = new TempFolder();
        string golden = Goldens.Path("gpt2_tiny");
        var made = Cli.Run("convert", golden, folder.File("a.gguf"), "--json").Succeeds();
        Assert.Equal(["input", "output", "from", "to", "bytes", "notes"], made.JsonKeys);
        Assert.Equal(("Safetensors", "Gguf", new FileInfo(folder.File("a.gguf")).Length),
            (made.Json.GetProperty("from").GetString(), made.Json.GetProperty("to").GetString(), made.Json
                .GetProperty("bytes").GetInt64()));
        Cli.Run("convert", folder.File("a.gguf"), folder.File("b.bin")).Succeeds();
        Cli.Run("convert", folder.File("b.bin"), folder.File("c"), "--shard-size", "100KB").Succeeds();
        Cli.Run("convert", folder.File("c"), folder.File("d")).Succeeds();
        Cli.Run("convert", golden, folder.File("e")).Succeeds();
        Assert.True(Directory.GetFiles(folder.File("c"), "model-*.safetensors").Length > 3);
        Assert.Equal(File.ReadAllBytes(Path.Combine(folder.File("e"), "model.safetensors")),
            File.ReadAllBytes(Path.Combine(folder.File("d"), "model.safetensors")));
        Cli.Run("convert", golden, folder.File("f"), "--to", "llm.c", "--dtype", "bf16").Succeeds();
        Assert.Equal(5, BitConverter.ToInt32(File.ReadAllBytes(folder.File("f")), 4));
    }

    [Fact]
    public void What_cannot_be_is_refused()
    {
        using var folder = new TempFolder();
        string golden = Goldens.Path("gpt2_tiny");
        Cli.Run("convert", golden, folder.File("a"), "--to", "llama2.c")
            .Fails(1, "gpt2", "llama2.c's checkpoints hold Llama", "hint: ");
        Cli.Run("convert", golden, folder.File("a.gguf"), "--shard-size", "5GB")
            .Fails(1, "only safetensors can be split");
        Cli.Run("convert", golden, folder.File("a"), "--shard-size", "5 apples").Fails(1, "'5 apples' is not a size");
        Cli.Run("convert", folder.File("none"), folder.File("a")).Fails(1, "there is no model at");
        Cli.Run("convert", golden, folder.File("a"), "--dtype", "f8").Fails(2, "f8");
        Cli.Run("convert", golden).Fails(2, "nano convert --help");
        Assert.Empty(Directory.GetFileSystemEntries(folder.Root));
    }
}
