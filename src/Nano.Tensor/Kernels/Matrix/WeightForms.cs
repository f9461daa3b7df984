using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>The forms in which packed weights lie in memory.</summary>
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
