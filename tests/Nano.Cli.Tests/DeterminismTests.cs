using Nano.Tests;

namespace Nano.Cli.Tests;

/// <summary>
/// A run is a function of its options and its text: the same bytes whatever the threads, the vector
/// width, and however often it dies on the way.
/// </summary>
[Collection(nameof(TinyRun))]
public sealed class DeterminismTests(TinyRun run) : IDisposable
{
    private readonly TempFolder temp = new();

    public void Dispose() => temp.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(7)]
    public void Any_number_of_threads_gives_the_same_bytes(int threads)
    {
        Cli.Run(Tiny.Train(run.Data, temp.File("run"), "--threads", $"{threads}")).Succeeds();
        Tiny.AssertSame(run.Folder, temp.File("run"));
    }

    [Theory]
    [InlineData("512")]
    [InlineData("256")]
    [InlineData("128")]
    [InlineData("scalar")]
    public void Any_vector_width_gives_the_same_bytes(string width)
    {
        Cli.Run(Tiny.Train(run.Data, temp.File("run")), null, new() { ["NANO_SIMD"] = width, ["NANO_THREADS"] = "2" })
            .Succeeds();
        Tiny.AssertSame(run.Folder, temp.File("run"));
    }

    /// <summary>
    /// Products of bfloat16 operands: with the processor's instruction and without, and resumed.
    /// Another format than before is refused.
    /// </summary>
    [Fact]
    public void Rounded_products_give_the_same_bytes_with_the_instruction_and_without()
    {
        string one = temp.File("one"), other = temp.File("other");
        string[] rounded = ["--precision", "bf16"];
        Cli.Run(Tiny.Train(run.Data, one, rounded)).Succeeds();
        var plain = Cli.Run(Tiny.Train(run.Data, other, rounded), null,
            new() { ["NANO_EMIT"] = "0", ["NANO_THREADS"] = "3" }).Succeeds();
        Assert.Contains("NANO_EMIT is 0", plain.Error + plain.Out, StringComparison.Ordinal);
        Tiny.AssertSame(one, other);
        Assert.NotEqual(Tiny.Digests(run.Folder)["model.safetensors"], Tiny.Digests(one)["model.safetensors"]);
        Cli.Run(Tiny.Train(run.Data, one, "--resume", "--precision", "float32"))
            .Fails(1, "precision was bf16 and is now float32");
        Cli.Run(Tiny.Train(run.Data, temp.File("third"), rounded), null, new() { ["NANO_EMIT"] = "yes" })
            .Fails(1, "NANO_EMIT is 'yes'");
    }

    [Fact]
    public void Another_seed_gives_other_bytes()
    {
        Cli.Run(Tiny.Train(run.Data, temp.File("run"), "--seed", "1338")).Succeeds();
        Assert.NotEqual(Tiny.Digests(run.Folder)["model.safetensors"],
            Tiny.Digests(temp.File("run"))["model.safetensors"]);
    }

    /// <summary>
    /// Killed at once, in the middle, and while a checkpoint is being written: whatever remains is
    /// whole, and resuming ends in the same place.
    /// </summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void A_run_that_is_killed_again_and_again_gives_the_same_bytes(int seed)
    {
        string undisturbed = temp.File("undisturbed"), killed = temp.File("killed");
        string[] options = [.. Tiny.Model, "--steps", "400", "--eval-interval", "10", "--data", run.Data];
        Cli.Run(["train", .. options, "--out", undisturbed]).Succeeds();
        var random = new Random(seed);
        int kills = 0, resumes = 0, whileSaving = 0;
        while (true)
        {
            bool begun = Checkpoint.Exists(killed);
            resumes += begun ? 1 : 0;
            using var program = Cli.Start(["train", .. options, "--out", killed,
                .. begun ? ["--resume"] : Array.Empty<string>()]);
            if (kills == 8)
            {
                program.Finish().Succeeds();
                break;
            }
            if (kills % 2 == 0)
                Thread.Sleep(random.Next(100, 500));
            else
                whileSaving += WaitUntilSaving(program, killed, random.Next(1, 4)) ? 1 : 0;
            program.Kill();
            program.Finish();
            kills++;
            if (Checkpoint.Exists(killed))
                ModelDirectory.Load(killed).Model.Dispose();
        }
        Assert.True(resumes >= 4 && whileSaving >= 2,
            $"of {kills} kills {whileSaving} hit a checkpoint being written, and {resumes} runs resumed: too few to "
            + "mean anything");
        Tiny.AssertSame(undisturbed, killed);
    }

    /// <summary>
    /// Waits for the n-th time that a checkpoint is under construction; false if the program ended
    /// before.
    /// </summary>
    private static bool WaitUntilSaving(RunningCli program, string run, int times)
    {
        bool saving = false;
        while (!program.HasExited)
        {
            bool now = Directory.Exists(run) && Directory.EnumerateDirectories(run, "*.tmp").Any();
            if (now && !saving && --times == 0)
                return true;
            saving = now;
        }
        return false;
    }

    [Fact]
    public void A_finished_run_that_is_resumed_stays_as_it_is()
    {
        string copy = run.CopyTo(temp.File("copy"));
        Cli.Run(Tiny.Train(run.Data, copy, "--resume")).Succeeds();
        Tiny.AssertSame(run.Folder, copy);
    }
}
