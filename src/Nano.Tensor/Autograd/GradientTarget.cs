using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>
/// Where a backward pass puts a gradient: adding to what is there, or as the first to write. The default, without a
/// pointer, stands for a gradient that nobody wants.
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

    /// <summary>The same target, moved on by some elements; no target stays none.</summary>
    public GradientTarget At(nint i) => Pointer == null ? default : new(Pointer + i, Accumulate);
}

internal static class GradientTargetExtensions
{
    /// <summary>Where the gradient of a tensor goes, or no target if it wants none.</summary>
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
