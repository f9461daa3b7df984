using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>One step of an exponential moving average in one pass over memory: a = a + share (x - a).</summary>
internal readonly unsafe struct MovingAverageKernel(float* x, float share, float* average) : IElementwise
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged
    {
        V a = S.Load(average + i);
        S.Store(average + i, S.Fma(S.Subtract(S.Load(x + i), a), S.Splat(share), a));
    }
}

/// <summary>The moving average as a method of <see cref="Compute"/>.</summary>
public static class MovingAverageExtensions
{
    /// <summary>Moves each element of average by a share of its distance to that of x. Both have one shape.</summary>
    public static unsafe void MoveTowards(this Compute compute, Tensor average, Tensor x, double share)
    {
        if (average.Shape != x.Shape)
            throw new ArgumentException($"moving average: {average} and {x} differ in shape");
        Overlap.Refuse("moving average", average, x);
        compute.ForEach((nint)x.Length, new MovingAverageKernel(x.Contiguous("moving average").Pointer, (float)share,
            average.Contiguous("moving average").Pointer));
        // The kernel holds bare pointers: the collector must not free these tensors meanwhile.
        GC.KeepAlive(x);
        GC.KeepAlive(average);
    }
}
