namespace Nano;

/// <summary>
/// A text cut into chunks of equal length, each of which a model reads as a text of its own.
/// </summary>
internal static class TextChunks
{
    /// <summary>
    /// The number of chunks of a text; what does not fill one at its end is left out.
    /// </summary>
    /// <param name="config">The model.</param>
    /// <param name="ids">The text.</param>
    /// <param name="length">Tokens of a chunk.</param>
    /// <param name="most">The most chunks; null for the whole text.</param>
    /// <exception cref="NanoException">The text is too short, an id is not the model's, or a number
    /// is out of range.
    /// </exception>
    public static int Count(ModelConfig config, ReadOnlySpan<int> ids, int length, int? most)
    {
        if (length < 2 || length > config.ContextLength)
            throw new NanoException($"a chunk must have from 2 to {config.ContextLength} tokens, the model's context, "
                + $"got {length}");
        if (most < 1)
            throw new NanoException($"the number of chunks must be 1 or more, got {most}");
        if (ids.Length < length)
            throw new NanoException($"the text is too short: it has {ids.Length} tokens, and a chunk takes {length}",
                "use more text, or shorter chunks");
        int wrong = ids.IndexOfAnyExceptInRange(0, config.VocabSize - 1);
        if (wrong >= 0)
            throw new NanoException($"the text has the id {ids[wrong]}; the model's ids run from 0 to "
                + $"{config.VocabSize - 1}", "is this the model's tokenizer?");
        return Math.Min(most ?? int.MaxValue, ids.Length / length);
    }

    /// <summary>
    /// Runs a model over a chunk; returns the sum of the losses of its tokens but the first.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="compute">The context to run in, without a tape.</param>
    /// <param name="chunk">The chunk.</param>
    /// <param name="beginId">The id that takes the place of the first, or null.</param>
    public static double Run(LanguageModel model, Compute compute, ReadOnlySpan<int> chunk, int? beginId)
    {
        var shape = new Shape(1, chunk.Length);
        int[] inputs = chunk.ToArray(), targets = [.. chunk[1..], -100]; // the last one's successor is another chunk's
        inputs[0] = beginId ?? inputs[0];
        compute.NextStep();
        var (_, nll) = model.Loss(compute, Tensor.FromIds(shape, inputs), Tensor.FromIds(shape, targets));
        double nats = 0;
        foreach (float loss in nll.Data)
            nats += loss;
        return nats;
    }
}
