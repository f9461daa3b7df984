using System.CommandLine;
using System.Diagnostics;
using System.Text;

namespace Nano.Cli;

/// <summary>nano generate: a model continues a prompt.</summary>
internal static class GenerateVerb
{
    private static readonly Option<string> Model = new("--model") { Description = "Folder of a model or of a run", Required = true };
    private static readonly Option<string?> TokenizerPath = new("--tokenizer") { Description = "tokenizer.json to use instead of the model's own" };
    private static readonly Option<string?> Prompt = new("--prompt") { Description = "Text to continue (default: the first token of the vocabulary, a line feed as a rule)" };
    private static readonly Option<int> MaxTokens = new("--max-tokens") { Description = "Tokens to generate", DefaultValueFactory = _ => 500 };
    private static readonly Option<double?> Temperature = Common.Number("--temperature", "0 takes the most likely token; higher is wilder (default: 0.8)");
    private static readonly Option<int> TopK = new("--top-k") { Description = "Consider only this many tokens (0: all)", DefaultValueFactory = _ => 200 };
    private static readonly Option<double?> TopP = Common.Number("--top-p", "Consider only the likeliest tokens up to this probability (default: 1)");
    private static readonly Option<string?> Stop = new("--stop") { Description = "Stop before this text appears" };
    private static readonly Option<ulong> Seed = Common.Seed();
    private static readonly Option<int?> Threads = Common.Threads();
    private static readonly Option<bool> Json = Common.Json();

    public static Command Create()
    {
        var verb = new Command("generate", "Continue a prompt.\n\nExample:\n  nano generate --model runs/shakespeare-char --prompt \"ROMEO:\" --max-tokens 300")
        {
            Model, TokenizerPath, Prompt, MaxTokens, Temperature, TopK, TopP, Stop, Seed, Threads, Json,
        };
        verb.SetAction(Run);
        return verb;
    }

    private static int Run(ParseResult args)
    {
        int maxTokens = args.GetValue(MaxTokens);
        if (maxTokens < 0)
            throw new NanoException($"--max-tokens must be 0 or more, got {maxTokens}");
        using var compute = Common.NewCompute(args.GetValue(Threads));
        var (model, own) = ModelLoader.Load(args.GetValue(Model)!);
        using var disposeModel = model;
        ITokenizer tokenizer = args.GetValue(TokenizerPath) is { } path ? TokenizerLoader.Load(path)
            : own ?? throw new NanoException($"the model at '{args.GetValue(Model)}' has no tokenizer.json", "name one with --tokenizer");
        var options = new SamplerOptions { Temperature = args.GetValue(Temperature) ?? 0.8, TopK = args.GetValue(TopK), TopP = args.GetValue(TopP) ?? 1, Seed = args.GetValue(Seed) };
        bool json = args.GetValue(Json);
        string prompt = args.GetValue(Prompt) ?? tokenizer.Decode([0]);
        int[] promptIds = [.. tokenizer.Encode(prompt)];

        using var generator = new Generator(model, compute);
        var continuation = generator.Continue(promptIds, options);
        var human = Common.Human(json);
        human.Write(prompt);
        var ids = new List<int>();
        var text = new StringBuilder();
        var filter = new StopFilter(args.GetValue(Stop));
        long start = Stopwatch.GetTimestamp(), first = 0;
        foreach (int id in continuation.Take(maxTokens))
        {
            first = first == 0 ? Stopwatch.GetTimestamp() : first;
            ids.Add(id);
            string piece = filter.Push(tokenizer.Decode([id]));
            text.Append(piece);
            human.Write(piece);
            if (filter.Stopped)
                break;
        }
        string rest = filter.Flush();
        text.Append(rest);
        human.WriteLine(rest);
        if (json)
            PrintJson(promptIds, ids, text.ToString(), filter.Stopped, Stopwatch.GetElapsedTime(start, first).TotalSeconds, Stopwatch.GetElapsedTime(first).TotalSeconds);
        return 0;
    }

    private static void PrintJson(int[] promptIds, List<int> ids, string text, bool stopped, double prefill, double decode) => Common.PrintJson(new
    {
        prompt_ids = promptIds,
        ids,
        text,
        finish_reason = stopped ? "stop" : "length",
        prefill_tokens_per_second = ids.Count > 0 ? Common.Finite(promptIds.Length / prefill) : null,
        decode_tokens_per_second = ids.Count > 1 ? Common.Finite((ids.Count - 1) / decode) : null,
    });
}
