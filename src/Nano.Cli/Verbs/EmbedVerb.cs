using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Nano.Cli;

/// <summary>nano embed: texts as vectors.</summary>
internal static class EmbedVerb
{
    private const int LargestTable = 12;

    private static readonly Option<string> Model = new("--model")
    {
        Description = "Folder of an encoder (BERT, RoBERTa, DistilBERT, ELECTRA, ALBERT, also as sentence-transformers "
            + "lays it out), or a decoder",
        Required = true,
    };
    private static readonly Option<Pooling?> Pool = new WordOption<Pooling?>("--pooling",
        "From the rows of a text to one vector: their mean, the first or the last (default: as the folder says; else "
        + "mean of encoders, last of decoders)",
        ("mean", Pooling.Mean), ("cls", Pooling.First), ("last", Pooling.Last));
    private static readonly Option<int?> Threads = Common.Threads();
    private static readonly Option<bool> Json = new("--json")
    {
        Description = "Print a JSON object per text: text, tokens, embedding; everything else goes to stderr",
    };

    public static Command Create()
    {
        var verb = new Command("embed",
            "Sentence embeddings: vectors of length 1 whose products say how alike texts are.\n\nExample:\n  "
            + "nano embed --model all-MiniLM-L6-v2 \"a cat sleeps\" \"a kitten naps\" \"stocks fell\"")
        {
            Model, Pool, TextArguments.Data, Threads, Json, TextArguments.Texts,
        };
        verb.SetAction(Run);
        return verb;
    }

    private static int Run(ParseResult args)
    {
        string[] texts = TextArguments.Read(args, "embed");
        string name = args.GetValue(Model)!;
        using var compute = Common.NewCompute(args.GetValue(Threads));
        using var embedder = TextEmbedder.Open(HubModels.FindLocal(name) ?? name, args.GetValue(Pool));
        using var stop = new GentleStop(null, PosixSignal.SIGINT);
        var embedded = embedder.Embed(compute, texts, stop.Token);
        for (int i = 0; i < texts.Length; i++)
            if (embedded[i].IsCut)
                TextArguments.NoteCut(i, embedded[i].Tokens);
        if (args.GetValue(Json))
            for (int i = 0; i < texts.Length; i++)
                Common.PrintJson(new()
                {
                    ["text"] = texts[i],
                    ["tokens"] = embedded[i].Tokens,
                    ["embedding"] = embedded[i].Vector,
                });
        else
            Show(texts, [.. embedded.Select(text => text.Vector)]);
        return 0;
    }

    /// <summary>The cosines of all pairs of a few texts; of many, the text that is nearest to each.</summary>
    private static void Show(string[] texts, float[][] vectors)
    {
        Screen.Out.WriteLine($"{texts.Length:N0} texts of {vectors[0].Length} numbers each");
        for (int i = 0; i < texts.Length; i++)
        {
            double[] cosines = [.. vectors.Select(other => TextEmbedder.Cosine(vectors[i], other))];
            string numbers = texts.Length <= LargestTable
                ? string.Concat(cosines.Select(cosine => string.Create(CultureInfo.InvariantCulture, $"{cosine,7:F3}")))
                : Nearest(cosines, i);
            Screen.Out.WriteLine($"{i + 1,4} {numbers}  {TerminalText.Clean(texts[i].ReplaceLineEndings(" "))}");
        }
    }

    private static string Nearest(double[] cosines, int own)
    {
        int best = Enumerable.Range(0, cosines.Length).Where(i => i != own).MaxBy(i => cosines[i]);
        return string.Create(CultureInfo.InvariantCulture, $"{cosines[best]:F3} to {best + 1,-4}");
    }
}
