using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Nano;

/// <summary>
/// The term of a row reduction: folds element i into the running value of a lane.
/// </summary>
internal interface IRowTerm
{
    V Fold<S, V>(V running, nint i) where S : ISimd<V> where V : unmanaged;
}

/// <summary>
/// Reductions along a row with sixteen virtual lanes and one fixed tree: element i belongs to lane
/// i mod 16, each lane folds its elements in order, and lanes are combined 16 -> 8 -> 4 -> 2 -> 1.
/// A narrow machine walks the row once per group of lanes, so the bits are the same at every SIMD
/// width. Sums carry about n/16 + 4 roundings.
/// </summary>
internal static unsafe class RowReduce
{
    private const int VirtualLanes = 16;

    [SkipLocalsInit]
    public static float Sum<S, V, T>(nint n, T term) where S : ISimd<V> where V : unmanaged
    where T : unmanaged, IRowTerm
    {
        float* lanes = stackalloc float[VirtualLanes];
        FoldLanes<S, V, T>(n, term, 0, lanes);
        return Tree(lanes);
    }

    /// <summary>
    /// Two sums at once, each with the bits of <see cref="Sum"/>: two independent chains take the
    /// time of one.
    /// </summary>
    [SkipLocalsInit]
    public static (float First, float Second) Sums<S, V, T, U>(nint n, T first, U second)
        where S : ISimd<V> where V : unmanaged where T : unmanaged, IRowTerm where U : unmanaged, IRowTerm
    {
        float* lanes = stackalloc float[2 * VirtualLanes];
        nint whole = n & ~(nint)(VirtualLanes - 1);
        for (int group = 0; group < VirtualLanes; group += S.Lanes)
        {
            V a = S.Splat(0), b = S.Splat(0);
            for (nint i = group; i < whole; i += VirtualLanes)
            {
                a = first.Fold<S, V>(a, i);
                b = second.Fold<S, V>(b, i);
            }
            S.Store(lanes + group, a);
            S.Store(lanes + VirtualLanes + group, b);
        }
        for (nint i = whole; i < n; i++)
        {
            lanes[i - whole] = first.Fold<SimdScalar, float>(lanes[i - whole], i);
            lanes[VirtualLanes + i - whole] = second.Fold<SimdScalar, float>(lanes[VirtualLanes + i - whole], i);
        }
        return (Tree(lanes), Tree(lanes + VirtualLanes));
    }

    /// <summary>
    /// Lane j takes lane j + 8, then j + 4, j + 2, j + 1. Four lanes at a time whatever the width:
    /// the same additions.
    /// </summary>
    private static float Tree(float* lanes)
    {
        var four = (Vector128.Load(lanes) + Vector128.Load(lanes + 8))
            + (Vector128.Load(lanes + 4) + Vector128.Load(lanes + 12));
        var two = four + Vector128.Shuffle(four, Vector128.Create(2, 3, 2, 3));
        return two[0] + two[1];
    }

    /// <summary>
    /// The largest element; -infinity for an empty row. A NaN may or may not be returned: it always
    /// survives in the elements.
    /// </summary>
    [SkipLocalsInit]
    public static float Max<S, V>(nint n, float* x) where S : ISimd<V> where V : unmanaged
    {
        float* lanes = stackalloc float[VirtualLanes];
        FoldLanes<S, V, MaxTerm>(n, new MaxTerm(x), float.NegativeInfinity, lanes);
        var four = Simd128.Max(Simd128.Max(Vector128.Load(lanes), Vector128.Load(lanes + 8)),
            Simd128.Max(Vector128.Load(lanes + 4), Vector128.Load(lanes + 12)));
        var two = Simd128.Max(four, Vector128.Shuffle(four, Vector128.Create(2, 3, 2, 3)));
        return SimdScalar.Max(two[0], two[1]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void FoldLanes<S, V, T>(nint n, T term, float start, float* lanes) where S : ISimd<V>
    where V : unmanaged where T : unmanaged, IRowTerm
    {
        nint whole = n & ~(nint)(VirtualLanes - 1);
        for (int group = 0; group < VirtualLanes; group += S.Lanes)
        {
            V running = S.Splat(start);
            for (nint i = group; i < whole; i += VirtualLanes)
                running = term.Fold<S, V>(running, i);
            S.Store(lanes + group, running);
        }
        for (nint i = whole; i < n; i++)
            lanes[i - whole] = term.Fold<SimdScalar, float>(lanes[i - whole], i);
    }

    private readonly struct MaxTerm(float* x) : IRowTerm
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Fold<S, V>(V running, nint i) where S : ISimd<V> where V : unmanaged => S.Max(running, S.Load(x + i));
    }
}

/// <summary>sum x[i]</summary>
internal readonly unsafe struct PlainTerm(float* x) : IRowTerm
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Fold<S, V>(V running, nint i) where S : ISimd<V> where V : unmanaged => S.Add(running, S.Load(x + i));
}

/// <summary>sum x[i] * y[i]</summary>
internal readonly unsafe struct ProductTerm(float* x, float* y) : IRowTerm
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Fold<S, V>(V running, nint i) where S : ISimd<V> where V : unmanaged =>
        S.Fma(S.Load(x + i), S.Load(y + i), running);
}

/// <summary>
/// sum e[i] with e[i] = exp((x[i] - shift) * scale), storing e; e may be x. At x[i] = shift, e[i]
/// is 1 exactly.
/// </summary>
internal readonly unsafe struct ExpTerm(float* x, float shift, float scale, float* e) : IRowTerm
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Fold<S, V>(V running, nint i) where S : ISimd<V> where V : unmanaged
    {
        V v = SimdMath.ExpNonPositive<S, V>(S.Multiply(S.Subtract(S.Load(x + i), S.Splat(shift)), S.Splat(scale)));
        S.Store(e + i, v);
        return S.Add(running, v);
    }
}
