using System.CommandLine;
using System.Globalization;

namespace Nano.Cli;

/// <summary>nano train: text in, a model out.</summary>
internal static class TrainVerb
{
    private static readonly Option<string> Device = Common.Device();
    private static readonly Option<bool> Profile = Common.Profile();
    private static readonly Option<string?> Trace = Common.Trace("the last step");
    private static readonly Option<int?> Threads = Common.Threads();
    private static readonly Option<bool> Json = Common.Json();

    public static GroupedCommand Create()
    {
        var verb = new GroupedCommand("train", "Train a model on text. An option that is not given has the preset's "
            + "value, or else the default shown.\n\nExample:\n  nano train shakespeare-char --steps 500 --out "
            + "runs/try\n"
            + "  nano train --data my.txt\n  nano train --from openai-community/gpt2 --data my.txt");
        TrainWork.AddTo(verb);
        RunPlan.AddTo(verb);
        TrainArguments.AddTo(verb);
        verb.Add(SettingGroup.Run, Json);
        verb.Add(SettingGroup.Machine, Device, Threads, Profile, Trace);
        verb.SetAction(Run);
        return verb;
    }

    private static int Run(ParseResult args)
    {
        var plan = TrainWork.ReadPlan(args);
        string run = plan.Run;
        bool json = args.GetValue(Json);
        string? tracePath = args.GetValue(Trace);
        if (tracePath is not null)
            AtomicFile.CheckWritable(tracePath);
        using var compute = Common.NewCompute(args.GetValue(Threads));
        using var device = OpenDevice(args);
        var human = Common.Human(json);
        using var work = TrainWork.Prepare(args, plan, human);
        double peak = device is not null && device.Provider != OrtProvider.Cpu ? double.NaN
            : Machine.MeasurePeak(compute, work.Options.Precision == Precision.BFloat16);
        using var trainer = new Trainer(work.Options, work.Data, run, plan.Saved is not null, compute, peak,
            CommandLine(args), Steps(work.Options, device), plan.Overwrites, work.Start);
        if (work.Chosen is not null)
            human.WriteLine(work.Chosen);
        var trace = tracePath is null ? null : new StepTrace(compute.Threads);
        var profiler = compute.Profiler = args.GetValue(Profile) || trace is not null
            ? new Profiler { Trace = trace } : null;
        Introduce(human, trainer, work.Start, compute, peak, run, device);

        bool plain = json || !TrainDisplay.CanBeLive;
        using var stop = new GentleStop(() => (plain ? human
            : null)?.WriteLine("stopping after this step; once more to stop at once"), Signals.All);
        Finished? end = null;
        TrainDisplay.Show(trainer, peak, human, plain, trainer.Run(stop.Token), done => end = done);
        compute.Profiler = null;
        var traced = trace is null ? null : TraceTable.WriteAndPrint(human, trace, tracePath!);
        return Conclude(end!, trainer, human, json, run, device,
            args.GetValue(Profile) ? Profiled(profiler!, trainer, compute, human) : null, traced);
    }

    /// <summary>The run that a command line describes, for those who show it in their own way.</summary>
    public static Trainer Open(ParseResult args, Compute compute, double peak, TextWriter human)
    {
        var plan = TrainWork.ReadPlan(args);
        using var work = TrainWork.Prepare(args, plan, human);
        return new Trainer(work.Options, work.Data, plan.Run, plan.Saved is not null, compute, peak, CommandLine(args),
            null, plan.Overwrites, work.Start);
    }

    /// <summary>The device that the command line names; null for Nano's own kernels.</summary>
    private static OrtDevice? OpenDevice(ParseResult args)
    {
        var device = Common.OpenDevice(args.GetValue(Device)!, args.GetValue(Threads));
        string? misplaced = device is null ? null
            : args.GetValue(Profile) ? "--profile shows Nano's own kernels, --device cpu"
            : args.GetValue(Trace) is not null ? "--trace shows Nano's own kernels, --device cpu" : null;
        if (misplaced is null)
            return device;
        device?.Dispose();
        throw new NanoException(misplaced);
    }

    private static TrainingDevice? Steps(TrainOptions chosen, OrtDevice? device) => device is null ? null
        : new($"{device.Provider.Name}, {chosen.Precision.ToString().ToLowerInvariant()} products",
            (model, compute, loader, options) => new OnnxTrainStep(model, compute, loader, options, device));

    private static string CommandLine(ParseResult args) =>
        "nano " + string.Join(' ', args.Tokens.Select(token => token.Value));

    private static object? Profiled(Profiler profiler, Trainer trainer, Compute compute, TextWriter human)
    {
        var machine = Machine.Measure(compute);
        if (profiler.Steps > 0)
            trainer.AddProfile(new ProfileEntry(profiler.Steps, profiler.MillisecondsPerStep, profiler.Rows(machine)));
        ProfileTable.Print(human, profiler, machine);
        return ProfileTable.Json(profiler, machine);
    }

    private static void Introduce(TextWriter human, Trainer trainer, ModelStart? start, Compute compute, double peak,
        string run, OrtDevice? device)
    {
        var o = trainer.Options;
        human.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"corpus   {trainer.Data.Origin}\n         {trainer.TokenCounts.Train:N0} tokens to train on, "
            + $"{trainer.TokenCounts.Validation:N0} to validate, {Vocabulary(trainer)}"));
        human.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"model    {o.Model.Layers} layers, {o.Model.Heads} heads, {o.Model.Channels} channels, "
            + $"{trainer.Model.Parameters.Count:N0} parameters"));
        if (start is not null)
            human.WriteLine($"from     {StartLine(o, start)}");
        human.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"training {o.Steps:N0} steps of {Rows(o)} x {o.Time} tokens"));
        string measured = double.IsFinite(peak)
            ? string.Create(CultureInfo.InvariantCulture, $", peak {peak:F0} GFLOP/s (measured)") : "";
        human.WriteLine($"machine  {Machine.CpuName()}, {compute.Threads} threads, "
            + $"{SimdWidths.NameOf(compute.Width)}{measured}");
        if (device is not null)
            human.WriteLine($"device   {device.Provider.Name}, {device.Library}");
        if (o.Precision == Precision.BFloat16 && compute.EmittedCodeProblem is { } problem)
            human.WriteLine($"note     bfloat16 products take several times as long as float32 ones here: {problem}");
        if (device?.Provider.Name == "webgpu" && o.Precision == Precision.Float16)
            human.WriteLine("note     WebGPU adds up products of float16 in float16: gradients of many tokens lose "
                + "digits");
        human.WriteLine($"run      {run}{(trainer.StartStep > 0 ? $", resumed after step {trainer.StartStep}" : "")}");
        foreach (string note in trainer.Notes)
            human.WriteLine($"note     {note}");
    }

    /// <summary>The origin of the weights, and every difference from the model's files.</summary>
    private static string StartLine(TrainOptions options, ModelStart start)
    {
        string line = $"{options.From}, every weight";
        if (start.Drawn.Count > 0)
            line = $"{options.From}, but {string.Join(", ", start.Drawn)} drawn at random";
        if (options.Model.VocabSize > (start.Tokenizer?.VocabSize ?? options.Model.VocabSize))
            line += string.Create(CultureInfo.InvariantCulture,
                $"\n         its {options.Model.VocabSize:N0} rows of the token table are kept, "
                + $"{start.Tokenizer!.VocabSize:N0} of them have a token");
        return options.Model.Dropout == start.DropoutOfFile ? line
            : line + string.Create(CultureInfo.InvariantCulture,
                $"\n         dropout {options.Model.Dropout}, though its files say {start.DropoutOfFile}; --dropout "
                + $"sets another");
    }

    private static string Rows(TrainOptions o) => o.Accumulate == 1 ? $"{o.Batch} rows"
        : $"{o.Accumulate} x {o.Batch} rows";

    private static string Vocabulary(Trainer trainer) =>
        trainer.Tokenizer is CharTokenizer ? $"{trainer.Tokenizer.VocabSize} characters"
        : string.Create(CultureInfo.InvariantCulture, $"vocabulary of {trainer.Tokenizer.VocabSize:N0}");

    private static string BitsPerByte(Finished end, Trainer trainer) => trainer.Tokenizer is CharTokenizer ? ""
        : string.Create(CultureInfo.InvariantCulture,
            $", {end.ValLoss / Math.Log(2) / trainer.Data.ValidationBytesPerToken:F4} bits per byte");

    private static int Conclude(Finished end, Trainer trainer, TextWriter human, bool json, string run,
        OrtDevice? device, object? profile, object? trace)
    {
        double speed = end.Seconds > 0 ? end.Tokens / end.Seconds : 0;
        string early = end.StoppedEarly ? " (stopped early: the validation loss no longer falls)" : "";
        string best = Path.Combine(run, ModelFolder.Best);
        if (end.Interrupted)
            human.WriteLine($"stopped after step {end.Step}; saved {end.Checkpoint}\ncontinue with: nano train "
                + $"--resume {run}{(device is null ? "" : $" --device {device.Provider.Name}")}");
        else
            human.WriteLine(string.Create(CultureInfo.InvariantCulture, $"""
                done     {end.Step:N0} steps{early} in {end.Seconds:F1} s ({speed:N0} tokens/s with evaluation)
                loss     {end.ValLoss:F4} over the whole validation split{BitsPerByte(end, trainer)}
                model    {(end.StoppedEarly ? $"{best}, the best; the last is " : "")}{end.Checkpoint}
                report   {trainer.ReportPath}
                generate nano generate --model {(end.StoppedEarly ? best : run)}
                """));
        foreach (string line in VerdictLines.Of(end.Verdict))
            human.WriteLine(line);
        if (json)
            Common.PrintJson(new()
            {
                ["steps"] = end.Step,
                ["tokens"] = end.Tokens,
                ["train_loss"] = Common.Finite(end.TrainLoss),
                ["val_loss"] = Common.Finite(end.ValLoss),
                ["val_loss_before"] = trainer.ValLossBefore,
                ["seconds"] = end.Seconds,
                ["tokens_per_second"] = speed,
                ["checkpoint"] = end.Checkpoint,
                ["stopped_early"] = end.StoppedEarly,
                ["verdict"] = end.Verdict.Word,
                ["verdict_reason"] = end.Verdict.Reason,
                ["verdict_causes"] = end.Verdict.Causes,
                ["profile"] = profile,
                ["trace"] = trace,
            });
        return end.Interrupted ? Failure.Interrupted : 0;
    }
}
