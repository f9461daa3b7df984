using System.CommandLine;
using System.Globalization;

namespace Nano.Cli;

/// <summary>nano bench: quick figures beside the machine's ceiling, measured in the same run.</summary>
internal static class BenchVerb
{
    private static readonly Argument<string> What = new("what")
    {
        Description = string.Join(", ", BenchCases.Groups),
        DefaultValueFactory = _ => "gemm"
    };
    private static readonly Option<string> Filter =
        new("--filter")
        {
            Description =
            "Parts that family, name and shape of a case must contain (not for train-step), e.g. \"llama, dX 256\"",
            DefaultValueFactory = _ => ""
        };
    private static readonly Option<string> Model =
        new("--model")
        {
            Description =
            $"Model of train-step and decode: {string.Join(", ", Gpt2Config.Names)} or a preset",
            DefaultValueFactory = _ => "gpt2"
        };
    private static readonly Option<int> Batch = new("--batch")
    {
        Description = "Rows per batch of train-step",
        DefaultValueFactory = _ => 4
    };
    private static readonly Option<int> Seq = new("--seq")
    {
        Description = "Tokens per row of train-step",
        DefaultValueFactory = _ => 64
    };
    private static readonly Option<string> Device =
        new("--device")
        {
            Description =
            $"Devices to compare with, e.g. onnx-cpu,webgpu "
            + $"({string.Join(", ", OrtProvider.All.Select(provider => provider.Name))})",
            DefaultValueFactory = _ => ""
        };
    private static readonly Option<Precision> Products = new WordOption<Precision>("--precision",
        "Products of train-step: float32, or bf16 beside float32 (default: float32)",
        ("float32", Precision.Float32), ("bf16", Precision.BFloat16));
    private static readonly Option<bool> Profile = Common.Profile();
    private static readonly Option<int?> Threads = Common.Threads();
    private static readonly Option<bool> Json = Common.Json();

    public static Command Create()
    {
        var verb = new Command("bench",
            "Measure kernels, a whole training step or generation beside the ceilings of this machine. Every result "
            + "is checked first.\n\nExample:\n  nano bench train-step --model gpt2 --batch 4 --seq 64") { What, Filter,
                Model, Batch, Seq, Products, Device, Profile, Threads, Json };
        verb.SetAction(Run);
        return verb;
    }

    private static int Run(ParseResult args)
    {
        string what = args.GetValue(What)!;
        if (!BenchCases.Groups.Contains(what))
            throw new NanoException($"there is no benchmark {Quoted.Of(what)}",
                NearestMatch.Hint(what, [.. BenchCases.Groups], "benchmarks"));
        foreach (var option in (Option<int>[])[Batch, Seq])
            if (args.GetValue(option) < 1)
                throw new NanoException($"{option.Name} must be 1 or more, got {args.GetValue(option)}");
        var cases = what == "train-step" ? [] : Chosen(what, args.GetValue(Filter)!, args.GetValue(Model)!);
        var profiler = args.GetValue(Profile) ? new Profiler() : null;
        if (profiler is not null && what != "train-step")
            throw new NanoException($"--profile goes with a training step, not with {what}",
                "nano bench train-step --profile");
        var providers = OrtProvider.Named(args.GetValue(Device)!);
        using var compute = Common.NewCompute(args.GetValue(Threads));
        using var peers = providers.Count > 0 ? new OnnxPeers(compute, providers) : null;
        bool json = args.GetValue(Json);
        var human = Common.Human(json);
        var machine = Machine.Measure(compute);
        human.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{Machine.CpuName()}, {compute.Threads} threads, {SimdWidths.NameOf(compute.Width)}: peak "
            + $"{machine.PeakGflops:F0} GFLOP/s, read {machine.ReadGigabytesPerSecond:F0} GB/s, triad "
            + $"{machine.TriadGigabytesPerSecond:F0} GB/s"));
        foreach (string line in peers?.Descriptions ?? [])
            human.WriteLine(line);
        var results = what == "train-step"
            ? [QuickBench.TrainStep(compute, machine, args.GetValue(Model)!, args.GetValue(Batch), args.GetValue(Seq),
                profiler, peers is null ? null : peers.Of, args.GetValue(Products))]
            : QuickBench.Run(compute, machine, cases, peers is null ? null : peers.Of);
        var all = new List<BenchResult>();
        foreach (var r in results)
        {
            all.Add(r);
            human.WriteLine(r.Line());
        }
        foreach (string line in BenchResult.Summary(all))
            human.WriteLine(line);
        foreach (string line in peers?.LeftOut ?? [])
            human.WriteLine("left out: " + line);
        if (profiler is not null)
            ProfileTable.Print(human, profiler, machine);
        if (json)
            Common.PrintJson(new
            {
                machine = new
                {
                    cpu = Machine.CpuName(),
                    threads = compute.Threads,
                    simd = compute.Width.ToString(),
                    peak_gflops = machine.PeakGflops,
                    read_gbps = machine.ReadGigabytesPerSecond,
                    triad_gbps = machine.TriadGigabytesPerSecond
                },
                results = all,
                left_out = peers?.LeftOut ?? [],
                profile = ProfileTable.Json(profiler, machine)
            });
        return 0;
    }

    private static List<BenchCase> Chosen(string group, string filter, string model)
    {
        List<BenchCase> all = [.. group == "decode" ? BenchCases.Generation(model) : BenchCases.Of(group)],
            chosen = [.. all.Where(of => of.Matches(filter))];
        return chosen.Count > 0 ? chosen
            : throw new NanoException($"no case of {group} matches {Quoted.Of(filter)}",
                $"leave --filter out to see all {all.Count}");
    }
}
