namespace Nano;

/// <summary>
/// Batches of token rows: inputs are T tokens, targets the same ones later. Which rows a step sees
/// is a pure function of (seed, step), so a resumed run needs no state from here, and row number r
/// of a run is the same however the rows are divided into micro-batches.
/// </summary>
public sealed class BatchLoader
{
    private readonly TokenSource tokens;
    private readonly PackedRows? packed;
    private readonly Sampling sampling;
    private readonly int[] window;
    private WindowOrder? order;
    private ulong orderSeed;

    /// <exception cref="NanoException">Fewer tokens than one window needs.</exception>
    public BatchLoader(int[] tokens, int batch, int time, string what) : this(TokenSource.Of(tokens), batch, time, what)
    {
    }

    /// <param name="tokens">The text.</param>
    /// <param name="batch">B.</param>
    /// <param name="time">T.</param>
    /// <param name="what">The use of the text, in errors.</param>
    /// <param name="sampling">The order of the rows of <see cref="Training"/>.</param>
    /// <param name="separator">The id that begins each document, for rows of whole documents. Null
    /// for windows that begin anywhere.</param>
    /// <exception cref="NanoException">Fewer tokens than one window needs.</exception>
    public BatchLoader(TokenSource tokens, int batch, int time, string what, Sampling sampling = Sampling.Random,
        int? separator = null)
    {
        if (tokens.Length < time + 1)
            throw new NanoException($"the {what} text has {tokens.Length} tokens, but a window takes {time + 1}",
                "use more text or a smaller `seq`");
        (this.tokens, Batch, Time, this.sampling, window) = (tokens, batch, time, sampling, new int[time + 1]);
        packed = separator is { } id ? new PackedRows(tokens, time, id) : null;
    }

    /// <summary>Rows per batch.</summary>
    public int Batch { get; }

    /// <summary>Tokens per row.</summary>
    public int Time { get; }

    /// <summary>Tokens in all.</summary>
    public long TokenCount => tokens.Length;

    /// <summary>Windows without overlap that cover the text; up to T - 1 tokens at its end are left over.</summary>
    public long WindowCount => (tokens.Length - 1) / Time;

    /// <summary>Targets behind the last whole window, from 0 to T - 1.</summary>
    public int TailLength => (int)((tokens.Length - 1) % Time);

    /// <summary>
    /// Rows of an epoch of training: windows without overlap, or packed rows. The tail behind the
    /// last whole window is in no epoch.
    /// </summary>
    public long RowCount => packed?.Count ?? WindowCount;

    /// <summary>
    /// Fills ids and targets, both [B, T], with the rows of a micro-batch of training; of packed
    /// rows what no document fills gets targets of -100.
    /// </summary>
    /// <param name="seed">Of the run.</param>
    /// <param name="batch">The micro-batch, counted from 0 over the whole run.</param>
    /// <param name="ids">Inputs.</param>
    /// <param name="targets">The tokens to predict.</param>
    public void Training(ulong seed, long batch, Tensor ids, Tensor targets)
    {
        if (packed is null && sampling == Sampling.Random)
        {
            Random(seed, RandomPurpose.TrainingWindows, batch, ids, targets);
            return;
        }
        for (int row = 0; row < Batch; row++)
        {
            long chosen = Choose(seed, (batch * Batch) + row);
            if (packed is null)
                CopyWindow(chosen * Time, row, ids.Ids, targets.Ids);
            else
                CopyPacked(packed, chosen, row, ids.Ids, targets.Ids);
        }
    }

    /// <summary>
    /// The lengths of the documents in a packed batch, in order; they add up to B * T, for each id
    /// that fills a row up counts as one. Null if rows are windows.
    /// </summary>
    /// <param name="ids">Inputs that <see cref="Training"/> filled.</param>
    public int[]? DocumentLengths(Tensor ids)
    {
        if (packed is null)
            return null;
        var lengths = new List<int>();
        int start = 0;
        for (int at = 1; at < Batch * Time; at++)
        {
            if (at % Time != 0 && ids.Ids[at] != packed.Separator)
                continue;
            lengths.Add(at - start);
            start = at;
        }
        lengths.Add((Batch * Time) - start);
        return [.. lengths];
    }

    /// <summary>Fills ids and targets, both [B, T], with the random windows of one step.</summary>
    public void Random(ulong seed, RandomPurpose purpose, long step, Tensor ids, Tensor targets)
    {
        for (int row = 0; row < Batch; row++)
            CopyWindow(Philox.Below(Philox.Key(seed, (ulong)purpose), 0, (ulong)((step * Batch) + row),
                tokens.Length - Time), row, ids.Ids, targets.Ids);
    }

    /// <summary>
    /// Fills ids and targets [B, T] with windows first, first + 1 ... in order; rows beyond the
    /// last window get targets of -100.
    /// </summary>
    public void InOrder(long first, Tensor ids, Tensor targets)
    {
        for (int row = 0; row < Batch; row++)
        {
            if (first + row < WindowCount)
            {
                CopyWindow((first + row) * Time, row, ids.Ids, targets.Ids);
                continue;
            }
            ids.Ids.Slice(row * Time, Time).Clear();
            targets.Ids.Slice(row * Time, Time).Fill(UpdateBatch.Ignored);
        }
    }

    /// <summary>
    /// Fills ids and targets [1, <see cref="TailLength"/>] with what lies behind the last whole
    /// window.
    /// </summary>
    public void Tail(Tensor ids, Tensor targets)
    {
        tokens.CopyTo(WindowCount * Time, ids.Ids);
        tokens.CopyTo((WindowCount * Time) + 1, targets.Ids);
    }

    /// <summary>The row of an epoch that is row number r of the run.</summary>
    private long Choose(ulong seed, long r)
    {
        if (sampling == Sampling.InOrder)
            return r % RowCount;
        if (sampling == Sampling.Random)
            return Philox.Below(Philox.Key(seed, (ulong)RandomPurpose.TrainingWindows), 0, (ulong)r, RowCount);
        if (order is null || orderSeed != seed)
            (order, orderSeed) = (new WindowOrder(seed, RowCount), seed);
        return order[r];
    }

    private void CopyWindow(long start, int row, Span<int> ids, Span<int> targets)
    {
        tokens.CopyTo(start, window);
        window.AsSpan(0, Time).CopyTo(ids[(row * Time)..]);
        window.AsSpan(1, Time).CopyTo(targets[(row * Time)..]);
    }

    private void CopyPacked(PackedRows packed, long chosen, int row, Span<int> ids, Span<int> targets)
    {
        var (start, length) = packed[chosen];
        int counted = packed.CountedTargets(chosen);
        ids = ids.Slice(row * Time, Time);
        targets = targets.Slice(row * Time, Time);
        tokens.CopyTo(start, ids[..length]);
        tokens.CopyTo(start + 1, targets[..counted]);
        ids[length..].Fill(packed.Separator);
        targets[counted..].Fill(UpdateBatch.Ignored);
    }
}
