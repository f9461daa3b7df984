namespace Nano.Tests.Formats;

public class AtomicFileTests
{
    [Fact]
    public void A_file_is_created_and_replaced_and_nothing_else_remains()
    {
        using var folder = new TempFolder();
        string path = folder.File("f");
        AtomicFile.Write(path, s => s.Write([1, 2, 3]));
        AtomicFile.Write(path, s => s.Write([4]));
        Assert.Equal([4], File.ReadAllBytes(path));
        Assert.Equal([path], Directory.GetFileSystemEntries(folder.Root));
    }

    [Fact]
    public void A_path_that_can_be_written_passes_the_check_and_nothing_is_changed()
    {
        using var folder = new TempFolder();
        File.WriteAllText(folder.File("old"), "old");
        AtomicFile.CheckWritable(folder.File("old"));
        AtomicFile.CheckWritable(folder.File("new"));
        Assert.Equal("old", File.ReadAllText(folder.File("old")));
        Assert.Equal([folder.File("old")], Directory.GetFileSystemEntries(folder.Root));
    }

    [Fact]
    public void A_path_that_cannot_be_written_is_refused_by_the_check_as_by_writing()
    {
        using var folder = new TempFolder();
        Directory.CreateDirectory(folder.File("folder"));
        List<string> paths = [folder.File("nowhere/f"), folder.File("folder")];
        if (OperatingSystem.IsLinux())
            paths.Add("/dev/null");
        foreach (string path in paths)
        {
            string expected = Assert.Throws<NanoException>(() => AtomicFile.Write(path, _ => { })).Message;
            Assert.Equal(expected, Assert.Throws<NanoException>(() => AtomicFile.CheckWritable(path)).Message);
        }
        Assert.Equal([folder.File("folder")], Directory.GetFileSystemEntries(folder.Root));
        if (OperatingSystem.IsLinux())
            Assert.Throws<NanoException>(() => AtomicFile.CheckWritable("/proc/f"));
        Assert.Throws<ArgumentException>(() => AtomicFile.CheckWritable(""));
    }

    [Fact]
    public void A_writer_that_throws_leaves_the_old_file_whole()
    {
        using var folder = new TempFolder();
        string path = folder.File("f");
        File.WriteAllText(path, "old");
        var thrown = new InvalidOperationException("half way");
        var caught = Assert.Throws<InvalidOperationException>(() => AtomicFile.Write(path, s =>
        {
            s.Write(new byte[100_000]);
            throw thrown;
        }));
        Assert.Same(thrown, caught);
        Assert.Equal("old", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFileSystemEntries(folder.Root));
    }

    [Theory]
    [InlineData(28)] // ENOSPC as .NET reports it on Unix
    [InlineData(unchecked((int)0x80070070))] // ERROR_DISK_FULL on Windows
    public void A_full_disk_says_so_and_that_the_old_file_is_intact(int code)
    {
        using var folder = new TempFolder();
        string path = folder.File("f");
        File.WriteAllText(path, "old");
        var e = Assert.Throws<NanoException>(() => AtomicFile.Write(path, s => throw new IOException("full", code)));
        Assert.Contains("no space left", e.Message, StringComparison.Ordinal);
        Assert.Contains("the previous file is intact", e.Message, StringComparison.Ordinal);
        Assert.NotNull(e.Hint);
        Assert.Equal("old", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFileSystemEntries(folder.Root));
    }

    [Fact]
    public void Lacking_permission_says_so()
    {
        using var folder = new TempFolder();
        var e = Assert.Throws<NanoException>(() =>
            AtomicFile.Write(folder.File("f"), s => throw new UnauthorizedAccessException()));
        Assert.Contains("no permission", e.Message, StringComparison.Ordinal);
        Assert.Contains("nothing was written", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_path_below_a_file_or_a_missing_folder_is_an_error_with_a_hint()
    {
        using var folder = new TempFolder();
        File.WriteAllText(folder.File("file"), "");
        foreach (string path in (string[])[folder.File("file/below"), folder.File("missing/below")])
        {
            var e = Assert.Throws<NanoException>(() => AtomicFile.Write(path, s => s.WriteByte(1)));
            Assert.Contains("there is no folder", e.Message, StringComparison.Ordinal);
            Assert.NotNull(e.Hint);
        }
    }

    [Fact]
    public void A_folder_in_the_way_stays()
    {
        using var folder = new TempFolder();
        Directory.CreateDirectory(folder.File("d"));
        var e = Assert.Throws<NanoException>(() => AtomicFile.Write(folder.File("d"), s => s.WriteByte(1)));
        Assert.Contains("in the way", e.Message, StringComparison.Ordinal);
        Assert.Equal([folder.File("d")], Directory.GetFileSystemEntries(folder.Root));
    }

    [Fact]
    public void A_file_open_for_reading_can_be_replaced()
    {
        using var folder = new TempFolder();
        string path = folder.File("f.safetensors");
        SafetensorsWriter.Write(path, [new("a", [1], () => [1])]);
        using var old = SafetensorsReader.Open(path);
        SafetensorsWriter.Write(path, [new("a", [1], () => [2])]);
        Assert.Equal([1f], SafetensorsReaderTests.Floats(old, "a"));
    }

    /// <summary>A second file that names the first is not there while the first is replaced, and is back if that
    /// fails.</summary>
    [Fact]
    public void Files_that_belong_together_never_mix()
    {
        using var folder = new TempFolder();
        string data = folder.File("m.data"), graph = folder.File("m");
        void Write(byte content) =>
            AtomicFile.WriteAll([(data, stream => stream.WriteByte(content)),
            (graph, stream => stream.WriteByte(content))]);
        Write(1);
        Write(2);
        Assert.Equal([[2], [2]], [File.ReadAllBytes(data), File.ReadAllBytes(graph)]);
        Assert.Equal(["m", "m.data"], Directory.GetFiles(folder.Root).Select(Path.GetFileName).Order());
        File.Delete(data);
        Directory.CreateDirectory(data);
        Assert.Contains("in the way", Assert.Throws<NanoException>(() => Write(3)).Message, StringComparison.Ordinal);
        Assert.Equal([2], File.ReadAllBytes(graph));
        Assert.Equal(["m", "m.data"], Directory.GetFileSystemEntries(folder.Root).Select(Path.GetFileName).Order());
    }
}
