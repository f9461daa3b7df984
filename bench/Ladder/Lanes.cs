using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Nano.Ladder;

/// <summary>
/// From a vector to one number, as a tree of four lanes at a time: added up one after the other, 16
/// lanes would be a chain of 15, which costs more than all the rest of a row of 64. Sixteen places,
/// of which narrower vectors leave some at zero or minus infinity.
/// </summary>
internal static unsafe class Lanes
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum<S, V>(V v) where S : ISimd<V> where V : unmanaged
    {
        float* lanes = stackalloc float[16]; // zeros
        S.Store(lanes, v);
        return Vector128.Sum(Vector128.Load(lanes) + Vector128.Load(lanes + 4)
            + (Vector128.Load(lanes + 8) + Vector128.Load(lanes + 12)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Max<S, V>(V v) where S : ISimd<V> where V : unmanaged
    {
        float* lanes = stackalloc float[16];
        for (int i = S.Lanes; i < 16; i++)
            lanes[i] = float.NegativeInfinity;
        S.Store(lanes, v);
        var four = Vector128.Max(Vector128.Max(Vector128.Load(lanes), Vector128.Load(lanes + 4)),
            Vector128.Max(Vector128.Load(lanes + 8), Vector128.Load(lanes + 12)));
        return MathF.Max(MathF.Max(four[0], four[1]), MathF.Max(four[2], four[3]));
    }
}
