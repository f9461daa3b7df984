using System.CommandLine;
using System.Globalization;

namespace Nano.Cli;

/// <summary>nano eval score: how near texts come to references; no model.</summary>
internal static class EvalScoreVerb
{
    private static readonly Option<string> Data = new(
        "--data")
    { Description = "JSON lines: {\"prediction\": \"...\", \"references\": [\"...\"]}", Required = true };
    private static readonly Option<int?> Limit = EvalOutput.Limit();
    private static readonly Option<ulong> Seed = Common.Seed();
    private static readonly Option<bool> Json = Common.Json();

    public static Command Create()
    {
        var verb = new Command("score",
            "BLEU, ROUGE-L, exact match and F1 of existing texts.\n\nExample:\n  nano eval score --data "
            + "predictions.jsonl") { Data, Limit, Seed, Json };
        verb.SetAction(Run);
        return verb;
    }

    private static int Run(ParseResult args)
    {
        bool json = args.GetValue(Json);
        var human = Common.Human(json);
        var pairs = TextPair.Read(args.GetValue(Data)!, args.GetValue(Limit));
        human.WriteLine(string.Create(CultureInfo.InvariantCulture, $"data     {pairs.Count:N0} predictions"));
        var scores = TextScores.Of(pairs, args.GetValue(Seed));
        EvalOutput.Print(human, scores);
        if (json)
            Common.PrintJson(EvalOutput.Json(scores));
        return 0;
    }
}
