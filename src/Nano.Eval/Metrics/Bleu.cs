using System.Text.RegularExpressions;

namespace Nano;

/// <summary>
/// The counts from which BLEU is computed, of one text or a corpus; the counts of a corpus are the
/// sums over its texts.
/// </summary>
/// <param name="Length">Words of the predictions.</param>
/// <param name="ReferenceLength">Words of the references, of each text the one whose length is
/// closest, the shorter of two.</param>
/// <param name="Matches">By n - 1, from n = 1 to 4: n-grams of the prediction that some reference
/// has, each as often as it has it at most.</param>
/// <param name="Totals">By n - 1: all n-grams of the predictions.</param>
public sealed record BleuCounts(long Length, long ReferenceLength, long[] Matches, long[] Totals)
{
    /// <summary>1, or less where the predictions are shorter than the references.</summary>
    public double BrevityPenalty => Length >= ReferenceLength ? 1 : Length == 0 ? 0
        : Math.Exp(1 - ((double)ReferenceLength / Length));

    /// <summary>
    /// p1 to p4, from 0 to 1; the k-th of them without a match, from 1, counts 2^-k matches if
    /// there is any match at all.
    /// </summary>
    public double[] Precisions
    {
        get
        {
            double smoothed = 1;
            return Matches.All(matches => matches == 0) ? new double[Bleu.Order]
                : [.. Matches.Zip(Totals,
                    (matches, total) => total == 0 ? 0 : matches > 0 ? (double)matches / total
                        : (smoothed /= 2) / total)];
        }
    }

    /// <summary>BLEU, from 0 to 100.</summary>
    public double Score => Precisions is var precisions && precisions.Contains(0) ? 0
        : 100 * BrevityPenalty * Math.Exp(precisions.Average(Math.Log));

    /// <summary>The counts of several texts together.</summary>
    internal static BleuCounts Sum(IReadOnlyList<BleuCounts> of, ReadOnlySpan<int> rows)
    {
        long length = 0, referenceLength = 0;
        long[] matches = new long[Bleu.Order], totals = new long[Bleu.Order];
        foreach (int row in rows)
        {
            var counts = of[row];
            length += counts.Length;
            referenceLength += counts.ReferenceLength;
            for (int n = 0; n < Bleu.Order; n++)
            {
                matches[n] += counts.Matches[n];
                totals[n] += counts.Totals[n];
            }
        }
        return new BleuCounts(length, referenceLength, matches, totals);
    }
}

/// <summary>
/// BLEU of a corpus (Papineni et al., "BLEU: a method for automatic evaluation of machine
/// translation", 2002), with sacrebleu's defaults (Post, "A call for clarity in reporting BLEU
/// scores", 2018; signature case:mixed|eff:no|tok:13a|smooth:exp): <code>BLEU = 100 BP exp((log p1
/// + log p2 + log p3 + log p4) / 4), BP = min(1, exp(1 - r / c))</code> with c words in the
/// predictions and r in the references. Matches are clipped over all references of a text.
/// Smoothing is that of mteval-v13a (method 3 of Chen and Cherry, 2014).
/// </summary>
public static partial class Bleu
{
    /// <summary>The longest n-grams that count.</summary>
    internal const int Order = 4;

    /// <summary>The counts of one text, to be added to those of its corpus.</summary>
    public static BleuCounts Count(string prediction, IReadOnlyList<string> references)
    {
        string[] words = Words(prediction);
        string[][] others = [.. references.Select(Words)];
        int closest = others.Select(other => other.Length).Order().MinBy(length => Math.Abs(length - words.Length));
        long[] matches = new long[Order], totals = new long[Order];
        for (int n = 1; n <= Order; n++)
        {
            var known = others.Select(other => Grams(other, n)).ToArray();
            foreach (var (gram, count) in Grams(words, n))
            {
                totals[n - 1] += count;
                matches[n - 1] += Math.Min(count, known.Max(grams => grams.GetValueOrDefault(gram)));
            }
        }
        return new BleuCounts(words.Length, closest, matches, totals);
    }

    private static Dictionary<string, int> Grams(string[] words, int n)
    {
        var grams = new Dictionary<string, int>(StringComparer.Ordinal);
        for (int i = 0; i + n <= words.Length; i++)
        {
            string gram = string.Join(' ', words, i, n); // words have no spaces
            grams[gram] = grams.GetValueOrDefault(gram) + 1;
        }
        return grams;
    }

    /// <summary>
    /// The words of a text as mteval-v13a.pl of NIST cuts it: punctuation of ASCII stands alone,
    /// but not the apostrophe; a full stop or comma does unless a digit is on either side of it, a
    /// hyphen only behind a digit.
    /// </summary>
    internal static string[] Words(string text)
    {
        string line = EvaluationText.TrimEnd(text).Replace("<skipped>", "", StringComparison.Ordinal)
            .Replace("-\n", "", StringComparison.Ordinal).Replace('\n', ' ')
            .Replace("&quot;", "\"", StringComparison.Ordinal).Replace("&amp;", "&", StringComparison.Ordinal)
            .Replace("&lt;", "<", StringComparison.Ordinal).Replace("&gt;", ">", StringComparison.Ordinal);
        line = Symbol().Replace($" {line} ", " $& ");
        line = PointAfterText().Replace(line, "$1 $2 ");
        line = PointBeforeText().Replace(line, " $1 $2");
        return EvaluationText.Split(HyphenAfterDigit().Replace(line, "$1 - "));
    }

    [GeneratedRegex(@"[!""#$%&()*+/:;<=>?@[\\\]^_`{|}~]")]
    private static partial Regex Symbol();

    [GeneratedRegex("([^0-9])([.,])")]
    private static partial Regex PointAfterText();

    [GeneratedRegex("([.,])([^0-9])")]
    private static partial Regex PointBeforeText();

    [GeneratedRegex("([0-9])-")]
    private static partial Regex HyphenAfterDigit();
}
