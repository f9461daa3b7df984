namespace Nano;

/// <summary>
/// Nothing but the products of quantised weights on registers, as sixteen independent chains: more
/// than the units need to never wait. Codes of up to 6 bits: products of bytes in pairs, added as
/// 16-bit numbers; codes of 8 bits: products of 16-bit numbers in pairs, added as 32-bit numbers.
/// Sums may overflow: nobody reads them.
/// </summary>
/// <param name="isNarrow">True for codes of up to 6 bits.</param>
internal readonly unsafe struct CodeChains(bool isNarrow) : IKernel
{
    private const int Chains = 16, Rounds = 4096;

    /// <summary>Multiplications and additions of one item of work.</summary>
    /// <param name="width">The width of vectors.</param>
    /// <param name="isNarrow">True for codes of up to 6 bits.</param>
    public static double FlopsPerItem(SimdWidth width, bool isNarrow) =>
        2.0 * Rounds * Chains * (isNarrow ? 4 : 2) * Math.Max(1, (int)width / 32);

    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        nint rounds = (end - begin) * Rounds;
        float* unused = scratch.Allocate(16); // a result nobody uses would be optimised away
        if (isNarrow)
            S.Store(unused, Bytes<S, V>(rounds));
        else
            S.Store(unused, Shorts<S, V>(rounds));
    }

    private static V Bytes<S, V>(nint rounds) where S : ISimd<V> where V : unmanaged
    {
        V x = S.Splat(1.7f), y = S.Splat(0.3f);
        V a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = y, j = y, k = y, l = y, m = y, n = y, o = y,
            p = y;
        for (; rounds > 0; rounds--)
        {
            a = S.AddShorts(y, S.DotBytes(x, a)); b = S.AddShorts(y, S.DotBytes(x, b));
            c = S.AddShorts(y, S.DotBytes(x, c)); d = S.AddShorts(y, S.DotBytes(x, d));
            e = S.AddShorts(y, S.DotBytes(x, e)); f = S.AddShorts(y, S.DotBytes(x, f));
            g = S.AddShorts(y, S.DotBytes(x, g)); h = S.AddShorts(y, S.DotBytes(x, h));
            i = S.AddShorts(y, S.DotBytes(x, i)); j = S.AddShorts(y, S.DotBytes(x, j));
            k = S.AddShorts(y, S.DotBytes(x, k)); l = S.AddShorts(y, S.DotBytes(x, l));
            m = S.AddShorts(y, S.DotBytes(x, m)); n = S.AddShorts(y, S.DotBytes(x, n));
            o = S.AddShorts(y, S.DotBytes(x, o)); p = S.AddShorts(y, S.DotBytes(x, p));
        }
        return Sum<S, V>(Sum<S, V>(a, b, c, d), Sum<S, V>(e, f, g, h), Sum<S, V>(i, j, k, l), Sum<S, V>(m, n, o, p));
    }

    private static V Shorts<S, V>(nint rounds) where S : ISimd<V> where V : unmanaged
    {
        V x = S.Splat(1.7f), y = S.Splat(0.3f);
        V a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = y, j = y, k = y, l = y, m = y, n = y, o = y,
            p = y;
        for (; rounds > 0; rounds--)
        {
            a = S.AddIntegers(y, S.DotShorts(x, a)); b = S.AddIntegers(y, S.DotShorts(x, b));
            c = S.AddIntegers(y, S.DotShorts(x, c)); d = S.AddIntegers(y, S.DotShorts(x, d));
            e = S.AddIntegers(y, S.DotShorts(x, e)); f = S.AddIntegers(y, S.DotShorts(x, f));
            g = S.AddIntegers(y, S.DotShorts(x, g)); h = S.AddIntegers(y, S.DotShorts(x, h));
            i = S.AddIntegers(y, S.DotShorts(x, i)); j = S.AddIntegers(y, S.DotShorts(x, j));
            k = S.AddIntegers(y, S.DotShorts(x, k)); l = S.AddIntegers(y, S.DotShorts(x, l));
            m = S.AddIntegers(y, S.DotShorts(x, m)); n = S.AddIntegers(y, S.DotShorts(x, n));
            o = S.AddIntegers(y, S.DotShorts(x, o)); p = S.AddIntegers(y, S.DotShorts(x, p));
        }
        return Sum<S, V>(Sum<S, V>(a, b, c, d), Sum<S, V>(e, f, g, h), Sum<S, V>(i, j, k, l), Sum<S, V>(m, n, o, p));
    }

    private static V Sum<S, V>(V a, V b, V c, V d) where S : ISimd<V> where V : unmanaged =>
        S.AddIntegers(S.AddIntegers(a, b), S.AddIntegers(c, d));
}
