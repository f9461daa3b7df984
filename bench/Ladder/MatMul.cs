using System.Runtime.Intrinsics.X86;

namespace Nano.Ladder;

/// <summary>
/// C = A B with A [M, K], B [K, N], C [M, N], row after row, float32. 2 M N K operations on 4 (M K
/// + K N + M N) bytes: at 768 cubed each byte serves 128 operations, so arithmetic is the ceiling
/// that binds, if the program lets it. Two units that each start one fused multiply-add (FMA) of 16
/// lanes per cycle are 64 operations per cycle; each step below removes what keeps them waiting.
/// <para>
/// Edges are left to Nano's own product: here M is a multiple of 12 and N of two vectors, padded
/// with zeros where the problem is not.
/// </para>
/// </summary>
internal sealed unsafe class MatMul<S, V> : Ladder where S : ISimd<V> where V : unmanaged
{
    private const int KBlock = 256, MBlock = 384;

    /// <summary>
    /// The definition: each C[i, j] is the sum over k of A[i, k] B[k, j]. The sum is one chain: an
    /// FMA waits about 4 cycles for the one before, so of 64 operations per cycle half a one is
    /// done. Besides, B is read down a column, a cache line (64 bytes) for every 4 bytes used.
    /// Expect 1 % of the peak at best.
    /// </summary>
    public static void Naive(int m, int n, int k, float* a, float* b, float* c)
    {
        for (int i = 0; i < m; i++)
        {
            for (int j = 0; j < n; j++)
            {
                float sum = 0;
                for (int l = 0; l < k; l++)
                    sum = MathF.FusedMultiplyAdd(a[(i * k) + l], b[(l * n) + j], sum);
                c[(i * n) + j] = sum;
            }
        }
    }

    /// <summary>
    /// The same sums with the two inner loops exchanged: a row of C gathers multiples of rows of B.
    /// Neighbouring FMAs now belong to different sums, so none waits for another, and memory is
    /// read in the order in which it lies. What binds now is instructions: two loads, an FMA and a
    /// store for every 2 operations, and the JIT makes no vectors on its own. Expect a few percent.
    /// </summary>
    public static void RowsOfB(int m, int n, int k, float* a, float* b, float* c)
    {
        new Span<float>(c, m * n).Clear();
        for (int i = 0; i < m; i++)
        {
            for (int l = 0; l < k; l++)
            {
                float x = a[(i * k) + l];
                float* row = b + (l * n), to = c + (i * n);
                for (int j = 0; j < n; j++)
                    to[j] = MathF.FusedMultiplyAdd(x, row[j], to[j]);
            }
        }
    }

    /// <summary>
    /// The same loop with one vector (S.Lanes floats, 16 with AVX-512) per instruction. Lanes lie
    /// along j, so each lane still adds its own sum in the order of k: the bits do not change.
    /// Every FMA still loads and stores a vector of C, and all of B passes by once per row of C, M
    /// K N 4 bytes in all: the caches bind, far below the FMA units.
    /// </summary>
    public static void Vectors(int m, int n, int k, float* a, float* b, float* c)
    {
        new Span<float>(c, m * n).Clear();
        for (int i = 0; i < m; i++)
        {
            for (int l = 0; l < k; l++)
            {
                V x = S.Splat(a[(i * k) + l]);
                float* row = b + (l * n), to = c + (i * n);
                for (int j = 0; j < n; j += S.Lanes)
                    S.Store(to + j, S.Fma(x, S.Load(row + j), S.Load(to + j)));
            }
        }
    }

    /// <summary>
    /// C stays in registers: a tile of 4 rows x 2 vectors is summed over all of k before it is
    /// stored once. A step of k costs 2 loads of B and 4 of A for 8 FMAs, no stores; B passes by
    /// once per 4 rows. 8 independent chains are exactly latency 4 times 2 units.
    /// </summary>
    public static void Tiles4x2(int m, int n, int k, float* a, float* b, float* c)
    {
        new Span<float>(c, m * n).Clear();
        for (int i = 0; i < m; i += 4)
            for (int j = 0; j < n; j += 2 * S.Lanes)
                Tile4(k, a + (i * k), k, b + j, n, c + (i * n) + j, n);
    }

    /// <summary>
    /// A taller tile: 12 x 2 vectors. 24 accumulators + 2 vectors of B + 1 of A are 27 of the 32
    /// registers that AVX-512 and NEON have; 24 FMAs share 14 loads, and B passes by once per 12
    /// rows. AVX2 and SSE have 16 registers: there this step spills to memory and loses, and the
    /// later ones keep 4 x 2. What is left: each step of k reads B one row (4 N bytes) further on,
    /// in another page and often the same cache set.
    /// </summary>
    public static void Tiles12x2(int m, int n, int k, float* a, float* b, float* c)
    {
        new Span<float>(c, m * n).Clear();
        for (int i = 0; i < m; i += 12)
            for (int j = 0; j < n; j += 2 * S.Lanes)
                Tile12(k, a + (i * k), k, b + j, n, c + (i * n) + j, n);
    }

    /// <summary>
    /// Each panel of B (all of k, two vectors wide) is first copied to where its rows follow each
    /// other, then every row of A passes over it. The copy moves K N floats once for M K N FMAs;
    /// after it the panel is read straight through: the prefetcher sees it coming, its pages are
    /// few, and its lines do not fight for the same sets. The gain is larger where 4 N is a power
    /// of two: try --size 1024.
    /// </summary>
    public static void PackedPanels(int m, int n, int k, float* a, float* b, float* c, float* panel)
    {
        new Span<float>(c, m * n).Clear();
        for (int j = 0; j < n; j += 2 * S.Lanes)
        {
            Pack(k, b + j, n, panel);
            Rows(m, k, a, k, panel, 2 * S.Lanes, c + j, n);
        }
    }

    /// <summary>
    /// Blocks that fit the caches (Goto and van de Geijn, 2008): 256 of k, so that the panel (32
    /// KB) and 12 rows of A (12 KB) share a 48 KB first-level cache, and 384 rows of A (393 KB),
    /// which stay in a 1 MB second-level cache while the panels pass. C is loaded and stored once
    /// per block of k, and each chain goes on where it stopped: the same bits again.
    /// <para>
    /// Do not expect a gain at 768, or a loss of some percent for C's travels: a 12 x 2 tile uses
    /// each float of A for 64 operations, so the step before reads A at 14 GB/s for 220 GFLOP/s,
    /// and a third-level cache delivers that. Blocks are for what this shape does not show: a depth
    /// whose panel no longer fits, and A read along its columns, as weight gradients do
    /// (bench/NOTES.md: 83 to 180 GFLOP/s). Nano blocks k by 512.
    /// </para>
    /// </summary>
    public static void Blocked(int m, int n, int k, float* a, float* b, float* c, float* panel)
    {
        new Span<float>(c, m * n).Clear();
        for (int i = 0; i < m; i += MBlock)
        {
            for (int l = 0; l < k; l += KBlock)
            {
                int rows = Math.Min(MBlock, m - i), depth = Math.Min(KBlock, k - l);
                for (int j = 0; j < n; j += 2 * S.Lanes)
                {
                    Pack(depth, b + (l * n) + j, n, panel);
                    Rows(rows, depth, a + (i * k) + l, k, panel, 2 * S.Lanes, c + (i * n) + j, n);
                }
            }
        }
    }

    /// <summary>Copies two vectors of each of k rows next to each other.</summary>
    private static void Pack(int k, float* b, int ldb, float* panel)
    {
        for (int l = 0; l < k; l++, b += ldb, panel += 2 * S.Lanes)
        {
            S.Store(panel, S.Load(b));
            S.Store(panel + S.Lanes, S.Load(b + S.Lanes));
        }
    }

    /// <summary>
    /// C += A B for any number of rows and two vectors of columns: tall tiles first, the rest by
    /// smaller ones.
    /// </summary>
    public static void Rows(int rows, int k, float* a, nint lda, float* b, nint ldb, float* c, nint ldc)
    {
        bool tall = S.Lanes > 1 && (Avx512F.VL.IsSupported || !Sse.IsSupported); // 32 registers
        int i = 0;
        for (; tall && i <= rows - 12; i += 12)
            Tile12(k, a + (i * lda), lda, b, ldb, c + (i * ldc), ldc);
        for (; i <= rows - 4; i += 4)
            Tile4(k, a + (i * lda), lda, b, ldb, c + (i * ldc), ldc);
        for (; i < rows; i++)
            Tile1(k, a + (i * lda), b, ldb, c + (i * ldc));
    }

    /// <summary>1 x 2 vectors of C += A B: two chains.</summary>
    private static void Tile1(int k, float* a, float* b, nint ldb, float* c)
    {
        V c0 = S.Load(c), c1 = S.Load(c + S.Lanes);
        for (int l = 0; l < k; l++, b += ldb)
        {
            V x = S.Splat(a[l]);
            c0 = S.Fma(x, S.Load(b), c0);
            c1 = S.Fma(x, S.Load(b + S.Lanes), c1);
        }
        S.Store(c, c0);
        S.Store(c + S.Lanes, c1);
    }

    /// <summary>
    /// 4 x 2 vectors of C += A B. Every accumulator is a variable of its own: the JIT keeps no
    /// array in registers.
    /// </summary>
    private static void Tile4(int k, float* a, nint lda, float* b, nint ldb, float* c, nint ldc)
    {
        int w = S.Lanes;
        float* a1 = a + lda, a2 = a1 + lda, a3 = a2 + lda, r1 = c + ldc, r2 = r1 + ldc, r3 = r2 + ldc;
        V c00 = S.Load(c), c01 = S.Load(c + w), c10 = S.Load(r1), c11 = S.Load(r1 + w);
        V c20 = S.Load(r2), c21 = S.Load(r2 + w), c30 = S.Load(r3), c31 = S.Load(r3 + w);
        for (int l = 0; l < k; l++, b += ldb)
        {
            V b0 = S.Load(b), b1 = S.Load(b + w), x;
            x = S.Splat(a[l]); c00 = S.Fma(x, b0, c00); c01 = S.Fma(x, b1, c01);
            x = S.Splat(a1[l]); c10 = S.Fma(x, b0, c10); c11 = S.Fma(x, b1, c11);
            x = S.Splat(a2[l]); c20 = S.Fma(x, b0, c20); c21 = S.Fma(x, b1, c21);
            x = S.Splat(a3[l]); c30 = S.Fma(x, b0, c30); c31 = S.Fma(x, b1, c31);
        }
        S.Store(c, c00); S.Store(c + w, c01); S.Store(r1, c10); S.Store(r1 + w, c11);
        S.Store(r2, c20); S.Store(r2 + w, c21); S.Store(r3, c30); S.Store(r3 + w, c31);
    }

    /// <summary>
    /// 12 x 2 vectors of C += A B. Four pointers and two strides reach all twelve rows of A: x86
    /// has 16 general registers.
    /// </summary>
    private static void Tile12(int k, float* a, nint lda, float* b, nint ldb, float* c, nint ldc)
    {
        int w = S.Lanes;
        float* a3 = a + (3 * lda), a6 = a + (6 * lda), a9 = a + (9 * lda), r3 = c + (3 * ldc), r6 = c + (6 * ldc),
            r9 = c + (9 * ldc);
        nint two = 2 * lda, c2 = 2 * ldc;
        V c00 = S.Load(c), c01 = S.Load(c + w), c10 = S.Load(c + ldc), c11 = S.Load(c + ldc + w), c20 = S.Load(c + c2),
            c21 = S.Load(c + c2 + w);
        V c30 = S.Load(r3), c31 = S.Load(r3 + w), c40 = S.Load(r3 + ldc), c41 = S.Load(r3 + ldc + w),
            c50 = S.Load(r3 + c2), c51 = S.Load(r3 + c2 + w);
        V c60 = S.Load(r6), c61 = S.Load(r6 + w), c70 = S.Load(r6 + ldc), c71 = S.Load(r6 + ldc + w),
            c80 = S.Load(r6 + c2), c81 = S.Load(r6 + c2 + w);
        V c90 = S.Load(r9), c91 = S.Load(r9 + w), cA0 = S.Load(r9 + ldc), cA1 = S.Load(r9 + ldc + w),
            cB0 = S.Load(r9 + c2), cB1 = S.Load(r9 + c2 + w);
        for (int l = 0; l < k; l++, a++, a3++, a6++, a9++, b += ldb)
        {
            V b0 = S.Load(b), b1 = S.Load(b + w), x;
            x = S.Splat(a[0]); c00 = S.Fma(x, b0, c00); c01 = S.Fma(x, b1, c01);
            x = S.Splat(a[lda]); c10 = S.Fma(x, b0, c10); c11 = S.Fma(x, b1, c11);
            x = S.Splat(a[two]); c20 = S.Fma(x, b0, c20); c21 = S.Fma(x, b1, c21);
            x = S.Splat(a3[0]); c30 = S.Fma(x, b0, c30); c31 = S.Fma(x, b1, c31);
            x = S.Splat(a3[lda]); c40 = S.Fma(x, b0, c40); c41 = S.Fma(x, b1, c41);
            x = S.Splat(a3[two]); c50 = S.Fma(x, b0, c50); c51 = S.Fma(x, b1, c51);
            x = S.Splat(a6[0]); c60 = S.Fma(x, b0, c60); c61 = S.Fma(x, b1, c61);
            x = S.Splat(a6[lda]); c70 = S.Fma(x, b0, c70); c71 = S.Fma(x, b1, c71);
            x = S.Splat(a6[two]); c80 = S.Fma(x, b0, c80); c81 = S.Fma(x, b1, c81);
            x = S.Splat(a9[0]); c90 = S.Fma(x, b0, c90); c91 = S.Fma(x, b1, c91);
            x = S.Splat(a9[lda]); cA0 = S.Fma(x, b0, cA0); cA1 = S.Fma(x, b1, cA1);
            x = S.Splat(a9[two]); cB0 = S.Fma(x, b0, cB0); cB1 = S.Fma(x, b1, cB1);
        }
        S.Store(c, c00); S.Store(c + w, c01); S.Store(c + ldc, c10); S.Store(c + ldc + w, c11); S.Store(c + c2,
            c20); S.Store(c + c2 + w, c21);
        S.Store(r3, c30); S.Store(r3 + w, c31); S.Store(r3 + ldc, c40); S.Store(r3 + ldc + w, c41); S.Store(r3 + c2,
            c50); S.Store(r3 + c2 + w, c51);
        S.Store(r6, c60); S.Store(r6 + w, c61); S.Store(r6 + ldc, c70); S.Store(r6 + ldc + w, c71); S.Store(r6 + c2,
            c80); S.Store(r6 + c2 + w, c81);
        S.Store(r9, c90); S.Store(r9 + w, c91); S.Store(r9 + ldc, cA0); S.Store(r9 + ldc + w, cA1); S.Store(r9 + c2,
            cB0); S.Store(r9 + c2 + w, cB1);
    }

    private readonly int m, n, k;
    private readonly Tensor a, b;

    public MatMul(int m, int n, int k) : base("matmul", $"C = A B, M = {m}, N = {n}, K = {k}", 2.0 * m * n * k,
        Unit.Flops, 1e-5)
    {
        (this.m, this.n, this.k, SameBits) = (m, n, k, true);
        (a, b) = (Random(new Shape(m, k), 1), Random(new Shape(k, n), 2));
    }

    /// <summary>
    /// Steps 8 and 9 are the product that Nano trains with: the same blocks and tiles, and any
    /// shape; then panels shared by threads.
    /// </summary>
    public override IReadOnlyList<Step> Steps(Compute one, Compute all)
    {
        int rows = RoundUp(m, 12), columns = RoundUp(n, 2 * S.Lanes);
        Tensor paddedA = new(new Shape(rows, k)), paddedB = new(new Shape(k, columns)),
            c = new(new Shape(rows, columns)), scratch = new(new Shape(k, 2 * S.Lanes));
        paddedA.SliceRows(0, m).CopyFrom(a);
        paddedB.SliceColumns(0, n).CopyFrom(b);
        var result = c.SliceRows(0, m).SliceColumns(0, n);
        float* pa = PointerOf(paddedA), pb = PointerOf(paddedB), pc = PointerOf(c), panel = PointerOf(scratch);
        Step With(string name, string adds, Action run) => new(name, adds, result, run, [paddedA, paddedB, c, scratch]);
        return
        [
            With("naive", "three loops", () => Naive(rows, columns, k, pa, pb, pc)),
            With("rows of B", "no chain to wait for, memory in order", () => RowsOfB(rows, columns, k, pa, pb, pc)),
            With("vectors", $"{S.Lanes} lanes per instruction", () => Vectors(rows, columns, k, pa, pb, pc)),
            With("tile 4 x 2", "C in 8 registers", () => Tiles4x2(rows, columns, k, pa, pb, pc)),
            With("tile 12 x 2", "24 FMAs per 14 loads", () => Tiles12x2(rows, columns, k, pa, pb, pc)),
            With("packed panels", "B read straight through", () => PackedPanels(rows, columns, k, pa, pb, pc, panel)),
            With("cache blocks", "panel in L1, A in L2: for deeper K",
                () => Blocked(rows, columns, k, pa, pb, pc, panel)),
            Step.OfNano("Nano, one thread", "any shape, transposed or not", one, () => one.MatMul(a, b)),
            Step.OfNano("Nano, all threads", "panels shared by threads", all, () => all.MatMul(a, b)),
        ];
    }

    public override double[] Reference()
    {
        var c = new double[m * n];
        for (int i = 0; i < m; i++)
        {
            var to = c.AsSpan(i * n, n);
            for (int l = 0; l < k; l++)
            {
                double x = Row(a, i)[l];
                var row = Row(b, l);
                for (int j = 0; j < row.Length; j++)
                    to[j] += x * row[j];
            }
        }
        return c;
    }
}
