using System.CommandLine;
using System.Globalization;

namespace Nano.Cli;

/// <summary>Common parts of the verbs: options, the writer for text, and the JSON line.</summary>
internal static class Common
{
    public static Option<bool> Debug { get; } = new("--debug")
    {
        Description = "Show the stack trace of an error",
        Recursive = true
    };

    public static Option<int?> Threads() =>
        new("--threads") { Description = "Worker threads (default: NANO_THREADS, or all processors)" };

    public static Option<bool> Json() =>
        new("--json")
        {
            Description =
            "Print one JSON object as the last line of stdout; text for people goes to stderr"
        };

    /// <summary>The option for the device; "cpu" means Nano's own kernels.</summary>
    public static Option<string> Device() => new("--device")
    {
        Description = $"Device: cpu (Nano's own kernels), or through ONNX Runtime "
            + $"{string.Join(", ", OrtProvider.All.Select(provider => provider.Name))} ('nano info' says which "
            + "work here)",
        DefaultValueFactory = _ => Cpu,
    };

    private const string Cpu = "cpu";

    /// <summary>The device of a name; null for Nano's own kernels.</summary>
    /// <exception cref="NanoException">There is no such device, or it cannot be used here.</exception>
    public static OrtDevice? OpenDevice(string name, int? threads) =>
        name == Cpu ? null : new OrtDevice(OrtProvider.Find(name), threads ?? 0);

    /// <summary>A generator for a model on a device, or on the CPU if there is none.</summary>
    /// <exception cref="NanoException">The device cannot run it, or the model has no such cache.</exception>
    public static Generator NewGenerator(LanguageModel model, ITokenizer tokenizer, Compute compute,
        OrtDevice? device, WeightType cacheType)
    {
        if (device is null)
            return new(model, compute, cacheType) { Tokens = tokenizer.VocabSize };
        return cacheType == WeightType.F32 ? new(new OnnxDecoder(model, device)) { Tokens = tokenizer.VocabSize }
            : throw DeviceCache();
    }

    /// <summary>The error about a cache on a device in numbers other than float32.</summary>
    public static NanoException DeviceCache() =>
        new("a device keeps keys and values in float32", "leave out --kv, or --device");

    /// <summary>The option for the numbers of the cache of keys and values.</summary>
    public static Option<WeightType> CacheType() => new WordOption<WeightType>("--kv",
        "Numbers of the cache of keys and values: q8_0 takes about a quarter of the memory of f32, q4_0 a seventh "
            + "(default: f32)",
        [.. KvCache.Types.Select(type => (type.ToString().ToLowerInvariant(), type))]);

    public static Option<bool> Profile() => new("--profile") { Description = "Show the time of a training step by op" };

    /// <summary>The option for the file of a trace of a training step.</summary>
    public static Option<string?> Trace(string which) => new("--trace")
    {
        Description = $"Write what each worker does during {which} to this file, for ui.perfetto.dev, and show where "
            + "workers wait",
        HelpName = "FILE",
    };

    public static Option<ulong> Seed(ulong value = 1337) =>
        new("--seed") { Description = "Seed of all random numbers", DefaultValueFactory = _ => value };

    public static Option<Keep?> Activations() => new WordOption<Keep?>("--activations",
        "Storage of what the backward pass of a training step needs: bf16 halves the memory and rounds the gradients "
            + "(default: float32)", ("float32", Keep.All), ("bf16", Keep.BFloat16));

    /// <summary>An option that takes float32 or float16.</summary>
    public static Option<Precision?> Precision(string name, string description) =>
        new WordOption<Precision?>(name, description, ("float32", Nano.Precision.Float32),
            ("float16", Nano.Precision.Float16));

    /// <summary>An option whose text a method reads, which throws a FormatException for what it cannot read.</summary>
    public static Option<T?> Parsed<T>(string name, string description, Func<string, T> parse)
        where T : struct => new(name)
        {
            Description = description,
            CustomParser = result =>
            {
                try
                {
                    return parse(result.Tokens[0].Value);
                }
                catch (FormatException e)
                {
                    result.AddError($"{name}: {e.Message}");
                    return null;
                }
            },
        };

    /// <summary>
    /// An option that takes a number with a decimal point; a comma, which .NET would ignore, is an
    /// error.
    /// </summary>
    public static Option<double?> Number(string name, string description) => new(name)
    {
        Description = description,
        CustomParser = result =>
        {
            if (double.TryParse(result.Tokens[0].Value, NumberStyles.Float, CultureInfo.InvariantCulture,
                out double value))
                return value;
            result.AddError($"{name} takes a number such as 0.001 or 1e-3, not {Quoted.Of(result.Tokens[0].Value)}");
            return null;
        },
    };

    /// <summary>A context with the wished number of threads.</summary>
    /// <exception cref="NanoException">Less than one thread.</exception>
    public static Compute NewCompute(int? threads) => new(CheckThreads(threads));

    /// <summary>The wished number of threads, 0 for all processors.</summary>
    /// <exception cref="NanoException">Less than one thread, or too many.</exception>
    public static int CheckThreads(int? threads) =>
        threads is not (< 1 or > 1024) ? threads ?? 0
            : throw new NanoException($"--threads must be from 1 to 1024, got {threads}",
                "leave it out to use all processors");

    private const long LargeModel = 1_000_000_000;

    /// <summary>
    /// A model and the tokenizer that goes with it: the one named, or else its own. Its own need
    /// not be usable where another is named.
    /// </summary>
    /// <exception cref="NanoException">There is no model, no tokenizer, or they do not fit.</exception>
    /// <param name="path">The model.</param>
    /// <param name="tokenizerPath">The tokenizer, or null.</param>
    /// <param name="toRun">True to keep weights of fewer bits so, for running the model on the processor.</param>
    /// <param name="exact">True to widen quantised weights all the same.</param>
    public static (LanguageModel Model, ITokenizer Tokenizer) OpenModel(string path, string? tokenizerPath,
        bool toRun, bool exact = false)
    {
        string place = HubModels.FindLocal(path) ?? path;
        if (!Path.Exists(place) && HubModelName.IsWithOwner(place))
            throw new NanoException(
                $"there is no model at {Quoted.Of(path)}",
                "train one with 'nano train', give the folder of a model, or fetch OWNER/MODEL with 'nano pull'");
        using var source = ModelLoader.Open(place);
        ITokenizer tokenizer = TokenizerOf(source, path, tokenizerPath);
        return (toRun ? source.LoadToRun(exact, new ByteLines("load", LargeModel, Screen.Error)) : source.Load(),
            tokenizer);
    }

    /// <summary>
    /// The configuration of a model and the tokenizer that goes with it, as of <see cref="OpenModel"/>.
    /// </summary>
    public static (ModelConfig Config, ITokenizer Tokenizer) OpenTokenizer(string path, string? tokenizerPath)
    {
        using var source = ModelLoader.Open(HubModels.FindLocal(path) ?? path);
        return (source.Config, TokenizerOf(source, path, tokenizerPath));
    }

    /// <summary>The tokenizer that goes with a model: the one named, or else its own.</summary>
    /// <exception cref="NanoException">There is none, or it does not fit.</exception>
    public static ITokenizer TokenizerOf(ModelSource source, string path, string? tokenizerPath)
    {
        const string Hint = "name one with --tokenizer, such as the run or folder that the model comes from";
        ITokenizer tokenizer;
        try
        {
            tokenizer = TokenizerLoader.Load(tokenizerPath ?? source.TokenizerPath
                ?? throw new NanoException($"the model at '{path}' brings no tokenizer", Hint));
        }
        catch (BadFileException e) when (e.IsUnsupported && tokenizerPath is null)
        {
            throw new NanoException(e.Message, Hint, e);
        }
        if (tokenizerPath is null && !Prompt.Fits(tokenizer, source.Config))
            throw new BadFileException(source.TokenizerPath!,
                $"the tokenizer has {tokenizer.VocabSize} tokens and the model {source.Config.VocabSize}");
        Prompt.CheckFit(tokenizer, source.Config);
        return tokenizer;
    }

    /// <summary>The option for quantised weights in float32.</summary>
    public static Option<bool> Exact() => new("--exact")
    {
        Description = "Compute with quantised weights in float32: slower and larger, without rounding activations to 8 "
            + "bits",
    };

    /// <summary>The writer for text that people read.</summary>
    public static TextWriter Human(bool json) => json ? Screen.Error : Screen.Out;

    /// <summary>Prints one object as one line of JSON.</summary>
    public static void PrintJson(JsonFields fields) => Screen.Out.WriteLine(fields.ToJson());

    /// <summary>A number that JSON can hold: null if it is not finite.</summary>
    public static double? Finite(double value) => double.IsFinite(value) ? value : null;
}
