namespace Nano;

/// <summary>
/// The batches of an encoder's training: rows of ids, masked by <see cref="MaskedTokens"/>, and padded. Of sentence
/// pairs also their types and labels.
/// </summary>
/// <param name="mask">The rule of masking.</param>
/// <param name="padding">The id of padding.</param>
/// <param name="seed">The seed of the run.</param>
public sealed class MaskedTraining(MaskedTokens mask, int padding, ulong seed)
{
    /// <summary>The batch of some rows: input_ids, attention_mask, targets.</summary>
    /// <param name="c">The context, in whose step the tensors live.</param>
    /// <param name="step">The step.</param>
    /// <param name="rows">The rows as they are.</param>
    public Dictionary<string, Tensor> Masked(Compute c, long step, IReadOnlyList<int[]> rows)
    {
        var batch = EncoderTokens.Padded(c, rows, padding);
        Tensor ids = batch["input_ids"], targets = c.New(ids.Shape, DType.Int32);
        int T = ids.Shape[1];
        targets.Ids.Fill(UpdateBatch.Ignored);
        for (int b = 0; b < rows.Count; b++)
            mask.Apply(seed, step, b, ids.Ids.Slice(b * T, rows[b].Length), targets.Ids.Slice(b * T, rows[b].Length));
        batch["targets"] = targets;
        return batch;
    }

    /// <summary>The batch of pairs, with token_type_ids and next_sentence_label too.</summary>
    public Batch Pairs(Compute c, long step, IReadOnlyList<SentencePair> pairs)
    {
        var batch = Masked(c, step, [.. pairs.Select(pair => pair.Ids)]);
        int T = batch["input_ids"].Shape[1];
        Tensor types = c.New(new Shape(pairs.Count, T), DType.Int32),
            labels = c.New(new Shape(pairs.Count), DType.Int32);
        types.Ids.Clear();
        for (int b = 0; b < pairs.Count; b++)
        {
            pairs[b].Types.CopyTo(types.Ids[(b * T)..]);
            labels.Ids[b] = pairs[b].Label;
        }
        (batch["token_type_ids"], batch["next_sentence_label"]) = (types, labels);
        return new(batch);
    }
}
