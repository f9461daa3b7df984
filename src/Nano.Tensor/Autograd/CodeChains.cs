namespace Nano;

/// <summary>
/// Nothing but the products of quantised weights on registers, as sixteen independent chains: more than the units need
/// to never wait. They are products of bytes in pairs, added as 16-bit numbers, which codes of 8 bits take twice. Sums
/// may overflow: nobody reads them.
/// </summary>
internal readonly unsafe struct CodeChains : IKernel
{
    private const int Chains = 16, Rounds = 4096;

    /// <summary>Multiplications and additions of one item of work.</summary>
    public static double FlopsPerItem(SimdWidth width) => 2.0 * Rounds * Chains * 4 * Math.Max(1, (int)width / 32);

    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged =>
        S.Store(scratch.Allocate(16), Bytes<S, V>((end - begin) * Rounds)); // without a use it would be left out

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

    private static V Sum<S, V>(V a, V b, V c, V d) where S : ISimd<V> where V : unmanaged =>
        S.AddIntegers(S.AddIntegers(a, b), S.AddIntegers(c, d));
}
