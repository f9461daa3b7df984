namespace Nano.Ladder;

/// <summary>
/// Causal attention of some heads: y_i = sum_j p_ij v_j with p_i = softmax over j at most i of q_i
/// . k_j / sqrt(D); q, k, v, y [T, D] each. Two products of T x T x D, of which causality needs
/// half: 2 D T (T + 1) operations per head, which is what the table counts, also where a step does
/// more. 16 T D bytes go in and out, so each byte is used T / 8 times: arithmetic binds, if the T x
/// T matrix in the middle stays out of memory.
/// </summary>
internal sealed unsafe class Attention<S, V> : Ladder where S : ISimd<V> where V : unmanaged
{
    private const int Block = 64;

    /// <summary>
    /// The definition, as a formula on paper reads: all scores, masked; softmax; all weighted sums.
    /// Each of the two products is made of chains, an FMA every 4 cycles, as in the first step of
    /// matmul, and both halves of T x T are computed. The scores (4 MB per head at T = 1024) go
    /// through the caches three times.
    /// </summary>
    public static void Naive(int t, int d, float* q, float* k, float* v, float* y, float* scores)
    {
        float scale = 1 / MathF.Sqrt(d);
        for (int i = 0; i < t; i++)
        {
            for (int j = 0; j < t; j++)
                scores[(i * t) + j] = j <= i ? Dot(d, q + (i * d), k + (j * d)) * scale : float.NegativeInfinity;
        }
        Softmax<S, V>.Scalar(t, t, scores, scores);
        for (int i = 0; i < t; i++)
        {
            for (int c = 0; c < d; c++)
            {
                float sum = 0;
                for (int j = 0; j < t; j++)
                    sum = MathF.FusedMultiplyAdd(scores[(i * t) + j], v[(j * d) + c], sum);
                y[(i * d) + c] = sum;
            }
        }
    }

    /// <summary>
    /// A row of scores is all that one query needs: T floats instead of T x T, reused for every
    /// query (4 KB, in the first-level cache). The weighted sum now gathers rows of v, so its
    /// additions do not wait for each other; the dot products still do, and the calls of exp
    /// remain.
    /// </summary>
    public static void RowByRow(int t, int d, float* q, float* k, float* v, float* y, float* row)
    {
        float scale = 1 / MathF.Sqrt(d);
        for (int i = 0; i < t; i++)
        {
            for (int j = 0; j < t; j++)
                row[j] = j <= i ? Dot(d, q + (i * d), k + (j * d)) * scale : float.NegativeInfinity;
            Softmax<S, V>.Scalar(1, t, row, row);
            new Span<float>(y + (i * d), d).Clear();
            for (int j = 0; j < t; j++)
                for (int c = 0; c < d; c++)
                    y[(i * d) + c] = MathF.FusedMultiplyAdd(row[j], v[(j * d) + c], y[(i * d) + c]);
        }
    }

    private static float Dot(int d, float* a, float* b)
    {
        float sum = 0;
        for (int c = 0; c < d; c++)
            sum = MathF.FusedMultiplyAdd(a[c], b[c], sum);
        return sum;
    }

    /// <summary>
    /// Vectors with their lanes along the outputs: along the keys for the scores, for which k is
    /// transposed once into blocks of [D, 64], along D for the weighted sum. No chain waits and no
    /// vector is summed across. Exp is the polynomial. Each FMA loads and stores its output, and
    /// every query walks over all keys and values (512 KB per head, in the second-level cache):
    /// loads and stores bind.
    /// </summary>
    public static void Vectors(int t, int d, float* q, float* k, float* v, float* y, float* keys, float* row)
    {
        int padded = RoundUp(t, Block);
        Transpose(t, d, k, keys);
        for (int i = 0; i < t; i++)
        {
            for (int j = 0; j < padded; j += Block)
                Scores(d, q + (i * d), keys + (j * d), row + j);
            new Span<float>(row + i + 1, padded - i - 1).Fill(float.NegativeInfinity);
            float sum = Softmax<S, V>.ExpAndSum(padded, row, Softmax<S, V>.Max(padded, row), row);
            new Span<float>(y + (i * d), d).Clear();
            AddRows(t, d, row, v, y + (i * d));
            Softmax<S, V>.Scale(d, y + (i * d), 1 / sum);
        }
    }

    /// <summary>
    /// Blocks of 64 queries and 64 keys with online softmax (Dao et al., "FlashAttention", 2022): a
    /// block of keys and values (32 KB) is used by 64 queries while it is in the first-level cache.
    /// A query has not seen all its scores yet, so it keeps a running maximum, sum and output, and
    /// scales the latter two down when the maximum grows. No row of T scores is left, so T may be
    /// anything. Do not expect speed from it alone: loads and stores bind as before, and the
    /// running state costs a little. It is what makes the next two steps possible.
    /// </summary>
    public static void OnlineBlocks(int t, int d, float* q, float* k, float* v, float* y, float* keys, float* scores)
    {
        float* max = stackalloc float[Block], sum = stackalloc float[Block];
        Transpose(t, d, k, keys);
        for (int i = 0; i < t; i += Block)
        {
            int rows = Math.Min(Block, t - i);
            Start(rows, d, max, sum, y + (i * d));
            for (int j = 0; j < t; j += Block)
            {
                for (int r = 0; r < rows; r++)
                {
                    Scores(d, q + ((i + r) * d), keys + (j * d), scores);
                    Absorb(d, i + r + 1 - j, scores, max + r, sum + r, y + ((i + r) * d));
                    AddRows(Math.Min(Block, t - j), d, scores, v + (j * d), y + ((i + r) * d));
                }
            }
            for (int r = 0; r < rows; r++)
                Softmax<S, V>.Scale(d, y + ((i + r) * d), 1 / sum[r]);
        }
    }

    /// <summary>
    /// Both products of a block are matrix products, 64 x 64 x D and 64 x D x 64, so they go
    /// through the register tiles of the matmul ladder: outputs in registers, 24 FMAs per 14 loads.
    /// What is left beside them is exp: 25 instructions per 16 scores beside 4 D = 256 operations
    /// for each score.
    /// <para>
    /// With skip, the last idea: a block of keys that lies wholly after the block of queries is
    /// masked to the last element, so it is not computed. At T = 1024 136 of 256 blocks remain: the
    /// operations counted are then nearly those done, and the time should fall by 1.9.
    /// </para>
    /// </summary>
    public static void Tiles(int t, int d, float* q, float* k, float* v, float* y, float* keys,
        float* scores, bool skip)
    {
        float* max = stackalloc float[Block], sum = stackalloc float[Block];
        Transpose(t, d, k, keys);
        for (int i = 0; i < t; i += Block)
        {
            int rows = Math.Min(Block, t - i);
            Start(rows, d, max, sum, y + (i * d));
            for (int j = 0; j < (skip ? i + rows : t); j += Block)
            {
                new Span<float>(scores, Block * Block).Clear();
                for (int column = 0; column < Block; column += 2 * S.Lanes)
                    MatMul<S, V>.Rows(rows, d, q + (i * d), d, keys + (j * d) + column, Block, scores + column, Block);
                for (int r = 0; r < rows; r++)
                    Absorb(d, i + r + 1 - j, scores + (r * Block), max + r, sum + r, y + ((i + r) * d));
                for (int column = 0; column < d; column += 2 * S.Lanes)
                    MatMul<S, V>.Rows(rows, Math.Min(Block, t - j), scores, Block, v + (j * d) + column, d,
                        y + (i * d) + column, d);
            }
            for (int r = 0; r < rows; r++)
                Softmax<S, V>.Scale(d, y + ((i + r) * d), 1 / sum[r]);
        }
    }

    /// <summary>
    /// k [T, D] / sqrt(D) into blocks of [D, 64], zero beyond the last key: the scale is applied to
    /// T x D keys instead of T x T scores.
    /// </summary>
    private static void Transpose(int t, int d, float* k, float* keys)
    {
        float scale = 1 / MathF.Sqrt(d);
        new Span<float>(keys, RoundUp(t, Block) * d).Clear();
        for (int j = 0; j < t; j++)
        {
            float* from = k + (j * d), to = keys + (j / Block * Block * d) + (j % Block);
            for (int c = 0; c < d; c++)
                to[c * Block] = from[c] * scale;
        }
    }

    /// <summary>scores[64] = q . each key of a block.</summary>
    private static void Scores(int d, float* q, float* keys, float* scores)
    {
        new Span<float>(scores, Block).Clear();
        for (int c = 0; c < d; c++, keys += Block)
        {
            V x = S.Splat(q[c]);
            for (int j = 0; j < Block; j += S.Lanes)
                S.Store(scores + j, S.Fma(x, S.Load(keys + j), S.Load(scores + j)));
        }
    }

    /// <summary>y += sum_j p_j v_j.</summary>
    private static void AddRows(int count, int d, float* p, float* v, float* y)
    {
        for (int j = 0; j < count; j++, v += d)
        {
            V x = S.Splat(p[j]);
            for (int c = 0; c < d; c += S.Lanes)
                S.Store(y + c, S.Fma(x, S.Load(v + c), S.Load(y + c)));
        }
    }

    private static void Start(int rows, int d, float* max, float* sum, float* y)
    {
        new Span<float>(max, rows).Fill(float.NegativeInfinity);
        new Span<float>(sum, rows).Clear();
        new Span<float>(y, rows * d).Clear();
    }

    /// <summary>
    /// Online softmax: scores become exp(score - maximum) with the new maximum; what was summed
    /// before is scaled to it. Only the first few keys are visible.
    /// </summary>
    private static void Absorb(int d, int visible, float* scores, float* max, float* sum, float* y)
    {
        visible = Math.Clamp(visible, 0, Block);
        new Span<float>(scores + visible, Block - visible).Fill(float.NegativeInfinity);
        float larger = MathF.Max(*max, Softmax<S, V>.Max(Block, scores));
        float rescale = MathF.Exp(*max - larger);
        *sum = (*sum * rescale) + Softmax<S, V>.ExpAndSum(Block, scores, larger, scores);
        *max = larger;
        if (rescale != 1)
            Softmax<S, V>.Scale(d, y, rescale);
    }

    private readonly int heads, t, d;
    private readonly Tensor q, k, v;

    public Attention(int heads, int t, int d) : base("attention", $"{heads} heads, T = {t}, D = {d}, causal",
        2.0 * heads * d * t * (t + 1), Unit.Flops, 1e-5)
    {
        (this.heads, this.t, this.d) = (heads, t, d);
        var shape = new Shape(heads, t, d);
        (q, k, v) = (Random(shape, 7), Random(shape, 8), Random(shape, 9));
        foreach (ref float value in q.Data)
            value *= 4;
    }

    /// <summary>
    /// Step 7 is what Nano trains with (any D, heads that share keys, cached keys), step 8 shares
    /// the heads.
    /// </summary>
    public override IReadOnlyList<Step> Steps(Compute one, Compute all)
    {
        Tensor y = new(q.Shape), square = new(new Shape(t, t)), transposed = new(new Shape(d, RoundUp(t, Block))),
            some = new(new Shape(Math.Max(Block * Block, RoundUp(t, Block))));
        float* pq = PointerOf(q), pk = PointerOf(k), pv = PointerOf(v), py = PointerOf(y), all2 = PointerOf(square),
            keys = PointerOf(transposed), row = PointerOf(some);
        Step With(string name, string adds, Action<nint> head) => new(name, adds, y, () =>
        {
            for (nint at = 0; at < (nint)heads * t * d; at += (nint)t * d)
                head(at);
        }, [q, k, v, y, square, transposed, some]);
        return
        [
            With("naive", "T x T scores, three loops each",
                at => Naive(t, d, pq + at, pk + at, pv + at, py + at, all2)),
            With("row by row", "T scores instead of T x T",
                at => RowByRow(t, d, pq + at, pk + at, pv + at, py + at, row)),
            With("vectors", $"{S.Lanes} lanes, exp as a polynomial",
                at => Vectors(t, d, pq + at, pk + at, pv + at, py + at, keys, row)),
            With("online blocks", "64 queries per block of keys",
                at => OnlineBlocks(t, d, pq + at, pk + at, pv + at, py + at, keys, row)),
            With("tiles", "both products in registers",
                at => Tiles(t, d, pq + at, pk + at, pv + at, py + at, keys, row, skip: false)),
            With("skipped blocks", "half of T x T not computed",
                at => Tiles(t, d, pq + at, pk + at, pv + at, py + at, keys, row, skip: true)),
            Step.OfNano("Nano, one thread", "any D, shared heads, cached keys", one,
                () => one.CausalAttention(q, k, v, 1, 1)),
            Step.OfNano("Nano, all threads", "heads shared by threads", all, () => all.CausalAttention(q, k, v, 1, 1)),
        ];
    }

    public override double[] Reference()
    {
        var y = new double[q.Length];
        var p = new double[t];
        for (int i = 0; i < heads * t; i++)
        {
            int first = i / t * t;
            double sum = 0;
            for (int j = first; j <= i; j++)
            {
                double score = 0;
                for (int c = 0; c < d; c++)
                    score += (double)q.Data[(i * d) + c] * k.Data[(j * d) + c];
                // scores are small here: no maximum needed in double precision
                sum += p[j - first] = Math.Exp(score / Math.Sqrt(d));
            }
            for (int j = first; j <= i; j++)
                for (int c = 0; c < d; c++)
                    y[(i * d) + c] += p[j - first] / sum * v.Data[(j * d) + c];
        }
        return y;
    }
}
