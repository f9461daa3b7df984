using System.CommandLine;
using System.Diagnostics;
using System.Globalization;

namespace Nano.Cli;

/// <summary>nano imatrix: the importance of a model's columns, measured on a text.</summary>
internal static class ImatrixVerb
{
    // Longer chunks cost more attention and tell little more about the columns.
    private const int DefaultChunk = 512;

    private static readonly Argument<string> Model =
        new("model") { Description = "Model: a folder of a model or run, .safetensors, .gguf, or .bin" };
    private static readonly Option<string> Data = new("--data")
    {
        Description = "Text to run the model on: a UTF-8 file, a folder made by 'nano data prepare' (its validation "
            + "split), or a token file of llm.c",
        Required = true,
    };
    private static readonly Option<string> Out = new("--out") { Description = "File to write", Required = true };
    private static readonly Option<ImportanceFormat?> Format = new WordOption<ImportanceFormat?>("--format",
        "Form of the file: gguf, or dat, the older one of llama.cpp (default: by the name of the file)",
        ("gguf", ImportanceFormat.Gguf), ("dat", ImportanceFormat.Binary));
    private static readonly Option<int?> Chunks =
        new("--chunks") { Description = "Most chunks of text to run on (default: the whole text)" };
    private static readonly Option<int?> Seq = new("--seq")
    {
        Description = $"Tokens of a chunk (default: the model's context, at most {DefaultChunk})",
    };
    private static readonly Option<bool> ProcessOutput = new("--process-output")
    {
        Description = "Collect the inputs of the output matrix too, which quantises with more bits than the others",
    };
    private static readonly Option<string?> TokenizerPath =
        new("--tokenizer") { Description = "Tokenizer to use instead of the model's own" };
    private static readonly Option<bool> Exact = Common.Exact();
    private static readonly Option<int?> Threads = Common.Threads();
    private static readonly Option<bool> Json = Common.Json();

    public static Command Create()
    {
        var verb = new Command("imatrix", "Measure on a text how much the columns of a model's weights matter, for "
            + "'nano quantize --imatrix'.\n\nExample:\n  nano imatrix runs/shakespeare-char --data my.txt --out "
            + "imatrix.gguf")
        {
            Model, Data, Out, Format, Chunks, Seq, ProcessOutput, TokenizerPath, Exact, Threads, Json,
        };
        verb.SetAction(Run);
        return verb;
    }

    private static int Run(ParseResult args)
    {
        string data = args.GetValue(Data)!, output = args.GetValue(Out)!;
        var format = args.GetValue(Format) ?? (Path.GetExtension(output) == ".dat" ? ImportanceFormat.Binary
            : ImportanceFormat.Gguf);
        AtomicFile.CheckWritable(output);
        using var compute = Common.NewCompute(args.GetValue(Threads));
        var (model, tokenizer) = Common.OpenModel(args.GetValue(Model)!, args.GetValue(TokenizerPath), toRun: true,
            args.GetValue(Exact));
        using var disposeModel = model;
        var options = new ImportanceOptions
        {
            ChunkLength = args.GetValue(Seq) ?? Math.Min(DefaultChunk, model.Config.ContextLength),
            Chunks = args.GetValue(Chunks),
            BeginId = tokenizer.BeginId,
            IncludesHead = args.GetValue(ProcessOutput),
        };
        var human = Common.Human(args.GetValue(Json));
        using var stop = new GentleStop(null, Signals.All);
        long start = Stopwatch.GetTimestamp();
        ImportanceMatrix matrix;
        try
        {
            matrix = ImportanceCollector.Collect(model, compute, TextIds.Read(data, tokenizer).Ids, data, options,
                new ChunkLine(human, start, stop.Token));
        }
        catch (OperationCanceledException)
        {
            human.WriteLine("stopped; nothing was written");
            return stop.ExitCode;
        }
        ImportanceFile.Write(output, matrix, format);
        human.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{matrix.Tensors.Count} tensors, {matrix.Chunks} "
            + $"chunks of {matrix.ChunkLength} tokens, {Stopwatch.GetElapsedTime(start).TotalSeconds:F1} s -> {output}"));
        if (args.GetValue(Json))
            Common.PrintJson(new()
            {
                ["output"] = output,
                ["tensors"] = matrix.Tensors.Count,
                ["chunks"] = matrix.Chunks,
                ["tokens"] = (long)matrix.Chunks * matrix.ChunkLength,
            });
        return 0;
    }

    /// <summary>Prints how far it is, at most once a second, and ends it when that is asked for.</summary>
    private sealed class ChunkLine(TextWriter human, long start, CancellationToken stop) : IProgress<ImportanceProgress>
    {
        private double last;

        public void Report(ImportanceProgress value)
        {
            stop.ThrowIfCancellationRequested();
            double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
            if (seconds - last < 1 && value.Chunks < value.TotalChunks)
                return;
            last = seconds;
            human.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"chunk {value.Chunks:N0} of {value.TotalChunks:N0}, loss {value.Loss:F4}"));
        }
    }
}
