using System.CommandLine;

namespace Nano.Cli;

/// <summary>The options of 'nano quantize' that belong to methods.</summary>
internal static class MethodArguments
{
    // Longer chunks cost more attention and tell little more about inputs.
    private const int DefaultChunk = 512, DefaultChunks = 64;

    private static readonly Option<QuantisationMethod?> Method = new WordOption<QuantisationMethod?>("--method",
        "Method that chooses the codes of the matrices in blocks: gptq, awq and smoothquant look at what they read, "
        + "nearest, hqq and int8 at weights alone. OUT is a .gguf file, or a folder in the layout of GPTQ",
        ("nearest", QuantisationMethod.Nearest), ("gptq", QuantisationMethod.Gptq), ("awq", QuantisationMethod.Awq),
        ("smoothquant", QuantisationMethod.SmoothQuant), ("hqq", QuantisationMethod.Hqq),
        ("int8", QuantisationMethod.Int8));
    public static readonly Option<string?> Data = new("--data")
    {
        Description = "Text that gptq, awq and smoothquant run the model on, or with --all each file is compared on: a "
            + "UTF-8 file, a folder made by 'nano data prepare' (its validation split), or a token file of llm.c",
    };
    private static readonly Option<int?> Bits = new("--bits")
    {
        Description = "Bits of a code with --method: 4, or 8 in folders (default: 4; int8 and smoothquant 8)",
    };
    private static readonly Option<int?> Group = new("--group")
    {
        Description = $"Columns with one scale (default: {CalibrationOptions.DefaultGroup} in folders, 32 in GGUF "
            + "files)",
    };
    private static readonly Option<bool> InOrder = new("--in-order")
    {
        Description = "gptq: round columns as they come, not those with large inputs first",
    };
    private static readonly Option<int?> Chunks =
        new("--chunks") { Description = $"Most chunks of text to run on (default: {DefaultChunks})" };
    private static readonly Option<int?> Seq = new("--seq")
    {
        Description = $"Tokens of a chunk (default: the model's context, at most {DefaultChunk})",
    };
    public static readonly Option<string?> TokenizerPath =
        new("--tokenizer") { Description = "Tokenizer to use instead of the model's own" };
    public static readonly Option<int?> Threads = Common.Threads();

    /// <summary>All of them.</summary>
    public static IReadOnlyList<Option> All =>
        [Method, Data, Bits, Group, InOrder, Chunks, Seq, TokenizerPath, Threads];

    /// <summary>Those that --all takes too.</summary>
    public static IReadOnlyList<Option> Shared => [Data, TokenizerPath, Threads];

    /// <summary>True if a method is asked for.</summary>
    /// <exception cref="NanoException">Options of methods are given without one.</exception>
    public static bool AreGiven(ParseResult args)
    {
        if (args.GetValue(Method) is not null)
            return true;
        return All.Except(Shared).FirstOrDefault(option => args.GetResult(option) is { Implicit: false }) is { } stray
            ? throw new NanoException($"{stray.Name} belongs to --method", "name a method, or leave it out") : false;
    }

    /// <summary>Quantises by the method, with progress.</summary>
    /// <exception cref="OperationCanceledException">It was stopped; nothing was written.</exception>
    public static Conversion Quantise(ParseResult args, string input, string output, CalibrationOptions common,
        TextWriter human, CancellationToken stop)
    {
        var options = common with
        {
            Method = args.GetValue(Method)!.Value,
            Bits = args.GetValue(Bits),
            Group = args.GetValue(Group),
            IsOrdered = !args.GetValue(InOrder),
            Chunks = args.GetValue(Chunks) ?? DefaultChunks,
        };
        using var compute = Common.NewCompute(args.GetValue(Threads));
        int[] ids = [];
        if (!options.NeedsText && args.GetValue(Data) is not null)
            throw new NanoException($"{options.Method} looks at no text", "leave --data out");
        if (options.NeedsText)
        {
            string data = args.GetValue(Data) ?? throw new NanoException($"{options.Method} needs a text",
                "name one with --data, like what the model is for");
            var (config, tokenizer) = Common.OpenTokenizer(input, args.GetValue(TokenizerPath));
            ids = TextIds.Read(data, tokenizer).Ids;
            options = options with
            {
                ChunkLength = args.GetValue(Seq) ?? Math.Min(DefaultChunk, config.ContextLength),
                BeginId = tokenizer.BeginId,
            };
        }
        return CalibratedQuantiser.Quantise(HubModels.FindLocal(input) ?? input, output, options, compute, ids,
            new BlockLine(human, stop));
    }

    /// <summary>Prints the blocks that are done, and ends it when that is asked for.</summary>
    private sealed class BlockLine(TextWriter human, CancellationToken stop) : IProgress<CalibrationProgress>
    {
        public void Report(CalibrationProgress value)
        {
            stop.ThrowIfCancellationRequested();
            if (value.TotalBlocks > 1)
                human.WriteLine($"block {value.Blocks} of {value.TotalBlocks}");
        }
    }
}
