namespace Nano;

/// <summary>The loss of a model on a text, in several units.</summary>
/// <param name="Tokens">Tokens that were predicted: all but the first.</param>
/// <param name="Nats">The sum of -log p over them.</param>
/// <param name="Bytes">Of the whole text in UTF-8.</param>
public sealed record Evaluation(long Tokens, double Nats, long Bytes)
{
    /// <summary>Mean of -log p of a token, in nats.</summary>
    public double Loss => Nats / Tokens;

    /// <summary>exp of the loss.</summary>
    public double Perplexity => Math.Exp(Loss);

    /// <summary>
    /// Bits that the model needs per byte of text: independent of the tokenizer, so it compares
    /// models with different ones.
    /// </summary>
    public double BitsPerByte => Nats / Math.Log(2) / Bytes;
}

/// <summary>Mean loss of a model on text it does not learn from, in nats per token.</summary>
public static class Evaluate
{
    /// <summary>
    /// Over a whole text in windows of T inputs that begin every stride tokens; each token is
    /// predicted once, in the first window that reaches it, so it sees at least T - stride tokens
    /// before it, or all that there are. The last window may be shorter. Neither batch nor threads
    /// change the result.
    /// </summary>
    /// <param name="losses">The model, where it is computed.</param>
    /// <param name="ids">The text, at least two tokens; the first is only seen.</param>
    /// <param name="bytes">Length of the text in UTF-8.</param>
    /// <param name="time">T, at most the model's context.</param>
    /// <param name="stride">From 1 to T.</param>
    /// <param name="batch">Windows that are computed together.</param>
    /// <param name="progress">Is told how many tokens are done.</param>
    /// <exception cref="NanoException">A value is out of range, or the text too short.</exception>
    public static Evaluation OnText(ITokenLosses losses, ReadOnlyMemory<int> ids, long bytes, int time, int stride,
        int batch, Action<long>? progress = null)
    {
        int V = losses.Config.VocabSize, targets = ids.Length - 1, windows = 1;
        if (time < 1 || time > losses.Config.ContextLength)
            throw new NanoException(
                $"a window must have from 1 to {losses.Config.ContextLength} tokens, the model's context, got {time}");
        if (stride < 1 || stride > time)
            throw new NanoException($"the stride must be from 1 to {time}, the length of a window, got {stride}");
        if (batch < 1)
            throw new NanoException($"the batch must be 1 or more, got {batch}");
        if (targets < 1)
            throw new NanoException($"the text has {ids.Length} tokens; it takes two to predict one from the other",
                "use more text");
        foreach (int id in ids.Span)
            if ((uint)id >= (uint)V)
                throw new NanoException($"the text has the id {id}; the model's ids run from 0 to {V - 1}",
                    "is this the model's tokenizer?");
        if (targets > time)
            windows += (int)(((long)targets - time + stride - 1) / stride);
        double nats = 0;
        for (int first = 0; first < windows;)
        {
            int length = Math.Min(time, targets - (first * stride)); // only the last window is shorter
            int rows = length < time ? 1 : Math.Min(batch, ((targets - (first * stride) - time) / stride) + 1);
            nats = AddWindows(nats, losses, ids, first, rows, length, stride, known: time - stride);
            first += rows;
            progress?.Invoke(Math.Min(targets, ((first - 1L) * stride) + time));
        }
        return new Evaluation(targets, nats, bytes);
    }

    /// <summary>
    /// A sum and the losses of windows first, first + 1 ... of equal length; the first known
    /// targets of a window are also the last of the one before.
    /// </summary>
    private static double AddWindows(double sum, ITokenLosses losses, ReadOnlyMemory<int> text, int first, int rows,
        int length, int stride, int known) => losses.Add(sum, rows, length, (ids, targets) =>
    {
        var tokens = text.Span;
        for (int row = 0; row < rows; row++)
        {
            int start = (first + row) * stride;
            tokens.Slice(start, length).CopyTo(ids.Ids[(row * length)..]);
            tokens.Slice(start + 1, length).CopyTo(targets.Ids[(row * length)..]);
            if (start > 0)
                targets.Ids.Slice(row * length, known).Fill(-100);
        }
    });
}
