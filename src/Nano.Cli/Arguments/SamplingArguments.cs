using System.CommandLine;
using System.Globalization;

namespace Nano.Cli;

/// <summary>The options that say how tokens are chosen, shared by the verbs that make text.</summary>
internal static class SamplingArguments
{
    public static readonly Option<double?> Temperature =
        Common.Number("--temperature",
            "Divisor of the logits: 0 always takes the most likely token, higher values give more varied text "
            + "(default: 0.8)");
    public static readonly Option<int?> TopK =
        new("--top-k") { Description = "Number of most likely tokens to sample from; 0 for all (default: 200)" };
    public static readonly Option<double?> TopP = Common.Number("--top-p",
        "Cumulative probability of the most likely tokens to sample from (default: 1)");
    public static readonly Option<double?> MinP = Common.Number("--min-p",
        "Smallest probability of a token, as a fraction of the most likely token's (default: 0)");
    public static readonly Option<double?> Typical =
        Common.Number("--typical", "Cumulative probability of the most typical tokens to sample from (default: 1)");
    public static readonly Option<double?> RepetitionPenalty =
        Common.Number("--repetition-penalty",
            "Factor against repetition: divides positive and multiplies negative logits of tokens in prompt and "
            + "text (default: 1)");
    public static readonly Option<double?> PresencePenalty =
        Common.Number("--presence-penalty",
            "Amount subtracted from the logit of each token that occurs in the text (default: 0)");
    public static readonly Option<double?> FrequencyPenalty =
        Common.Number("--frequency-penalty",
            "Amount subtracted from a token's logit for each occurrence in the text (default: 0)");
    public static readonly Option<string[]> LogitBias =
        new("--logit-bias") { Description = "ID:VALUE to add to a token's logit; may be given more than once" };
    public static readonly Option<ulong> Seed = Common.Seed();

    /// <summary>All of them.</summary>
    public static IReadOnlyList<Option> All { get; } = [Temperature, TopK, TopP, MinP, Typical, RepetitionPenalty,
        PresencePenalty, FrequencyPenalty, LogitBias, Seed];

    public static void AddTo(Command verb)
    {
        foreach (var option in All)
            verb.Options.Add(option);
    }

    /// <summary>The options as given, with defaults for the others.</summary>
    /// <exception cref="NanoException">A bias is malformed.</exception>
    public static SamplerOptions Read(ParseResult args)
    {
        var standard = new SamplerOptions();
        return new SamplerOptions
        {
            Temperature = args.GetValue(Temperature) ?? standard.Temperature,
            TopK = args.GetValue(TopK) ?? standard.TopK,
            TopP = args.GetValue(TopP) ?? standard.TopP,
            MinP = args.GetValue(MinP) ?? standard.MinP,
            Typical = args.GetValue(Typical) ?? standard.Typical,
            RepetitionPenalty = args.GetValue(RepetitionPenalty) ?? standard.RepetitionPenalty,
            PresencePenalty = args.GetValue(PresencePenalty) ?? standard.PresencePenalty,
            FrequencyPenalty = args.GetValue(FrequencyPenalty) ?? standard.FrequencyPenalty,
            LogitBias = Biases(args.GetValue(LogitBias) ?? []),
            Seed = args.GetValue(Seed),
        };
    }

    private static Dictionary<int, double> Biases(string[] pairs)
    {
        var biases = new Dictionary<int, double>();
        foreach (string pair in pairs)
            if (pair.Split(':') is not [var id, var bias]
                || !int.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out int token)
                || !double.TryParse(bias, NumberStyles.Float, CultureInfo.InvariantCulture, out double value))
                throw new NanoException(
                    $"--logit-bias takes the id of a token and a number, such as 50256:-100, not {Quoted.Of(pair)}");
            else if (!biases.TryAdd(token, value))
                throw new NanoException($"--logit-bias gives token {token} two values");
        return biases;
    }
}
