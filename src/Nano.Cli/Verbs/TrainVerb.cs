using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Nano.Cli;

/// <summary>nano train: text in, a model out.</summary>
internal static class TrainVerb
{
    private static readonly Option<string?> Data = new("--data")
    {
        Description = "A UTF-8 text file, a folder that 'nano data prepare' made, or a token file of llm.c (default: the shakespeare corpus, see 'nano data')",
    };

    private static readonly Option<string?> ValidationData = new("--validation-data") { Description = "With a token file as --data: the token file to validate on (default: the one named val instead of train)" };
    private static readonly Option<string?> Tokenizer = new("--tokenizer")
    {
        Description = $"{CorpusTokenizer.Characters} (those of the text), {string.Join(", ", TokenizerLoader.Names)}, a tokenizer file, or the folder of a model or run; the model gets its vocabulary "
            + "(default: that of the recipe: characters, gpt2 for the gpt2- presets, to be named for llama-15m, llama-42m, llama-110m)",
    };

    private static readonly Option<string> Device = Common.Device();
    private static readonly Option<Precision?> Products = Common.Precision("--precision", "What a device computes matrix products in: float32 or float16; weights and all else are float32 (default: float32)");
    private static readonly Option<bool> Profile = Common.Profile();
    private static readonly Option<int?> Threads = Common.Threads();
    private static readonly Option<bool> Json = Common.Json();

    public static Command Create()
    {
        var verb = new Command("train", "Train a model on text. What is left out comes from the preset.\n\nExample:\n  nano train shakespeare-char --steps 500 --out runs/try\n  nano train --data my.txt")
        {
            Data, ValidationData, Tokenizer, Device, Products, Profile, Threads, Json,
        };
        RunPlan.AddTo(verb);
        TrainArguments.AddTo(verb);
        verb.SetAction(Run);
        return verb;
    }

    private static int Run(ParseResult args)
    {
        var plan = ReadPlan(args);
        string run = plan.Run;
        bool json = args.GetValue(Json);
        using var compute = Common.NewCompute(args.GetValue(Threads));
        using var device = OpenDevice(args);
        var human = Common.Human(json);
        var work = Prepare(args, plan, human);
        double peak = device is null || device.Provider == OrtProvider.Cpu ? Machine.MeasurePeak(compute) : double.NaN;
        using var trainer = new Trainer(work.Options, work.Data, run, plan.Saved is not null, compute, peak, CommandLine(args), Steps(args, device));
        if (work.Chosen is not null)
            human.WriteLine(work.Chosen);
        var profiler = compute.Profiler = args.GetValue(Profile) ? new Profiler() : null;
        Introduce(human, trainer, compute, peak, run, device, args.GetValue(Products));

        bool plain = json || !TrainDisplay.CanBeLive;
        using var stop = new GentleStop(() => (plain ? human : null)?.WriteLine("stopping after this step; once more to stop at once"), PosixSignal.SIGINT, PosixSignal.SIGTERM);
        Finished? end = null;
        TrainDisplay.Show(trainer, peak, human, plain, trainer.Run(stop.Token), done => end = done);
        return Conclude(end!, trainer, human, json, run, device, profiler is null ? null : Profiled(profiler, trainer, compute, human));
    }

    /// <summary>The run that a command line describes, for those who show it in their own way.</summary>
    public static Trainer Open(ParseResult args, Compute compute, double peak, TextWriter human)
    {
        var plan = ReadPlan(args);
        var work = Prepare(args, plan, human);
        return new Trainer(work.Options, work.Data, plan.Run, plan.Saved is not null, compute, peak, CommandLine(args));
    }

    private static RunPlan ReadPlan(ParseResult args) => RunPlan.Read(args, args.GetValue(Data));

    /// <summary>The device that is asked for; null for our own kernels.</summary>
    private static OrtDevice? OpenDevice(ParseResult args)
    {
        var device = Common.OpenDevice(args.GetValue(Device)!, args.GetValue(Threads));
        string? misplaced = device is null ? (args.GetValue(Products) is Precision.Float16 ? "--precision float16 takes a --device other than cpu" : null)
            : args.GetValue(Profile) ? "--profile shows our own kernels, --device cpu" : null;
        if (misplaced is null)
            return device;
        device?.Dispose();
        throw new NanoException(misplaced);
    }

    private static TrainingDevice? Steps(ParseResult args, OrtDevice? device)
    {
        var precision = args.GetValue(Products) ?? Precision.Float32;
        return device is null ? null : new($"{device.Provider.Name}, {precision.ToString().ToLowerInvariant()} products", (model, compute, loader, options) => new OnnxTrainStep(model, compute, loader, options, device, precision));
    }

    /// <summary>What a command line asks for.</summary>
    /// <param name="Options">How to train.</param>
    /// <param name="Data">On what.</param>
    /// <param name="Chosen">What was chosen by the text, for people; null if nothing was.</param>
    private sealed record Work(TrainOptions Options, TrainingData Data, string? Chosen = null);

    private static Work Prepare(ParseResult args, RunPlan plan, TextWriter human)
    {
        var work = plan.Saved is not null ? Continue(args, plan, human) : plan.Preset == AutoRecipe.Name ? Choose(args, human) : Follow(args, plan.Preset, human);
        return work with { Options = work.Options with { Data = args.GetValue(Data) ?? work.Options.Data, ValidationData = args.GetValue(ValidationData) ?? work.Options.ValidationData } };
    }

    private static string CommandLine(ParseResult args) => "nano " + string.Join(' ', args.Tokens.Select(token => token.Value));

    /// <summary>What the checkpoint says, and its text in its tokens.</summary>
    private static Work Continue(ParseResult args, RunPlan plan, TextWriter human)
    {
        var options = TrainArguments.Read(args, plan.SavedOptions);
        string? validation = args.GetValue(ValidationData) ?? (args.GetValue(Data) is null ? options.ValidationData : null); // that of the data before it does not go with other data
        if (Tokens(args, args.GetValue(Data) ?? options.Data, validation, plan.SavedTokenizer) is { } tokens)
            return new Work(options, tokens);
        var tokenizer = args.GetValue(Tokenizer) is { } named ? CorpusTokenizer.Load(named, options) : plan.SavedTokenizer();
        return new Work(options, TrainingData.FromText(LoadCorpus(args.GetValue(Data) ?? options.Data, human), tokenizer));
    }

    /// <summary>What a preset says, and the text in the tokens it takes.</summary>
    private static Work Follow(ParseResult args, string preset, TextWriter human)
    {
        var options = TrainArguments.Read(args, Presets.Get(preset));
        if (Tokens(args, args.GetValue(Data), args.GetValue(ValidationData), null) is { } tokens)
            return new Work(options, tokens);
        var tokenizer = CorpusTokenizer.Load(args.GetValue(Tokenizer), options);
        return new Work(options, TrainingData.FromText(LoadCorpus(args.GetValue(Data), human), tokenizer));
    }

    /// <summary>What suits the text.</summary>
    private static Work Choose(ParseResult args, TextWriter human)
    {
        var data = Tokens(args, args.GetValue(Data), args.GetValue(ValidationData), null);
        string? why = null; // where it is not our choice
        if (data is null)
        {
            var corpus = LoadCorpus(args.GetValue(Data), human);
            (var tokenizer, why) = args.GetValue(Tokenizer) is { } named ? (CorpusTokenizer.Load(named), null) : AutoRecipe.Tokenizer(corpus.Text);
            data = TrainingData.FromText(corpus, tokenizer);
        }
        var (options, size) = AutoRecipe.Options(data);
        return new Work(TrainArguments.Read(args, options), data,
            $"chosen   {(why is null ? "" : why + "\n         ")}{size}\n         (other choices: --tokenizer, --layers, --channels, --seq, --batch, --steps, or a preset)");
    }

    private static object? Profiled(Profiler profiler, Trainer trainer, Compute compute, TextWriter human)
    {
        var machine = Machine.Measure(compute);
        if (profiler.Steps > 0)
            trainer.AddProfile(new ProfileEntry(profiler.Steps, profiler.MillisecondsPerStep, profiler.Rows(machine)));
        ProfileTable.Print(human, profiler, machine);
        return ProfileTable.Json(profiler, machine);
    }

    /// <summary>Token files if a path names such, else null.</summary>
    private static TrainingData? Tokens(ParseResult args, string? path, string? validation, Func<ITokenizer?>? saved)
    {
        if (path is not null && TrainingData.AreTokens(path))
            return TrainingData.FromShards(path, validation, args.GetValue(Tokenizer) is { } named ? TokenizerLoader.Load(named) : Directory.Exists(path) ? null : saved?.Invoke());
        return validation is null ? null : throw new NanoException("--validation-data goes with a token file as --data", "of a text, the last tenth validates");
    }

    private static Corpus LoadCorpus(string? path, TextWriter human)
    {
        if (path is not null)
            return CorpusStore.LoadFile(path);
        using var store = new CorpusStore();
        return store.LoadTextAsync("shakespeare", new DownloadLine(human), CancellationToken.None).GetAwaiter().GetResult();
    }

    private static void Introduce(TextWriter human, Trainer trainer, Compute compute, double peak, string run, OrtDevice? device, Precision? precision)
    {
        var o = trainer.Options;
        human.WriteLine(string.Create(CultureInfo.InvariantCulture, $"corpus   {trainer.Data.Origin}\n         {trainer.TokenCounts.Train:N0} tokens to train on, {trainer.TokenCounts.Validation:N0} to validate, {Vocabulary(trainer)}"));
        human.WriteLine(string.Create(CultureInfo.InvariantCulture, $"model    {o.Model.Layers} layers, {o.Model.Heads} heads, {o.Model.Channels} channels, {trainer.Model.Parameters.Count:N0} parameters"));
        human.WriteLine(string.Create(CultureInfo.InvariantCulture, $"training {o.Steps:N0} steps of {o.Accumulate} x {o.Batch} x {o.Time} tokens"));
        human.WriteLine(string.Create(CultureInfo.InvariantCulture, $"machine  {Machine.CpuName()}, {compute.Threads} threads, {compute.Width}{(double.IsFinite(peak) ? string.Create(CultureInfo.InvariantCulture, $", peak {peak:F0} GFLOP/s (measured)") : "")}"));
        if (device is not null)
            human.WriteLine($"device   {device.Provider.Name}, {device.Library}{(precision == Precision.Float16 && device.Provider.Name == "webgpu" ? "\nnote     WebGPU adds up products of float16 in float16: gradients of many tokens lose digits" : "")}");
        human.WriteLine($"run      {run}{(trainer.StartStep > 0 ? $", resumed after step {trainer.StartStep}" : "")}");
    }

    private static string Vocabulary(Trainer trainer) => trainer.Tokenizer is CharTokenizer ? $"{trainer.Tokenizer.VocabSize} characters"
        : string.Create(CultureInfo.InvariantCulture, $"vocabulary of {trainer.Tokenizer.VocabSize:N0}");

    private static string BitsPerByte(Finished end, Trainer trainer) => trainer.Tokenizer is CharTokenizer ? ""
        : string.Create(CultureInfo.InvariantCulture, $", {end.ValLoss / Math.Log(2) / trainer.Data.ValidationBytesPerToken:F4} bits per byte");

    private static int Conclude(Finished end, Trainer trainer, TextWriter human, bool json, string run, OrtDevice? device, object? profile)
    {
        double tokensPerSecond = end.Seconds > 0 ? end.Tokens / end.Seconds : 0;
        if (end.Interrupted)
            human.WriteLine($"stopped after step {end.Step}; saved {end.Checkpoint}\ncontinue with: nano train --resume {run}{(device is null ? "" : $" --device {device.Provider.Name}")}");
        else
            human.WriteLine(string.Create(CultureInfo.InvariantCulture, $"""
                done     {end.Step:N0} steps{(end.StoppedEarly ? " (stopped early: the validation loss no longer falls)" : "")} in {end.Seconds:F1} s ({tokensPerSecond:N0} tokens/s with evaluation)
                loss     {end.ValLoss:F4} over the whole validation split{BitsPerByte(end, trainer)}
                model    {(end.StoppedEarly ? $"{Path.Combine(run, ModelDirectory.Best)}, the best; the last is " : "")}{end.Checkpoint}
                report   {trainer.ReportPath}
                generate nano generate --model {(end.StoppedEarly ? Path.Combine(run, ModelDirectory.Best) : run)}
                """));
        foreach (string line in VerdictLines.Of(end.Verdict))
            human.WriteLine(line);
        if (json)
            Common.PrintJson(new
            {
                steps = end.Step,
                end.Tokens,
                train_loss = Common.Finite(end.TrainLoss),
                val_loss = Common.Finite(end.ValLoss),
                end.Seconds,
                tokens_per_second = tokensPerSecond,
                end.Checkpoint,
                end.StoppedEarly,
                verdict = end.Verdict.Word,
                verdict_reason = end.Verdict.Reason,
                verdict_causes = end.Verdict.Causes,
                profile,
            });
        return end.Interrupted ? Failure.Interrupted : 0;
    }
}
