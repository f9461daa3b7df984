namespace Nano.Tests;

public sealed class RowReduceTests : IDisposable
{
    private readonly List<Compute> computes = [.. SimdWidths.All.Select(width => new Compute(1, width))];

    public void Dispose() => computes.ForEach(compute => compute.Dispose());

    /// <summary>Lengths that fill, miss and exceed the sixteen lanes, and one long row.</summary>
    public static IEnumerable<int> Lengths => Enumerable.Range(0, 71).Append(1000);

    [Fact]
    public void A_sum_has_the_bits_of_sixteen_lanes_and_one_tree()
    {
        foreach (int n in Lengths)
        {
            var x = KernelData.Random(n, n);
            float expected = SixteenLanes(n, (running, i) => running + x[i]);
            foreach (var compute in computes)
                Assert.Equal(KernelData.Bits(expected), KernelData.Bits(Reduce(compute, x, x, Kind.Sum)));
        }
    }

    [Fact]
    public void A_dot_product_fuses_each_product_into_its_lane()
    {
        foreach (int n in Lengths)
        {
            float[] x = KernelData.Random(n, n), y = KernelData.Random(n + 1000, n);
            float expected = SixteenLanes(n, (running, i) => MathF.FusedMultiplyAdd(x[i], y[i], running));
            foreach (var compute in computes)
                Assert.Equal(KernelData.Bits(expected), KernelData.Bits(Reduce(compute, x, y, Kind.Product)));
        }
    }

    [Fact]
    public void The_largest_element_is_found_and_an_empty_row_gives_minus_infinity()
    {
        foreach (int n in Lengths)
        {
            var x = KernelData.Random(n + 5, n);
            float expected = n == 0 ? float.NegativeInfinity : x.Max();
            foreach (var compute in computes)
                Assert.Equal(expected, Reduce(compute, x, x, Kind.Max));
        }
    }

    [Fact]
    public void The_largest_of_all_minus_infinity_is_minus_infinity()
    {
        var x = KernelData.Filled(37, float.NegativeInfinity);
        foreach (var compute in computes)
            Assert.Equal(float.NegativeInfinity, Reduce(compute, x, x, Kind.Max));
    }

    [Fact]
    public void A_row_with_nan_reduces_to_the_same_bits_at_every_width()
    {
        for (int at = 0; at < 40; at++)
        {
            var x = KernelData.Random(3, 40);
            x[at] = float.NaN;
            Assert.Single(computes.Select(compute => KernelData.Bits(Reduce(compute, x, x, Kind.Max))).Distinct());
            Assert.All(computes, compute => Assert.True(float.IsNaN(Reduce(compute, x, x, Kind.Sum))));
        }
    }

    [Fact]
    public void Exponentials_are_stored_in_place_and_their_sum_takes_the_same_lanes()
    {
        const float scale = 0.25f, shift = 1.5f;
        foreach (int n in Lengths)
        {
            var x = KernelData.Random(n, n);
            foreach (var compute in computes)
            {
                var e = (float[])x.Clone();
                float sum = Reduce(compute, e, e, Kind.Exponential, scale, shift);
                for (int i = 0; i < n; i++)
                {
                    double exact = Math.Exp(((double)x[i] - shift) * scale);
                    Assert.InRange(e[i], exact * (1 - 1e-6), exact * (1 + 1e-6));
                }
                Assert.Equal(KernelData.Bits(SixteenLanes(n, (running, i) => running + e[i])), KernelData.Bits(sum));
            }
        }
    }

    [Fact]
    public void Nothing_outside_the_row_is_read()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "guard pages are set up with Linux calls");
        foreach (int n in Lengths)
            foreach (bool atEnd in new[] { true, false })
            {
                using var x = new GuardedMemory(KernelData.Random(n, n), atEnd);
                foreach (var compute in computes)
                    foreach (var kind in Enum.GetValues<Kind>())
                        _ = Reduce(compute, x.Values, x.Values, kind, 0.1f, 1);
            }
    }

    /// <summary>
    /// The definition: element i belongs to lane i mod 16, lanes fold in order, then 16 -> 8 -> 4
    /// -> 2 -> 1.
    /// </summary>
    private static float SixteenLanes(int n, Func<float, int, float> fold)
    {
        var lanes = new float[16];
        for (int i = 0; i < n; i++)
            lanes[i % 16] = fold(lanes[i % 16], i);
        float[] eight = Halve(lanes), four = Halve(eight), two = Halve(four);
        return two[0] + two[1];
    }

    private static float[] Halve(float[] lanes) =>
        [.. Enumerable.Range(0, lanes.Length / 2).Select(i => lanes[i] + lanes[i + (lanes.Length / 2)])];

    private static unsafe float Reduce(Compute compute, Span<float> x, Span<float> y, Kind kind, float scale = 0,
        float shift = 0)
    {
        float result = 0;
        fixed (float* px = x, py = y)
            compute.For(1, 1, 0, new OneRow(kind, x.Length, px, py, scale, shift, &result));
        return result;
    }

    private enum Kind
    {
        Sum,
        Product,
        Max,
        Exponential,
    }

    private readonly unsafe struct OneRow(Kind kind, int n, float* x, float* y, float scale, float shift,
        float* result) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged =>
            *result = kind switch
            {
                Kind.Sum => RowReduce.Sum<S, V, PlainTerm>(n, new PlainTerm(x)),
                Kind.Product => RowReduce.Sum<S, V, ProductTerm>(n, new ProductTerm(x, y)),
                Kind.Max => RowReduce.Max<S, V>(n, x),
                _ => RowReduce.Sum<S, V, ExpTerm>(n, new ExpTerm(x, shift, scale, y)),
            };
    }
}
