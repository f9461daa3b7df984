using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Nano;

/// <summary>The forms in which the elements of a matrix lie in memory.</summary>
internal enum WeightForm
{
    Float32,
    BFloat16,

    /// <summary>float16 with infinities or NaN among them.</summary>
    Float16,

    /// <summary>float16, all finite.</summary>
    FiniteFloat16,
}

/// <summary>
/// A form of weights: what a word of 32 bits holds, in ascending order of k, as float32. Widening is exact, so
/// products have the bits of those with widened weights.
/// </summary>
internal interface IWeightForm
{
    /// <summary>Weights in a word: 1 or 2.</summary>
    static abstract int PerWord { get; }

    /// <summary>The first weight of each lane's word.</summary>
    static abstract V First<S, V>(V words) where S : ISimd<V> where V : unmanaged;

    /// <summary>The second weight of each lane's word, if it has one.</summary>
    static abstract V Second<S, V>(V words) where S : ISimd<V> where V : unmanaged;
}

/// <summary>float32.</summary>
internal readonly struct Float32Weights : IWeightForm
{
    public static int PerWord => 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V First<S, V>(V words) where S : ISimd<V> where V : unmanaged => words;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Second<S, V>(V words) where S : ISimd<V> where V : unmanaged => words;
}

/// <summary>bfloat16.</summary>
internal readonly struct BFloat16Weights : IWeightForm
{
    public static int PerWord => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V First<S, V>(V words) where S : ISimd<V> where V : unmanaged => S.FirstBFloat16(words);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Second<S, V>(V words) where S : ISimd<V> where V : unmanaged => S.SecondBFloat16(words);
}

/// <summary>float16.</summary>
internal readonly struct Float16Weights : IWeightForm
{
    public static int PerWord => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V First<S, V>(V words) where S : ISimd<V> where V : unmanaged => S.Float16(S.FirstBFloat16(words));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Second<S, V>(V words) where S : ISimd<V> where V : unmanaged => S.Float16(words);
}

/// <summary>float16, all finite.</summary>
internal readonly struct FiniteFloat16Weights : IWeightForm
{
    public static int PerWord => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V First<S, V>(V words) where S : ISimd<V> where V : unmanaged =>
        S.FiniteFloat16(S.FirstBFloat16(words));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Second<S, V>(V words) where S : ISimd<V> where V : unmanaged => S.FiniteFloat16(words);
}

/// <summary>16-bit weights as float32, one row at a time.</summary>
internal static unsafe class Widening
{
    /// <summary>The float16 or bfloat16 weights of a row as n floats.</summary>
    public static void Row(WeightForm form, nint n, ushort* from, float* to)
    {
        if (form == WeightForm.BFloat16)
            Row<BFloat16Weights>(n, from, to);
        else
            Row<Float16Weights>(n, from, to);
    }

    /// <summary>Data only moves and changes its form, each number alone, so one width serves all.</summary>
    private static void Row<W>(nint n, ushort* from, float* to) where W : IWeightForm
    {
        nint i = 0;
        for (; i <= n - 8; i += 8)
        {
            var (low, high) = Vector128.Widen(
                Vector128.Load(from + i));
            Simd128.Store(to + i, W.First<Simd128, Vector128<float>>(
                Vector128.As<uint, float>(low)));
            Simd128.Store(to + i + 4, W.First<Simd128, Vector128<float>>(
                Vector128.As<uint, float>(high)));
        }
        for (; i < n; i++)
            to[i] = W.First<SimdScalar, float>(BitConverter.UInt32BitsToSingle(from[i]));
    }
}
