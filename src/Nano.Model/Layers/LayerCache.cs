namespace Nano;

/// <summary>The part of a cache that is of one layer, for each text.</summary>
/// <param name="KeyChannels">KV * D, channels of a position's keys; 0 if there are no keys and values.</param>
/// <param name="ValueChannels">KV * Dv, channels of a position's values.</param>
public sealed record CacheLayer(int KeyChannels, int ValueChannels)
{
    /// <summary>The most positions that a query of the layer sees, its own included; 0 for all.</summary>
    public int Window { get; init; }

    /// <summary>The shapes of its states, for one text.</summary>
    public IReadOnlyList<Shape> States { get; init; } = [];

    /// <summary>Positions that are held for each text, of a capacity: of a window no more than it needs.</summary>
    public int Held(int capacity) => Window == 0 ? capacity : Math.Min(capacity, Window + LayerCache.Spare(Window));

    /// <summary>Bytes of one text of a length in float32, states included.</summary>
    public long Bytes(int positions) => sizeof(float) * (States.Sum(shape => shape.Length)
        + ((long)Held(positions) * (KeyChannels + ValueChannels)));
}

/// <summary>
/// The keys, values and states of one layer for several texts. Of a layer with a window the last positions of a text
/// are held alone: rows stand in the order of positions, and where there is no room for the next, those that are still
/// seen move to the front. They move by whole blocks of attention's keys, so that every query visits the blocks of
/// the whole text and has its bits.
/// </summary>
internal sealed class LayerCache
{
    private const int Block = AttentionSizes.Block, MostAtOnce = 512;

    private readonly int held; // positions of each row
    private readonly int window, pieces; // of a window: positions that are written at once, else 0
    private readonly int[] firsts; // by row, the first position that is held
    private readonly (Tensor K, Tensor V)? floats; // [rows * held, channels] each
    private readonly (CacheTable K, CacheTable V)? tables; // likewise, in fewer bits
    private readonly Tensor[] states; // [rows, ...] each

    public LayerCache(Arena arena, CacheLayer layer, int rows, int capacity, WeightType type)
    {
        held = layer.Held(capacity);
        (window, pieces) = held < capacity ? (layer.Window, Piece(layer.Window)) : (0, 0);
        firsts = new int[rows];
        int count = rows * held;
        if (layer.KeyChannels > 0 && type == WeightType.F32)
            floats = (new Tensor(arena, new Shape(count, layer.KeyChannels)),
                new Tensor(arena, new Shape(count, layer.ValueChannels)));
        else if (layer.KeyChannels > 0)
            tables = (new CacheTable(arena, type, count, layer.KeyChannels),
                new CacheTable(arena, type, count, layer.ValueChannels));
        states = [.. layer.States.Select(shape => new Tensor(arena,
            new Shape([rows, .. shape.ToArray().Select(size => (int)size)])))];
    }

    /// <summary>Positions that a layer holds beside its window: part of a block, and those being written.</summary>
    public static int Spare(int window) => Block - 1 + Piece(window);

    private static int Piece(int window) => Math.Clamp(window, Block, MostAtOnce);

    /// <summary>
    /// Puts keys and values [1, T, channels] behind the positions of a row and attends to them, as
    /// <see cref="KvCache.Attend"/>.
    /// </summary>
    public Tensor Attend(Compute c, int row, int length, Tensor q, Tensor k, Tensor v, in AttentionOptions options)
    {
        int T = k.Shape[1];
        if (pieces == 0 || T <= pieces)
            return AttendAtOnce(c, row, length, q, k, v, options);
        var y = c.New(new Shape(1, T, v.Shape[2] / options.KeyHeads * options.Heads));
        for (int t = 0; t < T; t += pieces)
        {
            int count = Math.Min(pieces, T - t);
            Part(y, t, count).CopyFrom(AttendAtOnce(c, row, length + t, Part(q, t, count), Part(k, t, count),
                Part(v, t, count), options));
        }
        return y;
    }

    /// <summary>Some positions of x [1, T, channels].</summary>
    private static Tensor Part(Tensor x, int first, int count) =>
        x.Reshape(new Shape(x.Shape[1], x.Shape[2])).SliceRows(first, count).Reshape(new Shape(1, count, x.Shape[2]));

    private Tensor AttendAtOnce(Compute c, int row, int length, Tensor q, Tensor k, Tensor v,
        in AttentionOptions options)
    {
        int T = k.Shape[1];
        if (length - firsts[row] + T > held)
            MoveToFront(row, length);
        int from = Math.Max(firsts[row], pieces == 0 ? 0 : FirstSeen(length)),
            start = (row * held) + from - firsts[row], next = (row * held) + length - firsts[row];
        if (tables is var (keyTable, valueTable))
        {
            keyTable.Write(c, next, k);
            valueTable.Write(c, next, v);
            return c.CachedAttention(q, keyTable, valueTable, start, length - from + T,
                v.Shape[2] / options.KeyHeads, options);
        }
        var (keys, values) = floats!.Value;
        keys.RowsInStep(c.StepTensors, next, k.Shape).CopyFrom(k);
        values.RowsInStep(c.StepTensors, next, v.Shape).CopyFrom(v);
        return c.Attention(q,
            keys.RowsInStep(c.StepTensors, start, new Shape(1, length - from + T, k.Shape[2])),
            values.RowsInStep(c.StepTensors, start, new Shape(1, length - from + T, v.Shape[2])), options);
    }

    /// <summary>The start of the first block of keys that the query at a position sees.</summary>
    private int FirstSeen(int position) => Math.Max(0, position - window + 1) / Block * Block;

    private void MoveToFront(int row, int length)
    {
        int first = FirstSeen(length);
        CopyPositions(row, first - firsts[row], row, 0, length - first);
        firsts[row] = first;
    }

    /// <summary>Copies held positions of a row to those of another, or of the same that lie before.</summary>
    private void CopyPositions(int fromRow, int from, int toRow, int to, int count)
    {
        (from, to) = ((fromRow * held) + from, (toRow * held) + to);
        if (floats is var (k, v))
        {
            Copy(k);
            Copy(v);
        }
        tables?.K.Copy(from, to, count);
        tables?.V.Copy(from, to, count);

        void Copy(Tensor x) => x.Data.Slice(from * x.Shape[1], count * x.Shape[1])
            .CopyTo(x.Data[(to * x.Shape[1])..]);
    }

    /// <summary>The states of rows in a slot, [B, ...].</summary>
    public Tensor State(Compute c, int slot, ReadOnlySpan<int> rows)
    {
        var state = c.New(WithRows(states[slot].Shape, rows.Length));
        for (int b = 0; b < rows.Length; b++)
            state.SliceRows(b, 1).CopyFrom(StateOf(c, slot, rows[b]));
        return state;
    }

    /// <summary>Replaces the states of rows in a slot.</summary>
    /// <exception cref="ArgumentException">They do not have the shape that the cache was made for.</exception>
    public void SetState(Compute c, int slot, Tensor state, ReadOnlySpan<int> rows)
    {
        if (state.Shape != WithRows(states[slot].Shape, rows.Length))
            throw new ArgumentException(
                $"a cache of states {states[slot]} for {rows.Length} sequences cannot take {state}");
        for (int b = 0; b < rows.Length; b++)
            StateOf(c, slot, rows[b]).CopyFrom(state.SliceRows(b, 1));
    }

    private Tensor StateOf(Compute c, int slot, int row)
    {
        var shape = WithRows(states[slot].Shape, 1);
        return states[slot].RowsInStep(c.StepTensors, checked((int)(row * shape.Rows)), shape);
    }

    /// <summary>Another number of rows. It makes no array: decoding steps ask for it.</summary>
    private static Shape WithRows(Shape shape, int rows) => shape.Rank switch
    {
        2 => new(rows, shape[1]),
        3 => new(rows, shape[1], shape[2]),
        _ => new(rows, shape[1], shape[2], shape[3]),
    };

    /// <summary>
    /// Makes a row of a length the same as another from a position on; before it they must be so already. Of a window,
    /// and of states, all is copied.
    /// </summary>
    public void CopyRow(int from, int to, int start, int length)
    {
        foreach (var state in states)
            state.SliceRows(to, 1).CopyFrom(state.SliceRows(from, 1));
        start = pieces == 0 ? start : firsts[from];
        CopyPositions(from, start - firsts[from], to, start - firsts[from], length - start);
        firsts[to] = firsts[from];
    }

    /// <summary>Forgets a row.</summary>
    public void Clear(int row)
    {
        firsts[row] = 0;
        foreach (var state in states)
            state.SliceRows(row, 1).Data.Clear();
    }
}
