namespace Nano;

/// <summary>
/// T5's training task (Raffel et al., "Exploring the Limits of Transfer Learning", 2019, section 3.1.4): 15 % of the
/// tokens are left out in spans of 3 on average; a sentinel stands in the place of each span, the highest id first, and
/// the target lists each sentinel with the tokens of its span, one more sentinel, and the end. A pure function of the
/// seed, the step and the row. Text and spans are cut by as many cuts, each set of cuts as likely as any other, and a
/// row begins with text.
/// </summary>
/// <param name="VocabSize">V; sentinel i is V - 1 - i.</param>
/// <param name="EndToken">The id that ends both texts.</param>
public sealed record SpanCorruption(int VocabSize, int EndToken)
{
    /// <summary>The share of tokens that are left out.</summary>
    public double Share { get; init; } = 0.15;

    /// <summary>The mean length of a span.</summary>
    public double MeanSpan { get; init; } = 3;

    /// <summary>The text with sentinels, and the text that tells the spans, of a row of at least two tokens.</summary>
    public (int[] Input, int[] Target) Apply(ulong seed, long step, int row, ReadOnlySpan<int> ids)
    {
        if (ids.Length < 2)
            throw new ArgumentException($"a row of {ids.Length} tokens has no span to leave out");
        ulong key = Philox.Key(seed, (ulong)RandomPurpose.CorruptedSpans);
        int noise = Math.Clamp((int)Math.Round(ids.Length * Share), 1, ids.Length - 1);
        int spans = Math.Clamp((int)Math.Round(noise / MeanSpan), 1, Math.Min(noise, ids.Length - noise));
        int[] kept = Parts(ids.Length - noise, 0), lost = Parts(noise, 1);
        List<int> input = [], target = [];
        for (int i = 0, at = 0; i < spans; at += kept[i] + lost[i], i++)
        {
            input.AddRange(ids.Slice(at, kept[i]));
            input.Add(VocabSize - 1 - i);
            target.Add(VocabSize - 1 - i);
            target.AddRange(ids.Slice(at + kept[i], lost[i]));
        }
        return ([.. input, EndToken], [.. target, VocabSize - 1 - spans, EndToken]);

        // The lengths of parts that are not empty: the places of the cuts are those with the lowest random numbers.
        int[] Parts(int length, int draw)
        {
            int[] cuts = [0, .. Enumerable.Range(1, length - 1)
                .OrderBy(place => Philox.Uniform(key, (ulong)step, ((ulong)row << 32) | (uint)((place << 1) + draw)))
                .Take(spans - 1).Order(), length];
            return [.. cuts.Zip(cuts[1..], (from, to) => to - from)];
        }
    }

    /// <summary>
    /// A batch for an encoder-decoder: input_ids and attention_mask, decoder_input_ids (the target behind the start
    /// token), and targets.
    /// </summary>
    /// <param name="c">The context, in whose step the tensors live.</param>
    /// <param name="rows">Inputs and targets.</param>
    /// <param name="startToken">The id that the decoder begins with, also that of padding.</param>
    public static Batch BatchOf(Compute c, IReadOnlyList<(int[] Input, int[] Target)> rows, int startToken)
    {
        var batch = EncoderTokens.Padded(c, [.. rows.Select(row => row.Input)], startToken);
        var shape = new Shape(rows.Count, rows.Max(row => row.Target.Length));
        Tensor before = c.New(shape, DType.Int32), targets = c.New(shape, DType.Int32);
        before.Ids.Fill(startToken);
        targets.Ids.Fill(UpdateBatch.Ignored);
        for (int b = 0; b < rows.Count; b++)
        {
            int[] target = rows[b].Target;
            target.CopyTo(targets.Ids[(b * shape[1])..]);
            target[..^1].CopyTo(before.Ids[((b * shape[1]) + 1)..]);
        }
        (batch["decoder_input_ids"], batch["targets"]) = (before, targets);
        return new(batch);
    }
}
