namespace Nano.Tests;

/// <summary>
/// Rounding to bfloat16 against its definition, at every length and alignment; nothing beyond the
/// ends is touched.
/// </summary>
public unsafe class BFloat16Tests
{
    public static TheoryData<SimdWidth> Widths => TestTensors.Widths;

    private static readonly float[] Special =
    [
        0f, -0f, 1f, -1f, float.PositiveInfinity, float.NegativeInfinity, float.MaxValue, float.MinValue, float.Epsilon,
            -float.Epsilon, 1e-39f, 1.17549435e-38f,
        Bits(0x3f808000), // 1 + 2^-8, half way between 1 and 1 + 2^-7: down to the even one
        Bits(0x3f818000), // half way between 1 + 2^-7 and 1 + 2^-6: up to the even one
        Bits(0xbf808000), Bits(0xbf818000), Bits(0x3f808001), Bits(0x3f807fff), Bits(0x7f7f7fff), Bits(0x7f7f8000),
            Bits(0x00008000), Bits(0x00018000), Bits(0x00007fff),
        float.NaN, -float.NaN, Bits(0x7f800001), Bits(0xff80ffff), Bits(0x7fffffff), Bits(0xffffffff), Bits(0x7fbfffff),
    ];

    private static float Bits(uint bits) => BitConverter.UInt32BitsToSingle(bits);

    /// <summary>
    /// By definition: of the two floats whose lower half is zero around x, the nearer; of equally
    /// near ones that whose upper half is even. Beyond the last is infinity.
    /// </summary>
    internal static float Expected(float x)
    {
        if (!float.IsFinite(x))
            return x;
        uint below = BitConverter.SingleToUInt32Bits(x) & 0xffff0000u;
        double magnitude = Math.Abs((double)x), low = Math.Abs((double)Bits(below)),
            high = below << 1 == 0xfefe0000u ? Math.ScaleB(1, 128) : Math.Abs((double)Bits(below + 0x10000));
        bool up = high - magnitude < magnitude - low || (high - magnitude == magnitude - low && (below & 0x10000) != 0);
        return up ? Bits(below + 0x10000) : Bits(below);
    }

    private static void AssertRounded(float x, float actual, string where)
    {
        if (float.IsNaN(x))
            Assert.True(float.IsNaN(actual), where);
        else
            Assert.True(BitConverter.SingleToInt32Bits(Expected(x)) == BitConverter.SingleToInt32Bits(actual),
                $"{where}: {x:R} became {actual:R}, should be {Expected(x):R}");
    }

    private static float[] AnyBits(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => Bits((uint)random.NextInt64(1L << 32)))];
    }

    [Theory, MemberData(nameof(Widths))]
    public void Every_length_and_alignment_is_rounded_to_nearest_even(SimdWidth width)
    {
        using var compute = new Compute(1, width);
        for (int n = 0; n <= (4 * 16) + 3; n++)
            for (int offset = 0; offset < 3; offset++)
            {
                float[] values = AnyBits(n, n);
                for (int i = 0; i < Math.Min(n, Special.Length); i++)
                    values[(i * 7) % n] = Special[(i + n) % Special.Length];
                int words = (int)BFloat16.Words(n);
                Tensor x = new(new Shape(n + 8)), half = new(new Shape(words + 8)), back = new(new Shape(n + 8));
                foreach (var tensor in new[] { x, half, back })
                    tensor.Data.Fill(77);
                values.CopyTo(x.Data[offset..]);
                BFloat16.Narrow(compute, n, x.Pointer + offset, half.Pointer + offset + 1);
                BFloat16.Widen(compute, n, half.Pointer + offset + 1, back.Pointer + offset + 2);
                AssertUntouched(half, offset + 1, words);
                AssertUntouched(back, offset + 2, n);
                for (int i = 0; i < n; i++)
                    AssertRounded(values[i], back.Data[offset + 2 + i],
                        $"{width}, element {i} of {n}, offset {offset}");
                KeepAlive(x, half, back);
            }
    }

    private static void AssertUntouched(Tensor tensor, int start, int count)
    {
        Assert.True(tensor.Data[..start].IndexOfAnyExcept(77f) < 0
            && tensor.Data[(start + count)..].IndexOfAnyExcept(77f) < 0, $"{count} from {start}");
    }

    [Theory, MemberData(nameof(Widths))]
    public void Many_numbers_of_every_size_are_rounded_whatever_the_team(SimdWidth width)
    {
        float[] values = [.. Special, .. AnyBits(100_000, 3)];
        int[]? expected = null;
        foreach (int threads in new[] { 1, 3 })
        {
            using var compute = new Compute(threads, width);
            Tensor x = Tensor.From(new Shape(values.Length), values),
                half = new(new Shape((int)BFloat16.Words(values.Length))), back = new(x.Shape);
            BFloat16.Narrow(compute, values.Length, x.Pointer, half.Pointer);
            BFloat16.Widen(compute, values.Length, half.Pointer, back.Pointer);
            for (int i = 0; i < values.Length; i++)
                AssertRounded(values[i], back.Data[i], $"{width}, element {i}");
            int[] bits = [.. half.Bits(), .. back.Bits()];
            expected ??= bits;
            Assert.Equal(expected, bits);
            KeepAlive(x, half, back);
        }
    }

    [Theory, MemberData(nameof(Widths))]
    public void What_is_bfloat16_already_stays_as_it_is(SimdWidth width)
    {
        using var compute = new Compute(2, width);
        float[] values = [.. Enumerable.Range(0, 1 << 16).Select(i => Bits((uint)i << 16))
            .Where(value => !float.IsNaN(value))];
        Tensor x = Tensor.From(new Shape(values.Length), values),
            half = new(new Shape((int)BFloat16.Words(values.Length))), back = new(x.Shape);
        BFloat16.Narrow(compute, values.Length, x.Pointer, half.Pointer);
        BFloat16.Widen(compute, values.Length, half.Pointer, back.Pointer);
        Assert.Equal(x.Bits(), back.Bits());
        KeepAlive(x, half, back);
    }

    /// <summary>Kernels are given bare pointers: until here the collector must not free what they point to.</summary>
    private static void KeepAlive(params ReadOnlySpan<Tensor> tensors)
    {
        foreach (var tensor in tensors)
            GC.KeepAlive(tensor);
    }
}
