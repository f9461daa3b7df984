using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Nano.Cli;

/// <summary>nano classify train: an encoder learns the classes of texts.</summary>
internal static class ClassifyTrainVerb
{
    private static readonly ClassifierOptions Defaults = new();

    private static readonly Option<string> Data = new("--data")
    {
        Description = "Texts with classes: .jsonl with the fields label and text, or .csv with a label and a text in "
            + "each row",
        HelpName = "FILE",
        Required = true,
    };
    private static readonly Option<string> Out = new("--out")
    {
        Description = "Folder of the trained model; it must not be there or be empty",
        Required = true,
    };
    private static readonly Option<string?> Model = new("--model")
    {
        Description = "Folder of an encoder to start from, of BERT for example (default: a small one with random "
            + "weights and a vocabulary of the texts)",
    };
    private static readonly Option<int?> Epochs = new("--epochs")
    {
        Description = "Times that every text is seen (default: 3 with --model, else 20)",
    };
    private static readonly Option<int> Batch = new("--batch")
    {
        Description = "Texts of an update",
        DefaultValueFactory = _ => Defaults.Batch,
    };
    private static readonly Option<double?> LearningRate = Common.Number("--lr",
        "The highest learning rate (default: 5e-5 with --model, else 1e-3)");
    private static readonly Option<double?> Holdout = Common.Number("--holdout",
        "Share of the texts that is held out to measure the accuracy (default: 0.1)");
    private static readonly Option<int> Vocabulary = new("--vocab")
    {
        Description = "Without --model: tokens of the new vocabulary",
        DefaultValueFactory = _ => Defaults.Vocabulary,
    };
    private static readonly Option<ulong> Seed = Common.Seed();
    private static readonly Option<int?> Threads = Common.Threads();
    private static readonly Option<bool> Json = Common.Json();

    public static Command Create()
    {
        var verb = new Command("train",
            "Train an encoder to tell classes of texts.\n\nExample:\n  nano classify train --data moods.csv --out "
            + "runs/mood")
        {
            Data, Out, Model, Epochs, Batch, LearningRate, Holdout, Vocabulary, Seed, Threads, Json,
        };
        verb.SetAction(Run);
        return verb;
    }

    private static int Run(ParseResult args)
    {
        bool json = args.GetValue(Json);
        var human = Common.Human(json);
        string folder = args.GetValue(Out)!;
        if (Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any())
            throw new NanoException($"{Quoted.Path(folder)} is there already", "name another folder, or delete it");
        var rows = TextRows.ReadLabelled(args.GetValue(Data)!);
        using var compute = Common.NewCompute(args.GetValue(Threads));
        using var training = new ClassifierTraining(new()
        {
            From = args.GetValue(Model) is { } model ? HubModels.FindLocal(model) ?? model : null,
            Epochs = args.GetValue(Epochs),
            Batch = args.GetValue(Batch),
            LearningRate = args.GetValue(LearningRate),
            Holdout = args.GetValue(Holdout) ?? Defaults.Holdout,
            Vocabulary = args.GetValue(Vocabulary),
            Seed = args.GetValue(Seed),
        }, rows, compute);
        var (count, heldOut, cut) = training.Counts;
        human.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{count:N0} texts, {heldOut:N0} held out, {training.Labels.Count} classes; "
            + $"{training.Model.Parameters.Count:N0} parameters"));
        if (cut > 0)
            human.WriteLine($"note: {cut} texts are too long, and lose their ends");
        using var stop = new GentleStop(() => Screen.Error.WriteLine("stopping after this step; again to end at once"),
            PosixSignal.SIGINT);
        long start = Stopwatch.GetTimestamp();
        ClassifierProgress? last = null, evaluated = null;
        long every = Math.Max(1, training.Steps / 20);
        foreach (var progress in training.Run(stop.Token))
        {
            (last, evaluated) = (progress, progress.Accuracy is null ? evaluated : progress);
            if (progress.Step % every == 0 || progress.Step == progress.Steps)
                human.WriteLine(Line(progress));
        }
        training.Save(folder);
        human.WriteLine($"saved    {Quoted.Path(folder)}");
        if (json)
            Common.PrintJson(new()
            {
                ["steps"] = last?.Step ?? 0,
                ["train_loss"] = last?.Loss,
                ["held_out_loss"] = evaluated?.HeldOutLoss,
                ["accuracy"] = evaluated?.Accuracy,
                ["seconds"] = Stopwatch.GetElapsedTime(start).TotalSeconds,
                ["folder"] = folder,
            });
        return stop.IsAsked ? Failure.Interrupted : 0;
    }

    private static string Line(ClassifierProgress progress) => string.Create(CultureInfo.InvariantCulture,
        $"step {progress.Step,6}/{progress.Steps}  loss {progress.Loss:F4}  lr {progress.LearningRate:0.00e+0}")
        + (progress.Accuracy is null ? "" : string.Create(CultureInfo.InvariantCulture,
            $"  held out: loss {progress.HeldOutLoss:F4}, accuracy {progress.Accuracy:P1}"));
}
