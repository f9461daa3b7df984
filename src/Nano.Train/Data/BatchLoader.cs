namespace Nano;

/// <summary>
/// Batches of token windows: inputs are T tokens from a random start, targets the same window one token later. Which windows a step sees
/// is a pure function of (seed, step), so a resumed run needs no state from here.
/// </summary>
public sealed class BatchLoader
{
    private readonly int[] tokens;

    /// <exception cref="NanoException">Fewer tokens than one window needs.</exception>
    public BatchLoader(int[] tokens, int batch, int time, string what)
    {
        if (tokens.Length < time + 1)
            throw new NanoException($"the {what} text has {tokens.Length} tokens, but a window takes {time + 1}", "use more text or a smaller --seq");
        (this.tokens, Batch, Time) = (tokens, batch, time);
    }

    /// <summary>Rows per batch.</summary>
    public int Batch { get; }

    /// <summary>Tokens per row.</summary>
    public int Time { get; }

    /// <summary>Tokens in all.</summary>
    public int TokenCount => tokens.Length;

    /// <summary>Fills ids and targets, both [B, T], with the random windows of one step.</summary>
    public void Random(ulong seed, RandomPurpose purpose, long step, Tensor ids, Tensor targets)
    {
        for (int row = 0; row < Batch; row++)
            CopyWindow((int)Philox.Below(Philox.Key(seed, (ulong)purpose), 0, (ulong)((step * Batch) + row), tokens.Length - Time), row, ids.Ids, targets.Ids);
    }

    /// <summary>Windows without overlap that cover the text; up to T - 1 tokens at its end are left over.</summary>
    public int WindowCount => (tokens.Length - 1) / Time;

    /// <summary>Fills ids and targets [B, T] with windows first, first + 1 ... in order; rows beyond the last window get targets of -100.</summary>
    public void InOrder(int first, Tensor ids, Tensor targets)
    {
        for (int row = 0; row < Batch; row++)
        {
            if (first + row < WindowCount)
            {
                CopyWindow((first + row) * Time, row, ids.Ids, targets.Ids);
                continue;
            }
            ids.Ids.Slice(row * Time, Time).Clear();
            targets.Ids.Slice(row * Time, Time).Fill(-100);
        }
    }

    private void CopyWindow(int start, int row, Span<int> ids, Span<int> targets)
    {
        tokens.AsSpan(start, Time).CopyTo(ids[(row * Time)..]);
        tokens.AsSpan(start + 1, Time).CopyTo(targets[(row * Time)..]);
    }
}
