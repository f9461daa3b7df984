using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>
/// The destination of a gradient in the backward pass: added to what is there, or written as the
/// first contribution. The default, without a pointer, stands for a gradient that is not wanted.
/// </summary>
internal readonly unsafe struct GradientTarget(float* pointer, bool accumulate)
{
    public readonly float* Pointer = pointer;
    public readonly bool Accumulate = accumulate;

    /// <summary>Adds v to the gradient at element i, or writes it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Put<S, V>(nint i, V v) where S : ISimd<V> where V : unmanaged =>
        S.Store(Pointer + i, Accumulate ? S.Add(S.Load(Pointer + i), v) : v);

    /// <summary>Zeros in elements [begin, end) if nothing has contributed yet, for those who add.</summary>
    public void Begin(nint begin, nint end)
    {
        if (!Accumulate)
            new Span<float>(Pointer + begin, checked((int)(end - begin))).Clear();
    }

    /// <summary>
    /// The target shifted by a number of elements; a target without a pointer stays one.
    /// </summary>
    public GradientTarget At(nint i) => Pointer == null ? default : new(Pointer + i, Accumulate);
}

internal static class GradientTargetExtensions
{
    /// <summary>
    /// The target of a tensor's gradient, without a pointer if the tensor wants none.
    /// </summary>
    internal static GradientTarget TargetIfWanted(this Tensor? tensor, Compute compute) =>
        tensor is { WantsGradient: true } ? tensor.GradientFor(compute) : default;

    /// <summary>target += x, or = x for the first contribution.</summary>
    internal static unsafe void Accumulate(this Compute compute, Tensor x, GradientTarget target) =>
        compute.ForEach((nint)x.Length, new Copy(x.Pointer, target));

    /// <summary>target = 0.</summary>
    internal static unsafe void Clear(this Compute compute, float* target, nint count) =>
        compute.ForEach(count, new Zero(target));

    internal readonly unsafe struct Copy(float* x, GradientTarget y) : IElementwise
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged => y.Put<S, V>(i, S.Load(x + i));
    }

    private readonly unsafe struct Zero(float* y) : IElementwise
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged => S.Store(y + i, S.Splat(0));
    }
}
