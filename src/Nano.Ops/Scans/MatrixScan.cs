using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>Parts of the scans whose state is a matrix per head, N keys by P values.</summary>
internal static class MatrixScan
{
    public static ScanSizes Sizes(Tensor v, int heads, int keys) =>
        new(v.Shape[0], v.Shape[1], heads, keys, v.Shape[2], v.Shape[2] / heads, KeysOutside: false);

    /// <summary>The shape of the states of a batch, [B, H, N, P].</summary>
    public static Shape StateShape(ScanSizes sizes) => new(sizes.Rows, sizes.Heads, sizes.Keys, sizes.Width);

    /// <summary>
    /// True if q has rows of H N numbers and v rows of H P, [B, T] of both, and the initial state fits.
    /// </summary>
    public static bool Fits(Tensor q, Tensor v, int heads, int groups, Tensor? initial) => q.Shape.Rank == 3
        && v.Shape.Rank == 3 && q.Shape[0] == v.Shape[0] && q.Shape[1] == v.Shape[1] && heads > 0 && groups > 0
        && heads % groups == 0 && q.Shape[2] % groups == 0 && v.Shape[2] % heads == 0
        && (initial is null || initial.Shape == StateShape(Sizes(v, heads, q.Shape[2] / groups)));
}

/// <summary>Gradients of rows that hold N numbers for each head: at row, head and number.</summary>
internal readonly unsafe struct HeadTarget(GradientTarget target, nint rowStride, int keys)
{
    /// <summary>The gradient of a tensor [B, T, H N], without a pointer if it wants none.</summary>
    public static HeadTarget Of(Compute compute, Tensor tensor, int keys) =>
        new(tensor.TargetIfWanted(compute), tensor.RowStride, keys);

    /// <summary>Numbers [first, first + N) of the sums go to a head.</summary>
    public void Put<S, V>(nint at, int head, float* sums, nint first) where S : ISimd<V> where V : unmanaged =>
        ScanStates.PutTotals<S, V>(sums, first, keys, target.At((at * rowStride) + ((nint)head * keys)));

    /// <summary>A single number goes to a head.</summary>
    public void Put(nint at, int head, float value)
    {
        if (target.Pointer != null)
            target.Put<SimdScalar, float>((at * rowStride) + ((nint)head * keys), value);
    }
}

/// <summary>
/// The rule S = a S + k (f v)^T, y = S^T q + D v with one decay a and one factor f per head and step: of Mamba-2, of
/// RetNet (a constant, f 1) and of linear attention (both 1).
/// <para>
/// Backward. G += q dy^T; dq = S dy; dk = G f v; da = sum of G S' over the matrix, S' being S before the step;
/// df = v . G^T k; dv = f G^T k + D dy; dD = dy . v; then G = a G.
/// </para>
/// </summary>
internal readonly unsafe struct DecayRule : IScanRule
{
    private readonly Rows q, k, v;
    private readonly int keys, heads, perGroup;

    public DecayRule(Rows q, Rows k, Rows v, int keys, int heads, int groups, float* y)
    {
        (this.q, this.k, this.v, this.keys, this.heads) = (q, k, v, keys, heads);
        perGroup = heads / groups;
        Y = y;
    }

    /// <summary>The output [B T, H P]; in the backward pass its gradient.</summary>
    public float* Y { get; init; }

    /// <summary>Numbers of a row of the output.</summary>
    public required int Channels { get; init; }

    /// <summary>a by row and head; without a first row 1.</summary>
    public Rows Decays { get; init; }

    /// <summary>The steps of Mamba-2, which set a and f.</summary>
    public DecaySteps Steps { get; init; }

    public HeadTarget Queries { get; init; }

    public HeadTarget Keys { get; init; }

    /// <summary>The gradient of v, with its rows as far apart as those of v.</summary>
    public GradientTarget Values { get; init; }

    public int Sums => (2 * keys) + (Steps.IsLearned ? 3 : 0);

    public int Extras => 0;

    private float DecayAt(nint at, int head) => Decays.First == null ? 1 : Decays.At(at)[head];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Step<S, V>(nint at, int head, nint channel, float* before, float* after, int stride, float* extras)
        where S : ISimd<V> where V : unmanaged
    {
        V decay = S.Splat(DecayAt(at, head)), value = S.Load(v.At(at) + channel), sum = S.Splat(0);
        V added = S.Multiply(value, S.Splat(Steps.Factor(at, head)));
        float* kt = k.At(at) + (head / perGroup * keys), qt = q.At(at) + (head / perGroup * keys);
        for (nint n = 0; n < keys; n++)
        {
            V state = S.Fma(decay, S.Load(before + (n * stride)), S.Multiply(added, S.Splat(kt[n])));
            S.Store(after + (n * stride), state);
            sum = S.Fma(S.Splat(qt[n]), state, sum);
        }
        if (extras == null)
            S.Store(Y + (at * Channels) + channel,
                Steps.HasSkip ? S.Fma(S.Splat(Steps.Skip(head)), value, sum) : sum);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Back<S, V>(nint at, int head, nint channel, float* before, float* after, int stride, float* extras,
        float* gradient, float* sums) where S : ISimd<V> where V : unmanaged
    {
        V decay = S.Splat(DecayAt(at, head)), factor = S.Splat(Steps.Factor(at, head));
        V value = S.Load(v.At(at) + channel);
        V added = S.Multiply(value, factor), dy = S.Load(Y + (at * Channels) + channel);
        V overKeys = S.Splat(0), overState = S.Splat(0);
        float* kt = k.At(at) + (head / perGroup * keys), qt = q.At(at) + (head / perGroup * keys);
        for (nint n = 0; n < keys; n++)
        {
            V g = S.Fma(dy, S.Splat(qt[n]), S.Load(gradient + (n * stride)));
            ScanStates.Add<S, V>(sums, n, S.Multiply(dy, S.Load(after + (n * stride))));
            ScanStates.Add<S, V>(sums, keys + n, S.Multiply(g, added));
            overKeys = S.Fma(g, S.Splat(kt[n]), overKeys);
            overState = S.Fma(g, S.Load(before + (n * stride)), overState);
            S.Store(gradient + (n * stride), S.Multiply(decay, g));
        }
        if (Steps.IsLearned)
        {
            ScanStates.Add<S, V>(sums, 2 * keys, overState);
            ScanStates.Add<S, V>(sums, (2 * keys) + 1, S.Multiply(overKeys, value));
            ScanStates.Add<S, V>(sums, (2 * keys) + 2, S.Multiply(dy, value));
        }
        if (Values.Pointer != null)
            Values.Put<S, V>((at * v.Stride) + channel, Steps.HasSkip
                ? S.Fma(factor, overKeys, S.Multiply(S.Splat(Steps.Skip(head)), dy)) : S.Multiply(factor, overKeys));
    }

    public void Sum<S, V>(nint at, int head, float* sums) where S : ISimd<V> where V : unmanaged
    {
        Queries.Put<S, V>(at, head, sums, 0);
        Keys.Put<S, V>(at, head, sums, keys);
        if (Steps.IsLearned)
            Steps.Put(at, head, heads, DecayAt(at, head), ScanStates.Total<S, V>(sums, 2 * keys),
                ScanStates.Total<S, V>(sums, (2 * keys) + 1), ScanStates.Total<S, V>(sums, (2 * keys) + 2));
    }
}

/// <summary>
/// The steps of Mamba-2 in a <see cref="DecayRule"/>: a = exp(dt A), f = dt, and the skip D. From da and df,
/// ddt = da a A + df; dA = sum of da a dt, times A if its logarithm was given.
/// </summary>
internal readonly unsafe struct DecaySteps(Rows dt, float* slopes, bool log, float* skip, int times)
{
    public bool IsLearned => dt.First != null;

    public HeadTarget Dt { get; init; }

    /// <summary>dA and dD of each row of the batch, [rows, H].</summary>
    public float* RowSlopes { get; init; }

    public float* RowSkips { get; init; }

    public float Factor(nint at, int head) => dt.First == null ? 1 : dt.At(at)[head];

    public bool HasSkip => skip != null;

    public float Skip(int head) => skip[head];

    public void Put(nint at, int head, int heads, float decay, float da, float df, float dd)
    {
        float overDecay = da * decay;
        Dt.Put(at, head, MathF.FusedMultiplyAdd(overDecay, slopes[head], df));
        nint place = (at / times * heads) + head;
        float ofSlope = overDecay * Factor(at, head);
        RowSlopes[place] += log ? ofSlope * slopes[head] : ofSlope;
        RowSkips[place] += dd;
    }
}
