namespace Nano.Tests.Formats;

/// <summary>A model folder that a conversion makes is whole or not there.</summary>
public sealed class ConvertedFolderTests : IDisposable
{
    readonly TempFolder temp = new();
    readonly string model = Goldens.Path("gpt2_tiny"), folder;

    public ConvertedFolderTests() => folder = temp.File("out");

    public void Dispose() => temp.Dispose();

    void Convert(long shardBytes = 0) =>
        ModelConverter.Convert(model, folder,
        new ConversionOptions { Format = ModelFormat.Safetensors, ShardBytes = shardBytes });

    static string[] Names(string folder) =>
        [.. Directory.GetFileSystemEntries(folder).Select(path =>
        Path.GetFileName(path)!).Order(StringComparer.Ordinal)];

    [Fact]
    public void Remains_of_killed_conversions_are_no_obstacle()
    {
        Convert(100_000);
        string[] files = Names(folder);
        Assert.True(files.Length > 3);
        Directory.Move(folder, folder + ".tmp");
        foreach (string name in (string[])["config.json",
            files.First(name => name.EndsWith(".safetensors", StringComparison.Ordinal))])
            File.Move(Path.Combine(folder + ".tmp", name), Path.Combine(folder + ".tmp", name + ".abcdefgh.ijk.tmp"));
        File.WriteAllText(Path.Combine(folder + ".tmp", ".nano-unfinished"), "");
        Convert(100_000);
        Assert.Equal(["out"], Names(temp.Root));
        Assert.Equal(files, Names(folder));
        File.WriteAllText(Path.Combine(folder, ".nano-unfinished"), ""); // killed just behind the rename
        Convert();
        Assert.Equal(["out"], Names(temp.Root));
        Assert.Equal(["config.json", "model.safetensors"],
            Names(folder).Where(name => !files.Contains(name) || name == "config.json"));
    }

    [Fact]
    public void Folders_of_others_are_left_alone()
    {
        foreach (string name in (string[])["out/photo.jpg", "out/config.json", "out.tmp/model.safetensors",
            "out.old.tmp/photo.jpg"])
        {
            Directory.CreateDirectory(Path.GetDirectoryName(temp.File(name))!);
            File.WriteAllText(temp.File(name), "mine");
            Assert.NotNull(Assert.Throws<NanoException>(() => Convert()).Hint);
            Assert.Equal("mine", File.ReadAllText(temp.File(name)));
            Directory.Delete(Path.GetDirectoryName(temp.File(name))!, recursive: true);
            Assert.Empty(Names(temp.Root));
        }
        Directory.CreateDirectory(folder); // an empty one is as good as none
        Convert();
        ModelLoader.Load(folder).Model.Dispose();
    }

    [Fact]
    public void A_conversion_that_fails_leaves_nothing()
    {
        var progress = new Fails();
        Assert.Throws<InvalidOperationException>(() =>
            ModelConverter.Convert(model, folder, new ConversionOptions(), progress));
        Assert.Empty(Names(temp.Root));
    }

    sealed class Fails : IProgress<ConversionProgress>
    {
        public void Report(ConversionProgress value)
        {
            if (value.Bytes > value.TotalBytes / 2)
                throw new InvalidOperationException("half way");
        }
    }
}
