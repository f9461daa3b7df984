namespace Nano;

/// <summary>
/// A kernel: a struct that carries its arguments (inputs, sizes, outputs last) and computes any
/// part of its work on its own. The JIT makes one specialised copy of <see cref="Run"/> per SIMD
/// width. Ranges never cut through a sum, so the result has the same bits however the work is
/// split.
/// </summary>
internal interface IKernel
{
    /// <summary>Computes items [begin, end) of the work.</summary>
    void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged;
}

/// <summary>A kernel that treats each element alone: the body of a loop.</summary>
internal interface IElementwise
{
    /// <summary>Computes elements [i, i + S.Lanes).</summary>
    void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged;
}

/// <summary>
/// The loop around an <see cref="IElementwise"/> body: whole vectors, then one lane at a time. Same
/// bits either way.
/// </summary>
/// <param name="body">The work on each element.</param>
/// <param name="stream">Whether results go around the caches.</param>
internal readonly struct ElementwiseLoop<T>(T body, bool stream = false) : IKernel where T : unmanaged, IElementwise
{
    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        if (stream)
            Walk<Streaming<S, V>, V>(begin, end);
        else
            Walk<S, V>(begin, end);
    }

    private void Walk<S, V>(nint begin, nint end) where S : ISimd<V> where V : unmanaged
    {
        var each = body;
        nint i = begin;
        for (; i <= end - S.Lanes; i += S.Lanes)
            each.At<S, V>(i);
        for (; i < end; i++)
            each.At<SimdScalar, float>(i);
    }
}
