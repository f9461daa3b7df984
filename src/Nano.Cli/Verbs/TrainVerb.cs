using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Nano.Cli;

/// <summary>nano train: text in, a model out.</summary>
internal static class TrainVerb
{
    private const string DefaultPreset = "shakespeare-char";

    private static readonly Argument<string?> Preset = new("preset")
    {
        Description = $"Recipe: {string.Join(", ", Presets.All.Keys)}, {AutoRecipe.Name}, which chooses by the text, or a file like those in data/recipes (default: {DefaultPreset}, with --data {AutoRecipe.Name})",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private static readonly Option<string?> Data = new("--data") { Description = "A UTF-8 text file (default: the shakespeare corpus, see 'nano data')" };
    private static readonly Option<string?> Tokenizer = new("--tokenizer")
    {
        Description = $"{CorpusTokenizer.Characters} (those of the text), {string.Join(", ", TokenizerLoader.Names)}, a tokenizer file, or the folder of a model or run; the model gets its vocabulary "
            + $"(default: {string.Join("; ", Presets.All.Values.GroupBy(preset => preset.DefaultTokenizer).Select(presets => $"{presets.Key ?? "to be named"} for {string.Join(", ", presets.Select(preset => preset.Preset))}"))})",
    };

    private static readonly Option<string?> Out = new("--out") { Description = "Folder of the run (default: runs/PRESET)" };
    private static readonly Option<bool> Resume = new("--resume") { Description = "Continue the run in --out from its newest checkpoint" };
    private static readonly Option<bool> Overwrite = new("--overwrite") { Description = "Start again although --out holds a run" };
    private static readonly Option<string> Device = new("--device") { Description = "Where to run: cpu", DefaultValueFactory = _ => "cpu" };
    private static readonly Option<bool> Profile = Common.Profile();
    private static readonly Option<int?> Threads = Common.Threads();
    private static readonly Option<bool> Json = Common.Json();

    public static Command Create()
    {
        var verb = new Command("train", "Train a model on text. What is left out comes from the preset.\n\nExamples:\n  nano train shakespeare-char --steps 500 --out runs/try\n  nano train --data my.txt")
        {
            Preset, Data, Tokenizer, Out, Resume, Overwrite, Device, Profile, Threads, Json,
        };
        TrainArguments.AddTo(verb);
        verb.SetAction(Run);
        return verb;
    }

    private static int Run(ParseResult args)
    {
        if (args.GetValue(Device) is not "cpu" and var device)
            throw new NanoException($"there is no device '{device}'", "devices: cpu");
        string preset = args.GetValue(Preset) ?? (args.GetValue(Data) is null ? DefaultPreset : AutoRecipe.Name);
        string run = args.GetValue(Out) ?? Path.Combine("runs", Path.GetFileNameWithoutExtension(preset));
        bool resume = args.GetValue(Resume), json = args.GetValue(Json);
        if (!resume && !args.GetValue(Overwrite) && Checkpoint.Exists(run))
            throw new NanoException($"'{run}' already holds a run", "--resume continues it, --overwrite starts again, --out FOLDER puts the new one elsewhere");
        using var compute = Common.NewCompute(args.GetValue(Threads));
        var human = Common.Human(json);
        var (options, data) = preset == AutoRecipe.Name ? Choose(args, human) : Follow(args, preset, human);
        double peak = Machine.MeasurePeak(compute);
        using var trainer = new Trainer(options, data, run, resume, compute, peak, "nano " + string.Join(' ', args.Tokens.Select(token => token.Value)));
        var profiler = compute.Profiler = args.GetValue(Profile) ? new Profiler() : null;
        Introduce(human, trainer, compute, peak, run);

        bool plain = json || !TrainDisplay.CanBeLive;
        using var stop = new GentleStop(() => (plain ? human : null)?.WriteLine("stopping after this step; once more to stop at once"), PosixSignal.SIGINT, PosixSignal.SIGTERM);
        Finished? end = null;
        TrainDisplay.Show(trainer, peak, human, plain, trainer.Run(stop.Token), done => end = done);
        return Conclude(end!, trainer, human, json, run, profiler is null ? null : Profiled(profiler, trainer, compute, human));
    }

    /// <summary>What a preset says, and the text in the tokens it takes.</summary>
    private static (TrainOptions Options, TrainingData Data) Follow(ParseResult args, string preset, TextWriter human)
    {
        var options = TrainArguments.Read(args, Presets.Get(preset));
        var tokenizer = CorpusTokenizer.Load(args.GetValue(Tokenizer), options);
        return (options, TrainingData.FromText(LoadCorpus(args.GetValue(Data), human), tokenizer));
    }

    /// <summary>What suits the text, said before it is done.</summary>
    private static (TrainOptions Options, TrainingData Data) Choose(ParseResult args, TextWriter human)
    {
        var corpus = LoadCorpus(args.GetValue(Data), human);
        var (tokenizer, why) = args.GetValue(Tokenizer) is { } named ? (CorpusTokenizer.Load(named), "named") : AutoRecipe.Tokenizer(corpus.Text);
        var data = TrainingData.FromText(corpus, tokenizer);
        var (options, size) = AutoRecipe.Options(data);
        human.WriteLine($"chosen   {(why == "named" ? "" : why + "\n         ")}{size}\n         (other choices: --tokenizer, --layers, --channels, --seq, --batch, --steps, or a preset)");
        return (TrainArguments.Read(args, options), data);
    }

    private static object? Profiled(Profiler profiler, Trainer trainer, Compute compute, TextWriter human)
    {
        var machine = Machine.Measure(compute);
        if (profiler.Steps > 0)
            trainer.AddProfile(new ProfileEntry(profiler.Steps, profiler.MillisecondsPerStep, profiler.Rows(machine)));
        ProfileTable.Print(human, profiler, machine);
        return ProfileTable.Json(profiler, machine);
    }

    private static Corpus LoadCorpus(string? path, TextWriter human)
    {
        if (path is not null)
            return CorpusStore.LoadFile(path);
        using var store = new CorpusStore();
        return store.LoadTextAsync("shakespeare", new DownloadLine(human), CancellationToken.None).GetAwaiter().GetResult();
    }

    private static void Introduce(TextWriter human, Trainer trainer, Compute compute, double peak, string run)
    {
        var o = trainer.Options;
        human.WriteLine(string.Create(CultureInfo.InvariantCulture, $"corpus   {trainer.Data.Origin}\n         {trainer.TokenCounts.Train:N0} tokens to train on, {trainer.TokenCounts.Validation:N0} to validate, {Vocabulary(trainer)}"));
        human.WriteLine(string.Create(CultureInfo.InvariantCulture, $"model    {o.Model.Layers} layers, {o.Model.Heads} heads, {o.Model.Channels} channels, {trainer.Model.Parameters.Count:N0} parameters"));
        human.WriteLine(string.Create(CultureInfo.InvariantCulture, $"training {o.Steps:N0} steps of {o.Accumulate} x {o.Batch} x {o.Time} tokens"));
        human.WriteLine(string.Create(CultureInfo.InvariantCulture, $"machine  {Machine.CpuName()}, {compute.Threads} threads, {compute.Width}, peak {peak:F0} GFLOP/s (measured)"));
        human.WriteLine($"run      {run}{(trainer.StartStep > 0 ? $", resumed after step {trainer.StartStep}" : "")}");
    }

    private static string Vocabulary(Trainer trainer) => trainer.Tokenizer is CharTokenizer ? $"{trainer.Tokenizer.VocabSize} characters"
        : string.Create(CultureInfo.InvariantCulture, $"vocabulary of {trainer.Tokenizer.VocabSize:N0}");

    private static string BitsPerByte(Finished end, Trainer trainer) => trainer.Tokenizer is CharTokenizer ? ""
        : string.Create(CultureInfo.InvariantCulture, $", {end.ValLoss / Math.Log(2) / trainer.Data.ValidationBytesPerToken:F4} bits per byte");

    private static int Conclude(Finished end, Trainer trainer, TextWriter human, bool json, string run, object? profile)
    {
        double tokensPerSecond = end.Seconds > 0 ? end.Tokens / end.Seconds : 0;
        if (end.Interrupted)
            human.WriteLine($"stopped after step {end.Step}; saved {end.Checkpoint}\ncontinue with: the same command and --resume");
        else
            human.WriteLine(string.Create(CultureInfo.InvariantCulture, $"""
                done     {end.Step:N0} steps in {end.Seconds:F1} s ({tokensPerSecond:N0} tokens/s with evaluation)
                loss     {end.ValLoss:F4} over the whole validation split{BitsPerByte(end, trainer)}
                model    {end.Checkpoint}
                report   {trainer.ReportPath}
                generate nano generate --model {run}
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
                verdict = end.Verdict.Word,
                verdict_reason = end.Verdict.Reason,
                verdict_causes = end.Verdict.Causes,
                profile,
            });
        return end.Interrupted ? Failure.Interrupted : 0;
    }
}
