using System.CommandLine;
using System.Globalization;

namespace Nano.Cli;

/// <summary>nano info: the machine, or a model.</summary>
internal static class InfoVerb
{
    private static readonly Argument<string?> File = new("file")
    {
        Description = "A file of tensors, .gguf or .safetensors, a config.json, or as --model",
        Arity = ArgumentArity.ZeroOrOne,
        HelpName = "FILE",
    };
    private static readonly Option<string?> Model =
        new("--model")
        {
            Description = "Folder of a model or run, or a name: "
            + string.Join(", ", (string[])[.. Gpt2Config.Names, .. Presets.Names])
        };
    private static readonly Option<bool> Tensors =
        new("--tensors") { Description = "List every tensor of the file: type, shape, bytes" };
    private static readonly Option<int?> Batch =
        new("--batch") { Description = "With --model: rows of a training step whose memory is shown" };
    private static readonly Option<int?> Seq =
        new("--seq") { Description = "Tokens per row of that step (default: the model's context)" };
    private static readonly Option<bool> Recompute = new("--recompute",
        "--checkpoint-activations")
    { Description = "Recompute each block in the backward pass of that step" };
    private static readonly Option<Keep?> Activations = Common.Activations();
    private static readonly Option<int?> Threads = Common.Threads();
    private static readonly Option<bool> Json = Common.Json();

    public static Command Create()
    {
        var verb = new Command("info",
            "Show the measured peak performance of this machine, the components and memory of a model, or the tensors "
            + "of a file.\n\nExample:\n  nano info --model gpt2 --batch 4 --seq 64\n  nano info small.gguf --tensors")
        {
            File, Model, Tensors, Batch, Seq, Recompute, Activations, Threads, Json
        };
        verb.Validators.Add(given =>
        {
            if (given.GetValue(File) is not null && given.GetValue(Model) is not null)
                given.AddError("FILE and --model both name the model: give one of them");
            if (given.GetValue(Tensors) && given.GetValue(File) is null && given.GetValue(Model) is null)
                given.AddError("--tensors lists the tensors of a file: name it");
        });
        verb.SetAction(args => args.GetValue(File) is { } file ? ShowFile(file, args)
            : args.GetValue(Model) is { } path ? ShowModel(path, args)
            : ShowMachine(args.GetValue(Threads), args.GetValue(Json)));
        return verb;
    }

    /// <summary>Shows the model in a file, or its tensors alone where it holds none that is known here.</summary>
    private static int ShowFile(string path, ParseResult args)
    {
        if (!System.IO.File.Exists(path) || IsConfig(path))
            return ShowModel(path, args);
        var stored = StoredTensors.Of(path);
        if (Problem(path) is not { } problem)
            return ShowModel(path, args);
        var human = Common.Human(args.GetValue(Json));
        human.WriteLine($"no model that runs here: {Quoted.Line(problem)}");
        ShowTensors(human, stored, args.GetValue(Tensors));
        if (args.GetValue(Json))
            Common.PrintJson(new()
            {
                ["problem"] = problem,
                ["types"] = TensorTable.JsonTypes(stored),
                ["tensors"] = TensorTable.JsonTensors(stored),
            });
        return 0;
    }

    /// <summary>The reason why there is no model in a file, or null.</summary>
    private static string? Problem(string path)
    {
        try
        {
            using var source = ModelLoader.Open(path);
            return null;
        }
        catch (NanoException e)
        {
            return e.Message;
        }
    }

    private static void ShowTensors(TextWriter human, IReadOnlyList<StoredTensor> stored, bool all)
    {
        TensorTable.PrintTypes(human, stored);
        if (all)
            TensorTable.PrintTensors(human, stored);
    }

    private static int ShowMachine(int? threads, bool json)
    {
        using var compute = Common.NewCompute(threads);
        var machine = Machine.Measure(compute);
        var human = Common.Human(json);
        string cpu = Machine.CpuName(), system = System.Runtime.InteropServices.RuntimeInformation.OSDescription;
        human.WriteLine($"processor    {cpu}, {Environment.ProcessorCount} processors");
        human.WriteLine($"system       {system}, .NET {Environment.Version}");
        human.WriteLine($"in use       {compute.Threads} threads, {SimdWidths.NameOf(compute.Width)}");
        human.WriteLine("bfloat16     " + (compute.EmittedCodeProblem is { } problem
            ? $"no instruction is used: {problem}" : "products use vdpbf16ps, in code written at run time"));
        human.WriteLine("bytes        " + (compute.BytesProblem is { } why
            ? $"no instruction is used: {why}" : "quantised weights use vpdpbusd, in code written at run time"));
        string bfloat16 = compute.EmittedCodeProblem is not null ? ""
            : string.Create(CultureInfo.InvariantCulture, $", {machine.BFloat16Gflops:F0} bfloat16");
        human.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"peak         {machine.PeakGflops:F0} GFLOP/s float32{bfloat16} (measured)"));
        human.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"memory read  {machine.ReadGigabytesPerSecond:F0} GB/s (measured)"));
        human.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"memory triad {machine.TriadGigabytesPerSecond:F0} GB/s, two streams read and one written (measured)"));
        var caches = compute.Caches;
        human.WriteLine($"caches       {caches.L1 >> 10} KB of {caches.L1Ways} ways, {caches.L2 >> 10:N0} KB, "
            + $"{caches.L3 >> 20} MB shared");
        human.WriteLine($"huge pages   {HugePages.Describe()}");
        if (compute.Threads > 1)
            human.WriteLine(double.IsNaN(machine.CacheLineNanoseconds)
                ? "cache line   not measured: two threads never ran at the same time"
                : string.Create(CultureInfo.InvariantCulture,
                    $"cache line   {machine.CacheLineNanoseconds:F0} ns from one thread to another (measured; about 25 "
                    + $"where they have a cache in common, 150 where they do not)"));
        var (devices, problems) = Devices(human);
        if (json)
            Common.PrintJson(new()
            {
                ["cpu"] = cpu,
                ["system"] = system,
                ["threads"] = compute.Threads,
                ["simd"] = compute.Width.ToString(),
                ["bfloat16_instruction"] = compute.EmittedCodeProblem is null,
                ["bfloat16_problem"] = compute.EmittedCodeProblem,
                ["bytes_instruction"] = compute.BytesProblem is null,
                ["bytes_problem"] = compute.BytesProblem,
                ["peak_gflops"] = machine.PeakGflops,
                ["bfloat16_gflops"] = Common.Finite(machine.BFloat16Gflops),
                ["read_gbps"] = machine.ReadGigabytesPerSecond,
                ["triad_gbps"] = machine.TriadGigabytesPerSecond,
                ["caches"] = new JsonFields
                {
                    ["l1"] = caches.L1,
                    ["l1_ways"] = caches.L1Ways,
                    ["l2"] = caches.L2,
                    ["l3"] = caches.L3,
                },
                ["huge_pages"] = HugePages.Describe(),
                ["cache_line_ns"] = Common.Finite(machine.CacheLineNanoseconds),
                ["devices"] = devices,
                ["device_problems"] = problems
            });
        return 0;
    }

    /// <summary>
    /// The devices that ONNX Runtime can use here, each proved with a graph of one node, and what
    /// keeps it from using others.
    /// </summary>
    private static (string[] Work, Dictionary<string, string> Problems) Devices(TextWriter human)
    {
        try
        {
            var tried = ProviderProbe.Try().ToList();
            foreach (var (provider, problem) in tried)
                human.WriteLine($"device       {provider.Name}: " + (problem is null
                    ? "works, ONNX Runtime" + provider.Hardware : "does not work here: " + OneLine(problem)));
            return ([.. tried.Where(one => one.Problem is null).Select(one => one.Provider.Name)],
                tried.Where(one => one.Problem is not null)
                    .ToDictionary(one => one.Provider.Name, one => OneLine(one.Problem!)));
        }
        catch (NanoException e)
        {
            human.WriteLine($"devices      none: {OptionNames.In(e.Message)}\n             "
                + $"{OptionNames.In(e.Hint ?? "")}");
            return ([], new() { ["onnx-cpu"] = e.Message });
        }
    }

    private static string OneLine(string text) =>
        string.Join(' ', text.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries));

    private static bool IsConfig(string path) =>
        path.EndsWith(".json", StringComparison.Ordinal) && System.IO.File.Exists(path);

    /// <summary>Shows the sizes of a model that does not write text.</summary>
    private static int ShowArchitecture(ArchitectureConfig config, ParseResult args)
    {
        long parameters = config.ParameterShapes().Sum(parameter => parameter.Shape.Length);
        var human = Common.Human(args.GetValue(Json));
        human.WriteLine($"{config.ModelType}: "
            + string.Join(", ", config.Describe().Select(entry => $"{entry.Name} {entry.Value}")));
        Line(human, "all", parameters, "parameters");
        if (args.GetValue(Json))
            Common.PrintJson(new() { ["model_type"] = config.ModelType, ["parameters"] = parameters });
        return 0;
    }

    private static int ShowModel(string path, ParseResult args)
    {
        int threads = Common.CheckThreads(args.GetValue(Threads));
        string file = IsConfig(path) ? path : Path.Combine(path, "config.json");
        if (System.IO.File.Exists(file) && ConfigFile.LoadAny(file) is var any and not ModelConfig)
            return ShowArchitecture(any, args);
        var (config, stored) = Find(path);
        bool listed = args.GetValue(Tensors);
        if (stored is null && listed)
            throw new NanoException($"{Quoted.Of(path)} is stored nowhere: it has no tensors", "name a file or folder");
        var summary = ModelSummary.Of(config);
        var step = StepOf(config, args);
        var memory = step is null ? null : MemoryPlan.Of(step, threads);
        bool json = args.GetValue(Json);
        var human = Common.Human(json);
        human.WriteLine($"{config.ModelType}: {config.Layers} layers, {config.Heads} heads, {config.Channels} "
            + $"channels, context {config.ContextLength}, vocabulary {config.VocabSize}");
        human.WriteLine("  " + string.Join(", ", config.Describe().Select(entry => $"{entry.Name} {entry.Value}")));
        foreach (var (name, count) in summary.Components)
            Line(human, name, count,
                "parameters" + (name == "head" && config.TiedHead ? " of its own: it is the token embedding" : ""));
        Line(human, "all", summary.Parameters, "parameters");
        if (stored is not null)
            Line(human, "stored", stored.Sum(tensor => tensor.Bytes ?? 0), "bytes");
        Line(human, "in memory", summary.MemoryBytes, "bytes, float32");
        Line(human, "inference", summary.InferenceFlopsPerToken,
            $"FLOPs per token behind {config.ContextLength} tokens");
        Line(human, "training", summary.TrainingFlopsPerToken,
            $"FLOPs per training token at {config.ContextLength} tokens");
        Line(human, "cache", summary.CacheBytesPerToken,
            $"bytes of keys and values per token, {summary.CacheBytes:N0} at full context");
        if (stored is not null)
            ShowTensors(human, stored, listed);
        if (memory is not null)
            ShowMemory(human, step!, memory);
        if (!json)
            return 0;
        var fields = ModelJson(config, summary, stored, memory is null ? null : StepJson(step!, memory));
        if (stored is not null && (listed || args.GetValue(File) is not null))
        {
            fields["types"] = TensorTable.JsonTypes(stored);
            fields["tensors"] = TensorTable.JsonTensors(stored);
        }
        Common.PrintJson(fields);
        return 0;
    }

    private static void Line(TextWriter human, string name, double figure, string what) =>
        human.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {name,-12} {figure,18:N0} {what}"));

    private static JsonFields ModelJson(ModelConfig config, ModelSummary summary,
        IReadOnlyList<StoredTensor>? stored, object? step) => new()
        {
            ["model_type"] = config.ModelType,
            ["layers"] = config.Layers,
            ["heads"] = config.Heads,
            ["channels"] = config.Channels,
            ["context_length"] = config.ContextLength,
            ["vocab_size"] = config.VocabSize,
            ["config"] = config.Describe().ToDictionary(entry => entry.Name, entry => entry.Value),
            ["components"] = summary.Components,
            ["parameters"] = summary.Parameters,
            ["bytes"] = summary.MemoryBytes,
            ["stored_bytes"] = stored?.Sum(tensor => tensor.Bytes ?? 0),
            ["inference_flops_per_token"] = summary.InferenceFlopsPerToken,
            ["training_flops_per_token"] = summary.TrainingFlopsPerToken,
            ["cache_bytes_per_token"] = summary.CacheBytesPerToken,
            ["cache_bytes"] = summary.CacheBytes,
            ["training_step"] = step,
        };

    private static JsonFields StepJson(TrainOptions step, MemoryPlan memory) => new()
    {
        ["batch"] = step.Batch,
        ["seq"] = step.Time,
        ["checkpoint_activations"] = step.KeptActivations == Keep.Nothing,
        ["activations"] = step.KeptActivations == Keep.BFloat16 ? "bf16" : "float32",
        ["parameters_bytes"] = memory.Parameters,
        ["gradients_bytes"] = memory.Gradients,
        ["moments_bytes"] = memory.Moments,
        ["activations_bytes"] = memory.Activations,
        ["scratch_bytes"] = memory.Scratch,
        ["runtime_bytes"] = MemoryPlan.Runtime,
        ["total_bytes"] = memory.Total,
    };

    /// <summary>The training step that was asked about, or null.</summary>
    private static TrainOptions? StepOf(ModelConfig config, ParseResult args)
    {
        if (args.GetValue(Batch) is null && args.GetValue(Seq) is null && !args.GetValue(Recompute)
            && args.GetValue(Activations) is null)
            return null;
        return new TrainOptions
        {
            Preset = "",
            Model = config,
            Batch = args.GetValue(Batch) ?? 1,
            Time = args.GetValue(Seq) ?? config.ContextLength,
            KeptActivations = args.GetValue(Recompute) ? Keep.Nothing : args.GetValue(Activations) ?? Keep.All,
            Steps = 1,
            LearningRate = 1,
            MinLearningRate = 0,
        };
    }

    private static void ShowMemory(TextWriter human, TrainOptions step, MemoryPlan memory)
    {
        string activations = step.KeptActivations switch
        {
            Keep.Nothing => ", activations computed again",
            Keep.BFloat16 => ", activations stored as bfloat16",
            _ => "",
        };
        human.WriteLine($"memory of a training step, batch {step.Batch}, {step.Time} tokens{activations}:");
        foreach (var (name, bytes) in new[]
        {
            ("parameters", memory.Parameters), ("gradients", memory.Gradients), ("moments", memory.Moments),
            ("activations", memory.Activations), ("scratch", memory.Scratch), ("runtime", MemoryPlan.Runtime),
            ("all", memory.Total),
        })
            human.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {name,-12} {bytes,14:N0} bytes"));
    }

    /// <summary>
    /// The configuration of a model by path or name, and its tensors where they are stored, if they
    /// are.
    /// </summary>
    private static (ModelConfig Config, IReadOnlyList<StoredTensor>? Stored) Find(string path)
    {
        if (!System.IO.File.Exists(path) && !Directory.Exists(path))
            return (Gpt2Config.Names.Contains(path) ? Gpt2Config.Named(path)
                : Presets.All.TryGetValue(path, out var preset) ? preset.Model
                : throw new NanoException($"there is no model at {Quoted.Of(path)}, and no known one is called that",
                    NearestMatch.Hint(path, [.. Gpt2Config.Names, .. Presets.Names],
                        "give the folder of a model or run, or one of")), null);
        if (IsConfig(path))
            return (ConfigFile.Load(path), null);
        if (ModelLoader.FormatOf(path) == ModelFormat.Safetensors && ModelFolder.Resolve(path) is var folder
            && !Directory.EnumerateFiles(folder, "*.safetensors").Any())
            return (ConfigFile.Load(Path.Combine(folder, "config.json")), null);
        using var source = ModelLoader.Open(path);
        return (source.Config, StoredTensors.Of(path));
    }
}
