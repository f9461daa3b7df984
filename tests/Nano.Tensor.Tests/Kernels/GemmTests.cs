using FsCheck;
using FsCheck.Fluent;

namespace Nano.Tests;

public sealed class GemmTests : IDisposable
{
    private static readonly int[] Sizes = [0, 1, 2, 3, 4, 5, 11, 12, 13, 31, 32, 33, 47, 65, 97, 511, 512, 513, 1100];
    private readonly List<Compute> computes = KernelData.EveryCompute();

    public void Dispose() => computes.ForEach(compute => compute.Dispose());

    [Fact]
    public void Every_number_of_rows_gives_the_bits_of_the_definition() =>
        Sizes.ToList().ForEach(m => CheckBits(new GemmCase(m, 37, 5)));

    [Fact]
    public void Every_number_of_columns_gives_the_bits_of_the_definition() =>
        Sizes.ToList().ForEach(n => CheckBits(new GemmCase(13, n, 7)));

    [Fact]
    public void Every_depth_gives_the_bits_of_the_definition() =>
        Sizes.ToList().ForEach(k => CheckBits(new GemmCase(17, 35, k)));

    [Theory]
    [InlineData(1, 513, 513)]
    [InlineData(97, 97, 97)]
    [InlineData(200, 65, 47)]
    [InlineData(5, 1100, 33)]
    [InlineData(140, 130, 65)] // large enough to be shared among threads
    [InlineData(33, 700, 65)]
    [InlineData(16, 300, 257)]
    [InlineData(0, 0, 0)]
    [InlineData(1, 1, 1)]
    public void Mixed_sizes_give_the_bits_of_the_definition(int m, int n, int k) =>
        CheckBits(new GemmCase(m, n, k, seed: 77));

    /// <summary>
    /// More steps than one pass takes, and more columns than one pass's panels hold, in both
    /// orientations.
    /// </summary>
    [Theory]
    [InlineData(60, 40, 4200)]
    [InlineData(40, 60, 4200)]
    [InlineData(300, 290, 4100)]
    [InlineData(270, 300, 4100)]
    public void Several_passes_continue_the_chains(int m, int n, int k)
    {
        var product = new GemmCase(m, n, k, seed: 21);
        var compute = computes.First(c => c.Threads == 2);
        foreach (var start in Enum.GetValues<ChainStart>())
            KernelData.AssertSameBits(product.Expected(start),
                product.Run(compute, RightLayout.RowsOfK, byColumns: false, start), $"{product}, {start}");
    }

    /// <summary>
    /// Caches that make all rows crowded, the K-block short, panels small and large: rows of 1,024 and of 600 floats,
    /// several K-blocks, more tokens and fewer than weights.
    /// </summary>
    [Theory]
    [InlineData(40, 70, 1024)]
    [InlineData(70, 40, 600)]
    [InlineData(300, 260, 515)]
    public void Sizes_of_caches_change_no_bit(int m, int n, int k)
    {
        var product = new GemmCase(m, n, k, seed: 13);
        CacheSizes[] machines = [new(4 << 10, 1, 64 << 10, 1 << 20), new(48 << 10, 12, 2 << 20, 256 << 20),
            new(32 << 10, 8, 256 << 10, 32 << 20)];
        foreach (var caches in machines)
            foreach (int threads in KernelData.ThreadCounts)
            {
                using var compute = new Compute(threads) { Caches = caches };
                foreach (var start in Enum.GetValues<ChainStart>())
                    foreach (var (layout, byColumns) in GemmCase.Layouts)
                        KernelData.AssertSameBits(product.Expected(start),
                            product.Run(compute, layout, byColumns, start, pad: 0), $"{product}, {caches}, {threads}");
            }
    }

    [Fact]
    public void Random_sizes_give_the_bits_of_the_definition()
    {
        var size = Gen.Choose(0, 70);
        var sizes = from m in size from n in size from k in size select (M: m, N: n, K: k);
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(40),
            Prop.ForAll(sizes.ToArbitrary(), s => CheckBits(new GemmCase(s.M, s.N, s.K, seed: 5))));
    }

    [Fact]
    public void The_error_stays_within_the_bound_of_a_chain_of_k_roundings()
    {
        foreach (var (m, n, k) in new[] { (5, 9, 0), (3, 4, 1), (13, 33, 97), (4, 33, 513), (12, 5, 1100),
            (14, 47, 65) })
        {
            var product = new GemmCase(m, n, k, seed: 9);
            foreach (var start in Enum.GetValues<ChainStart>())
                foreach (var compute in computes.Where(c => c.Threads == 2))
                {
                    var actual = product.Run(compute, RightLayout.RowsOfK, byColumns: false, start);
                    for (int i = 0; i < actual.Length; i++)
                    {
                        var (value, magnitude) = product.True(start, i / n, i % n);
                        Assert.InRange(Math.Abs(actual[i] - value), 0, 2 * k * Math.Pow(2, -24) * magnitude);
                    }
                }
        }
    }

    [Fact]
    public void Accumulating_two_halves_of_k_continues_one_chain()
    {
        const int m = 15, n = 37, k = 40, cut = 17;
        float[] a = KernelData.Random(1, m * k), b = KernelData.Random(2, k * n);
        foreach (var compute in computes)
        {
            float[] whole = new float[m * n], parts = new float[m * n];
            unsafe
            {
                fixed (float* pa = a, pb = b, pw = whole, pp = parts)
                {
                    Gemm.Run(compute, m, n, k, new(pa, k), new(pb, n), new(pw, n));
                    Gemm.Run(compute, m, n, cut, new(pa, k), new(pb, n), new(pp, n));
                    Gemm.Run(compute, m, n, k - cut, new(pa + cut, k), new(pb + (cut * n), n), new(pp, n),
                        accumulate: true);
                }
            }
            KernelData.AssertSameBits(whole, parts, KernelData.Describe(compute));
        }
    }

    [Fact]
    public void Nan_and_infinity_in_a_row_of_A_stay_in_that_row()
    {
        var product = new GemmCase(29, 37, 530);
        var clean = product.Expected(ChainStart.Bias);
        product.A[(3 * product.K) + 7] = float.NaN;
        product.A[(14 * product.K) + 520] = float.PositiveInfinity;
        product.A[(28 * product.K) + 1] = float.NegativeInfinity;
        foreach (var compute in computes)
            foreach (var (layout, byColumns) in GemmCase.Layouts)
            {
                var actual = product.Run(compute, layout, byColumns, ChainStart.Bias);
                for (int i = 0; i < product.M; i++)
                {
                    var row = actual.AsSpan(i * product.N, product.N);
                    if (i is 3 or 14 or 28)
                        Assert.DoesNotContain(row.ToArray(), float.IsFinite);
                    else
                        KernelData.AssertSameBits(clean.AsSpan(i * product.N, product.N), row,
                            $"row {i}, {KernelData.Describe(compute)}");
                }
            }
    }

    [Fact]
    public void Nothing_outside_the_matrices_is_touched()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "guard pages are set up with Linux calls");
        foreach (var (m, n, k) in new[] { (1, 1, 1), (1, 33, 5), (3, 31, 3), (4, 7, 9), (12, 32, 16), (13, 33, 13),
            (25, 47, 21), (5, 3, 515), (110, 17, 6) })
        {
            var product = new GemmCase(m, n, k, seed: 3);
            foreach (var start in Enum.GetValues<ChainStart>())
            {
                var expected = product.Expected(start);
                foreach (var compute in computes.Where(c => c.Threads < 3))
                    foreach (var (layout, byColumns) in GemmCase.Layouts)
                        foreach (bool atEnd in new[] { true, false })
                            KernelData.AssertSameBits(expected,
                                product.RunGuarded(compute, layout, byColumns, start, atEnd),
                                $"{product}, {layout}, {KernelData.Describe(compute)}");
            }
        }
    }

    /// <summary>All layouts, starts, widths and thread counts against the definition, in padded memory.</summary>
    private void CheckBits(GemmCase product)
    {
        foreach (var start in Enum.GetValues<ChainStart>())
        {
            var expected = product.Expected(start);
            foreach (var (layout, byColumns) in GemmCase.Layouts)
                foreach (var compute in computes)
                    KernelData.AssertSameBits(expected, product.Run(compute, layout, byColumns, start),
                        $"{product}, {layout}, A by {(byColumns ? "columns" : "rows")}, {start}, "
                        + $"{KernelData.Describe(compute)}");
        }
    }
}
