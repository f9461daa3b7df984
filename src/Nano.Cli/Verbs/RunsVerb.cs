using System.CommandLine;
using System.Globalization;

namespace Nano.Cli;

/// <summary>nano runs: what was trained here, and how runs differ.</summary>
internal static class RunsVerb
{
    private static readonly Argument<string> Folder = new("folder")
    {
        Description = "Folder to search for runs",
        DefaultValueFactory = _ => "runs"
    };
    private static readonly Argument<string[]> Compared = new("run")
    {
        Description = "Folders of runs, two or more",
        Arity = ArgumentArity.OneOrMore
    };
    private static readonly Option<string?> Out =
        new("--out") { Description = "HTML file to write: the curves of all runs, and the options that differ" };
    private static readonly Option<bool> Json = Common.Json();

    public static Command Create()
    {
        var list = new Command("list",
            "List every run below a folder, the latest first.\n\nExample:\n  nano runs list") { Folder, Json };
        list.SetAction(List);
        var compare = new Command("compare",
            "Compare runs: losses, verdicts, and the options that differ.\n\nExample:\n  nano runs compare runs/a "
            + "runs/b --out compare.html") { Compared, Out, Json };
        compare.SetAction(Compare);
        return new Command("runs", "List and compare runs.\n\nExample:\n  nano runs list") { list, compare };
    }

    private static int List(ParseResult args)
    {
        bool json = args.GetValue(Json);
        var human = Common.Human(json);
        var (runs, broken) = RunSummary.Below(args.GetValue(Folder)!);
        if (runs.Count == 0)
            human.WriteLine($"no runs in '{Quoted.Path(args.GetValue(Folder)!)}'");
        else
            PrintRuns(human, runs);
        SayBadLines(runs);
        foreach (var error in broken)
            Screen.Error.WriteLine($"skipped: {error.Message}");
        if (json)
            Common.PrintJson(new()
            {
                ["runs"] = runs.Select(Fields),
                ["broken"] = broken.Select(error => error.Message),
            });
        return 0;
    }

    private static int Compare(ParseResult args)
    {
        bool json = args.GetValue(Json);
        var human = Common.Human(json);
        var comparison = new RunComparison(args.GetValue(Compared)!);
        PrintRuns(human, comparison.Runs);
        SayBadLines(comparison.Runs);
        var (evaluations, differences) = (comparison.Evaluations, comparison.Differences);
        human.WriteLine();
        PrintTable(human, ["validation loss", .. comparison.Runs.Select(run => run.Folder)],
            evaluations.Select(row => (string[])[string.Create(CultureInfo.InvariantCulture, $"step {row.Step:N0}"),
                .. row.Losses.Select(Loss)]));
        human.WriteLine();
        if (differences.Count == 0)
            human.WriteLine("no option differs");
        else
            PrintTable(human, ["option", .. comparison.Runs.Select(run => run.Folder)],
                differences.Select(row => (string[])[row.Option, .. row.Values]));
        if (args.GetValue(Out) is { } path)
        {
            comparison.Write(path);
            human.WriteLine($"report   {path}");
        }
        if (json)
            Common.PrintJson(new()
            {
                ["runs"] = comparison.Runs.Select(Fields),
                ["evaluations"] = evaluations.Select(row => new JsonFields
                {
                    ["step"] = row.Step,
                    ["val_losses"] = row.Losses.Select(Common.Finite)
                }),
                ["differences"] = differences.Select(row => new JsonFields
                {
                    ["option"] = row.Option,
                    ["values"] = row.Values,
                }),
            });
        return 0;
    }

    private static void SayBadLines(IEnumerable<RunSummary> runs)
    {
        foreach (var run in runs.Where(run => run.BadLines > 0))
            Screen.Error.WriteLine(
                $"left out: {run.BadLines} {(run.BadLines == 1 ? "line" : "lines")} of "
                + $"'{Path.Combine(run.Folder, RunSummary.LogName)}', which could not be read");
    }

    private static JsonFields Fields(RunSummary run) => new()
    {
        ["folder"] = run.Folder,
        ["preset"] = run.Preset,
        ["state"] = run.Progress.ToString().ToLowerInvariant(),
        ["step"] = run.Step,
        ["steps"] = run.Steps,
        ["val_loss"] = Common.Finite(run.ValLoss),
        ["best_val_loss"] = Common.Finite(run.BestValLoss),
        ["seconds"] = Common.Finite(run.Seconds),
        ["started"] = run.Started,
        ["verdict"] = run.Verdict.Word,
        ["verdict_reason"] = run.Verdict.Reason,
    };

    private static void PrintRuns(TextWriter human, IEnumerable<RunSummary> runs) =>
        PrintTable(human, ["run", "recipe", "state", "steps", "val loss", "lowest", "s in steps", "started", "verdict"],
            runs.Select(run => (string[])
        [
            run.Folder, run.Preset, run.Progress.ToString().ToLowerInvariant(),
                string.Create(CultureInfo.InvariantCulture,
                    $"{run.Step}/{run.Steps?.ToString(CultureInfo.InvariantCulture) ?? "?"}"),
            Loss(run.ValLoss), Loss(run.BestValLoss), run.Seconds.ToString("N0", CultureInfo.InvariantCulture),
                run.Started.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture), run.Verdict.Word,
        ]));

    /// <summary>
    /// Columns as wide as their widest cell; characters that move or hide others, which a log may
    /// hold, become spaces.
    /// </summary>
    private static void PrintTable(TextWriter human, string[] head, IEnumerable<string[]> rows)
    {
        string[][] all = [head,
            .. rows.Select(row =>
                row.Select(cell => string.Concat(
                    cell.Select(c => char.GetUnicodeCategory(c) is UnicodeCategory.Control or UnicodeCategory.Format
                        ? ' ' : c))).ToArray())];
        int[] widths = [.. head.Select((_, column) => all.Max(row => row[column].Length))];
        foreach (string[] row in all)
            human.WriteLine(string.Join("  ", row.Select((cell, column) => cell.PadRight(widths[column]))).TrimEnd());
    }

    private static string Loss(double value) => double.IsFinite(value)
        ? value.ToString("F4", CultureInfo.InvariantCulture) : "-";
}
