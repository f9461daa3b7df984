namespace Nano.Tests;

/// <summary>
/// Products of rounded operands against their definition: bfloat16 numbers, fused multiply-adds
/// over k in order, subnormal sums flushed. Every width and number of threads, with the instruction
/// and without.
/// </summary>
public sealed unsafe class BFloat16GemmTests : IDisposable
{
    private const float Canary = 12345.678f;

    private readonly List<Compute> computes =
    [
        .. KernelData.EveryCompute(),
        .. KernelData.ThreadCounts.Select(threads =>
            new Compute(threads, SimdWidth.W512) { EmittedCodeProblem = "off" }),
    ];

    public void Dispose() => computes.ForEach(compute => compute.Dispose());

    [Fact]
    public void Every_number_of_rows_gives_the_bits_of_the_definition()
    {
        foreach (int m in new[] { 0, 1, 2, 5, 11, 12, 13, 25, 97 })
            Check(m, 37, 6);
    }

    [Fact]
    public void Every_number_of_columns_gives_the_bits_of_the_definition()
    {
        foreach (int n in new[] { 0, 1, 3, 15, 16, 17, 31, 32, 33, 65 })
            Check(13, n, 7);
    }

    [Fact]
    public void Every_depth_gives_the_bits_of_the_definition()
    {
        foreach (int k in new[] { 0, 1, 2, 3, 31, 32, 33, 255, 256, 257, 511, 512, 513, 1030 })
            Check(14, 35, k);
    }

    [Theory]
    [InlineData(140, 130, 65)] // large enough to be shared among threads
    [InlineData(65, 300, 257)]
    [InlineData(200, 66, 130)]
    public void Shared_products_give_the_bits_of_the_definition(int m, int n, int k) => Check(m, n, k);

    /// <summary>Numbers so small that sums are flushed at every other step.</summary>
    [Fact]
    public void Tiny_sums_are_flushed_as_defined() => Check(26, 70, 45, 1e-19f);

    /// <summary>More steps than one pass takes, in both orientations.</summary>
    [Theory]
    [InlineData(14, 40, 8300)]
    [InlineData(40, 14, 8300)]
    public void Several_passes_continue_the_chains(int m, int n, int k)
    {
        var product = new Product(m, n, k, 1);
        var compute = computes.First(c => c is { Threads: 2, Width: SimdWidth.W512 });
        foreach (var start in Enum.GetValues<ChainStart>())
            KernelData.AssertSameBits(product.Expected(start), product.Run(compute, start, false, true), $"{start}");
    }

    /// <summary>More columns than one pass's panels hold.</summary>
    [Fact]
    public void Several_groups_of_panels_give_the_bits_of_the_definition()
    {
        var product = new Product(257, 275, 8192, 1);
        var compute = computes.First(c => c is { Threads: 2, Width: SimdWidth.W512 });
        KernelData.AssertSameBits(product.Expected(ChainStart.Bias), product.Run(compute, ChainStart.Bias, false, true),
            "two groups");
    }

    [Fact]
    public void Accumulating_two_odd_parts_of_k_continues_one_chain()
    {
        foreach (float size in new[] { 1f, 1e-19f })
        {
            var product = new Product(15, 37, 40, size);
            foreach (var compute in computes)
            {
                float[] whole = product.Run(compute, ChainStart.Zero, false, false), parts = new float[15 * 37];
                fixed (float* a = product.A, b = product.B, c = parts)
                {
                    BFloat16Gemm.Run(compute, 15, 37, 17, new Matrix(a, 40), new Matrix(b, 37), new Rows(c, 37));
                    BFloat16Gemm.Run(compute, 15, 37, 23, new Matrix(a + 17, 40), new Matrix(b + (17 * 37), 37),
                        new Rows(c, 37), accumulate: true);
                }
                KernelData.AssertSameBits(whole, parts, KernelData.Describe(compute));
            }
        }
    }

    [Fact]
    public void A_row_that_is_not_finite_changes_no_other()
    {
        var product = new Product(29, 37, 530, 1);
        float[] clean = product.Expected(ChainStart.Bias);
        product.A[(3 * 530) + 7] = float.NaN;
        product.A[(14 * 530) + 529] = float.PositiveInfinity;
        foreach (var compute in computes)
        {
            float[] actual = product.Run(compute, ChainStart.Bias, false, true);
            for (int row = 0; row < 29; row++)
                if (row is 3 or 14)
                    Assert.DoesNotContain(actual[(row * 37)..((row + 1) * 37)], float.IsFinite);
                else
                    KernelData.AssertSameBits(clean.AsSpan(row * 37, 37), actual.AsSpan(row * 37, 37), $"row {row}");
        }
    }

    [Fact]
    public void Nothing_outside_the_matrices_is_touched()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "guard pages are set up with Linux calls");
        foreach (var (m, n, k) in new[] { (1, 1, 1), (1, 33, 5), (12, 32, 16), (13, 33, 13), (25, 47, 35), (5, 3, 515),
            (110, 17, 6), (28, 60, 33) })
        {
            var product = new Product(m, n, k, 1);
            float[] expected = product.Expected(ChainStart.FromC);
            foreach (var compute in computes.Where(c => c.Threads < 3))
                foreach (bool atEnd in new[] { true, false })
                    foreach (var (byColumns, rowsOfK) in Layouts)
                        KernelData.AssertSameBits(expected, product.RunGuarded(compute, byColumns, rowsOfK, atEnd),
                            $"{m} x {n} x {k}, {KernelData.Describe(compute)}");
        }
    }

    [Fact]
    public void The_error_stays_within_the_bound_of_rounded_operands()
    {
        var product = new Product(13, 33, 97, 1);
        var compute = computes.First(c => c is { Threads: 2, Width: SimdWidth.W512 });
        float[] actual = product.Run(compute, ChainStart.Zero, false, false);
        for (int i = 0; i < actual.Length; i++)
        {
            double value = 0, magnitude = 0;
            for (int k = 0; k < 97; k++)
            {
                double term = (double)product.A[(i / 33 * 97) + k] * product.B[(k * 33) + (i % 33)];
                value += term;
                magnitude += Math.Abs(term);
            }
            // each operand within half a unit of 8 bits, and a chain of roundings
            Assert.InRange(Math.Abs(actual[i] - value), 0,
                ((2.01 * Math.Pow(2, -9)) + (97 * Math.Pow(2, -24))) * magnitude);
        }
    }

    private static readonly (bool ByColumns, bool RowsOfK)[] Layouts =
        [(false, false), (false, true), (true, false), (true, true)];

    /// <summary>All layouts, starts, widths and thread counts, in padded memory.</summary>
    private void Check(int m, int n, int k, float size = 1)
    {
        var product = new Product(m, n, k, size);
        foreach (var start in Enum.GetValues<ChainStart>())
        {
            float[] expected = product.Expected(start);
            foreach (var compute in computes)
                foreach (var (byColumns, rowsOfK) in Layouts)
                    KernelData.AssertSameBits(expected, product.Run(compute, start, byColumns, rowsOfK),
                        $"{m} x {n} x {k}, {start}, A by columns {byColumns}, B by columns {rowsOfK}, "
                        + $"{KernelData.Describe(compute)}, {compute.EmittedCodeProblem}");
        }
    }

    /// <summary>One product, its values, and the answer by definition.</summary>
    private sealed class Product(int m, int n, int k, float size)
    {
        public readonly float[] A = Scaled(1, m * k, size), B = Scaled(2, k * n, size);
        private readonly float[] bias = Scaled(3, n, size * size), before = Scaled(4, m * n, size * size);

        private static float[] Scaled(int seed, int count, float size) =>
            Array.ConvertAll(KernelData.Random(seed, count), x => x * size);

        public float[] Expected(ChainStart start)
        {
            var a = Array.ConvertAll(A, BFloat16Tests.Expected);
            var b = Array.ConvertAll(B, BFloat16Tests.Expected);
            var c = new float[m * n];
            for (int i = 0; i < c.Length; i++)
            {
                float sum = start == ChainStart.Zero ? 0 : start == ChainStart.Bias ? bias[i % n] : before[i];
                for (int step = 0; step < k; step++)
                    sum = Flushed(MathF.FusedMultiplyAdd(a[(i / n * k) + step], b[(step * n) + (i % n)], Flushed(sum)));
                c[i] = sum;
            }
            return c;
        }

        // no sum of these lies so near to the smallest normal number that rounding decides
        private static float Flushed(float x) => float.IsSubnormal(x) ? MathF.CopySign(0, x) : x;

        /// <summary>
        /// Runs the kernel in padded memory, checks that the padding survived, and returns dense C.
        /// </summary>
        public float[] Run(Compute compute, ChainStart start, bool byColumns, bool rowsOfK)
        {
            const int pad = 3;
            int aStride = (byColumns ? m : k) + pad, bStride = (rowsOfK ? k : n) + pad, cStride = n + pad;
            float[] left = Padded(A, m, k, byColumns, aStride, float.NaN), right = Padded(B, k, n, rowsOfK, bStride,
                float.NaN), c = Padded(before, m, n, false, cStride, Canary);
            fixed (float* pa = left, pb = right, pc = c, pbias = (float[])[.. bias, float.NaN])
                BFloat16Gemm.Run(compute, m, n, k, Of(pa + 1, byColumns, aStride), Of(pb + 1, rowsOfK, bStride),
                    new Rows(pc + 1, cStride), start == ChainStart.Bias ? pbias : null, start == ChainStart.FromC);
            var dense = new float[m * n];
            for (int i = 0; i < c.Length; i++)
                if (i > 0 && (i - 1) / cStride < m && (i - 1) % cStride < n)
                    dense[((i - 1) / cStride * n) + ((i - 1) % cStride)] = c[i];
                else
                    Assert.Equal(Canary, c[i]);
            return dense;
        }

        /// <summary>Adds to C, with every matrix against a forbidden page.</summary>
        public float[] RunGuarded(Compute compute, bool byColumns, bool rowsOfK, bool atEnd)
        {
            int aStride = byColumns ? m : k, bStride = rowsOfK ? k : n;
            using GuardedMemory pa = new(Padded(A, m, k, byColumns, aStride, 0).AsSpan(1, A.Length), atEnd),
                pb = new(Padded(B, k, n, rowsOfK, bStride, 0).AsSpan(1, B.Length), atEnd), pc = new(before, atEnd);
            BFloat16Gemm.Run(compute, m, n, k, Of(pa.Pointer, byColumns, aStride), Of(pb.Pointer, rowsOfK, bStride),
                new Rows(pc.Pointer, n), accumulate: true);
            return pc.Values.ToArray();
        }

        private static Matrix Of(float* pointer, bool byColumns, nint stride) =>
            byColumns ? new Matrix(pointer, 1, stride) : new Matrix(pointer, stride);

        /// <summary>
        /// A matrix by rows or by columns with a stride, one float after the start of an array.
        /// </summary>
        private static float[] Padded(float[] values, int rows, int columns, bool byColumns, int stride, float filling)
        {
            var padded = KernelData.Filled(((byColumns ? columns : rows) * stride) + 2, filling);
            for (int row = 0; row < rows; row++)
                for (int column = 0; column < columns; column++)
                    padded[1 + (byColumns ? (column * stride) + row : (row * stride) + column)] =
                        values[(row * columns) + column];
            return padded;
        }
    }
}
