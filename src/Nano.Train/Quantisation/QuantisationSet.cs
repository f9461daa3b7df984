using System.Diagnostics;

namespace Nano;

/// <summary>A model of a set: the original or a quantised one.</summary>
/// <param name="Type">The type of a quantised file, or that of most weights of the original.</param>
/// <param name="File">Its name in the folder; null for the original.</param>
/// <param name="Bytes">Bytes of its weights.</param>
/// <param name="BitsPerWeight">Bits of its weights over their number.</param>
/// <param name="TokensPerSecond">Tokens made per second, one after the other.</param>
/// <param name="Difference">Its distance from the original on a text; null without one.</param>
/// <param name="Notes">Remarks of its quantisation.</param>
public sealed record QuantisedModel(string Type, string? File, long Bytes, double BitsPerWeight, double TokensPerSecond,
    ModelDifference? Difference, IReadOnlyList<string> Notes);

/// <summary>The progress of a set.</summary>
/// <param name="Type">The model that is being made or measured.</param>
/// <param name="Work">The work that is being done on it.</param>
/// <param name="Done">Models done.</param>
/// <param name="Total">All models, the original included.</param>
public readonly record struct QuantisationSetProgress(string Type, string Work, int Done, int Total);

/// <summary>Options of a set.</summary>
public sealed record QuantisationSetOptions
{
    /// <summary>The types of the files.</summary>
    public required IReadOnlyList<GgufFileType> Types { get; init; }

    /// <summary>The options of each quantisation but its type.</summary>
    public required QuantisationOptions Quantisation { get; init; }

    /// <summary>The text on which models are compared, in the original's tokens; null to compare none.</summary>
    public ReadOnlyMemory<int>? Text { get; init; }

    /// <summary>The name of that text.</summary>
    public string? TextName { get; init; }

    /// <summary>True to replace the files of an earlier set in the folder.</summary>
    public bool Overwrite { get; init; }
}

/// <summary>A model quantised in several types, each file measured: size, distance from the original, speed.</summary>
/// <param name="Source">The path of the original.</param>
/// <param name="TextName">The name of the text on which models are compared, or null.</param>
/// <param name="Models">The original and the quantised models, in the order asked for.</param>
public sealed record QuantisationSet(string Source, string? TextName, IReadOnlyList<QuantisedModel> Models)
{
    /// <summary>The name of the report in the folder.</summary>
    public const string ReportName = "report.html";

    // Time in which speed is measured, and tokens of a text that is made meanwhile.
    private const double SecondsOfSpeed = 0.5;
    private const int TokensOfSpeed = 32;

    /// <summary>The types that make sense for any model, those with most bits first: without those that suit only
    /// experts or ternary weights.</summary>
    public static IReadOnlyList<GgufFileType> AllTypes { get; } =
    [
        GgufFileType.Q8_0, GgufFileType.Q6_K, GgufFileType.Q5_1, GgufFileType.Q5_K_M, GgufFileType.Q5_K_S,
        GgufFileType.Q5_0, GgufFileType.Q4_1, GgufFileType.Q4_K_M, GgufFileType.Q4_K_S, GgufFileType.Q4_0,
        GgufFileType.IQ4_NL, GgufFileType.IQ4_XS, GgufFileType.Q3_K_L, GgufFileType.Q3_K_M, GgufFileType.Q3_K_S,
        GgufFileType.Q2_K,
    ];

    /// <summary>Makes a folder of quantised files and their report, whole or not at all.</summary>
    /// <param name="input">The original.</param>
    /// <param name="folder">The folder.</param>
    /// <param name="options">The types and the text.</param>
    /// <param name="compute">The context in which models run.</param>
    /// <param name="progress">Is told often; its exceptions end the work.</param>
    /// <exception cref="NanoException">There is no model, the folder is in the way or cannot be written, or the model
    /// cannot be quantised.</exception>
    /// <exception cref="BadFileException">A file is malformed.</exception>
    public static QuantisationSet Make(string input, string folder, QuantisationSetOptions options, Compute compute,
        IProgress<QuantisationSetProgress>? progress = null)
    {
        if (!options.Overwrite && Directory.Exists(folder) && !AtomicFolder.IsUnfinished(folder)
            && Directory.EnumerateFileSystemEntries(folder).Any())
            throw new NanoException($"'{folder}' is there already", "name a new or empty folder, or add `overwrite`");
        string stem = Path.GetFileNameWithoutExtension(Path.TrimEndingDirectorySeparator(Path.GetFullPath(input)));
        QuantisationSet? made = null;
        AtomicFolder.Write(folder, _ => [.. Enum.GetValues<GgufFileType>().Select(FileName), ReportName], inside =>
        {
            made = new Maker(input, inside, FileName, options, compute, progress).Run();
            QuantisationPage.Write(Path.Combine(inside, ReportName), made);
        });
        return made!;

        string FileName(GgufFileType type) => $"{stem}-{type}.gguf";
    }

    /// <summary>One set in the making.</summary>
    private sealed class Maker(string input, string folder, Func<GgufFileType, string> fileName,
        QuantisationSetOptions options, Compute compute, IProgress<QuantisationSetProgress>? progress)
    {
        private readonly List<QuantisedModel> models = [];
        private string current = "";

        public QuantisationSet Run()
        {
            using ModelSource source = ModelLoader.Open(input);
            Report(current = $"{source.Tensors.MaxBy(tensor => tensor.Shape.Length)!.Type}", "loading");
            using LanguageModel original = source.LoadToRun();
            models.Add(Measured(source, original, original, null, []));
            foreach (GgufFileType type in options.Types)
                models.Add(Quantised(type, original));
            return new QuantisationSet(input, options.TextName, models);
        }

        private QuantisedModel Quantised(GgufFileType type, LanguageModel original)
        {
            current = $"{type}";
            string file = fileName(type), path = Path.Combine(folder, file);
            var conversion = ModelConverter.Convert(input, path, new ConversionOptions
            {
                Format = ModelFormat.Gguf,
                Quantisation = options.Quantisation with { FileType = type },
            }, new Forwarded(() => Report(current, "quantising")));
            using ModelSource source = ModelLoader.Open(path);
            using LanguageModel model = source.LoadToRun();
            return Measured(source, model, original, file, conversion.Notes);
        }

        private QuantisedModel Measured(ModelSource source, LanguageModel model, LanguageModel original, string? file,
            IReadOnlyList<string> notes)
        {
            ModelDifference? difference = null;
            if (options.Text is { } text)
            {
                Report(current, "comparing");
                int window = Math.Min(ModelComparison.DefaultWindow, model.Config.ContextLength);
                difference = ModelComparison.Measure(original, model, compute, text, window,
                    _ => Report(current, "comparing"));
            }
            Report(current, "timing");
            long bytes = source.Tensors.Sum(tensor => tensor.Bytes),
                weights = source.Tensors.Sum(tensor => tensor.Shape.Length);
            return new QuantisedModel(current, file, bytes, 8.0 * bytes / weights, Speed(model), difference, notes);
        }

        /// <summary>The best rate of texts that are made within a moment, after one that is not counted.</summary>
        private double Speed(LanguageModel model)
        {
            using var generator = new Generator(model, compute);
            var greedy = new GenerationOptions
            {
                Sampler = new SamplerOptions { Temperature = 0 },
                MaxTokens = Math.Min(TokensOfSpeed, model.Config.ContextLength),
            };
            _ = Rate();
            double best = 0;
            long start = Stopwatch.GetTimestamp();
            do
                best = Math.Max(best, Rate());
            while (Stopwatch.GetElapsedTime(start).TotalSeconds < SecondsOfSpeed);
            return best;

            double Rate()
            {
                var text = generator.Start([[model.Config.BosToken ?? 0]], greedy);
                while (text.Step())
                    Report(current, "timing");
                return text.DecodeTokensPerSecond ?? 0;
            }
        }

        private void Report(string type, string work) =>
            progress?.Report(new QuantisationSetProgress(type, work, models.Count, options.Types.Count + 1));
    }

    /// <summary>Progress of a conversion, told as that of a set.</summary>
    private sealed class Forwarded(Action report) : IProgress<ConversionProgress>
    {
        public void Report(ConversionProgress value) => report();
    }
}
