using System.Diagnostics;

namespace Nano.Tests;

/// <summary>
/// Exports whose weights go to a second file, on a disk that is full: an error, no temporary files, and the
/// export before stays whole.
/// </summary>
public sealed class FullDiskTests : IDisposable
{
    readonly TempFolder temp = new();
    string? mounted;

    public void Dispose()
    {
        if (mounted is not null)
            HasRun("umount", mounted);
        temp.Dispose();
    }

    [Fact]
    public void External_weights_on_a_full_disk()
    {
        var config = new Gpt2Config { VocabSize = 50, ContextLength = 16, Layers = 1, Heads = 2, Channels = 64 };
        using var model = LanguageModel.Create(config);
        model.Initialize(1);
        var graph = OnnxExporter.Build(model);
        string folder = Mount(bytes: 700_000), path = Path.Combine(folder, "model.onnx");
        OnnxExporter.Write(graph, path, alone: false);
        byte[] before = File.ReadAllBytes(path), weights = File.ReadAllBytes(path + ".data");
        Assert.InRange(weights.Length, 200_000, 400_000); // so that a second does not fit beside it

        // Room for neither, for a part of the weights, for the weights and not for the graph.
        foreach (int room in (int[])[0, 100_000, weights.Length + 4096])
        {
            Fill(folder, room);
            var e = Assert.Throws<NanoException>(() => OnnxExporter.Write(graph, path, alone: false));
            Assert.Contains("no space left on the disk", e.Message, StringComparison.Ordinal);
            Assert.Contains("the previous file is intact", e.Message, StringComparison.Ordinal);
            Assert.Equal(before, File.ReadAllBytes(path));
            Assert.Equal(weights, File.ReadAllBytes(path + ".data"));
            File.Delete(Path.Combine(folder, "filler"));
            Assert.Equal(["model.onnx", "model.onnx.data"],
                Directory.EnumerateFiles(folder).Select(Path.GetFileName).Order());
        }
    }

    /// <summary>Leaves so many bytes free.</summary>
    static void Fill(string folder, int room)
    {
        long free = new DriveInfo(folder).AvailableFreeSpace;
        using var filler = new FileStream(Path.Combine(folder, "filler"), FileMode.Create);
        filler.Write(new byte[Math.Max(0, free - room)]);
        filler.Flush(flushToDisk: true);
    }

    string Mount(int bytes)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "a small disk of one's own is made with tmpfs, which is Linux");
        string folder = Directory.CreateDirectory(temp.File("disk")).FullName;
        Assert.SkipUnless(HasRun("mount", "-t", "tmpfs", "-o", $"size={bytes}", "tmpfs", folder),
            "mounting a small tmpfs is not allowed here");
        return mounted = folder;
    }

    static bool HasRun(string program, params string[] args)
    {
        using var process = Process.Start(new ProcessStartInfo(program, args) { RedirectStandardError = true })!;
        process.WaitForExit();
        return process.ExitCode == 0;
    }
}
