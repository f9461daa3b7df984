namespace Nano.Tests.Formats;

public class ModelLoaderTests
{
    internal static ModelConfig Config(string path)
    {
        using var source = ModelLoader.Open(path);
        return source.Config;
    }

    [Theory]
    [InlineData(new byte[] { (byte)'P', (byte)'K', 3, 4, 0 }, "pickle")]
    [InlineData(new byte[] { 0x80, 2, 0x8a, 0x0a, 0 }, "pickle")]
    [InlineData(new byte[] { 0xc7, 0xd7, 0x34, 0x1, 0 }, "debug state")]
    public void What_is_no_model_is_told_by_its_first_bytes(byte[] bytes, string expected)
    {
        using var folder = new TempFolder();
        File.WriteAllBytes(folder.File("model.bin"), bytes);
        var e = Assert.Throws<BadFileException>(() => ModelLoader.Open(folder.File("model.bin")));
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(40)]
    [InlineData(5000)]
    public void Zeros_named_bin_are_refused(int length)
    {
        using var folder = new TempFolder();
        File.WriteAllBytes(folder.File("model.bin"), new byte[length]);
        Assert.Equal(folder.File("model.bin"),
            Assert.Throws<BadFileException>(() => ModelLoader.Open(folder.File("model.bin"))).Path);
    }

    [Fact]
    public void Where_there_is_nothing_the_path_is_told()
    {
        using var folder = new TempFolder();
        Assert.Contains("none.gguf",
            Assert.Throws<NanoException>(() => ModelLoader.Open(folder.File("none.gguf"))).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_safetensors_file_is_read_with_the_config_beside_it()
    {
        using var source = ModelLoader.Open(Path.Combine(Models.GoldenFolder, "model.safetensors"));
        Assert.Equal("wte.weight", source.Tensors[0].Name);
    }
}
