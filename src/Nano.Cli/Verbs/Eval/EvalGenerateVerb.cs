using System.CommandLine;
using System.Globalization;

namespace Nano.Cli;

/// <summary>nano eval generate: greedy continuations against references.</summary>
internal static class EvalGenerateVerb
{
    private static readonly Option<string> Model = new("--model")
    {
        Description = "Folder of a model or of a run",
        Required = true
    };
    private static readonly Option<bool> Exact = Common.Exact();
    private static readonly Option<string?> TokenizerPath =
        new("--tokenizer") { Description = "Tokenizer to use instead of the model's own" };
    private static readonly Option<string> Data =
        new("--data") { Description = "JSON lines: {\"prompt\": \"...\", \"references\": [\"...\"]}", Required = true };
    private static readonly Option<int> MaxTokens =
        new("--max-tokens") { Description = "Largest number of tokens of a text", DefaultValueFactory = _ => 64 };
    private static readonly Option<string[]> Stops =
        new("--stop") { Description = "String that ends a text and is not part of it; may be given more than once" };
    private static readonly Option<int> Batch =
        new("--batch")
        {
            Description = "Texts generated at the same time; does not change them",
            DefaultValueFactory = _ => 8
        };
    private static readonly Option<string?> Out =
        new("--out") { Description = "JSON-lines file for the predictions, as 'nano eval score' reads it" };
    private static readonly Option<int?> Limit = EvalOutput.Limit();
    private static readonly Option<ulong> Seed = Common.Seed();
    private static readonly Option<int?> Threads = Common.Threads();
    private static readonly Option<bool> Json = Common.Json();

    public static Command Create()
    {
        var verb = new Command("generate",
            "Continue prompts greedily and compare the texts with references: BLEU, ROUGE-L, exact match and "
            + "F1.\n\nExample:\n  nano eval generate --model runs/shakespeare-char --data prompts.jsonl "
            + "--max-tokens 32 --stop \".\"")
        {
            Model, TokenizerPath, Exact, Data, MaxTokens, Stops, Batch, Out, Limit, Seed, Threads, Json,
        };
        verb.SetAction(Run);
        return verb;
    }

    private static int Run(ParseResult args)
    {
        bool json = args.GetValue(Json);
        var human = Common.Human(json);
        var examples = PromptExample.Read(args.GetValue(Data)!, args.GetValue(Limit));
        using var compute = Common.NewCompute(args.GetValue(Threads));
        var (model, tokenizer) = Common.OpenModel(args.GetValue(Model)!, args.GetValue(TokenizerPath), toRun: true,
            args.GetValue(Exact));
        using var disposeModel = model;
        human.WriteLine(string.Create(CultureInfo.InvariantCulture, $"data     {examples.Count:N0} prompts"));
        var progress = EvalOutput.Progress(human, examples.Count, "texts");
        var (pairs, truncated) = GreedyTexts.Make(model, tokenizer, compute, examples, args.GetValue(MaxTokens),
            args.GetValue(Stops) ?? [], args.GetValue(Batch), done => progress(done));
        if (args.GetValue(Out) is { } path)
            TextPair.Write(path, pairs);
        var scores = TextScores.Of(pairs, args.GetValue(Seed));
        EvalOutput.Truncated(human, truncated, "prompts");
        EvalOutput.Print(human, scores);
        if (json)
        {
            var fields = EvalOutput.Json(scores);
            fields["truncated"] = truncated;
            Common.PrintJson(fields);
        }
        return 0;
    }
}
