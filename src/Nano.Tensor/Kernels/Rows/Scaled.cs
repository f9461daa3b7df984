using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>y = factor * x, or += where y has a contribution already.</summary>
internal readonly unsafe struct Scaled(float* x, float factor, GradientTarget y) : IElementwise
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged =>
        y.Put<S, V>(i, S.Multiply(S.Load(x + i), S.Splat(factor)));
}
