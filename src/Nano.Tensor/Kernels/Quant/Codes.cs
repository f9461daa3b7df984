using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>A width of codes: the layout of a unit of <see cref="QuantPanels"/>, and its products.</summary>
internal unsafe interface ICodes
{
    /// <summary>Bytes of a unit.</summary>
    static abstract int UnitBytes { get; }

    /// <summary>Bytes from one row of W to the next.</summary>
    static abstract int LaneBytes { get; }

    /// <summary>Bytes of a unit of activations.</summary>
    static abstract int XBytes { get; }

    /// <summary>The activations of a row in the form that the products take.</summary>
    static abstract byte* Of(QuantRows x, int row);

    /// <summary>The sums of products of the first and of the last sixteen steps, a row of W in each lane.</summary>
    static abstract (V Low, V High) Sums<S, V>(byte* codes, byte* x) where S : ISimd<V> where V : unmanaged;
}

/// <summary>Codes of 4 bits.</summary>
internal readonly unsafe struct FourBitCodes : ICodes
{
    public static int UnitBytes => QuantPanels.Width * QuantPanels.Unit / 2;

    public static int LaneBytes => 4;

    public static int XBytes => QuantPanels.Unit;

    public static byte* Of(QuantRows x, int row) => (byte*)x.Bytes(row);

    /// <summary>
    /// Four 16-bit sums of two products are at most 4 x 2 x 15 x 127 = 15,240.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (V Low, V High) Sums<S, V>(byte* codes, byte* x) where S : ISimd<V> where V : unmanaged
    {
        V w0 = Four<S, V>(codes), w1 = Four<S, V>(codes + 64), w2 = Four<S, V>(codes + 128),
            w3 = Four<S, V>(codes + 192);
        V low = S.AddShorts(
            S.AddShorts(S.DotBytes(S.LowNibbles(w0), X<S, V>(x)), S.DotBytes(S.LowNibbles(w1), X<S, V>(x + 4))),
            S.AddShorts(S.DotBytes(S.LowNibbles(w2), X<S, V>(x + 8)), S.DotBytes(S.LowNibbles(w3), X<S, V>(x + 12))));
        V high = S.AddShorts(
            S.AddShorts(S.DotBytes(S.HighNibbles(w0), X<S, V>(x + 16)), S.DotBytes(S.HighNibbles(w1), X<S, V>(x + 20))),
            S.AddShorts(S.DotBytes(S.HighNibbles(w2), X<S, V>(x + 24)),
                S.DotBytes(S.HighNibbles(w3), X<S, V>(x + 28))));
        return (S.SumShorts(low), S.SumShorts(high));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Four<S, V>(byte* codes) where S : ISimd<V> where V : unmanaged => S.Load((float*)codes);

    /// <summary>Four activations in every lane; the bits are only copied.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V X<S, V>(byte* x) where S : ISimd<V> where V : unmanaged => S.Splat(*(float*)x);
}

/// <summary>Codes of 8 bits.</summary>
internal readonly unsafe struct EightBitCodes : ICodes
{
    public static int UnitBytes => QuantPanels.Width * QuantPanels.Unit;

    public static int LaneBytes => 2;

    public static int XBytes => QuantPanels.Unit * sizeof(short);

    public static byte* Of(QuantRows x, int row) => (byte*)x.Shorts(row);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (V Low, V High) Sums<S, V>(byte* codes, byte* x) where S : ISimd<V> where V : unmanaged =>
        (Eight<S, V>(codes, x), Eight<S, V>(codes + 256, x + 32));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Eight<S, V>(byte* codes, byte* x) where S : ISimd<V> where V : unmanaged => S.AddIntegers(
        S.AddIntegers(
            S.AddIntegers(Two<S, V>(codes, x), Two<S, V>(codes + 32, x + 4)),
            S.AddIntegers(Two<S, V>(codes + 64, x + 8), Two<S, V>(codes + 96, x + 12))),
        S.AddIntegers(
            S.AddIntegers(Two<S, V>(codes + 128, x + 16), Two<S, V>(codes + 160, x + 20)),
            S.AddIntegers(Two<S, V>(codes + 192, x + 24), Two<S, V>(codes + 224, x + 28))));

    /// <summary>The products of two steps; the bits of activations are only copied.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Two<S, V>(byte* codes, byte* x) where S : ISimd<V> where V : unmanaged =>
        S.DotShorts(S.LoadShorts((sbyte*)codes), S.Splat(*(float*)x));
}
