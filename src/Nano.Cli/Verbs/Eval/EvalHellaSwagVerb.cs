using System.CommandLine;
using System.Globalization;

namespace Nano.Cli;

/// <summary>nano eval hellaswag: multiple choice from the evaluation files of llm.c.</summary>
internal static class EvalHellaSwagVerb
{
    private static readonly Option<string> Model = new("--model")
    {
        Description = "Folder of a model or of a run",
        Required = true
    };
    private static readonly Option<string> Data =
        new("--data")
        {
            Description =
            "Evaluation file of llm.c, such as hellaswag_val.bin, made with the model's tokenizer",
            Required = true
        };
    private static readonly Option<int?> Limit = EvalOutput.Limit();
    private static readonly Option<int?> Threads = Common.Threads();
    private static readonly Option<bool> Json = Common.Json();

    public static Command Create()
    {
        var verb = new Command("hellaswag",
            "Multiple choice from a file that llm.c's scripts wrote, HellaSwag or MMLU: acc_norm by the mean loss "
            + "of a completion's tokens, as llm.c prints it, acc by their sum.\n\nExample:\n  nano eval hellaswag "
            + "--model gpt2 --data hellaswag_val.bin --limit 1000")
        {
            Model, Data, Limit, Threads, Json,
        };
        verb.SetAction(Run);
        return verb;
    }

    private static int Run(ParseResult args)
    {
        bool json = args.GetValue(Json);
        var human = Common.Human(json);
        using var file = new LlmcEvalFile(args.GetValue(Data)!);
        using var compute = Common.NewCompute(args.GetValue(Threads));
        using var model = ModelLoader.LoadModel(args.GetValue(Model)!);
        int count = Math.Min(args.GetValue(Limit) ?? file.Count, file.Count);
        human.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"data     {count:N0} of {file.Count:N0} questions"));
        var result = TokenChoiceScores.Evaluate(model, compute, file, args.GetValue(Limit),
            progress: (done, total, right) =>
            human.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"eval     {done:N0} of {total:N0} questions, acc_norm {(double)right / done:F4}")));
        EvalOutput.Truncated(human, result.Truncated, "contexts");
        EvalOutput.Line(human, "acc", result.Accuracy, "by log-probability");
        EvalOutput.Line(human, "acc_norm", result.PerToken, "by mean loss, llm.c's accuracy");
        if (json)
            Common.PrintJson(new()
            {
                ["examples"] = result.Examples,
                ["truncated"] = result.Truncated,
                ["acc"] = EvalOutput.Json(result.Accuracy),
                ["acc_norm"] = EvalOutput.Json(result.PerToken)
            });
        return 0;
    }
}
