using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>
/// A width of codes: a unit of <see cref="QuantPanels"/>, 16 rows times 32 steps, and its products. Codes are from 0
/// to 2^bits - 1. Eight vectors of 64 bytes would hold a unit of bytes: byte 4 r + i of vector v is row r, step
/// 4 v + i. Of codes of fewer bits a plane has the low ones and perhaps another the high ones: in a plane of b bits
/// vector v lies in the (v mod b)-th 64 bytes, b (v / b) bits up.
/// </summary>
internal interface ICodes
{
    /// <summary>Bits in the first plane: 2, 4 or 8.</summary>
    static abstract int Low { get; }

    /// <summary>Bits in the second plane: 0, 1 or 2.</summary>
    static virtual int High => 0;

    /// <summary>Scales of a row in a unit: 1 or 2.</summary>
    static virtual int Parts => 1;
}

/// <summary>Codes of 2 bits.</summary>
internal readonly struct TwoBits : ICodes
{
    public static int Low => 2;

    public static int Parts => 2;
}

/// <summary>Codes of 3 bits.</summary>
internal readonly struct ThreeBits : ICodes
{
    public static int Low => 2;

    public static int High => 1;

    public static int Parts => 2;
}

/// <summary>Codes of 4 bits.</summary>
internal readonly struct FourBits : ICodes
{
    public static int Low => 4;
}

/// <summary>Codes of 5 bits.</summary>
internal readonly struct FiveBits : ICodes
{
    public static int Low => 4;

    public static int High => 1;
}

/// <summary>Codes of 6 bits.</summary>
internal readonly struct SixBits : ICodes
{
    public static int Low => 4;

    public static int High => 2;

    public static int Parts => 2;
}

/// <summary>Codes of 8 bits.</summary>
internal readonly struct EightBits : ICodes
{
    public static int Low => 8;
}

/// <summary>Codes in vectors, and their exact products with activations.</summary>
internal static unsafe class Codes
{
    /// <summary>Bytes of a vector of all 16 rows.</summary>
    public const int VectorBytes = 64;

    /// <summary>Sixteen in both 16-bit numbers of a lane.</summary>
    private const int Sixteens = 0x00100010;

    /// <summary>Bytes of a unit.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int UnitBytes<C>() where C : ICodes => VectorBytes * (C.Low + C.High);

    /// <summary>Vector v of a unit, one code in each byte.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Vector<S, V, C>(byte* unit, int v) where S : ISimd<V> where V : unmanaged where C : ICodes
    {
        V low = Load<S, V>(unit + (v % C.Low * VectorBytes));
        if (C.Low < 8)
            low = S.BitsOfBytes(low, v / C.Low * C.Low, (byte)((1 << C.Low) - 1));
        if (C.High == 0)
            return low;
        int high = Math.Max(1, C.High);
        return S.AddShorts(low, S.BitsOfBytes(Load<S, V>(unit + ((C.Low + (v % high)) * VectorBytes)),
            (v / high * high) - C.Low, (byte)(((1 << high) - 1) << C.Low)));
    }

    /// <summary>
    /// The sums of products of sixteen steps, four vectors, with activations x: a row of W in each lane. Sums of 16
    /// bits hold 2 x 127 times the largest code four times for 5 bits (31,496), twice for 6 (32,004); codes of 8 bits
    /// are two of 4.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Sum<S, V, C>(V a, V b, V c, V d, byte* x) where S : ISimd<V> where V : unmanaged where C : ICodes
    {
        if (S.HasByteDots)
            return S.AddByteDots(S.AddByteDots(S.AddByteDots(S.AddByteDots(S.Splat(0), a, Four<S, V>(x)), b,
                Four<S, V>(x + 4)), c, Four<S, V>(x + 8)), d, Four<S, V>(x + 12));
        if (C.Low == 8)
            return S.AddIntegers(S.SumShorts(Shorts<S, V>(Nibbles<S, V>(a, 0), Nibbles<S, V>(b, 0),
                Nibbles<S, V>(c, 0), Nibbles<S, V>(d, 0), x)), S.DotShorts(Shorts<S, V>(Nibbles<S, V>(a, 4),
                Nibbles<S, V>(b, 4), Nibbles<S, V>(c, 4), Nibbles<S, V>(d, 4), x),
                S.Splat(BitConverter.Int32BitsToSingle(Sixteens))));
        if (C.High < 2)
            return S.SumShorts(Shorts<S, V>(a, b, c, d, x));
        return S.AddIntegers(
            S.SumShorts(S.AddShorts(S.DotBytes(a, Four<S, V>(x)), S.DotBytes(b, Four<S, V>(x + 4)))),
            S.SumShorts(S.AddShorts(S.DotBytes(c, Four<S, V>(x + 8)), S.DotBytes(d, Four<S, V>(x + 12)))));
    }

    /// <summary>Products of four vectors in sums of 16 bits, two for each row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Shorts<S, V>(V a, V b, V c, V d, byte* x) where S : ISimd<V> where V : unmanaged => S.AddShorts(
        S.AddShorts(S.DotBytes(a, Four<S, V>(x)), S.DotBytes(b, Four<S, V>(x + 4))),
        S.AddShorts(S.DotBytes(c, Four<S, V>(x + 8)), S.DotBytes(d, Four<S, V>(x + 12))));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Nibbles<S, V>(V bytes, int right) where S : ISimd<V> where V : unmanaged =>
        S.BitsOfBytes(bytes, right, 15);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Load<S, V>(byte* codes) where S : ISimd<V> where V : unmanaged => S.Load((float*)codes);

    /// <summary>Four activations in every lane; the bits are only copied.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Four<S, V>(byte* x) where S : ISimd<V> where V : unmanaged => S.Splat(*(float*)x);
}
