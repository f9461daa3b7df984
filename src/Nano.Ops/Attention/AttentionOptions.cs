namespace Nano;

/// <summary>
/// The kind of an attention. Scores are changed in this order: scale, cap, biases, mask, softmax.
/// </summary>
/// <param name="Heads">H, query heads.</param>
/// <param name="KeyHeads">KV, key and value heads; divides H.</param>
public readonly record struct AttentionOptions(int Heads, int KeyHeads)
{
    /// <summary>Factor on the scores; 0 means 1 / sqrt(D).</summary>
    public float Scale { get; init; } = 0;

    /// <summary>
    /// True if the last query is at the last key's position and no query sees a key behind its own
    /// position. If false, every query sees every key, and the first query and key have position 0.
    /// </summary>
    public bool IsCausal { get; init; } = true;

    /// <summary>The most keys that a causal query sees, the last of them its own; 0 for all before it.</summary>
    public int Window { get; init; } = 0;

    /// <summary>
    /// The first keys, which are seen beyond the window too (Xiao et al., "Efficient Streaming
    /// Language Models with Attention Sinks", 2023).
    /// </summary>
    public int Sinks { get; init; } = 0;

    /// <summary>
    /// Keys of each entry of the batch, ids [B]: those at or beyond it are hidden. Padded queries are
    /// computed; nothing is to read them. A query that sees no key gives zeros. Null for all keys.
    /// </summary>
    public Tensor? Lengths { get; init; } = null;

    /// <summary>
    /// The documents within which rows see each other, with Tq = Tk; null for one document per entry
    /// of the batch.
    /// </summary>
    public Segments? Segments { get; init; } = null;

    /// <summary>c, scores become c tanh(s / c); 0 for none.</summary>
    public float SoftCap { get; init; } = 0;

    /// <summary>
    /// A slope m for each head, [H]: the score of key j and query i rises by m (j - i), see
    /// <see cref="Alibi"/>. They have no gradient. Null for none.
    /// </summary>
    public Tensor? Slopes { get; init; } = null;

    /// <summary>A learned bias for each head and range of distances; null for none.</summary>
    public RelativeBias? RelativeBias { get; init; } = null;

    /// <summary>
    /// A learned logit for each head, [H], which joins the softmax and has no value (gpt-oss); null
    /// for none.
    /// </summary>
    public Tensor? LearnedSink { get; init; } = null;
}
