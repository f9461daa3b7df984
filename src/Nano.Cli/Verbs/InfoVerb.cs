using System.CommandLine;
using System.Globalization;

namespace Nano.Cli;

/// <summary>nano info: the machine, or a model.</summary>
internal static class InfoVerb
{
    private static readonly Option<string?> Model = new("--model") { Description = "Folder of a model or run, or a name: " + string.Join(", ", Gpt2Config.Names) };
    private static readonly Option<int?> Threads = Common.Threads();
    private static readonly Option<bool> Json = Common.Json();

    public static Command Create()
    {
        var verb = new Command("info", "Show what this machine can do at best (measured), or what a model consists of.\n\nExample:\n  nano info --model runs/shakespeare-char") { Model, Threads, Json };
        verb.SetAction(args => args.GetValue(Model) is { } path ? ShowModel(path, args.GetValue(Json)) : ShowMachine(args.GetValue(Threads), args.GetValue(Json)));
        return verb;
    }

    private static int ShowMachine(int? threads, bool json)
    {
        using var compute = Common.NewCompute(threads);
        var machine = Machine.Measure(compute);
        var human = Common.Human(json);
        string cpu = Machine.CpuName(), system = System.Runtime.InteropServices.RuntimeInformation.OSDescription;
        human.WriteLine($"processor    {cpu}, {Environment.ProcessorCount} processors");
        human.WriteLine($"system       {system}, .NET {Environment.Version}");
        human.WriteLine($"in use       {compute.Threads} threads, SIMD {compute.Width}");
        human.WriteLine(string.Create(CultureInfo.InvariantCulture, $"peak         {machine.PeakGflops:F0} GFLOP/s float32 (measured)"));
        human.WriteLine(string.Create(CultureInfo.InvariantCulture, $"memory read  {machine.ReadGigabytesPerSecond:F0} GB/s (measured)"));
        human.WriteLine(string.Create(CultureInfo.InvariantCulture, $"memory triad {machine.TriadGigabytesPerSecond:F0} GB/s, two streams read and one written (measured)"));
        if (json)
            Common.PrintJson(new { cpu, system, threads = compute.Threads, simd = compute.Width.ToString(), peak_gflops = machine.PeakGflops, read_gbps = machine.ReadGigabytesPerSecond, triad_gbps = machine.TriadGigabytesPerSecond });
        return 0;
    }

    private static int ShowModel(string path, bool json)
    {
        var config = LoadConfig(path);
        var shapes = Gpt2.ParameterShapes(config).ToList();
        var components = shapes.GroupBy(parameter => Component(parameter.Name)).ToDictionary(group => group.Key, group => group.Sum(parameter => parameter.Shape.Length));
        long total = components.Values.Sum();
        double flops = Gpt2.TrainingFlopsPerToken(config, config.ContextLength);
        var human = Common.Human(json);
        human.WriteLine($"GPT-2: {config.Layers} layers, {config.Heads} heads, {config.Channels} channels, context {config.ContextLength}, vocabulary {config.VocabSize}");
        foreach (var (name, count) in components)
            human.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {name,-12} {count,14:N0} parameters"));
        human.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {"all",-12} {total,14:N0} parameters, {total * 4:N0} bytes in float32"));
        human.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {flops:N0} FLOPs per training token at {config.ContextLength} tokens"));
        if (json)
            Common.PrintJson(new { layers = config.Layers, heads = config.Heads, channels = config.Channels, context_length = config.ContextLength, vocab_size = config.VocabSize, components, parameters = total, bytes = total * 4, training_flops_per_token = flops });
        return 0;
    }

    private static Gpt2Config LoadConfig(string path)
    {
        if (!File.Exists(path) && !Directory.Exists(path))
            return Gpt2Config.Names.Contains(path) ? Gpt2Config.Named(path) : throw new NanoException($"there is no model at '{path}', and no known one is called that",
                NearestMatch.Hint(path, [.. Gpt2Config.Names], "give the folder of a model or run, or one of"));
        return Gpt2Config.Load(Path.Combine(ModelDirectory.Resolve(path), "config.json"));
    }

    private static string Component(string parameter) =>
        parameter.StartsWith("wte", StringComparison.Ordinal) ? "tokens" : parameter.StartsWith("wpe", StringComparison.Ordinal) ? "positions"
        : parameter.StartsWith("lm_head", StringComparison.Ordinal) ? "head" : parameter.Contains(".attn.", StringComparison.Ordinal) ? "attention"
        : parameter.Contains(".mlp.", StringComparison.Ordinal) ? "mlp" : "norms";
}
