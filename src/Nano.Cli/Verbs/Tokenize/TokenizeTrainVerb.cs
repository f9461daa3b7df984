using System.CommandLine;
using System.Diagnostics;
using System.Globalization;

namespace Nano.Cli;

/// <summary>nano tokenize train: learn a vocabulary from text.</summary>
internal static class TokenizeTrainVerb
{
    private static readonly Option<int> Vocab = new(
        "--vocab")
    { Description = "Vocabulary size V: the 256 bytes, the merges and <|endoftext|>", Required = true };
    private static readonly Option<string> Out = new("--out")
    {
        Description = "Path of the new tokenizer.json",
        Required = true
    };
    private static readonly Option<string> Split =
        new("--split")
        {
            Description = $"Pattern that cuts text before merging: {string.Join(", ", BpeTrainer.Splits)}",
            DefaultValueFactory = _ => "gpt2"
        };
    private static readonly Option<int?> Threads = Common.Threads();
    private static readonly Option<bool> Json = Common.Json();
    private static readonly Argument<string[]> Files = new("files")
    {
        Description = "Text files in UTF-8",
        Arity = ArgumentArity.OneOrMore
    };

    public static Command Create()
    {
        var verb = new Command("train",
            "Train a byte-level BPE vocabulary on text: the same files give the same vocabulary on any number of "
            + "threads.\n\nExample:\n  nano tokenize train --vocab 4353 --out tokenizer.json data/tinyshakespeare.txt")
        {
            Vocab, Out, Split, Threads, Json, Files,
        };
        verb.SetAction(Run);
        return verb;
    }

    private static int Run(ParseResult args)
    {
        int vocab = args.GetValue(Vocab), threads = Common.CheckThreads(args.GetValue(Threads));
        bool json = args.GetValue(Json);
        var human = Common.Human(json);
        string path = args.GetValue(Out)!;
        string[] texts = [.. args.GetValue(Files)!.Select(file => CorpusStore.LoadFile(file).Text)];
        long start = Stopwatch.GetTimestamp();
        var tokenizer = BpeTrainer.Train(texts, vocab, args.GetValue(Split)!, threads, new Line(human));
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        tokenizer.Save(path);
        int tokens = texts.Sum(text => tokenizer.Encode(text).Length);
        long bytes = texts.Sum(text => (long)System.Text.Encoding.UTF8.GetByteCount(text));
        human.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{path}: {vocab:N0} tokens learned in {seconds:F2} s; the text is {tokens:N0} of them, "
            + $"{(double)bytes / tokens:F2} bytes each"));
        if (json)
            Common.PrintJson(new()
            {
                ["path"] = path,
                ["vocab"] = vocab,
                ["seconds"] = seconds,
                ["tokens"] = tokens,
                ["bytes_per_token"] = Common.Finite((double)bytes / tokens)
            });
        return 0;
    }

    /// <summary>A line per tenth.</summary>
    private sealed class Line(TextWriter human) : IProgress<BpeProgress>
    {
        private int last = -1;

        public void Report(BpeProgress value)
        {
            int tenth = (int)(10L * value.Tokens / value.Of);
            if (tenth == last)
                return;
            last = tenth;
            human.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{value.Tokens:N0} of {value.Of:N0} tokens"));
        }
    }
}
