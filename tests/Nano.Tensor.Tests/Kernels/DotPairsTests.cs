using System.Numerics;

namespace Nano.Tests;

/// <summary>
/// The arithmetic of bfloat16 pairs against what a processor's vdpbf16ps gave, against exact
/// arithmetic, and the two forms of the register tile against the definition.
/// </summary>
public unsafe class DotPairsTests
{
    public static TheoryData<SimdWidth> Widths => TestTensors.Widths;

    private static readonly uint[] Special =
    [
        0, 0x80000000, 0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001, 0xffffffff, 0x00010000, 0x80010000, 0x007f0000,
        0x007fffff, 0x00800000, 0x80800000, 0x00810000, 0x00000001, 0x7f7f0000, 0xff7f0000, 0x7f7fffff, 0xff7fffff,
        0x3f800000, 0xbf800000, 0x20000000, 0x1f800000, 0x5f000000,
    ];

    private static float Float(uint bits) => BitConverter.UInt32BitsToSingle(bits);

    private static uint Bits(float x) => BitConverter.SingleToUInt32Bits(x);

    /// <summary>
    /// Sum, pair, pair and result: written by a C program with the intrinsic on a Zen 4 processor.
    /// </summary>
    [Theory]
    [InlineData(0x3f800000u, 0x3f803f80u, 0x40004040u, 0x40c00000u)]
    [InlineData(0x3f800000u, 0x4b803f80u, 0x3f80bf80u, 0x4b7fffffu)]
    [InlineData(0x7f7f0000u, 0x7f7f3f80u, 0x40003f80u, 0x7f800000u)]
    [InlineData(0x00000000u, 0x7f800000u, 0x00003f80u, 0xffc00000u)]
    [InlineData(0x00000000u, 0x3f807f80u, 0x3f803f80u, 0x7f800000u)]
    [InlineData(0x7f800000u, 0x3f803f80u, 0xff803f80u, 0xffc00000u)]
    [InlineData(0x00400000u, 0x00000000u, 0x3f803f80u, 0x00000000u)]
    [InlineData(0x80400000u, 0x00000000u, 0x3f803f80u, 0x00000000u)]
    [InlineData(0x00000000u, 0x00400000u, 0x3f800000u, 0x00000000u)]
    [InlineData(0x00000000u, 0x80400080u, 0x3f803f80u, 0x00800000u)]
    [InlineData(0x80000000u, 0x00000000u, 0x80008000u, 0x80000000u)]
    [InlineData(0x80000000u, 0x00000000u, 0x00000000u, 0x00000000u)]
    [InlineData(0x00800000u, 0x80000080u, 0x3e803f00u, 0x00c00000u)]
    [InlineData(0x00800000u, 0x93b2a0c0u, 0x1fe48075u, 0x00000000u)]
    [InlineData(0x80800000u, 0x10429804u, 0x204e9bddu, 0x80000000u)]
    [InlineData(0x00800000u, 0xb1af007fu, 0x01e801a6u, 0x00000000u)]
    [InlineData(0x80800000u, 0x00812000u, 0x2000007fu, 0x80800000u)]
    [InlineData(0x00800000u, 0x80f500b8u, 0x21b90000u, 0x00800000u)]
    [InlineData(0x00000000u, 0x20003f80u, 0x1f803f80u, 0x3f800000u)]
    [InlineData(0x00000000u, 0x1f001f00u, 0x20002000u, 0x00000000u)]
    [InlineData(0x3f800000u, 0x7fc03f80u, 0x3f803f80u, 0x7fc00000u)]
    [InlineData(0x4b800000u, 0x3f803f80u, 0x3f803f80u, 0x4b800000u)]
    [InlineData(0xcb800000u, 0x3f803f80u, 0x3f803f80u, 0xcb7ffffeu)]
    [InlineData(0x00000000u, 0x00810081u, 0x3f003f00u, 0x00000000u)]
    [InlineData(0xc2deb721u, 0xbc1d3d38u, 0xbe08bfacu, 0xc2ded562u)]
    [InlineData(0xc1c5c374u, 0xc3afc263u, 0x3e754168u, 0xc468d57cu)]
    [InlineData(0xc1a64f2eu, 0xc18f3da5u, 0x4195c0a3u, 0xc3b10f7au)]
    [InlineData(0xc075709bu, 0x430ac3dcu, 0xc0d43c96u, 0xc4678911u)]
    [InlineData(0x437fc901u, 0xbe51c1feu, 0xbe92bf82u, 0x43900b74u)]
    [InlineData(0xc3a3bd01u, 0xc3e6be6au, 0x417440a5u, 0xc5e57d3du)]
    [InlineData(0xbe9fbf5du, 0xbd4843c8u, 0x3c30400bu, 0x44591bffu)]
    [InlineData(0x4153d429u, 0xbf093e7eu, 0x3f7ebdb2u, 0x414afcfbu)]
    [InlineData(0x41104cc9u, 0xbda04037u, 0xbccbbc2au, 0x410fdb31u)]
    [InlineData(0xbcc8cde6u, 0x3fbb3cdau, 0x3fdc3d36u, 0x401f35c4u)]
    [InlineData(0x3f45813cu, 0xc317c1a4u, 0x4147400eu, 0xc4f058d0u)]
    [InlineData(0x40b7a930u, 0x3d11bfb2u, 0x3d54be99u, 0x40c50472u)]
    [InlineData(0x01bfda2cu, 0xa07d2172u, 0xa07aa1f7u, 0x83d5c7cdu)]
    [InlineData(0x00e30f2au, 0x9ffa215au, 0x21002091u, 0x0254d5e5u)]
    [InlineData(0x8020189du, 0x1ee31e60u, 0x20621ea4u, 0x00000000u)]
    [InlineData(0x80552666u, 0x1ee21f07u, 0xa1859eb7u, 0x80f0dc10u)]
    [InlineData(0x813a0718u, 0x1f0d2024u, 0xa0df9f9au, 0x8194624cu)]
    [InlineData(0x8032e918u, 0xa03c9f30u, 0xa0b0a1feu, 0x0217f000u)]
    public void A_sum_of_a_pair_is_what_the_instruction_gave(uint sum, uint left, uint right, uint expected) =>
        AssertSame(Float(expected), DotPairs.Add(Float(sum), left, right), $"{sum:x8} {left:x8} {right:x8}");

    [Fact]
    public void A_sum_of_a_pair_is_the_exact_one_rounded_twice()
    {
        var random = new Random(5);
        for (int i = 0; i < 60_000; i++)
        {
            uint sum = Any(random), left = AnyPair(random), right = AnyPair(random);
            float upper = Rounded(Float(sum), Float(left & 0xffff0000), Float(right & 0xffff0000));
            float expected = Rounded(upper, Float(left << 16), Float(right << 16));
            AssertSame(expected, DotPairs.Add(Float(sum), left, right), $"{sum:x8} {left:x8} {right:x8}");
        }
    }

    [Fact]
    public void A_pair_of_zeros_of_unlike_signs_changes_no_sum()
    {
        foreach (uint sum in Special.Where(bits => float.IsNormal(Float(bits)) || Float(bits) == 0))
            Assert.Equal(sum, Bits(DotPairs.Add(Float(sum), 0, 0x80008000)));
    }

    [Theory, MemberData(nameof(Widths))]
    public void The_portable_tile_gives_the_bits_of_the_definition(SimdWidth width)
    {
        using var compute = new Compute(1, width);
        CheckTiles((tile, c) => compute.For(1, 1, 0, new Portable(tile, c)), compute.Width.ToString());
    }

    [Fact]
    public void The_emitted_tile_gives_the_bits_of_the_definition()
    {
        Assert.SkipWhen(EmittedCode.Problem is not null, EmittedCode.Problem ?? "");
        CheckTiles((tile, c) => DotTile.Code(tile.Rows, tile.ByRow, fromZero: false)(tile.Pairs, tile.A, tile.Panel,
            c.First, c.Stride * sizeof(float)), "emitted");
        CheckTiles((tile, c) => DotTile.Code(tile.Rows, tile.ByRow, fromZero: true)(tile.Pairs, tile.A, tile.Panel,
            c.First, c.Stride * sizeof(float)), "emitted, from zero", fromZero: true);
    }

    private readonly record struct Tile(int Rows, int Pairs, bool ByRow, nint ARow, nint AStep, nint Left, nint Right)
    {
        public uint* A => (uint*)Left;

        public uint* Panel => (uint*)Right;
    }

    private readonly struct Portable(Tile tile, Rows c) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged =>
            DotPairs.Multiply<S, V>(tile.Rows, DotPairs.Columns, tile.Pairs, tile.A, tile.ARow, tile.AStep, tile.Panel,
                c);
    }

    /// <summary>
    /// Every number of rows and both layouts, of numbers of the usual size and of any bits.
    /// </summary>
    private static void CheckTiles(Action<Tile, Rows> run, string what, bool fromZero = false)
    {
        const int stride = DotPairs.Columns + 5;
        var random = new Random(11);
        for (int rows = 1; rows <= DotTile.Rows; rows++)
            foreach (bool byRow in new[] { false, true })
                foreach (var (pairs, usual) in new[] { (1, false), (3, false), (40, true), (256, true) })
                {
                    nint aRow = byRow ? PairRows.RowStride : 1, aStep = byRow ? 1 : PairRows.StepStride;
                    uint[] a = Numbers(random, DotTile.Rows * PairRows.RowStride, usual),
                        panel = Numbers(random, pairs * DotPairs.Columns, usual);
                    float[] before = [.. Numbers(random, rows * stride, usual).Select(Float)],
                        after = (float[])before.Clone();
                    fixed (uint* pa = a, pp = panel)
                    fixed (float* pc = after)
                        run(new Tile(rows, pairs, byRow, aRow, aStep, (nint)pa, (nint)pp), new Rows(pc, stride));
                    for (int row = 0; row < rows; row++)
                        for (int column = 0; column < stride; column++)
                        {
                            float expected = before[(row * stride) + column];
                            if (column < DotPairs.Columns && fromZero)
                                expected = 0;
                            for (int step = 0; step < pairs && column < DotPairs.Columns; step++)
                                expected = DotPairs.Add(expected, a[(row * aRow) + (step * aStep)],
                                    panel[(step * DotPairs.Columns) + column]);
                            AssertSame(expected, after[(row * stride) + column],
                                $"{what}: {rows} rows, {pairs} pairs, by row {byRow}, at {row}, {column}");
                        }
                }
    }

    private static uint[] Numbers(Random random, int count, bool usual) =>
        [.. Enumerable.Range(0, count).Select(_ => usual ? Usual(random) : random.Next(4) == 0 ? Any(random)
            : AnyPair(random))];

    private static uint Usual(Random random) =>
        Pair(Bits(random.NextSingle() - 0.5f), Bits(random.NextSingle() - 0.5f));

    private static uint Pair(uint upper, uint lower) => (upper & 0xffff0000) | (lower >> 16);

    private static uint AnyPair(Random random) => Pair(Any(random), Any(random));

    /// <summary>
    /// Any bits, numbers around one, around the root of the smallest, around the smallest, and
    /// special ones.
    /// </summary>
    private static uint Any(Random random)
    {
        uint bits = (uint)random.NextInt64(1L << 32), signAndFraction = bits & 0x807fffff;
        uint At(int exponent) => signAndFraction | ((uint)exponent << 23);
        return random.Next(5) switch
        {
            0 => bits,
            1 => At(random.Next(120, 136)),
            2 => At(random.Next(60, 68)),
            3 => At(random.Next(0, 4)),
            _ => Special[random.Next(Special.Length)],
        };
    }

    /// <summary>
    /// sum + left * right by definition: subnormal operands are zeros, the exact value is rounded
    /// once to 24 bits, to nearest even, and becomes a zero of its sign below 2^-126 and infinite
    /// from 2^128 on.
    /// </summary>
    private static float Rounded(float sum, float left, float right)
    {
        (sum, left, right) = (Flushed(sum), Flushed(left), Flushed(right));
        if (!float.IsFinite(sum) || !float.IsFinite(left) || !float.IsFinite(right))
            return (float)((double)sum + ((double)left * right)); // infinite or not a number: nothing is rounded
        BigInteger exact = Integer(sum, 400) + (Integer(left, 200) * Integer(right, 200)); // in units of 2^-400
        if (exact.IsZero)
            return sum + (left * right); // for the sign of zero
        var magnitude = BigInteger.Abs(exact);
        int extra = (int)magnitude.GetBitLength() - 24;
        if (extra > 0)
        {
            BigInteger unit = BigInteger.One << extra, half = unit >> 1, rest = magnitude % unit,
                whole = magnitude / unit;
            if (rest > half || (rest == half && !whole.IsEven))
                whole++;
            magnitude = whole * unit;
        }
        bool isTiny = magnitude < BigInteger.One << (400 - 126), isHuge = magnitude >= BigInteger.One << (400 + 128);
        float result = isTiny ? 0 : isHuge ? float.PositiveInfinity : (float)Math.ScaleB((double)magnitude, -400);
        return exact.Sign < 0 ? -result : result;
    }

    private static float Flushed(float x) => float.IsSubnormal(x) ? MathF.CopySign(0, x) : x;

    /// <summary>A finite number in units of 2^-scale.</summary>
    private static BigInteger Integer(float x, int scale)
    {
        uint bits = Bits(x);
        int exponent = (int)((bits >> 23) & 255);
        if (exponent == 0)
            return 0;
        BigInteger value = new BigInteger((bits & 0x7fffff) | 0x800000) << (scale + exponent - 150);
        return x < 0 ? -value : value;
    }

    private static void AssertSame(float expected, float actual, string what)
    {
        if (!(float.IsNaN(expected) && float.IsNaN(actual)) && Bits(expected) != Bits(actual))
            Assert.Fail($"{what}: {actual:R} ({Bits(actual):x8}), expected {expected:R} ({Bits(expected):x8})");
    }
}
