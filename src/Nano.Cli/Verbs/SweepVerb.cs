using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace Nano.Cli;

/// <summary>nano sweep: a grid of training runs, ranked.</summary>
internal static class SweepVerb
{
    private static readonly Argument<string?> Preset = new("preset")
    {
        Description = "Recipe, as for 'nano train'",
        Arity = ArgumentArity.ZeroOrOne
    };
    private static readonly Option<string> Out =
        new("--out")
        {
            Description =
            "Folder of the sweep, with a folder for each run; repeat the same command to resume",
            Required = true
        };
    private static readonly Option<int?> Threads = Common.Threads();
    private static readonly Option<bool> Json = Common.Json();

    /// <summary>
    /// Options that a sweep sets itself or that concern a single run; a sweep runs on Nano's own
    /// kernels.
    /// </summary>
    private static readonly string[] NotOfRuns = ["--out", "--resume", "--overwrite", "--profile", "--threads",
        "--json", "--device"];

    /// <summary>Options whose value may hold a comma of its own.</summary>
    private static readonly string[] NotLists = ["--data"];

    /// <summary>Switches, which take no value.</summary>
    private static readonly string[] Switches = ["--pack"];

    private static readonly GroupedCommand Train = TrainVerb.Create();

    /// <summary>The options of nano train with their options here, each of which takes a list.</summary>
    private static readonly (Option Train, Option Own)[] OfTrain =
        [.. Train.Options.Where(option => !NotOfRuns.Contains(option.Name)).Select(option => (option, ListOf(option)))];

    public static Command Create()
    {
        var verb = new GroupedCommand("sweep", "Train every combination of options and rank the runs by validation "
            + "loss. Options are those of 'nano train'; each may be a list with commas.\n\nExample:\n"
            + "  nano sweep shakespeare-char --lr 1e-3,3e-4 --batch 8,16 --steps 500 --out sweeps/try")
        {
            Preset,
        };
        verb.Add(SettingGroup.Run, Out, Json);
        foreach (var (train, own) in OfTrain)
            verb.Add(Train.GroupOf(train), own);
        verb.Add(SettingGroup.Machine, Threads);
        verb.SetAction(Run);
        return verb;
    }

    private static Option ListOf(Option option)
    {
        string[] aliases = [.. option.Aliases];
        return Switches.Contains(option.Name) ? new Option<bool>(option.Name,
            aliases)
        { Description = option.Description }
            : new Option<string?>(option.Name, aliases)
            {
                Description = option.Description,
                HelpName = option.HelpName ?? (option is IWordOption choice ? string.Join("|", choice.Words) : null),
            };
    }

    private static int Run(ParseResult args)
    {
        string folder = args.GetValue(Out)!;
        bool json = args.GetValue(Json);
        var grid = Grid(args);
        foreach (var point in grid.Points())
            if (ParseRun(grid, point, folder) is var wrong && Failure.IsWrong(wrong))
                return Failure.Usage(wrong);
        var sweep = new Sweep(folder, grid);
        var human = Common.Human(json);
        using var compute = Common.NewCompute(args.GetValue(Threads));
        double peak = Machine.MeasurePeak(compute);
        human.WriteLine($"sweep    {sweep.Runs.Count} runs in {folder}, "
            + $"{sweep.Runs.Count(run => run.Status == SweepStatus.Done)} of them done");
        using var stop = new GentleStop(() => human.WriteLine("stopping after this step; once more to stop at once"),
            Signals.All);
        TextWriter introduction = human; // what is said of the text is the same for all runs
        sweep.Run((point, run) => TrainVerb.Open(ParseRun(grid, point, run), compute, peak,
            Interlocked.Exchange(ref introduction, TextWriter.Null)), (run, e) => Report(human, sweep, run, e),
            stop.Token);
        return Conclude(sweep, human, json, stop.IsAsked);
    }

    /// <summary>The options given, in the order of the command line.</summary>
    private static SweepGrid Grid(ParseResult args)
    {
        var given = OfTrain.Select(option => args.GetResult(option.Own)).Where(result => result is { Implicit: false })
            .Select(result => result!)
            .OrderBy(result => args.Tokens.ToList().FindIndex(token => token == result.IdentifierToken));
        return new SweepGrid(args.GetValue(Preset), [.. given.Select(result => result.Option switch
        {
            Option<string?> option when NotLists.Contains(option.Name) =>
                new SweepOption(NameOf(result), [args.GetValue(option)!]),
            Option<string?> option => SweepOption.Parse(NameOf(result), args.GetValue(option)!),
            _ => new SweepOption(NameOf(result), []),
        })]);
    }

    /// <summary>
    /// The option under the name on the command line, so that a sweep resumes under a former name.
    /// </summary>
    private static string NameOf(OptionResult result) => result.IdentifierToken!.Value;

    /// <summary>A run's own command line, read as nano train reads it.</summary>
    private static ParseResult ParseRun(SweepGrid grid, SweepPoint point, string run) =>
        new RootCommand { TrainVerb.Create() }.Parse(["train", .. grid.Preset is null ? [] : new[] { grid.Preset },
            .. point.Arguments, Checkpoint.Exists(run) ? "--resume" : "--out", run]);

    private static void Report(TextWriter human, Sweep sweep, int run, TrainEvent? e)
    {
        string name = $"run {run + 1}/{sweep.Runs.Count}";
        if (e is null)
            human.WriteLine($"{name}  {sweep.Runs[run].Name}");
        else if (e is Evaluated at)
            human.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{name}  step {at.Step,6}  train {at.TrainLoss:F4}  validation {at.ValLoss:F4}"));
        else if (e is SpikeFound spike)
            human.WriteLine($"{name}  spike: {spike.Spike.Reason}");
    }

    private static int Conclude(Sweep sweep, TextWriter human, bool json, bool stopped)
    {
        var ranked = sweep.Ranked;
        string[] names = [.. ranked[0].Options.Keys];
        string[][] rows = [["rank", .. names, "val loss", "steps", "seconds", "state"],
            .. ranked.Select((run, i) => (string[])[
            $"{i + 1}", .. names.Select(name => run.Options.GetValueOrDefault(name, "")),
                double.IsFinite(run.ValLoss) ? run.ValLoss.ToString("F4", CultureInfo.InvariantCulture) : "-",
            $"{run.Steps}", run.Seconds.ToString("F1", CultureInfo.InvariantCulture),
                run.Status.ToString().ToLowerInvariant()])];
        int[] widths = [.. Enumerable.Range(0, rows[0].Length).Select(column => rows.Max(row => row[column].Length))];
        foreach (string[] row in rows)
            human.WriteLine(string.Join("  ", row.Zip(widths, (cell, width) => cell.PadLeft(width))));
        foreach (var run in ranked.Where(run => run.Error is not null))
            human.WriteLine($"{run.Name}: {OptionNames.In(run.Error!)}");
        human.WriteLine($"report   {sweep.ReportPath}");
        if (stopped)
            human.WriteLine("stopped; continue with: the same command");
        if (json)
            Common.PrintJson(new()
            {
                ["runs"] = ranked.Select(run => new JsonFields
                {
                    ["name"] = run.Name,
                    ["options"] = run.Options,
                    ["status"] = run.Status.ToString().ToLowerInvariant(),
                    ["steps"] = run.Steps,
                    ["val_loss"] = Common.Finite(run.ValLoss),
                    ["seconds"] = run.Seconds,
                    ["error"] = run.Error,
                    ["folder"] = sweep.FolderOf(run)
                }),
                ["best"] = ranked[0].Status == SweepStatus.Done ? ranked[0].Name : null,
                ["report"] = sweep.ReportPath,
            });
        // A run that goes astray is a result; a sweep without any other, or with a run that could not be
        // made, has failed.
        return stopped ? Failure.Interrupted : ranked[0].Status == SweepStatus.Done
            && ranked.All(run => run.Status != SweepStatus.Failed) ? 0 : Failure.Wrong;
    }
}
