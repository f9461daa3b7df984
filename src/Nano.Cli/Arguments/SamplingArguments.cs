using System.CommandLine;
using System.Globalization;

namespace Nano.Cli;

/// <summary>The options that say how tokens are chosen, shared by the verbs that make text.</summary>
internal static class SamplingArguments
{
    public static readonly Option<double?> Temperature = Common.Number("--temperature", "0 takes the most likely token; higher is wilder (default: 0.8)");
    public static readonly Option<int?> TopK = new("--top-k") { Description = "Consider only this many tokens, 0 for all (default: 200)" };
    public static readonly Option<double?> TopP = Common.Number("--top-p", "Consider only the likeliest tokens up to this probability (default: 1)");
    public static readonly Option<double?> MinP = Common.Number("--min-p", "Consider only tokens at least this many times as likely as the likeliest (default: 0)");
    public static readonly Option<double?> Typical = Common.Number("--typical", "Consider only the most typical tokens up to this probability (default: 1)");
    public static readonly Option<double?> RepetitionPenalty = Common.Number("--repetition-penalty", "Divides positive logits of tokens of prompt and text, multiplies negative ones (default: 1)");
    public static readonly Option<double?> PresencePenalty = Common.Number("--presence-penalty", "Taken from the logit of each token of the text (default: 0)");
    public static readonly Option<double?> FrequencyPenalty = Common.Number("--frequency-penalty", "Taken from a token's logit each time it occurs in the text (default: 0)");
    public static readonly Option<string[]> LogitBias = new("--logit-bias") { Description = "ID:VALUE is added to a token's logit; several times for several tokens" };
    public static readonly Option<ulong> Seed = Common.Seed();

    public static void AddTo(Command verb)
    {
        foreach (var option in (Option[])[Temperature, TopK, TopP, MinP, Typical, RepetitionPenalty, PresencePenalty, FrequencyPenalty, LogitBias, Seed])
            verb.Options.Add(option);
    }

    /// <summary>The options as given; what is left out has its standard value.</summary>
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
            if (pair.Split(':') is not [var id, var bias] || !int.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out int token)
                || !double.TryParse(bias, NumberStyles.Float, CultureInfo.InvariantCulture, out double value))
                throw new NanoException(
                    $"--logit-bias takes the id of a token and a number, such as 50256:-100, not {Quoted.Of(pair)}");
            else if (!biases.TryAdd(token, value))
                throw new NanoException($"--logit-bias gives token {token} two values");
        return biases;
    }
}
