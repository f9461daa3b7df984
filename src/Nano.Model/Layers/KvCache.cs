namespace Nano;

/// <summary>
/// The keys and values of every position seen so far, per layer: a new token then costs one row,
/// not all. Holds several sequences, rows, each of its own length. A model's batch stands for the
/// rows that were selected last: at first all, in order.
/// <para>
/// Layers with a window hold no more than it needs, however long the text, see <see cref="LayerCache"/>.
/// Recurrent layers keep states in their place, zero at first, of one size however long the text is. A state is that
/// behind the last position and knows nothing of those before: it can be copied and cleared, not shortened.
/// </para>
/// </summary>
public sealed class KvCache : IDisposable
{
    private readonly Arena arena = new();
    private readonly LayerCache[] layers;
    private readonly int[] lengths; // by row
    private int[] selected;

    /// <param name="layerCount">L.</param>
    /// <param name="capacity">Positions for each row.</param>
    /// <param name="channels">KV * D, channels of a position's keys; 0 if there are no keys and values.</param>
    /// <param name="rows">Sequences.</param>
    /// <param name="type">F32, F16, Q8_0 or Q4_0; blocks lie along a head's channels.</param>
    /// <param name="valueChannels">KV * Dv, channels of a position's values; 0 for as many as keys have.</param>
    /// <param name="stateShapes">The shapes of a layer's states, for one row; null for none.</param>
    /// <exception cref="NanoException">They have more positions together than can be counted.</exception>
    public KvCache(int layerCount, int capacity, int channels, int rows = 1, WeightType type = WeightType.F32,
        int valueChannels = 0, IReadOnlyList<Shape>? stateShapes = null)
        : this([.. Enumerable.Repeat(new CacheLayer(channels, valueChannels == 0 ? channels : valueChannels)
        {
            States = stateShapes ?? [],
        }, layerCount)], capacity, rows, type)
    {
    }

    /// <param name="layers">What is held of each layer.</param>
    /// <param name="capacity">Positions for each row.</param>
    /// <param name="rows">Sequences.</param>
    /// <param name="type">F32, F16, Q8_0 or Q4_0; blocks lie along a head's channels.</param>
    /// <exception cref="NanoException">They have more positions together than can be counted.</exception>
    public KvCache(IReadOnlyList<CacheLayer> layers, int capacity, int rows = 1, WeightType type = WeightType.F32)
    {
        if (layers.Any(layer => layer.KeyChannels > 0 && (long)rows * layer.Held(capacity) > int.MaxValue))
            throw new NanoException($"{rows:N0} sequences of {capacity:N0} positions are more than a cache can hold",
                "make fewer texts at a time, or shorter ones");
        Capacity = capacity;
        lengths = new int[rows];
        selected = [.. Enumerable.Range(0, rows)];
        this.layers = [.. layers.Select(layer => new LayerCache(arena, layer, rows, capacity, type))];
    }

    /// <summary>The types of numbers that a cache can hold.</summary>
    public static IReadOnlyList<WeightType> Types { get; } =
        [WeightType.F32, WeightType.F16, WeightType.Q8_0, WeightType.Q4_0];

    /// <summary>Positions that fit in a row.</summary>
    public int Capacity { get; }

    /// <summary>Sequences that fit.</summary>
    public int Rows => lengths.Length;

    /// <summary>The rows that a batch stands for.</summary>
    public ReadOnlySpan<int> Selected => selected;

    /// <summary>Positions held by the longest selected row.</summary>
    public int Length
    {
        get
        {
            int longest = 0;
            foreach (int row in selected)
                longest = Math.Max(longest, lengths[row]);
            return longest;
        }
    }

    /// <summary>Positions held by a row.</summary>
    public int LengthOf(int row) => lengths[row];

    /// <summary>Says for which rows the next batches stand: row i of a batch is sequence rows[i].</summary>
    public void Select(params ReadOnlySpan<int> rows)
    {
        if (!rows.SequenceEqual(selected))
            selected = rows.ToArray();
    }

    /// <summary>The positions of T new tokens of each selected row, [B, T].</summary>
    public Tensor Positions(Compute c, int T)
    {
        var positions = c.New(new Shape(selected.Length, T), DType.Int32);
        var ids = positions.Ids;
        for (int b = 0; b < selected.Length; b++)
            for (int t = 0; t < T; t++)
                ids[(b * T) + t] = lengths[selected[b]] + t;
        return positions;
    }

    /// <summary>
    /// Puts the keys and values [B, T, channels] of new positions behind those held, and attends to
    /// all of them: each row to its own, whose first position is 0, so that it gets the bits of its
    /// solo run. q [B, T, H * D] gives [B, T, H * Dv]; see <see cref="AttentionExtensions.Attention"/>.
    /// </summary>
    /// <exception cref="ArgumentException">They do not fit, or the options are not those of a causal text.</exception>
    public Tensor Attend(Compute c, int layer, Tensor q, Tensor k, Tensor v, in AttentionOptions options)
    {
        int B = selected.Length, T = k.Shape[1];
        if (k.Shape[0] != B || Length + T > Capacity)
            throw new ArgumentException(
                $"a cache of {Capacity} positions for {B} sequences, {Length} in use, cannot take {k}");
        if (!options.IsCausal || options.Lengths is not null || options.Segments is not null)
            throw new ArgumentException(
                "a cache holds causal texts, whose lengths it knows: no others, and no segments");
        if (B == 1)
            return AttendRow(c, layer, 0, q, k, v, options);
        var y = c.New(new Shape(B, T, v.Shape[2] / options.KeyHeads * options.Heads));
        for (int b = 0; b < B; b++)
            y.SliceRows(b, 1).CopyFrom(AttendRow(c, layer, b, q.SliceRows(b, 1), k.SliceRows(b, 1), v.SliceRows(b, 1),
                options));
        return y;
    }

    private Tensor AttendRow(Compute c, int layer, int b, Tensor q, Tensor k, Tensor v, in AttentionOptions options) =>
        layers[layer].Attend(c, selected[b], lengths[selected[b]], q, k, v, options);

    /// <summary>The states of the selected rows in a slot of a layer, [B, ...].</summary>
    public Tensor State(Compute c, int layer, int slot) => layers[layer].State(c, slot, selected);

    /// <summary>Replaces the states of the selected rows in a slot of a layer by others, [B, ...].</summary>
    /// <exception cref="ArgumentException">They do not have the shape that the cache was made for.</exception>
    public void SetState(Compute c, int layer, int slot, Tensor state) =>
        layers[layer].SetState(c, slot, state, selected);

    /// <summary>Counts new positions of the selected rows once every layer has them.</summary>
    public void Advance(int positions)
    {
        foreach (int row in selected)
            lengths[row] += positions;
    }

    /// <summary>
    /// Makes a row the same as another from a position on; before it they must be so already. States are copied whole.
    /// </summary>
    public void CopyRow(int from, int to, int start)
    {
        foreach (var layer in layers)
            layer.CopyRow(from, to, start, lengths[from]);
        lengths[to] = lengths[from];
    }

    /// <summary>Forgets a row.</summary>
    public void Clear(int row)
    {
        lengths[row] = 0;
        foreach (var layer in layers)
            layer.Clear(row);
    }

    /// <summary>Forgets everything; a batch stands for all rows again.</summary>
    public void Clear()
    {
        for (int row = 0; row < Rows; row++)
            Clear(row);
        selected = [.. Enumerable.Range(0, Rows)];
    }

    /// <inheritdoc/>
    public void Dispose() => arena.Dispose();
}
