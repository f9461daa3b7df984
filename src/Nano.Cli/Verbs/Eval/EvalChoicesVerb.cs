using System.CommandLine;
using System.Globalization;

namespace Nano.Cli;

/// <summary>nano eval choices: multiple choice by log-likelihood.</summary>
internal static class EvalChoicesVerb
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
        new("--data")
        {
            Description =
            "JSON lines: {\"context\": \"...\", \"choices\": [\"...\", \"...\"], \"answer\": 0}",
            Required = true
        };
    private static readonly Option<string> Delimiter =
        new("--delimiter")
        {
            Description = "Text between context and choice, not counted in the choice's length; \" \" is "
                + "lm-evaluation-harness's default (default: none)",
            DefaultValueFactory = _ => ""
        };
    private static readonly Option<int?> Limit = EvalOutput.Limit();
    private static readonly Option<int?> Threads = Common.Threads();
    private static readonly Option<bool> Json = Common.Json();

    public static Command Create()
    {
        var verb = new Command("choices",
            "Multiple choice: the share of examples whose right choice is the most likely after its context, by "
            + "lm-evaluation-harness's rules: acc by the whole log-probability, acc_norm by that per character, "
            + "acc_bytes per byte.\n\nExample:\n  nano eval choices --model runs/shakespeare-char --data "
            + "questions.jsonl")
        {
            Model, TokenizerPath, Exact, Data, Delimiter, Limit, Threads, Json,
        };
        verb.SetAction(Run);
        return verb;
    }

    private static int Run(ParseResult args)
    {
        bool json = args.GetValue(Json);
        var human = Common.Human(json);
        var examples = ChoiceExample.Read(args.GetValue(Data)!, args.GetValue(Limit));
        using var compute = Common.NewCompute(args.GetValue(Threads));
        var (model, tokenizer) = Common.OpenModel(args.GetValue(Model)!, args.GetValue(TokenizerPath), toRun: true,
            args.GetValue(Exact));
        using var disposeModel = model;
        int choices = examples.Sum(example => example.Choices.Count);
        human.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"data     {examples.Count:N0} questions with {choices:N0} choices"));
        var progress = EvalOutput.Progress(human, choices, "choices");
        var result = MultipleChoice.Evaluate(model, tokenizer, compute, examples, args.GetValue(Delimiter)!,
            progress: (done, _) => progress(done));
        EvalOutput.Truncated(human, result.Truncated, "contexts");
        EvalOutput.Line(human, "acc", result.Accuracy, "by log-probability");
        EvalOutput.Line(human, "acc_norm", result.PerCharacter, "by log-probability per character");
        EvalOutput.Line(human, "acc_bytes", result.PerByte, "by log-probability per byte");
        if (json)
            Common.PrintJson(new()
            {
                ["examples"] = result.Examples,
                ["truncated"] = result.Truncated,
                ["acc"] = EvalOutput.Json(result.Accuracy),
                ["acc_norm"] = EvalOutput.Json(result.PerCharacter),
                ["acc_bytes"] = EvalOutput.Json(result.PerByte)
            });
        return 0;
    }
}
