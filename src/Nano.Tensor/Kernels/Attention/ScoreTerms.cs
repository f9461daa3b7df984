using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>
/// The changes that a kind of attention makes to scaled scores, as constants of a type: kernels are
/// compiled once for each, and the plain one pays for nothing.
/// </summary>
internal interface IScoreRule
{
    /// <summary>True if scores are capped.</summary>
    static abstract bool Caps { get; }

    /// <summary>True if each has a bias of its head and distance.</summary>
    static abstract bool Biases { get; }
}

/// <summary>Scores as they are.</summary>
internal readonly struct PlainScores : IScoreRule
{
    public static bool Caps => false;

    public static bool Biases => false;
}

/// <summary>Capped scores.</summary>
internal readonly struct CappedScores : IScoreRule
{
    public static bool Caps => true;

    public static bool Biases => false;
}

/// <summary>Scores and a bias.</summary>
internal readonly struct BiasedScores : IScoreRule
{
    public static bool Caps => false;

    public static bool Biases => true;
}

/// <summary>Capped scores and a bias.</summary>
internal readonly struct CappedBiasedScores : IScoreRule
{
    public static bool Caps => true;

    public static bool Biases => true;
}

/// <summary>The inputs of attention beside queries, keys and values; each may be absent.</summary>
/// <param name="lengths">Keys of each entry of the batch; null for all.</param>
/// <param name="sinks">A logit of each head that joins the softmax and has no value.</param>
/// <param name="cap">c of c tanh(s / c).</param>
/// <param name="bias">The bias of head 0 at distance 0, see <see cref="DistanceBias"/>.</param>
/// <param name="biasStride">Floats to that of the next head.</param>
internal readonly unsafe struct ScoreTerms(int* lengths, float* sinks, float cap, float* bias, nint biasStride)
{
    private readonly float cap = cap;

    /// <summary>A logit of each head, or null.</summary>
    public float* Sinks => sinks;

    /// <summary>True if the log of a normaliser may be finite although its query is not.</summary>
    public bool ChecksQueries<R>() where R : struct, IScoreRule =>
        R.Caps || R.Biases || lengths != null || sinks != null;

    /// <summary>Keys of an entry of the batch, which has the given number of rows.</summary>
    public int KeysOf(int batch, int keys) => lengths == null ? keys : lengths[batch];

    /// <summary>The bias of a head at distance 0.</summary>
    public float* BiasOf(int head) => bias + (head * biasStride);

    /// <summary>
    /// The running maximum of a head's queries before their first key; with a sink the sum begins at
    /// 1.
    /// </summary>
    public float FirstMax(int head, bool isWindowed) =>
        // A window may hide the whole of a block from a query: then nothing is larger than the start, and
        // -infinity less it is -infinity, not NaN.
        sinks != null ? SimdScalar.Max(sinks[head], float.MinValue)
            : isWindowed ? float.MinValue : float.NegativeInfinity;

    /// <summary>c tanh(s / c), and its derivative 1 - tanh^2(s / c).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Capped<S, V>(V s, out V slope) where S : ISimd<V> where V : unmanaged
    {
        V t = SimdMath.Tanh<S, V>(S.Multiply(s, S.Splat(1 / cap)));
        slope = S.Subtract(S.Splat(1), S.Multiply(t, t));
        return S.Multiply(t, S.Splat(cap));
    }

    /// <summary>The score in place of a scaled product.</summary>
    /// <param name="s">The product.</param>
    /// <param name="biasHere">The biases of its lanes; read only by rules that have them.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Changed<R, S, V>(V s, float* biasHere) where R : struct, IScoreRule where S : ISimd<V> where V : unmanaged
    {
        if (R.Caps)
            s = Capped<S, V>(s, out _);
        if (R.Biases)
            s = S.Add(s, S.Load(biasHere));
        return s;
    }

    /// <summary>Changes rows of scores in place.</summary>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Whole vectors of each.</param>
    /// <param name="s">The first.</param>
    /// <param name="stride">Floats to the next.</param>
    /// <param name="firstBias">The bias of the first score; that of the next row lies one before it.</param>
    public void Change<R, S, V>(int rows, int columns, float* s, nint stride, float* firstBias)
        where R : struct, IScoreRule where S : ISimd<V> where V : unmanaged
    {
        for (int r = 0; r < rows; r++, s += stride, firstBias--)
            for (int c = 0; c < columns; c += S.Lanes)
                S.Store(s + c, Changed<R, S, V>(S.Load(s + c), firstBias + c));
    }
}
