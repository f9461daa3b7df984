using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Nano.Cli;

/// <summary>nano classify: the classes of texts.</summary>
internal static class ClassifyVerb
{
    private static readonly Option<string> Model = new("--model")
    {
        Description = "Folder of an encoder with a head of classes, such as 'nano classify train' makes",
        Required = true,
    };
    private static readonly Option<int?> Threads = Common.Threads();
    private static readonly Option<bool> Json = new("--json")
    {
        Description = "Print a JSON object per text: text, label, probabilities; everything else goes to stderr",
    };

    public static Command Create()
    {
        var verb = new Command("classify",
            "Tell the classes of texts.\n\nExample:\n  nano classify --model runs/mood \"a fine day\"")
        {
            Model, TextArguments.Data, Threads, Json, TextArguments.Texts, ClassifyTrainVerb.Create(),
        };
        verb.SetAction(Run);
        return verb;
    }

    private static int Run(ParseResult args)
    {
        string[] texts = TextArguments.Read(args, "classify");
        using var compute = Common.NewCompute(args.GetValue(Threads));
        using var classifier = TextClassifier.Open(args.GetValue(Model)!);
        using var stop = new GentleStop(null, PosixSignal.SIGINT);
        var found = classifier.Classify(compute, texts, stop.Token);
        for (int i = 0; i < texts.Length; i++)
        {
            if (found[i].IsCut)
                TextArguments.NoteCut(i, found[i].Tokens);
            if (args.GetValue(Json))
                Common.PrintJson(new()
                {
                    ["text"] = texts[i],
                    ["label"] = found[i].Label,
                    ["probabilities"] = Probabilities(classifier.Labels, found[i]),
                });
            else
                Screen.Out.WriteLine(Line(classifier.Labels, found[i], texts[i]));
        }
        return 0;
    }

    private static JsonFields Probabilities(IReadOnlyList<string> labels, Classification found)
    {
        var fields = new JsonFields();
        for (int i = 0; i < labels.Count; i++)
            fields[labels[i]] = found.Probabilities[i];
        return fields;
    }

    private static string Line(IReadOnlyList<string> labels, Classification found, string text)
    {
        const int Shown = 5;
        string others = string.Join(", ", labels.Select((label, i) => (label, p: found.Probabilities[i]))
            .OrderByDescending(pair => pair.p).Take(Shown)
            .Select(pair => string.Create(CultureInfo.InvariantCulture, $"{pair.label} {pair.p:F3}")));
        return TerminalText.Clean($"{others}  | {text.ReplaceLineEndings(" ")}");
    }
}
