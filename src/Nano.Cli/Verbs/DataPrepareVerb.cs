using System.CommandLine;
using System.Diagnostics;
using System.Globalization;

namespace Nano.Cli;

/// <summary>nano data prepare: text to token files that train reads without having them in memory.</summary>
internal static class DataPrepareVerb
{
    private static readonly Argument<string[]> Inputs = new("inputs")
    {
        Description = "Text files, .jsonl files, .gz of both, and folders of them (default with --recipe: the "
            + "shakespeare corpus, see 'nano data')",
        Arity = ArgumentArity.ZeroOrMore,
    };

    private static readonly Option<string?> Tokenizer =
        new("--tokenizer")
        {
            Description = $"{string.Join(", ", TokenizerLoader.Names)}, a tokenizer file, or the folder of a model "
                + "or run (default with --recipe: gpt2)"
        };
    private static readonly Option<string> Out = new("--out")
    {
        Description = "Folder for the token files",
        Required = true
    };
    private static readonly Option<string> Format =
        new("--format")
        {
            Description =
            "Input format: auto (by name), text (a file is a document), sections (an empty line ends a document), "
            + "jsonl (a JSON object per line)",
            DefaultValueFactory = _ => "auto"
        };
    private static readonly Option<string> Field =
        new("--field") { Description = "Field of a JSON line that holds the text", DefaultValueFactory = _ => "text" };
    private static readonly Option<string> Validation = new("--validation")
    {
        Description = "Validation split: 0.1 for the last tenth of the characters, 32768 for that many tokens at "
            + "the beginning, documents:0.01 for one document in a hundred, drawn by number",
        DefaultValueFactory = _ => "0.1",
    };

    private static readonly Option<string> ShardTokens = new("--shard-tokens")
    {
        Description = "Tokens per file",
        DefaultValueFactory = _ => "100M"
    };
    private static readonly Option<string?> Separator =
        new("--separator")
        {
            Description = $"Special token before each document, or {PrepareOptions.NoSeparator} (default: the "
                + "tokenizer's end of text)"
        };
    private static readonly Option<string?> Recipe =
        new("--recipe")
        {
            Description =
            $"Known script to reproduce on shakespeare: {string.Join(", ", PrepareOptions.Recipes)}; sets --format, "
            + "--separator and --validation"
        };
    private static readonly Option<bool> SkipBad =
        new("--skip-bad") { Description = "Skip and count lines that are not a JSON object with the field" };
    private static readonly Option<bool> Overwrite =
        new("--overwrite") { Description = "Replace the prepared data in --out" };
    private static readonly Option<int?> Threads = Common.Threads();
    private static readonly Option<bool> Json = Common.Json();

    public static Command Create()
    {
        var verb = new Command("prepare",
            "Convert text of any size to token files with llm.c's header, for train --data FOLDER.\n\nExample:\n  "
            + "nano data prepare books/ --tokenizer gpt2 --out data/books --validation documents:0.01")
        {
            Inputs, Tokenizer, Out, Format, Field, Validation, ShardTokens, Separator, Recipe, SkipBad, Overwrite,
            Threads, Json,
        };
        verb.SetAction(Run);
        return verb;
    }

    private static int Run(ParseResult args)
    {
        bool json = args.GetValue(Json);
        var human = Common.Human(json);
        var options = Read(args, human);
        using var stop = new GentleStop(null, Signals.All);
        long start = Stopwatch.GetTimestamp();
        PreparedData data;
        try
        {
            data = DataPreparer.Run(options, new Line(human), stop.Token);
        }
        catch (OperationCanceledException)
        {
            human.WriteLine("stopped; nothing was written");
            return stop.ExitCode;
        }
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        Say(human, data, seconds);
        if (json)
            Common.PrintJson(new()
            {
                ["folder"] = data.Folder,
                ["train_tokens"] = data.Train.Tokens,
                ["validation_tokens"] = data.Validation.Tokens,
                ["documents"] = data.Train.Documents + data.Validation.Documents,
                ["bytes"] = data.Train.Bytes + data.Validation.Bytes,
                ["validation_bytes_per_token"] = data.ValidationBytesPerToken,
                ["empty_documents"] = data.EmptyDocuments,
                ["skipped_lines"] = data.SkippedLines,
                ["seconds"] = seconds,
            });
        return 0;
    }

    private static PrepareOptions Read(ParseResult args, TextWriter human)
    {
        string? recipe = args.GetValue(Recipe);
        if (recipe is not null && new Option[] { Format, Separator, Validation }
            .FirstOrDefault(option => args.GetResult(option) is { Implicit: false }) is { } fixedOption)
            throw new NanoException($"--recipe {recipe} says what {fixedOption.Name} is",
                $"leave out {fixedOption.Name}, or --recipe");
        if (args.GetValue(Threads) is < 1)
            throw new NanoException($"--threads must be from 1 to 1024, got {args.GetValue(Threads)}",
                "leave it out to use all processors");
        string[] inputs = args.GetValue(Inputs)!;
        string tokenizer = args.GetValue(Tokenizer)
            ?? (recipe is not null ? "gpt2" : throw new NanoException("a --tokenizer is missing",
                $"for example gpt2, or what 'nano tokenize train' makes; known names: "
                + $"{string.Join(", ", TokenizerLoader.Names)}"));
        if (tokenizer == CorpusTokenizer.Characters)
            throw new NanoException("the characters of a text are a vocabulary only of that text",
                "nano train --data TEXT --tokenizer characters needs no preparing");
        if (inputs.Length == 0 && recipe is not null)
            inputs = [.. Fetch(human)];
        string format = args.GetValue(Format)!;
        var options = new PrepareOptions
        {
            Inputs = inputs,
            Tokenizer = TokenizerLoader.Load(tokenizer),
            Out = args.GetValue(Out)!,
            Format = Enum.GetValues<DataFormat>().FirstOrDefault(value =>
                value.ToString().Equals(format, StringComparison.OrdinalIgnoreCase), (DataFormat)(-1)),
            Field = args.GetValue(Field)!,
            Validation = ValidationSplit.Parse(args.GetValue(Validation)!),
            ShardTokens = PrepareOptions.ParseTokens(args.GetValue(ShardTokens)!),
            Separator = args.GetValue(Separator),
            SkipBad = args.GetValue(SkipBad),
            Overwrite = args.GetValue(Overwrite),
            Threads = args.GetValue(Threads) ?? 0,
        };
        string[] formats = [.. Enum.GetNames<DataFormat>().Select(name => name.ToLowerInvariant())];
        if (!Enum.IsDefined(options.Format))
            throw new NanoException($"there is no format {Quoted.Of(format)}",
                NearestMatch.Hint(format, formats, "formats"));
        return recipe is null ? options : options.WithRecipe(recipe);
    }

    private static IReadOnlyList<string> Fetch(TextWriter human)
    {
        using var store = new CorpusStore();
        return store.FetchAsync(CorpusStore.DefaultCorpus, new DownloadLine(human), CancellationToken.None).GetAwaiter()
            .GetResult();
    }

    private static void Say(TextWriter human, PreparedData data, double seconds)
    {
        foreach (var (name, split) in new[] { ("train", data.Train), ("validate", data.Validation) })
            human.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{name,-8} {split.Tokens:N0} tokens, {split.Documents:N0} documents, {split.Bytes:N0} bytes of "
                + $"text, {split.Files.Count} files"));
        if (data.EmptyDocuments > 0)
            human.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"empty    {data.EmptyDocuments:N0} documents without text were left out"));
        if (data.SkippedLines > 0)
            human.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"skipped  {data.SkippedLines:N0} lines; the first:\n         "
                + $"{string.Join("\n         ", data.FirstSkipped)}"));
        double megabytes = (data.Train.Bytes + data.Validation.Bytes) / 1e6;
        human.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"done     {data.Folder}: {data.ValidationBytesPerToken:F2} bytes per token, {seconds:F1} s, "
            + $"{megabytes / seconds:F1} MB of text per second"));
    }

    /// <summary>A line per tenth.</summary>
    private sealed class Line(TextWriter human) : IProgress<PrepareProgress>
    {
        private (string, long) last;

        public void Report(PrepareProgress value)
        {
            var now = (value.Doing, value.Of == 0 ? 0 : 10 * value.Bytes / value.Of);
            if (now == last)
                return;
            last = now;
            human.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{value.Doing,-8} {value.Bytes:N0} of {value.Of:N0} "
                + $"bytes{(value.Tokens > 0 ? $", {value.Tokens:N0} tokens" : "")}"));
        }
    }
}
