using System.CommandLine;

namespace Nano.Cli;

/// <summary>
/// The inputs of a training run, from the command line of nano train: options, text in tokens, and
/// the model to start from.
/// </summary>
/// <param name="Options">The options of the run.</param>
/// <param name="Data">On what.</param>
/// <param name="Chosen">A description of what was chosen by the text; null if nothing was.</param>
/// <param name="Start">The model to start from; null for random weights and for a run that is resumed.</param>
internal sealed record TrainWork(TrainOptions Options, TrainingData Data, string? Chosen = null,
    ModelStart? Start = null) : IDisposable
{
    private static readonly Option<string?> DataPath = new("--data")
    {
        Description = "Training text: a UTF-8 file, a folder made by 'nano data prepare', or a token file of llm.c "
            + "(default: the shakespeare corpus, see 'nano data')",
    };

    private static readonly Option<string?> ValidationData = new("--validation-data")
    {
        Description = "Validation tokens, if --data is a token file (default: the file named val instead of train)",
    };

    private static readonly Option<string?> Tokenizer = new("--tokenizer")
    {
        Description = $"{CorpusTokenizer.Characters} (the characters of the text), "
            + $"{string.Join(", ", TokenizerLoader.Names)}, a tokenizer file, or the folder of a model or run; the "
            + "model gets its vocabulary "
            + "(default: with --from the model's own; else that of the recipe: characters, gpt2 for the gpt2- "
            + "presets, to be named for llama-15m, llama-42m, llama-110m)",
    };

    private static readonly Option<string?> From = new("--from")
    {
        Description = "Model to train further: a model folder, a GGUF file, a run, a file of llm.c or llama2.c, or "
            + "OWNER/MODEL on the hub; its tokenizer, sizes and chat template are used",
        HelpName = "MODEL",
    };

    private static readonly Option<string?> Reinit = new("--reinit")
    {
        Description = "With --from: names of parameters to initialize at random, separated by commas, with * for "
            + "any characters, such as lm_head.weight",
        HelpName = "NAMES",
    };

    public static void AddTo(GroupedCommand verb)
    {
        verb.Add(SettingGroup.Data, DataPath, ValidationData, Tokenizer);
        verb.Add(SettingGroup.Model, From, Reinit);
    }

    /// <summary>The run that a command line means.</summary>
    public static RunPlan ReadPlan(ParseResult args) =>
        RunPlan.Read(args, args.GetValue(DataPath), args.GetValue(From));

    /// <summary>Opens all that a command line asks for.</summary>
    /// <exception cref="NanoException">Something is missing, or two things do not go together.</exception>
    public static TrainWork Prepare(ParseResult args, RunPlan plan, TextWriter human)
    {
        string? from = plan.Saved is not null ? null
            : args.GetValue(From) ?? (plan.Preset == AutoRecipe.Name ? null : Presets.Get(plan.Preset).From);
        if (args.GetValue(Reinit) is not null && from is null)
            throw new NanoException("--reinit draws weights of the model at random that --from names",
                plan.Saved is null ? "name a model with --from" : "a run that is resumed has its weights already");
        var work = plan.Saved is not null ? Continue(args, plan, human) : from is not null
            ? StartFrom(args, plan.Preset, from, human)
            : plan.Preset == AutoRecipe.Name ? Choose(args, human) : Follow(args, plan.Preset, human);
        return work with
        {
            Options = work.Options with
            {
                Data = args.GetValue(DataPath) ?? work.Options.Data,
                ValidationData = args.GetValue(ValidationData) ?? work.Options.ValidationData,
            },
        };
    }

    /// <summary>
    /// Closes the files of the model to start from. The data lives as long as the trainer that
    /// reads it.
    /// </summary>
    public void Dispose() => Start?.Dispose();

    /// <summary>The checkpoint's options, and its text in its tokens.</summary>
    private static TrainWork Continue(ParseResult args, RunPlan plan, TextWriter human)
    {
        if (args.GetValue(From) is { } from && from != plan.Saved!.Options.From)
            throw new NanoException(plan.Saved.Options.From is { } was
                ? $"the run to resume started from '{was}', not from '{from}'"
                : $"the run to resume started from random weights, not from '{from}'",
                "leave out --from: a run that is resumed has its weights already");
        var options = TrainArguments.Read(args, plan.SavedOptions);
        string? data = args.GetValue(DataPath);
        // that of the data before it does not go with other data
        string? validation = args.GetValue(ValidationData) ?? (data is null ? options.ValidationData : null);
        if (Tokens(args, data ?? options.Data, validation, plan.SavedTokenizer) is { } tokens)
            return new TrainWork(options, tokens);
        var tokenizer = args.GetValue(Tokenizer) is { } named ? CorpusTokenizer.Load(named, options)
            : plan.SavedTokenizer();
        return new TrainWork(options, TrainingData.FromText(LoadCorpus(data ?? options.Data, human), tokenizer));
    }

    /// <summary>A preset's options, and the text in the tokens it takes.</summary>
    private static TrainWork Follow(ParseResult args, string preset, TextWriter human)
    {
        var options = TrainArguments.Read(args, Presets.Get(preset));
        if (Tokens(args, args.GetValue(DataPath), args.GetValue(ValidationData), null) is { } tokens)
            return new TrainWork(options, tokens);
        var tokenizer = CorpusTokenizer.Load(args.GetValue(Tokenizer), options);
        return new TrainWork(options, TrainingData.FromText(LoadCorpus(args.GetValue(DataPath), human), tokenizer));
    }

    /// <summary>Chooses a recipe that suits the text.</summary>
    private static TrainWork Choose(ParseResult args, TextWriter human)
    {
        var data = Tokens(args, args.GetValue(DataPath), args.GetValue(ValidationData), null);
        string? why = null; // null if the user has chosen
        if (data is null)
        {
            var corpus = LoadCorpus(args.GetValue(DataPath), human);
            (var tokenizer, why) = args.GetValue(Tokenizer) is { } named ? (CorpusTokenizer.Load(named), null)
                : AutoRecipe.Tokenizer(corpus.Text);
            data = TrainingData.FromText(corpus, tokenizer);
        }
        var (options, size) = AutoRecipe.Options(data);
        return new TrainWork(TrainArguments.Read(args, options), data,
            $"chosen   {(why is null ? "" : why + "\n         ")}{size}\n         (other choices: --tokenizer, "
            + "--layers, --channels, --seq, --batch, --steps, or a preset)");
    }

    /// <summary>A model to train further, with a preset's options or those that suit the text and the model.</summary>
    private static TrainWork StartFrom(ParseResult args, string preset, string from, TextWriter human)
    {
        string? name = args.GetValue(Tokenizer);
        if (name == CorpusTokenizer.Characters)
            throw new NanoException(
                "the characters of a text are a vocabulary of their own, and the model to start from has one already",
                "leave out --tokenizer");
        var start = ModelStart.Open(HubModels.Find(from, human), name is null ? null : TokenizerLoader.Load(name),
            args.GetValue(Reinit));
        try
        {
            var data = Tokens(args, args.GetValue(DataPath), args.GetValue(ValidationData), () => start.Tokenizer);
            if (data is not null && start.Tokenizer is not null)
                data.CheckIdsOf(start.Tokenizer);
            data ??= TrainingData.FromText(LoadCorpus(args.GetValue(DataPath), human), start.Tokenizer
                ?? throw new NanoException($"the model '{from}' brings no tokenizer",
                    "name the one it was trained with: --tokenizer gpt2 for files of llm.c"));
            var (options, why) = preset == AutoRecipe.Name ? AutoRecipe.TuningOptions(data, start.Config)
                : (Presets.Get(preset), null);
            options = options with
            {
                From = from,
                Reinit = args.GetValue(Reinit),
                Model = start.Config,
                Time = Math.Min(options.Time, start.Config.ContextLength)
            };
            string? chosen = why is null ? null
                : $"chosen   {why}\n         (other choices: --steps, --lr, --batch, --accumulate, --seq, or a preset)";
            return new TrainWork(TrainArguments.Read(args, options), data, chosen, start);
        }
        catch
        {
            start.Dispose();
            throw;
        }
    }

    /// <summary>Token files if a path names such, else null.</summary>
    private static TrainingData? Tokens(ParseResult args, string? path, string? validation, Func<ITokenizer?>? own)
    {
        if (path is not null && TrainingData.AreTokens(path))
            return TrainingData.FromShards(path, validation, args.GetValue(Tokenizer) is { } named
                ? TokenizerLoader.Load(named) : Directory.Exists(path) ? null : own?.Invoke());
        return validation is null ? null : throw new NanoException("--validation-data goes with a token file as --data",
            "of a text, the last tenth validates");
    }

    private static Corpus LoadCorpus(string? path, TextWriter human)
    {
        if (path is not null)
            return CorpusStore.LoadFile(path);
        using var store = new CorpusStore();
        return store.LoadTextAsync("shakespeare", new DownloadLine(human), CancellationToken.None).GetAwaiter()
            .GetResult();
    }
}
