using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Nano.Cli;

/// <summary>nano generate: a model continues prompts.</summary>
internal static class GenerateVerb
{
    private static readonly Option<string> Model = new("--model")
    {
        Description = "Folder of a model or of a run",
        Required = true
    };
    private static readonly Option<bool> Exact = Common.Exact();
    private static readonly Option<WeightType> CacheType = Common.CacheType();
    private static readonly Option<string?> TokenizerPath =
        new("--tokenizer") { Description = "Tokenizer to use instead of the model's own" };
    private static readonly Option<string[]> Prompts =
        new("--prompt")
        {
            Description =
            "Text to continue; may be given more than once for a batch (default: the beginning of a text)"
        };
    private static readonly Option<string?> Suffix =
        new("--suffix") { Description = "Text behind what is to be written: the model fills in between" };
    private static readonly Option<bool> SuffixFirst =
        new("--suffix-first") { Description = "With --suffix: the model reads the suffix before the prompt" };
    private static readonly Option<bool> Special =
        new("--special") { Description = "Encode special tokens in the prompt, such as <|endoftext|>, as their ids" };
    private static readonly Option<int> MaxTokens = new("--max-tokens")
    {
        Description = "Number of tokens to generate",
        DefaultValueFactory = _ => 500
    };
    private static readonly Option<string[]> Stops =
        new("--stop") { Description = "String that ends the text and is not part of it; may be given more than once" };
    private static readonly Option<int?> Beams =
        new("--beams") { Description = "Number of beams for beam search, instead of sampling" };
    private static readonly Option<double?> LengthPenalty =
        Common.Number("--length-penalty",
            "With --beams: a text's log-probability is divided by its length to this power (default: 1)");
    private static readonly Option<int?> LogProbs =
        new("--logprobs")
        {
            Description =
            "Number of most likely tokens to report with log-probabilities, besides each chosen token (in --json)"
        };
    private static readonly Option<bool> Slide =
        new("--slide")
        {
            Description = "Drop the older half of a full context and continue; false ends the text there",
            DefaultValueFactory = _ => true
        };
    private static readonly Option<string> Device = Common.Device();
    private static readonly Option<int?> Threads = Common.Threads();
    private static readonly Option<bool> Json = Common.Json();

    public static Command Create()
    {
        var verb = new Command("generate",
            "Continue a prompt.\n\nExample:\n  nano generate --model runs/shakespeare-char --prompt \"ROMEO:\" "
            + "--max-tokens 300")
        {
            Model, TokenizerPath, Exact, CacheType, Prompts, Suffix, SuffixFirst, Special, MaxTokens, Stops,
            Beams, LengthPenalty, LogProbs, Slide, Device, Threads, Json,
        };
        SamplingArguments.AddTo(verb);
        verb.SetAction(Run);
        return verb;
    }

    private static int Run(ParseResult args)
    {
        int maxTokens = args.GetValue(MaxTokens);
        if (maxTokens < 0)
            throw new NanoException($"--max-tokens must be 0 or more, got {maxTokens}");
        using var compute = Common.NewCompute(args.GetValue(Threads));
        if (TextRewriter.TryOpen(HubModels.FindLocal(args.GetValue(Model)!) ?? "") is { } rewriter)
            using (rewriter)
            {
                RefuseChoices(args);
                return RewriteText.Run(rewriter, args.GetValue(Prompts) ?? [], maxTokens, compute, args.GetValue(Json));
            }
        using var device = Common.OpenDevice(args.GetValue(Device)!, args.GetValue(Threads));
        var (model, tokenizer) = Common.OpenModel(args.GetValue(Model)!, args.GetValue(TokenizerPath),
            toRun: device is null,
            args.GetValue(Exact));
        using var disposeModel = model;
        int[][] prompts = args.GetValue(Suffix) is { } suffix
            ? [FillIn.Encode(Only(args.GetValue(Prompts)), suffix, tokenizer, args.GetValue(SuffixFirst))]
            : args.GetValue(Prompts) is { Length: > 0 } given
            ? [.. given.Select(text => Prompt.Encode(text, tokenizer, args.GetValue(Special)))]
            : [Prompt.Default(tokenizer)];
        using var generator = Common.NewGenerator(model, tokenizer, compute, device, args.GetValue(CacheType));
        using var stop = new GentleStop(null, PosixSignal.SIGINT);
        return args.GetValue(Beams) is { } beams ? Search(args, generator, tokenizer, prompts, beams, stop.Token)
            : Draw(args, generator, tokenizer, prompts, model.Config, stop.Token);
    }

    private static string Only(string[]? prompts) => prompts switch
    {
        null or [] => "",
        [var one] => one,
        _ => throw new NanoException("--suffix goes with one --prompt"),
    };

    /// <summary>Refuses options of models that continue a text, which one that reads a text does not have.</summary>
    private static void RefuseChoices(ParseResult args)
    {
        Option[] others = [TokenizerPath, Exact, CacheType, Special, Stops, Beams, LengthPenalty, LogProbs, Device,
            .. SamplingArguments.All];
        foreach (var option in others)
            if (args.GetResult(option) is { Implicit: false })
                throw new NanoException(
                    $"{option.Name} does not go with a model that reads one text and writes another",
                    "leave it out: the likeliest token is taken each time");
    }

    private static int Draw(ParseResult args, Generator generator, ITokenizer tokenizer, int[][] prompts,
        ModelConfig config, CancellationToken cancel)
    {
        var options = new GenerationOptions
        {
            Sampler = SamplingArguments.Read(args),
            MaxTokens = args.GetValue(MaxTokens),
            EndIds = Prompt.Known(tokenizer.EndIds, generator.Config),
            Slide = args.GetValue(Slide),
            LogProbabilities = args.GetValue(LogProbs),
        };
        bool json = args.GetValue(Json);
        var human = Common.Human(json);
        var generation = generator.Start(prompts, options, cancel);
        if (options.Slide && prompts.Max(prompt => prompt.Length) + (long)options.MaxTokens > config.ContextLength + 1)
            Screen.Error.WriteLine($"the context holds {config.ContextLength} tokens: when it is full, "
                + "its older half is dropped (--slide false ends the text instead)");
        TextStream[] streams = [.. generation.Texts
            .Select(text => new TextStream(text, tokenizer, options.EndIds, args.GetValue(Stops) ?? []))];
        string? suffix = args.GetValue(Suffix);
        if (streams.Length == 1)
            human.Write(suffix is null ? TextOf(prompts[0], tokenizer) : Only(args.GetValue(Prompts)));
        while (generation.Step())
            foreach (var stream in streams)
            {
                string piece = stream.Read();
                if (streams.Length == 1)
                    human.Write(piece);
            }
        for (int row = 0; row < streams.Length; row++)
        {
            string rest = streams[row].Read(); // a text that was cancelled has something left
            human.WriteLine(streams.Length == 1 ? rest + suffix : TextOf(prompts[row], tokenizer) + streams[row].Text);
        }
        if (json)
            PrintJson(generation, [.. streams.Select(stream => stream.Text)], tokenizer,
                args.GetValue(LogProbs) is not null);
        return cancel.IsCancellationRequested ? Failure.Interrupted : 0;
    }

    private static string TextOf(int[] prompt, ITokenizer tokenizer) =>
        tokenizer.Decode([.. Prompt.WithoutBeginning(prompt, tokenizer)]);

    private static int Search(ParseResult args, Generator generator, ITokenizer tokenizer, int[][] prompts, int beams,
        CancellationToken cancel)
    {
        foreach (var (name, given) in new[]
        {
            ("--temperature", args.GetValue(SamplingArguments.Temperature) is not null),
                ("--top-k", args.GetValue(SamplingArguments.TopK) is not null),
                    ("--top-p", args.GetValue(SamplingArguments.TopP) is not null),
            ("--min-p", args.GetValue(SamplingArguments.MinP) is not null),
                ("--typical", args.GetValue(SamplingArguments.Typical) is not null),
                    ("--logprobs", args.GetValue(LogProbs) is not null),
            ("--stop", args.GetValue(Stops) is { Length: > 0 }), ("a second --prompt", prompts.Length > 1),
        })
            if (given)
                throw new NanoException(
                    $"{name} does not go with --beams, which looks for the likeliest text of one prompt and draws "
                    + "nothing");
        var options = new BeamOptions
        {
            Beams = beams,
            MaxTokens = args.GetValue(MaxTokens),
            LengthPenalty = args.GetValue(LengthPenalty) ?? 1,
            EndIds = Prompt.Known(tokenizer.EndIds, generator.Config),
            Changes = SamplingArguments.Read(args),
        };
        bool json = args.GetValue(Json);
        var human = Common.Human(json);
        var found = generator.Search(prompts[0], options, cancel);
        string prompt = TextOf(prompts[0], tokenizer);
        string[] texts = [.. found.Select(beam =>
            TextStream.Decode(prompts[0], beam.Ids.Where(id => !options.EndIds.Contains(id)), tokenizer))];
        for (int i = 0; i < found.Count; i++)
            human.WriteLine(string.Create(CultureInfo.InvariantCulture, $"[{found[i].Score:F4}] {prompt}{texts[i]}"));
        if (json)
            Common.PrintJson(new()
            {
                ["prompt_ids"] = prompts[0],
                ["beams"] = found.Select((beam, i) => new JsonFields
                {
                    ["ids"] = beam.Ids,
                    ["text"] = texts[i],
                    ["finish_reason"] = Name(beam.Finished),
                    ["logprob"] = beam.LogProbability,
                    ["score"] = beam.Score
                }),
            });
        return cancel.IsCancellationRequested ? Failure.Interrupted : 0;
    }

    private static void PrintJson(Generation generation, string[] texts, ITokenizer tokenizer, bool logProbs)
    {
        List<JsonFields> rows =
            [.. generation.Texts.Select((text, row) => new JsonFields
        {
            ["prompt_ids"] = text.Prompt,
            ["ids"] = text.Ids,
            ["text"] = texts[row],
            ["finish_reason"] = Name(text.Finished!.Value),
        })];
        if (logProbs)
            for (int row = 0; row < rows.Count; row++)
                rows[row]["logprobs"] = generation.Texts[row].LogProbabilities
                    .Select(thought => new JsonFields
                    {
                        ["chosen"] = Thought(thought.Chosen),
                        ["top"] = thought.Top.Select(Thought),
                    });
        var json = rows.Count == 1 ? rows[0] : new JsonFields { ["rows"] = rows };
        json["prefill_tokens_per_second"] = Rate(generation.PrefillTokensPerSecond);
        json["decode_tokens_per_second"] = Rate(generation.DecodeTokensPerSecond);
        Common.PrintJson(json);

        object Thought(TokenLogProbability of) => new JsonFields
        {
            ["id"] = of.Id,
            ["token"] = tokenizer.Decode([of.Id]),
            ["logprob"] = Common.Finite(of.LogProbability)
        };
    }

    private static double? Rate(double? tokensPerSecond) => tokensPerSecond is { } rate ? Common.Finite(rate) : null;

    private static string Name(FinishReason reason) => reason switch
    {
        FinishReason.Stop => "stop",
        FinishReason.Length => "length",
        _ => "cancelled",
    };
}
