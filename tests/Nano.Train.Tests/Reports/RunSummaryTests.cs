using System.Xml;
using System.Xml.Linq;
using static Nano.Tests.SampleLog;

namespace Nano.Tests;

public sealed class RunSummaryTests : IDisposable
{
    readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    string Write(string name, params RunLogEntry[] entries)
    {
        string run = folder.File(name);
        Directory.CreateDirectory(run);
        using var log = RunLog.Open(Path.Combine(run, RunSummary.LogName), null);
        foreach (var entry in entries)
            log.Write(entry);
        return run;
    }

    static RunEntry Started(int day, params (string Key, string Value)[] config) => Run() with
    {
        Started = new DateTimeOffset(2026, 1, day, 0, 0, 0, TimeSpan.Zero),
        Config = new OrderedDictionary<string, string>(
            config.Select(pair => KeyValuePair.Create(pair.Key, pair.Value))),
    };

    [Fact]
    public void A_run_is_summed_up()
    {
        string run = Write("a", Started(1, ("steps", "20")), Step(1), Step(2), Eval(1, 2.5), Eval(2, 3),
            new EndEntry(2, 2.75, 99, 1, "done"));
        var summary = RunSummary.Of(run);
        Assert.Equal((run, "shakespeare-char", RunProgress.Finished, 2, 20),
            (summary.Folder, summary.Preset, summary.Progress, summary.Step, summary.Steps));
        // two steps of 42.5 ms
        Assert.Equal((2.75, 2.5, 2 * 0.0425), (summary.ValLoss, summary.BestValLoss, summary.Seconds));
        Assert.Equal("no band", summary.Verdict.Word);
    }

    [Fact]
    public void Whether_a_run_goes_on_is_told_by_its_end_and_by_who_has_its_log_open()
    {
        Assert.Equal(RunProgress.Interrupted, RunSummary.Of(Write("killed", Started(1), Step(1))).Progress);
        Assert.Equal(RunProgress.Interrupted,
            RunSummary.Of(Write("stopped", Started(1), Step(1),
                new EndEntry(1, double.NaN, 1, 1, "interrupted"))).Progress);
        string run = folder.File("running");
        Directory.CreateDirectory(run);
        using var log = RunLog.Open(Path.Combine(run, RunSummary.LogName), null);
        log.Write(Started(1));
        Assert.Equal(RunProgress.Running, RunSummary.Of(run).Progress);
        Assert.True(double.IsNaN(RunSummary.Of(run).ValLoss));
    }

    [Fact]
    public void Runs_are_listed_latest_first_and_broken_logs_are_named()
    {
        Write("old", Started(1));
        Write("deep/new", Started(3));
        Write("between", Started(2));
        foreach (var (name, text) in new[] { ("empty", ""), ("torn", "{\"kind\":\"run\""), ("nonsense", "nonsense\n"),
            ("headless", "{\"kind\":\"end\",\"step\":1,\"val_loss\":1,\"seconds\":1,\"tokens\":1,\"reason\":\"done\"}\n") })
        {
            Directory.CreateDirectory(folder.File(name));
            File.WriteAllText(folder.File($"{name}/{RunSummary.LogName}"), text);
        }
        var (runs, broken) = RunSummary.Below(folder.Root);
        Assert.Equal(["new", "between", "old"], runs.Select(run => Path.GetFileName(run.Folder)));
        Assert.Equal(["empty", "headless", "nonsense", "torn"],
            broken.Select(error =>
                Path.GetFileName(Path.GetDirectoryName(Assert.IsType<BadFileException>(error).Path))));
        Assert.Throws<NanoException>(() => RunSummary.Below(folder.File("nowhere")));
        Assert.Throws<NanoException>(() => RunSummary.Of(folder.Root));
    }

    [Fact]
    public void Lines_that_are_no_entries_are_left_out_and_counted()
    {
        string a = Write("a", Started(1), Step(1), Eval(1, 2.5)), b = Write("b", Started(2), Eval(1, 2)),
            log = Path.Combine(a, RunSummary.LogName);
        File.WriteAllText(log, "\0\0\0\n" + File.ReadAllText(log) + "nonsense\n{\"kind\":\"st");
        var summary = RunSummary.Of(a);
        Assert.Equal((1, 2.5, 2), (summary.Step, summary.ValLoss, summary.BadLines));
        var (runs, broken) = RunSummary.Below(folder.Root);
        Assert.Equal([0, 2], runs.Select(run => run.BadLines));
        Assert.Empty(broken);
        Assert.Equal([2.5, 2], Assert.Single(new RunComparison([a, b]).Evaluations).Losses);
    }

    [Fact]
    public void A_comparison_shows_only_the_options_that_differ_and_aligns_evaluations()
    {
        string a = Write("a", Started(1, ("lr", "0.1"), ("steps", "20")), Step(1), Eval(0, 4), Eval(10, 2)), b =
            Write("b", Started(2, ("lr", "0.2"), ("steps", "20"), ("new", "x")), Step(1), Eval(10, 1.5), Eval(15, 1));
        var comparison = new RunComparison([a, b]);
        Assert.Equal(["lr: 0.1 0.2", "new: unset x"],
            comparison.Differences.Select(row => $"{row.Option}: {string.Join(' ', row.Values)}"));
        Assert.Equal([(0, 4, double.NaN), (10, 2, 1.5), (15, double.NaN, 1)],
            comparison.Evaluations.Select(row => (row.Step, row.Losses[0], row.Losses[1])));

        using var reader = XmlReader.Create(new StringReader(comparison.Render()),
            new XmlReaderSettings { DtdProcessing = DtdProcessing.Ignore });
        var page = XDocument.Load(reader).Root!;
        Assert.Equal(["Validation loss", "Training loss, running mean", "Gradient norm, running mean"],
            page.Descendants("svg").Select(svg => svg.Attribute("aria-label")!.Value));
        Assert.Contains(page.Descendants("tr"),
            row => string.Join('|', row.Elements().Select(cell => cell.Value)) == "lr|0.1|0.2");
        Assert.DoesNotContain(page.Descendants("td"), cell => cell.Value == "steps");
        foreach (string forbidden in new[] { "<script", "http", "url(", "<link", "<img", "src=" })
            Assert.DoesNotContain(forbidden, comparison.Render(), StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void A_comparison_takes_two_sound_runs()
    {
        string a = Write("a", Started(1));
        Assert.Throws<NanoException>(() => new RunComparison([a]));
        Assert.Contains("twice", Assert.Throws<NanoException>(() => new RunComparison([a, a + "/"])).Message,
            StringComparison.Ordinal);
        File.WriteAllText(Path.Combine(a, RunSummary.LogName), "nonsense\n");
        Assert.Throws<BadFileException>(() => new RunComparison([Write("b", Started(2)), a]));
    }

    [Fact]
    public void Foreign_text_cannot_leave_its_cell()
    {
        const string Evil = "<script>alert(1)</script>";
        string a = Write("a", Started(1, (Evil, "1")) with { Preset = Evil }, Eval(0)),
            b = Write("b", Started(1, (Evil, Evil)), Eval(0));
        Assert.DoesNotContain("<script", new RunComparison([a, b]).Render(), StringComparison.OrdinalIgnoreCase);
    }
}
