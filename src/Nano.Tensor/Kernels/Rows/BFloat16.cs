using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>
/// Floats as bfloat16 in half the memory, and back. Word i of the half holds elements i and i + (n
/// + 1) / 2, so vectors are loaded and stored as they lie at every width.
/// </summary>
internal static unsafe class BFloat16
{
    private const nint Chunk = 1 << 13;

    /// <summary>Words that n elements take.</summary>
    public static nint Words(nint n) => (n + 1) / 2;

    /// <summary>n elements, rounded to the nearest, ties to even, into Words(n) words.</summary>
    public static void Narrow(Compute compute, nint n, float* x, float* words) =>
        compute.For(Words(n), Chunk, 0, new Narrowing(n, x, words));

    /// <summary>Words(n) words as n floats.</summary>
    public static void Widen(Compute compute, nint n, float* words, float* x) =>
        compute.For(Words(n), Chunk, 0, new Widening(n, words, x));

    internal readonly struct Narrowing(nint n, float* x, float* words) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            // of an odd number, the last word holds one element
            nint count = Words(n), whole = Math.Min(end, n - count);
            new ElementwiseLoop<Pairs>(new Pairs(x, x + count, words)).Run<S, V>(begin, whole, scratch);
            if (end > whole)
                words[end - 1] = SimdScalar.PairBFloat16(x[end - 1], 0);
        }
    }

    internal readonly struct Widening(nint n, float* words, float* x) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            nint count = Words(n), whole = Math.Min(end, n - count);
            new ElementwiseLoop<Halves>(new Halves(words, x, x + count)).Run<S, V>(begin, whole, scratch);
            if (end > whole)
                x[end - 1] = SimdScalar.FirstBFloat16(words[end - 1]);
        }
    }

    private readonly struct Pairs(float* first, float* second, float* words) : IElementwise
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged =>
            S.Store(words + i, S.PairBFloat16(S.Load(first + i), S.Load(second + i)));
    }

    private readonly struct Halves(float* words, float* first, float* second) : IElementwise
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged
        {
            V pairs = S.Load(words + i);
            S.Store(first + i, S.FirstBFloat16(pairs));
            S.Store(second + i, S.SecondBFloat16(pairs));
        }
    }
}
