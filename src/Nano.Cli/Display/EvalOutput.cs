using System.CommandLine;
using System.Globalization;

namespace Nano.Cli;

/// <summary>Progress and scores of the verbs of nano eval, as text.</summary>
internal static class EvalOutput
{
    /// <summary>The option that takes only the first examples of a file.</summary>
    public static Option<int?> Limit() =>
        new("--limit") { Description = "Number of examples to use, from the beginning of the file (default: all)" };

    /// <summary>A line per tenth of the work.</summary>
    public static Action<long> Progress(TextWriter human, long total, string unit)
    {
        long last = 0;
        return done =>
        {
            if (done * 10 / total == last)
                return;
            last = done * 10 / total;
            human.WriteLine(string.Create(CultureInfo.InvariantCulture, $"eval     {done:N0} of {total:N0} {unit}"));
        };
    }

    /// <summary>One score with its standard error and interval.</summary>
    public static void Line(TextWriter human, string name, Score score, string what) =>
        human.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"{name,-12} {score.Value:F4} +- {score.StandardError:F4}, 95 % from {score.Low:F4} to {score.High:F4} "
        + $" {what}"));

    /// <summary>Says of how many examples the model did not see everything.</summary>
    public static void Truncated(TextWriter human, int count, string what)
    {
        if (count > 0)
            human.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"note     the beginning of {count:N0} {what} is left out: they are longer than the model's context"));
    }

    /// <summary>A score for --json.</summary>
    public static JsonFields Json(Score score) => new()
    {
        ["value"] = score.Value,
        ["stderr"] = Common.Finite(score.StandardError),
        ["low"] = score.Low,
        ["high"] = score.High
    };

    /// <summary>Prints the scores of texts.</summary>
    public static void Print(TextWriter human, TextScores scores)
    {
        var parts = scores.BleuParts;
        string precisions = string.Join('/',
            parts.Precisions.Select(p => (100 * p).ToString("F1", CultureInfo.InvariantCulture)));
        Line(human, "bleu", scores.Bleu, string.Create(CultureInfo.InvariantCulture,
            $"{precisions} (BP = {parts.BrevityPenalty:F3} hyp_len = {parts.Length} "
            + $"ref_len = {parts.ReferenceLength}) tok:13a smooth:exp"));
        Line(human, "rouge_l", scores.RougeL, "F1");
        Line(human, "exact_match", scores.ExactMatch, "after SQuAD's normalization");
        Line(human, "f1", scores.F1, "over words");
    }

    /// <summary>The scores of texts for --json.</summary>
    public static JsonFields Json(TextScores scores) => new()
    {
        ["pairs"] = scores.Pairs,
        ["bleu"] = Json(scores.Bleu),
        ["bleu_precisions"] = scores.BleuParts.Precisions.Select(p => 100 * p),
        ["brevity_penalty"] = scores.BleuParts.BrevityPenalty,
        ["rouge_l"] = Json(scores.RougeL),
        ["exact_match"] = Json(scores.ExactMatch),
        ["f1"] = Json(scores.F1),
    };
}
