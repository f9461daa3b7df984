namespace Nano;

/// <summary>
/// The keys and values of every position seen so far, per layer: a new token then costs one row,
/// not all. Holds several sequences, rows, each of its own length. A model's batch stands for the
/// rows that were selected last: at first all, in order.
/// <para>
/// Recurrent layers keep states in their place, zero at first, of one size however long the text is. A state is that
/// behind the last position and knows nothing of those before: it can be copied and cleared, not shortened.
/// </para>
/// </summary>
public sealed class KvCache : IDisposable
{
    private readonly Arena arena = new();
    private readonly (Tensor K, Tensor V)[] layers; // [rows * capacity, channels] each, of floats
    private readonly (CacheTable K, CacheTable V)[] tables; // likewise, in fewer bits
    private readonly Tensor[,] states; // by layer and slot, [rows, ...] each
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
    {
        if (channels > 0 && (long)rows * capacity > int.MaxValue)
            throw new NanoException($"{rows:N0} sequences of {capacity:N0} positions are more than a cache can hold",
                "make fewer texts at a time, or shorter ones");
        Capacity = capacity;
        lengths = new int[rows];
        selected = [.. Enumerable.Range(0, rows)];
        bool areFloats = type == WeightType.F32;
        layers = new (Tensor, Tensor)[areFloats && channels > 0 ? layerCount : 0];
        tables = new (CacheTable, CacheTable)[areFloats || channels == 0 ? 0 : layerCount];
        valueChannels = valueChannels == 0 ? channels : valueChannels;
        for (int i = 0; i < layers.Length; i++)
            layers[i] = (new Tensor(arena, new Shape(rows * capacity, channels)),
                new Tensor(arena, new Shape(rows * capacity, valueChannels)));
        for (int i = 0; i < tables.Length; i++)
            tables[i] = (new CacheTable(arena, type, rows * capacity, channels),
                new CacheTable(arena, type, rows * capacity, valueChannels));
        states = new Tensor[layerCount, stateShapes?.Count ?? 0];
        for (int i = 0; i < layerCount; i++)
            for (int slot = 0; slot < states.GetLength(1); slot++)
                states[i, slot] = new Tensor(arena, OfRows(rows, stateShapes![slot]));
    }

    private static Shape OfRows(int rows, Shape shape) => new([rows, .. shape.ToArray().Select(size => (int)size)]);

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

    private Tensor AttendRow(Compute c, int layer, int b, Tensor q, Tensor k, Tensor v, in AttentionOptions options)
    {
        int row = selected[b], T = k.Shape[1], first = row * Capacity, length = lengths[row];
        if (tables.Length > 0)
        {
            var (keyTable, valueTable) = tables[layer];
            keyTable.Write(c, first + length, k);
            valueTable.Write(c, first + length, v);
            return c.CachedAttention(q, keyTable, valueTable, first, length + T, v.Shape[2] / options.KeyHeads,
                options);
        }
        var (keys, values) = layers[layer];
        keys.RowsInStep(c.StepTensors, first + length, k.Shape).CopyFrom(k);
        values.RowsInStep(c.StepTensors, first + length, v.Shape).CopyFrom(v);
        return c.Attention(q,
            keys.RowsInStep(c.StepTensors, first, new Shape(1, length + T, k.Shape[2])),
            values.RowsInStep(c.StepTensors, first, new Shape(1, length + T, v.Shape[2])), options);
    }

    /// <summary>The states of the selected rows in a slot of a layer, [B, ...].</summary>
    public Tensor State(Compute c, int layer, int slot)
    {
        var held = states[layer, slot];
        var state = c.New(WithRows(held.Shape, selected.Length));
        for (int b = 0; b < selected.Length; b++)
            state.SliceRows(b, 1).CopyFrom(Row(c, held, selected[b]));
        return state;
    }

    /// <summary>Replaces the states of the selected rows in a slot of a layer by others, [B, ...].</summary>
    /// <exception cref="ArgumentException">They do not have the shape that the cache was made for.</exception>
    public void SetState(Compute c, int layer, int slot, Tensor state)
    {
        var held = states[layer, slot];
        if (state.Shape != WithRows(held.Shape, selected.Length))
            throw new ArgumentException(
                $"a cache of states {held} for {selected.Length} sequences cannot take {state}");
        for (int b = 0; b < selected.Length; b++)
            Row(c, held, selected[b]).CopyFrom(state.SliceRows(b, 1));
    }

    private static Tensor Row(Compute c, Tensor held, int row)
    {
        var shape = WithRows(held.Shape, 1);
        return held.RowsInStep(c.StepTensors, checked((int)(row * shape.Rows)), shape);
    }

    private static Shape WithRows(Shape shape, int rows) => shape.Rank switch
    {
        2 => new(rows, shape[1]),
        3 => new(rows, shape[1], shape[2]),
        _ => new(rows, shape[1], shape[2], shape[3]),
    };

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
        foreach (var state in states)
            state.SliceRows(to, 1).CopyFrom(state.SliceRows(from, 1));
        int count = lengths[from] - start;
        foreach (var (k, v) in layers)
            foreach (var tensor in (ReadOnlySpan<Tensor>)[k, v])
                tensor.SliceRows((to * Capacity) + start, count)
                    .CopyFrom(tensor.SliceRows((from * Capacity) + start, count));
        foreach (var (k, v) in tables)
            foreach (var table in (ReadOnlySpan<CacheTable>)[k, v])
                table.Copy((from * Capacity) + start, (to * Capacity) + start, count);
        lengths[to] = lengths[from];
    }

    /// <summary>Forgets a row.</summary>
    public void Clear(int row)
    {
        lengths[row] = 0;
        foreach (var state in states)
            state.SliceRows(row, 1).Data.Clear();
    }

    /// <summary>Forgets everything; a batch stands for all rows again.</summary>
    public void Clear()
    {
        Array.Clear(lengths);
        foreach (var state in states)
            state.Data.Clear();
        selected = [.. Enumerable.Range(0, Rows)];
    }

    /// <inheritdoc/>
    public void Dispose() => arena.Dispose();
}
