namespace Nano.Tests;

/// <summary>
/// What a sampler has to do, written as plainly as possible: lists of probabilities, sorted and
/// summed anew at each step.
/// </summary>
static class PlainSampler
{
    /// <summary>The ids that can be drawn and their probabilities, most likely first, of equals the lower id.</summary>
    public static List<(int Id, double P)> Distribution(float[] logits, SamplerOptions options,
        int[] prompt, int[] text)
    {
        float[] x = [.. logits];
        foreach (var (id, bias) in options.LogitBias)
            x[id] = (float)(x[id] + bias);
        foreach (int id in prompt.Concat(text).Distinct())
            x[id] = (float)(x[id] < 0 ? x[id] * options.RepetitionPenalty : x[id] / options.RepetitionPenalty);
        foreach (var token in text.GroupBy(id => id))
            x[token.Key] = (float)(x[token.Key] - (token.Count() * options.FrequencyPenalty) - options.PresencePenalty);

        var order = Enumerable.Range(0, x.Length).OrderByDescending(id => x[id] + 0f).ThenBy(id => id).ToList();
        if (options.Temperature == 0)
            return [(order[0], 1)];
        List<(int Id, double P)> left =
            Normalised(order.Select(id => (id, Math.Exp((x[id] - (double)x[order[0]]) / options.Temperature))));
        if (options.TopK > 0)
            left = Normalised(left.Take(options.TopK));
        if (options.TopP < 1)
            left = Normalised(UntilSum(left, options.TopP));
        if (options.MinP > 0)
            left = Normalised(left.Where(entry => entry.P >= options.MinP * left[0].P * (1 - 1e-15)));
        if (options.Typical < 1)
        {
            double entropy = -left.Where(entry => entry.P > 0).Sum(entry => entry.P * Math.Log(entry.P));
            // Of equally distant ones the likelier; of equally likely ones the one that stands closer to the middle.
            var byDistance = left.Select((entry, rank) =>
                (entry.Id, entry.P, Rank: -Math.Log(entry.P) < entropy ? -rank : rank))
                .OrderBy(entry => Math.Round(Math.Abs(-Math.Log(entry.P) - entropy), 9))
                .ThenByDescending(entry => Math.Round(entry.P, 12)).ThenBy(entry => entry.Rank)
                .Select(entry => (entry.Id, entry.P));
            var kept = UntilSum(byDistance, options.Typical).Select(entry => entry.Id).ToHashSet();
            left = Normalised(left.Where(entry => kept.Contains(entry.Id)));
        }
        return left;
    }

    /// <summary>The id at which the running sum passes u.</summary>
    public static int Walk(List<(int Id, double P)> distribution, double u)
    {
        double sum = 0;
        foreach (var (id, p) in distribution)
            if ((sum += p) > u)
                return id;
        return distribution.Last(entry => entry.P > 0).Id;
    }

    /// <summary>The first entries with which the sum reaches a bound.</summary>
    static IEnumerable<(int Id, double P)> UntilSum(IEnumerable<(int Id, double P)> entries, double bound)
    {
        double sum = 0;
        foreach (var entry in entries)
        {
            yield return entry;
            if ((sum += entry.P) >= bound - 1e-12)
                yield break;
        }
    }

    static List<(int Id, double P)> Normalised(IEnumerable<(int Id, double P)> entries)
    {
        var list = entries.ToList();
        double total = list.Sum(entry => entry.P);
        return [.. list.Select(entry => (entry.Id, entry.P / total))];
    }
}
