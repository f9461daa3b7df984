using System.CommandLine;
using System.Globalization;

namespace Nano.Cli;

/// <summary>nano bench task: small trainings that show what architectures learn.</summary>
internal static class BenchTaskVerb
{
    private const int Lines = 10; // of progress in a training

    private static readonly Argument<string?> Name = new("name")
    {
        Description = "The task (default: list all)",
        Arity = ArgumentArity.ZeroOrOne
    };
    private static readonly Option<ulong> Seed = Common.Seed();
    private static readonly Option<int?> Steps = new("--steps")
    {
        Description = "Steps of each training in place of the task's own",
    };
    private static readonly Option<int?> Threads = Common.Threads();
    private static readonly Option<bool> Json = Common.Json();

    public static Command Create()
    {
        var verb = new Command("task",
            "Train a small model on a task that shows what its architecture is for, and print its figures beside those "
            + "that another program reached.\n\nExample:\n  nano bench task mamba")
        {
            Name, Seed, Steps, Threads, Json,
        };
        verb.SetAction(Run);
        return verb;
    }

    private static int Run(ParseResult args)
    {
        bool json = args.GetValue(Json);
        var human = Common.Human(json);
        if (args.GetValue(Steps) is < 1)
            throw new NanoException($"--steps must be 1 or more, got {args.GetValue(Steps)}");
        if (args.GetValue(Name) is not { } name)
        {
            foreach (var known in ProvenTask.All)
                human.WriteLine($"{known.Name,-8} {known.About}");
            if (json)
                Common.PrintJson(new() { ["tasks"] = ProvenTask.All.Select(known => known.Name) });
            return 0;
        }
        var task = ProvenTask.Find(name);
        using var compute = Common.NewCompute(args.GetValue(Threads));
        human.WriteLine($"{task.Name}: {task.About}");
        var figures = task.Run(new TaskRun(compute, args.GetValue(Seed), args.GetValue(Steps), Show));
        foreach (var figure in figures)
            human.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{figure.Name,-64} {figure.Value,10:0.####}")
                + (figure.Expected is { } expected
                    ? string.Create(CultureInfo.InvariantCulture, $"  expected {expected:0.####}") : ""));
        if (json)
            Common.PrintJson(new()
            {
                ["task"] = task.Name,
                ["seed"] = args.GetValue(Seed),
                ["figures"] = figures.Select(figure => new JsonFields
                {
                    ["name"] = figure.Name,
                    ["value"] = Common.Finite(figure.Value),
                    ["expected"] = figure.Expected,
                }),
            });
        return 0;

        void Show(string what, int done, int all, double loss)
        {
            if (done % Math.Max(1, all / Lines) == 0 || done == all)
                human.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"{what,-10} step {done,5}/{all}  loss {loss:F4}"));
        }
    }
}
