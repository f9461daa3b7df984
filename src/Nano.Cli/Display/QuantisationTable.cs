using System.Globalization;

namespace Nano.Cli;

/// <summary>A set of quantised models as a table and as JSON.</summary>
internal static class QuantisationTable
{
    private static readonly CultureInfo Culture = CultureInfo.InvariantCulture;

    /// <summary>Prints a line for each model.</summary>
    public static void Print(TextWriter human, QuantisationSet set)
    {
        human.WriteLine($"{"type",-8} {"bits",6} {"bytes",15} {"loss",9} {"more",9} {"divergence",11} {"same top",9} "
            + $"{"tokens/s",10}");
        foreach (QuantisedModel model in set.Models)
        {
            ModelDifference? difference = model.Difference;
            human.WriteLine($"{model.Type,-8} {Cell(model.BitsPerWeight, "0.00", 6)} "
                + $"{model.Bytes.ToString("N0", Culture),15} {Cell(difference?.Loss, "0.0000", 9)} "
                + $"{Cell(difference?.MoreLoss, "+0.0000;-0.0000;0.0000", 9)} "
                + $"{Cell(difference?.Divergence, "0.000000", 11)} {Cell(difference?.SameTop, "0.0 %", 9)} "
                + $"{Cell(model.TokensPerSecond, "N1", 10)}{(model.File is null ? "  the original" : "")}");
        }
        int notes = set.Models.Sum(model => model.Notes.Count);
        if (notes > 0)
            human.WriteLine(string.Create(Culture, $"note: the report has {notes:N0} remarks, such as on rows that a "
                + $"type's blocks do not divide"));
    }

    private static string Cell(double? value, string format, int width) =>
        (value is { } number && double.IsFinite(number) ? number.ToString(format, Culture) : "-").PadLeft(width);

    /// <summary>The set for --json.</summary>
    public static JsonFields Json(QuantisationSet set, string folder) => new()
    {
        ["input"] = set.Source,
        ["output"] = folder,
        ["report"] = Path.Combine(folder, QuantisationSet.ReportName),
        ["text"] = set.TextName,
        ["tokens"] = set.Models[0].Difference?.Tokens,
        ["models"] = set.Models.Select(model => new JsonFields
        {
            ["type"] = model.Type,
            ["file"] = model.File is { } file ? Path.Combine(folder, file) : null,
            ["bytes"] = model.Bytes,
            ["bits_per_weight"] = model.BitsPerWeight,
            ["loss"] = Finite(model.Difference?.Loss),
            ["loss_of_original"] = Finite(model.Difference?.ReferenceLoss),
            ["divergence"] = Finite(model.Difference?.Divergence),
            ["same_top"] = Finite(model.Difference?.SameTop),
            ["decode_tokens_per_second"] = Finite(model.TokensPerSecond),
            ["notes"] = model.Notes,
        }),
    };

    private static double? Finite(double? value) => value is { } number ? Common.Finite(number) : null;
}
