namespace Nano.Tests;

/// <summary>The memory layout of the right-hand matrix.</summary>
internal enum RightLayout
{
    /// <summary>B[k, n] at b[k * ldb + n], as in dX = dY * W and dW = dY^T * X.</summary>
    RowsOfN,

    /// <summary>B[k, n] at b[n * ldb + k], as in Y = X * W^T.</summary>
    RowsOfK,
}

/// <summary>
/// One product C[M, N] = start + A[M, K] B[K, N]: its values, how they lie in padded memory, and
/// the answer by definition. Every float in memory that is not part of A, B, the bias or C is NaN
/// (inputs) or a canary (C).
/// </summary>
internal sealed class GemmCase
{
    private const float Canary = 12345.678f;
    private readonly float[] a, b, bias, before;

    public GemmCase(int m, int n, int k, int seed = 1)
    {
        (M, N, K) = (m, n, k);
        a = KernelData.Random(seed, m * k);
        b = KernelData.Random(seed + 1, k * n);
        bias = KernelData.Random(seed + 2, n);
        before = KernelData.Random(seed + 3, m * n);
    }

    public int M { get; }

    public int N { get; }

    public int K { get; }

    public Span<float> A => a;

    public static readonly (RightLayout Layout, bool ByColumns)[] Layouts =
        [(RightLayout.RowsOfN, false), (RightLayout.RowsOfN, true), (RightLayout.RowsOfK, false),
            (RightLayout.RowsOfK, true)];

    public float Initial(ChainStart start, int row, int column) => start switch
    {
        ChainStart.Zero => 0,
        ChainStart.Bias => bias[column],
        _ => before[(row * N) + column],
    };

    /// <summary>The definition: fused multiply-adds over k in order. Dense [M, N].</summary>
    public float[] Expected(ChainStart start)
    {
        var c = new float[M * N];
        for (int i = 0; i < M; i++)
        {
            var row = c.AsSpan(i * N, N);
            for (int j = 0; j < N; j++)
                row[j] = Initial(start, i, j);
            for (int k = 0; k < K; k++)
            {
                float x = a[(i * K) + k];
                var right = b.AsSpan(k * N, N);
                for (int j = 0; j < row.Length; j++)
                    row[j] = MathF.FusedMultiplyAdd(x, right[j], row[j]);
            }
        }
        return c;
    }

    /// <summary>
    /// The true value of one element and the sum of the magnitudes that were added, in double
    /// precision.
    /// </summary>
    public (double Value, double Magnitude) True(ChainStart start, int row, int column)
    {
        double value = Initial(start, row, column), magnitude = Math.Abs(value);
        for (int k = 0; k < K; k++)
        {
            double product = (double)a[(row * K) + k] * b[(k * N) + column];
            value += product;
            magnitude += Math.Abs(product);
        }
        return (value, magnitude);
    }

    /// <summary>Runs the kernel in padded memory, checks that the padding survived, and returns dense C.</summary>
    public unsafe float[] Run(Compute compute, RightLayout layout, bool byColumns, ChainStart start, int pad = 3)
    {
        var (left, aRow, aCol) = Left(byColumns, pad);
        var (right, ldb) = Right(layout, pad);
        var biasPart = KernelData.Filled(N + (2 * pad), float.NaN);
        bias.CopyTo(biasPart, pad);
        int ldc = N + pad;
        var c = Destination(ldc, pad);
        fixed (float* pa = left, pb = right, pc = c, pbias = biasPart)
            Gemm.Run(compute, M, N, K, new(pa + pad, aRow, aCol), RightMatrix(pb + pad, ldb, layout),
                new(pc + pad, ldc), start == ChainStart.Bias ? pbias + pad : null, start == ChainStart.FromC);
        var dense = new float[M * N];
        for (int i = 0; i < c.Length; i++)
        {
            int at = i - pad;
            if (at >= 0 && at < M * ldc && at % ldc < N)
                dense[(at / ldc * N) + (at % ldc)] = c[i];
            else
                Assert.True(KernelData.Bits(c[i]) == KernelData.Bits(Canary),
                    $"{this}, {layout}: float {at} outside C was overwritten with {c[i]}");
        }
        return dense;
    }

    /// <summary>Runs the kernel with every matrix packed tightly against a forbidden page.</summary>
    public unsafe float[] RunGuarded(Compute compute, RightLayout layout, bool byColumns, ChainStart start, bool atEnd)
    {
        var (left, aRow, aCol) = Left(byColumns, 0);
        var (right, ldb) = Right(layout, 0);
        using GuardedMemory pa = new(left, atEnd), pb = new(right, atEnd), pbias = new(bias, atEnd),
            pc = new(before, atEnd);
        Gemm.Run(compute, M, N, K, new(pa.Pointer, aRow, aCol), RightMatrix(pb.Pointer, ldb, layout),
            new(pc.Pointer, N), start == ChainStart.Bias ? pbias.Pointer : null, start == ChainStart.FromC);
        return pc.Values.ToArray();
    }

    public override string ToString() => $"M {M}, N {N}, K {K}";

    private (float[] Values, int Row, int Column) Left(bool byColumns, int pad)
    {
        int aRow = byColumns ? 1 : K + pad, aCol = byColumns ? M + pad : 1;
        var values = KernelData.Filled(((byColumns ? K : M) * (byColumns ? aCol : aRow)) + (2 * pad), float.NaN);
        for (int i = 0; i < M; i++)
            for (int k = 0; k < K; k++)
                values[pad + (i * aRow) + (k * aCol)] = a[(i * K) + k];
        return (values, aRow, aCol);
    }

    private (float[] Values, int Row) Right(RightLayout layout, int pad)
    {
        bool rowsOfN = layout == RightLayout.RowsOfN;
        int ldb = (rowsOfN ? N : K) + pad;
        var values = KernelData.Filled(((rowsOfN ? K : N) * ldb) + (2 * pad), float.NaN);
        for (int k = 0; k < K; k++)
            for (int j = 0; j < N; j++)
                values[pad + (rowsOfN ? (k * ldb) + j : (j * ldb) + k)] = b[(k * N) + j];
        return (values, ldb);
    }

    private static unsafe Matrix RightMatrix(float* b, int ldb, RightLayout layout) =>
        layout == RightLayout.RowsOfN ? new(b, ldb) : new(b, 1, ldb);

    private float[] Destination(int ldc, int pad)
    {
        var c = KernelData.Filled((M * ldc) + (2 * pad), Canary);
        for (int i = 0; i < M; i++)
            before.AsSpan(i * N, N).CopyTo(c.AsSpan(pad + (i * ldc)));
        return c;
    }
}
