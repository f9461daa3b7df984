using Nano.Tests;

namespace Nano.Cli.Tests;

[Collection(nameof(TinyRun))]
public class RunsTests(TinyRun run)
{
    private void Copy(string to)
    {
        Directory.CreateDirectory(to);
        File.Copy(Path.Combine(run.Folder, "log.jsonl"), Path.Combine(to, "log.jsonl"));
    }

    [Fact]
    public void List_shows_every_run_and_names_broken_logs()
    {
        using var temp = new TempFolder();
        Copy(temp.File("good"));
        Directory.CreateDirectory(temp.File("bad"));
        File.WriteAllText(temp.File("bad/log.jsonl"), "\u001b[2Jnonsense\n");
        var result = Cli.Run("runs", "list", temp.Root, "--json").Succeeds();
        var one = Assert.Single(result.Json.GetProperty("runs").EnumerateArray());
        Assert.Equal(("finished", 20, 20, "no band"),
            (one.GetProperty("state").GetString(), one.GetProperty("step").GetInt32(), one.GetProperty("steps")
                .GetInt32(), one.GetProperty("verdict").GetString()));
        Assert.Equal(run.Result.Json.GetProperty("val_loss").GetDouble(), one.GetProperty("val_loss").GetDouble());
        Assert.Contains("bad", Assert.Single(result.Json.GetProperty("broken").EnumerateArray()).GetString(),
            StringComparison.Ordinal);
        Assert.Contains("skipped: ", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("\u001b", result.Error, StringComparison.Ordinal);
        Cli.Run("runs", "list", temp.File("nowhere")).Fails(1, "there is no folder", "nowhere");
    }

    [Fact]
    public void Compare_shows_what_differs_and_writes_a_page()
    {
        using var temp = new TempFolder();
        string other = temp.File("other"), page = temp.File("compare.html");
        Cli.Run(Tiny.Train(run.Data, other, "--lr", "0.01", "--threads", "1")).Succeeds();
        var result = Cli.Run("runs", "compare", run.Folder, other, "--out", page, "--json").Succeeds();
        Assert.Equal(["lr", "min_lr"], result.Json.GetProperty("differences").EnumerateArray()
            .Select(row => row.GetProperty("option").GetString()));
        Assert.Equal([0, 5, 10, 15, 20], result.Json.GetProperty("evaluations").EnumerateArray()
            .Select(row => row.GetProperty("step").GetInt32()));
        Assert.Contains("Options that differ", File.ReadAllText(page), StringComparison.Ordinal);
        Assert.Contains("0.01", Cli.Run("runs", "compare", run.Folder, other).Succeeds().Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Compare_leaves_out_lines_and_refuses_what_it_cannot_read()
    {
        using var temp = new TempFolder();
        Copy(temp.File("bad"));
        File.AppendAllText(temp.File("bad/log.jsonl"), "nonsense\n");
        Assert.Contains("left out: 1 line of ", Cli.Run("runs", "compare", run.Folder, temp.File("bad"))
            .Succeeds().Error, StringComparison.Ordinal);
        Assert.Contains("left out: 1 line of ", Cli.Run("runs", "list", temp.Root).Succeeds().Error,
            StringComparison.Ordinal);
        File.WriteAllText(temp.File("bad/log.jsonl"), "nonsense\n");
        Cli.Run("runs", "compare", run.Folder, temp.File("bad")).Fails(1, "log.jsonl", "no line describes a run");
        Cli.Run("runs", "compare", run.Folder).Fails(1, "two runs");
        Cli.Run("runs", "compare", run.Folder, temp.File("nowhere")).Fails(1, "there is no run");
    }
}
