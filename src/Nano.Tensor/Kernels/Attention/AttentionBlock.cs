namespace Nano;

/// <summary>
/// A block of queries against a block of keys, both counted from the start of their block. Scores
/// are kept transposed, [keys, queries]: SIMD lanes lie along queries, so maxima and sums over keys
/// need no step across lanes, keys and values are read as they lie, and a query's arithmetic is the
/// same whatever its neighbours. Query r sees the last Window keys below Diagonal + r; what lies
/// beyond is neither computed nor multiplied, up to the size of a tile; what lies before is not
/// multiplied, likewise. What the mask hides within a tile is multiplied as a zero, which is
/// harmless until it meets an infinity or a NaN: row by row nothing hidden is multiplied, with the
/// same bits, slowly.
/// </summary>
/// <param name="Queries">Queries in the block.</param>
/// <param name="Keys">Keys in the block that at least one of the queries sees.</param>
/// <param name="Diagonal">The end of the keys that query 0 sees, not clamped.</param>
/// <param name="Window">Number of keys that a query sees.</param>
/// <param name="Sinks">The keys of the block that are seen beyond the window; at most 0 for none.</param>
/// <param name="Row">Floats from the scores of one key to those of the next: the queries, padded to
/// whole tiles.</param>
/// <param name="RowByRow">Whether products that a mask cuts take one row at a time, each as deep as
/// the row sees.</param>
internal readonly record struct AttentionBlock(int Queries, int Keys, int Diagonal, int Window, int Sinks, int Row,
    bool RowByRow)
{
    /// <summary>Rows of the tallest tile.</summary>
    private const int TileM = 12;

    /// <summary>Keys that are visible to at least one of the queries below an end.</summary>
    private int VisibleTo(int queryEnd) => Math.Clamp(Diagonal + Math.Min(queryEnd, Queries) - 1, 0, Keys);

    /// <summary>The first key that a query sees.</summary>
    private int FirstVisible(int query) => Math.Clamp(Diagonal - Window + query, 0, Keys);

    /// <summary>The first query that sees a key.</summary>
    private int FirstToSee(int key) => Math.Clamp(key - Diagonal + 1, 0, Queries);

    /// <summary>The first query after those that see one of some keys.</summary>
    private int VisibleQueryEnd(int key, int keys) =>
        key < Sinks ? Queries : Math.Clamp(key + keys - Diagonal + Window, 0, Queries);

    private bool IsMasked => Diagonal < Keys || Diagonal - Window + Queries - 1 > 0;

    /// <summary>Rows of a product that share a depth, of the given number in all.</summary>
    private int Step(int rows) => !IsMasked ? rows : RowByRow ? 1 : TileM;

    /// <summary>
    /// s[key, query] = sum_d a[key, d] panel[d, query], d in order, for the queries of one tile
    /// (from column on). Returns the rows computed; the rest, which none of these queries sees, is
    /// zero.
    /// </summary>
    public unsafe int Scores<S, V>(int column, int headDim, Rows a, float* panel, float* zeros, float* s)
        where S : ISimd<V> where V : unmanaged
    {
        int width = 2 * S.Lanes, keys = VisibleTo(column + width);
        Tiles.Multiply<S, V>(keys, width, headDim, new(a.First, a.Stride), new(panel + column, Row), new(zeros, 0),
            new(s + column, Row), null);
        for (int key = keys; key < Keys; key++)
            new Span<float>(s + (key * Row) + column, width).Clear();
        return keys;
    }

    /// <summary>Overwrites the scores that the mask hides in the tile of queries from column on.</summary>
    public unsafe void Mask(int column, int width, int keys, float value, float* s)
    {
        for (int key = Math.Max(0, Diagonal + column); key < keys; key++)
            new Span<float>(s + (key * Row) + column, Math.Min(width, key - Diagonal - column + 1)).Fill(value);
        int firstVisible = Diagonal - Window + column; // to the tile's first query, to the next one the key after it
        for (int key = Math.Max(0, Sinks); key < Math.Min(keys, firstVisible + width - 1); key++)
        {
            int query = Math.Max(0, key - firstVisible + 1);
            new Span<float>(s + (key * Row) + column + query, width - query).Fill(value);
        }
    }

    /// <summary>c[query, :] += sum_key s[key, query] panel[key, :], keys in order.</summary>
    public unsafe void AddToQueries<S, V>(int columns, float* s, Rows panel, Rows c)
        where S : ISimd<V> where V : unmanaged
    {
        int step = Step(Queries);
        for (int query = 0; query < Queries; query += step)
        {
            int rows = Math.Min(step, Queries - query), key = FirstVisible(query);
            var to = c.From(query, 0);
            if (RowByRow && key > Sinks && Sinks > 0)
                Tiles.Multiply<S, V>(rows, columns, Math.Min(Sinks, VisibleTo(query + rows)),
                    new(s + query, 1, Row), panel, to, to, null);
            else if (Sinks > 0)
                key = 0;
            Tiles.Multiply<S, V>(rows, columns, VisibleTo(query + rows) - key, new(s + (key * Row) + query, 1, Row),
                panel.From(key, 0), to, to, null);
        }
    }

    /// <summary>c[key, :] += sum_query s[key, query] panel[query, :], queries in order.</summary>
    public unsafe void AddToKeys<S, V>(int columns, float* s, Rows panel, Rows c)
        where S : ISimd<V> where V : unmanaged
    {
        int step = Step(Keys);
        for (int key = 0; key < Keys; key += step)
        {
            int rows = Math.Min(step, Keys - key), first = FirstToSee(key);
            var to = c.From(key, 0);
            Tiles.Multiply<S, V>(rows, columns, VisibleQueryEnd(key, rows) - first,
                new(s + (key * Row) + first, Row), panel.From(first, 0), to, to, null);
        }
    }

    /// <summary>
    /// to[r * toRow + c] = factor from[r, c] for c below columns, zero up to toRow. Rows
    /// far apart are copied before they are transposed: at a power of two they share few lines of
    /// the L1 cache.
    /// </summary>
    public static unsafe void CopyScaled<S, V>(int rows, int columns, Rows from, float factor, int toRow, float* to)
        where S : ISimd<V> where V : unmanaged
    {
        for (int r = 0; r < rows; r++, to += toRow)
        {
            new ElementwiseLoop<Scaled>(new Scaled(from.At(r), factor, new(to, false))).Run<S, V>(0, columns, null!);
            for (int c = columns; c < toRow; c++)
                to[c] = 0;
        }
    }

    /// <summary>
    /// True if none of n numbers (whole vectors) is infinite or NaN: times 0 these give NaN, all
    /// others a sum of +0.
    /// </summary>
    public static unsafe bool AllFinite<S, V>(int n, float* x) where S : ISimd<V> where V : unmanaged
    {
        V zero = S.Splat(0), sum = zero;
        for (int i = 0; i < n; i += S.Lanes)
            sum = S.Fma(S.Load(x + i), zero, sum);
        return !new ReadOnlySpan<int>(&sum, S.Lanes).ContainsAnyExcept(0);
    }
}
