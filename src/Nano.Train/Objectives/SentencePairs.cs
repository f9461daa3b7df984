namespace Nano;

/// <summary>Two sentences as an encoder reads them.</summary>
/// <param name="Ids">[CLS] first [SEP] second [SEP].</param>
/// <param name="Types">0 up to the first [SEP], then 1.</param>
/// <param name="Label">0: the second follows the first; 1: it is of another document.</param>
public sealed record SentencePair(int[] Ids, int[] Types, int Label);

/// <summary>
/// Pairs of sentences (Devlin et al., "BERT", 2018, section 3.1): half of them follow each other in a document, in the
/// others the second is of another one. A pair is a pure function of the seed, the step and the row.
/// </summary>
/// <param name="documents">The sentences of each document, as ids; at least two documents, and two sentences in one of
/// them.</param>
/// <param name="begin">The id of [CLS].</param>
/// <param name="end">The id of [SEP].</param>
/// <param name="longest">The longest pair in tokens; the longer sentence of a longer pair loses its end.</param>
public sealed class SentencePairs(IReadOnlyList<int[][]> documents, int begin, int end, int longest)
{
    private readonly int[] several = [.. Enumerable.Range(0, documents.Count).Where(i => documents[i].Length > 1)];

    /// <summary>The pair of a row of a step.</summary>
    public SentencePair Of(ulong seed, long step, int row)
    {
        ulong key = Philox.Key(seed, (ulong)RandomPurpose.SentencePairs);
        int document = several[Below(0, several.Length)], sentence = Below(1, documents[document].Length - 1);
        bool follows = Below(2, 2) == 0;
        int other = (document + 1 + Below(3, documents.Count - 1)) % documents.Count;
        int[] first = documents[document][sentence],
            second = follows ? documents[document][sentence + 1] : documents[other][Below(4, documents[other].Length)];
        int room = longest - 3, a = first.Length, b = second.Length;
        while (a + b > room)
            (a, b) = a > b ? (a - 1, b) : (a, b - 1);
        int[] types = new int[a + b + 3];
        types.AsSpan(a + 2).Fill(1);
        return new([begin, .. first[..a], end, .. second[..b], end], types, follows ? 0 : 1);

        int Below(int draw, int count) => (int)Philox.Below(key, (ulong)step, ((ulong)row << 8) | (uint)draw, count);
    }
}
