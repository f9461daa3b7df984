using System.Diagnostics;

namespace Nano.Tests.Formats;

/// <summary>What is no file is refused before it is opened, and lengths are not trusted.</summary>
public sealed class InputFileTests : IDisposable
{
    readonly TempFolder temp = new();

    public void Dispose() => temp.Dispose();

    static string Run(string program, string path)
    {
        using var process = Process.Start(program, [path]);
        process.WaitForExit();
        return path;
    }

    [Fact]
    public void Kinds_are_told_without_opening()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "the kind of a file is known there");
        File.WriteAllText(temp.File("file"), "x");
        File.CreateSymbolicLink(temp.File("link"), "file");
        File.CreateSymbolicLink(temp.File("loop"), "loop");
        Run("mkfifo", temp.File("pipe é"));
        Assert.Equal([FileKind.Regular, FileKind.Regular, FileKind.Unknown, FileKind.Unknown, FileKind.Pipe,
            FileKind.Folder, FileKind.Device, FileKind.Device],
            new[] { temp.File("file"), temp.File("link"), temp.File("loop"), temp.File("none"), temp.File("pipe é"),
                temp.Root, "/dev/zero", "/dev/null" }.Select(path => FileStatus.Of(path).Kind));
        Assert.Equal(FileStatus.Of(temp.File("file")), FileStatus.Of(temp.File("link")));
        Assert.NotEqual(FileStatus.Of(temp.File("file")), FileStatus.Of(temp.Root));
    }

    [Fact]
    public void Readers_refuse_pipes_and_devices_at_once()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "the kind of a file is known there");
        string pipe = Run("mkfifo", temp.File("pipe"));
        foreach (var (path, kind) in new[] { (pipe, "pipe"), ("/dev/zero", "device") })
            foreach (Action read in (Action[])[() => InputFile.ReadBytes(path, 10, ""), () =>
                InputFile.ReadBeginning(path, 4, ""), () => ModelLoader.Open(path), () =>
                SafetensorsReader.Open(path), () => GgufReader.Open(path), () => TokenizerLoader.Load(path)])
                Assert.Contains($"'{path}' is a {kind}, not a file", Assert.Throws<NanoException>(read).Message,
                    StringComparison.Ordinal);
    }

    [Fact]
    public void Bytes_are_counted_as_they_are_read()
    {
        foreach (int length in (int[])[0, 1, 511, 512, 513, 5000])
        {
            byte[] bytes = [.. Enumerable.Range(0, length).Select(i => (byte)i)];
            File.WriteAllBytes(temp.File("file"), bytes);
            Assert.Equal(bytes, InputFile.ReadBytes(temp.File("file"), length, ""));
            if (length > 0)
                Assert.Contains("limit",
                    Assert.Throws<BadFileException>(() =>
                    InputFile.ReadBytes(temp.File("file"), length - 1, "")).Message, StringComparison.Ordinal);
        }
    }

    /// <summary>Files of /proc say that they have no bytes.</summary>
    [Fact]
    public void A_file_that_is_longer_than_it_says_is_read_to_its_end_or_to_the_limit()
    {
        const string maps = "/proc/self/maps";
        Assert.SkipUnless(File.Exists(maps), "Linux");
        Assert.Equal((byte)'\n', InputFile.ReadBytes(maps, 1 << 24, "")[^1]);
        Assert.True(InputFile.ReadBytes(maps, 1 << 24, "").Length > 2000);
        Assert.Contains("more bytes than such a file can need (limit 2000)",
            Assert.Throws<BadFileException>(() => InputFile.ReadBytes(maps, 2000, "")).Message,
            StringComparison.Ordinal);
        Assert.Throws<NanoException>(() => InputFile.ReadBytes("/proc/self/mem", 2000, ""));
        using (var sparse = File.Create(temp.File("sparse")))
            sparse.SetLength(1L << 40);
        Assert.Throws<BadFileException>(() => InputFile.ReadJson(temp.File("sparse"), 1 << 20, "").Dispose());
    }

    [Fact]
    public void A_device_is_not_renamed_over()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "the kind of a file is known there");
        string pipe = Run("mkfifo", temp.File("pipe"));
        File.CreateSymbolicLink(temp.File("null"), "/dev/null");
        foreach (string path in (string[])[pipe, temp.File("null")])
            Assert.Contains("is in the way; nothing was written",
                Assert.Throws<NanoException>(() => AtomicFile.Write(path, _ => Assert.Fail("written"))).Message,
                StringComparison.Ordinal);
        Assert.Equal(FileKind.Pipe, FileStatus.Of(pipe).Kind);
        Assert.Equal(2, Directory.GetFileSystemEntries(temp.Root).Length);
    }
}
