using Nano.Tests;

namespace Nano.Cli.Tests;

/// <summary>Disks that are full or may not be written: an error, and the last checkpoint stays whole.</summary>
[Collection(nameof(TinyRun))]
public sealed class DiskTests(TinyRun run) : IDisposable
{
    private readonly TempFolder temp = new();
    private string? mounted;

    public void Dispose()
    {
        if (mounted is not null)
            Cli.HasRun("umount", mounted);
        temp.Dispose();
    }

    /// <summary>One checkpoint of this model (about 170 kB) fits on the disk, two do not.</summary>
    private string[] Train(string folder, params string[] more) =>
        ["train", "--data", run.Data, "--out", folder, "--layers", "1", "--heads", "2", "--channels", "32", "--seq",
            "16", "--batch", "4", "--steps", "10", "--eval-interval", "5", .. more];

    [Fact]
    public void A_full_disk()
    {
        string folder = Path.Combine(Mount("size=300k"), "run");
        Cli.Run(Train(folder)).Fails(1, "the checkpoint of step 5 could not be saved", "no space left",
            "hint: the checkpoint before it is whole");
        Assert.Equal(["step-000000"], Directory.EnumerateDirectories(folder).Select(Path.GetFileName));
        Cli.Run("generate", "--model", folder, "--max-tokens", "5").Succeeds();

        Remount("size=3m"); // room is made
        Cli.Run(Train(folder, "--resume")).Succeeds();
        Cli.Run(Train(temp.File("undisturbed"))).Succeeds();
        Tiny.AssertSame(temp.File("undisturbed"), folder);
    }

    /// <summary>A limit on the size of a file stands for a full disk where none can be mounted.</summary>
    [Theory]
    [InlineData(40, "model.safetensors")]
    [InlineData(100, "optimizer.safetensors")]
    public void A_file_that_may_not_grow(int kilobytes, string file)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "'ulimit -f' is the shell's");
        string folder = temp.File("run");
        Cli.Run([.. Train(folder), "--keep", "9"]).Succeeds();
        Directory.Delete(Path.Combine(folder, "step-000010"), recursive: true);
        File.WriteAllText(Path.Combine(folder, "latest"), "step-000005\n");
        File.WriteAllText(Path.Combine(folder, "best"), "step-000005\n");
        File.Delete(Path.Combine(folder, "log.jsonl"));
        var before = Tiny.Snapshot(folder).Where(entry => !entry.Key.EndsWith("report.html", StringComparison.Ordinal))
            .ToList();
        var result = Cli.RunLimited(kilobytes, "train", "--resume", folder);
        result.Fails(1, "the checkpoint of step 10 could not be saved", file,
            "hint: the checkpoint before it is whole");
        File.Delete(Path.Combine(folder, "log.jsonl"));
        Assert.Equal(before,
            Tiny.Snapshot(folder).Where(entry => !entry.Key.EndsWith("report.html", StringComparison.Ordinal)));
        Cli.Run("train", "--resume", folder).Succeeds();
        Cli.Run(Train(temp.File("undisturbed"), "--keep", "9")).Succeeds();
        Assert.Equal(Tiny.Digests(temp.File("undisturbed")), Tiny.Digests(folder));
    }

    [Fact]
    public void A_log_that_cannot_grow()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "'ulimit -f' is the shell's");
        // in kilobytes: the report of step 300 has 80, the log as many at step 350
        const int limit = 88;
        string folder = temp.File("run");
        string[] train = ["train", "--data", run.Data, .. Tiny.Model, "--steps", "700", "--eval-interval", "100",
            "--out", folder];
        var result = Cli.RunLimited(limit, train);
        result.Fails(1, "cannot write", "log.jsonl", "would be longer", "hint: the last checkpoint is whole");
        string latest = File.ReadAllText(Path.Combine(folder, "latest")).Trim();
        Assert.NotEqual("step-000000", latest);
        // what was written of the last line is taken back
        Assert.Equal((byte)'\n', File.ReadAllBytes(Path.Combine(folder, "log.jsonl"))[^1]);
        Cli.Run("generate", "--model", folder, "--max-tokens", "5").Succeeds();
        Cli.RunLimited(limit, "train", "--resume", folder).Fails(1, "log.jsonl");
        Assert.Equal(latest, File.ReadAllText(Path.Combine(folder, "latest")).Trim());

        Cli.Run("train", "--resume", folder).Succeeds();
        Cli.Run([.. train[..^1], temp.File("undisturbed")]).Succeeds();
        Tiny.AssertSame(temp.File("undisturbed"), folder);
    }

    [Fact]
    public void A_log_that_cannot_be_made_on_a_full_disk()
    {
        // the disk, the run, the lock and its holder: no file more
        string folder = Path.Combine(Mount("size=3m,nr_inodes=4"), "run");
        Cli.Run(Train(folder)).Fails(1, "log.jsonl", "no space left", "hint: ");
        Remount("nr_inodes=1000");
        Cli.Run(Train(folder)).Succeeds();
    }

    /// <summary>A file that cannot hold a trace is refused before the run, or when the disk is full after it.</summary>
    [Theory]
    [InlineData("train")]
    [InlineData("bench")]
    public void A_trace_on_a_full_disk_leaves_nothing_half_written(string verb)
    {
        string disk = Mount("size=8k"), run = temp.File("run");
        string[] work = verb == "train" ? Train(run)
            : ["bench", "train-step", "--model", "shakespeare-char", "--batch", "1", "--seq", "8"];
        Cli.Run([.. work, "--trace", "/dev/full"]).Fails(1, "cannot write '/dev/full'", "device", "hint: ");
        Assert.False(Directory.Exists(run));
        string trace = Path.Combine(disk, "trace.json");
        Cli.Run([.. work, "--trace", trace])
            .Fails(1, $"cannot write '{trace}'", "no space left", "nothing was written", "hint: ");
        Assert.Empty(Directory.GetFileSystemEntries(disk));
        if (verb == "train")
            Cli.Run("generate", "--model", run, "--max-tokens", "5").Succeeds();
    }

    [Fact]
    public void A_log_whose_name_is_taken()
    {
        string folder = temp.File("run");
        Directory.CreateDirectory(Path.Combine(folder, "log.jsonl"));
        Cli.Run(Train(folder)).Fails(1, "log.jsonl", "hint: ");
        Directory.Delete(Path.Combine(folder, "log.jsonl"));
        Cli.Run(Train(folder)).Succeeds();
        var before = Tiny.Snapshot(Path.Combine(folder, "step-000010"));
        File.Delete(Path.Combine(folder, "log.jsonl"));
        Directory.CreateDirectory(Path.Combine(folder, "log.jsonl"));
        foreach (string how in (string[])["--resume", "--overwrite"])
            Cli.Run(Train(folder, how)).Fails(1, "log.jsonl", "hint: ");
        Assert.Equal(before, Tiny.Snapshot(Path.Combine(folder, "step-000010")));
    }

    [Fact]
    [System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    public void A_folder_that_may_not_be_written()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "no modes on Windows");
        if (OperatingSystem.IsWindows())
            return; // for the compiler, which does not know what Skip does
        string folder = run.CopyTo(temp.File("run"));
        var mode = File.GetUnixFileMode(folder);
        File.SetUnixFileMode(folder, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        try
        {
            Assert.SkipWhen(MayWrite(folder), "this user may write everywhere");
            var before = Tiny.Snapshot(folder);
            Cli.Run("train", "--resume", folder).Fails(1, folder);
            Cli.Run(Tiny.Train(run.Data, folder, "--overwrite")).Fails(1, folder);
            Assert.Equal(before, Tiny.Snapshot(folder));
        }
        finally
        {
            File.SetUnixFileMode(folder, mode);
        }
    }

    private static bool MayWrite(string folder)
    {
        try
        {
            File.WriteAllText(Path.Combine(folder, "probe"), "");
            File.Delete(Path.Combine(folder, "probe"));
            return true;
        }
        catch (UnauthorizedAccessException)
        {
            return false;
        }
    }

    [Fact]
    public void A_disk_that_may_only_be_read()
    {
        string folder = run.CopyTo(Path.Combine(Mount("size=3m"), "run"));
        Remount("ro");
        var before = Tiny.Snapshot(folder);
        foreach (string how in (string[])["--resume", "--overwrite"])
            Cli.Run(Tiny.Train(run.Data, folder, how)).Fails(1, folder);
        Cli.Run(Tiny.Train(run.Data, Path.Combine(mounted!, "new"))).Fails(1, Path.Combine(mounted!, "new"));
        Assert.Equal(before, Tiny.Snapshot(folder));
        Cli.Run("generate", "--model", folder, "--max-tokens", "5").Succeeds();
    }

    [Fact]
    public void A_folder_that_cannot_be_made()
    {
        File.WriteAllText(temp.File("file"), "in the way");
        Cli.Run(Tiny.Train(run.Data, Path.Combine(temp.File("file"), "run"))).Fails(1, temp.File("file"));
        Cli.Run(Tiny.Train(run.Data, temp.File("file"))).Fails(1, temp.File("file"));
        Assert.Equal("in the way", File.ReadAllText(temp.File("file")));
    }

    private string Mount(string options)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "a small disk of one's own is made with tmpfs, which is Linux");
        string folder = Directory.CreateDirectory(temp.File("disk")).FullName;
        Assert.SkipUnless(Cli.HasRun("mount", "-t", "tmpfs", "-o", options, "tmpfs", folder),
            "mounting a small tmpfs is not allowed here");
        return mounted = folder;
    }

    private void Remount(string options) => Assert.SkipUnless(Cli.HasRun("mount", "-o", "remount," + options, mounted!),
        $"remounting a tmpfs with {options} is not allowed here");
}
