using System.CommandLine;

namespace Nano.Cli;

/// <summary>nano bench: quick figures beside the machine's ceiling, measured in the same run.</summary>
internal static class BenchVerb
{
    private const string Prefill = "prefill"; // of the group decode

    private static IReadOnlyList<string> Benchmarks => [.. BenchCases.Groups, Prefill];

    private static readonly Argument<string> What = new("what")
    {
        Description = string.Join(", ", Benchmarks),
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
            $"Model of train-step, decode and prefill: {string.Join(", ", Gpt2Config.Names)} or a preset; of "
            + "decode and prefill also a file or folder",
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
    private static readonly Option<string?> Trace = Common.Trace("ten steps of train-step");
    private static readonly Option<int?> Threads = Common.Threads();
    private static readonly Option<bool> Json = Common.Json();

    public static Command Create()
    {
        var verb = new Command("bench",
            "Measure kernels, a whole training step or generation beside the ceilings of this machine. Every result "
            + "is checked first.\n\nExample:\n  nano bench train-step --model gpt2 --batch 4 --seq 64\n"
            + "  nano bench decode --model small.gguf") { What, Filter,
                Model, Batch, Seq, Products, Device, Profile, Trace, Threads, Json, BenchTaskVerb.Create() };
        verb.SetAction(Run);
        return verb;
    }

    private static int Run(ParseResult args)
    {
        string what = args.GetValue(What)!;
        if (!Benchmarks.Contains(what))
            throw new NanoException($"there is no benchmark {Quoted.Of(what)}",
                NearestMatch.Hint(what, [.. Benchmarks], "benchmarks"));
        foreach (var option in (Option<int>[])[Batch, Seq])
            if (args.GetValue(option) < 1)
                throw new NanoException($"{option.Name} must be 1 or more, got {args.GetValue(option)}");
        var cases = what == "train-step" ? [] : Chosen(what, args.GetValue(Filter)!, args.GetValue(Model)!);
        string? tracePath = args.GetValue(Trace);
        CheckStepOptions(what, args.GetValue(Profile), tracePath);
        var providers = OrtProvider.Named(args.GetValue(Device)!);
        using var compute = Common.NewCompute(args.GetValue(Threads));
        using var peers = providers.Count > 0 ? new OnnxPeers(compute, providers) : null;
        var trace = tracePath is null ? null : new StepTrace(compute.Threads, QuickBench.ProfiledSteps, 1 << 19);
        var profiler = args.GetValue(Profile) || trace is not null ? new Profiler { Trace = trace } : null;
        bool json = args.GetValue(Json);
        var human = Common.Human(json);
        var machine = BenchCeilings.Measure(compute, cases);
        human.WriteLine(BenchCeilings.Describe(compute, machine));
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
        (machine, var final, var notes) = BenchCeilings.MeasureAgain(compute, machine, all);
        foreach (string line in notes.Concat(BenchResult.Summary(final)))
            human.WriteLine(line);
        foreach (string line in peers?.LeftOut ?? [])
            human.WriteLine("left out: " + line);
        if (args.GetValue(Profile))
            ProfileTable.Print(human, profiler!, machine);
        var traced = trace is null ? null : TraceTable.WriteAndPrint(human, trace, tracePath!);
        if (json)
            Common.PrintJson(new()
            {
                ["machine"] = Fields(compute, machine),
                ["results"] = final,
                ["left_out"] = peers?.LeftOut ?? [],
                ["profile"] = args.GetValue(Profile) ? ProfileTable.Json(profiler, machine) : null,
                ["trace"] = traced
            });
        return 0;
    }

    private static JsonFields Fields(Compute compute, Machine machine)
    {
        var fields = new JsonFields
        {
            ["cpu"] = Machine.CpuName(),
            ["threads"] = compute.Threads,
            ["simd"] = compute.Width.ToString(),
            ["peak_gflops"] = machine.PeakGflops,
            ["bfloat16_gflops"] = Common.Finite(machine.BFloat16Gflops),
            ["read_gbps"] = machine.ReadGigabytesPerSecond,
            ["triad_gbps"] = machine.TriadGigabytesPerSecond,
            ["cache_line_ns"] = Common.Finite(machine.CacheLineNanoseconds),
        };
        if (double.IsFinite(machine.NarrowCodeGops))
            (fields["narrow_code_gops"], fields["wide_code_gops"]) = (machine.NarrowCodeGops, machine.WideCodeGops);
        return fields;
    }

    /// <summary>Refuses options of a training step that go with something else, and a trace that cannot be
    /// written.</summary>
    private static void CheckStepOptions(string what, bool profile, string? tracePath)
    {
        string? option = profile ? "--profile" : tracePath is not null ? "--trace" : null;
        if (option is not null && what != "train-step")
            throw new NanoException($"{option} goes with a training step, not with {what}",
                $"nano bench train-step {option}{(profile ? "" : " FILE")}");
        if (tracePath is not null)
            AtomicFile.CheckWritable(tracePath);
    }

    private static List<BenchCase> Chosen(string group, string filter, string model)
    {
        List<BenchCase> all = [.. group switch
            {
                "decode" => BenchCases.Generation(model),
                Prefill => BenchCases.Generation(model).Where(of => of.Name == Prefill),
                _ => BenchCases.Of(group),
            }],
            chosen = [.. all.Where(of => of.Matches(filter))];
        return chosen.Count > 0 ? chosen
            : throw new NanoException($"no case of {group} matches {Quoted.Of(filter)}",
                $"leave --filter out to see all {all.Count}");
    }
}
