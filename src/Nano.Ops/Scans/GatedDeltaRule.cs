using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>
/// The gated delta rule (Yang et al., 2024): per head, with keys along the rows of S, a decay a and a rate b,
/// S = a S' + b k (v - a S'^T k)^T; y = S^T q, S' being S before the step. Keys of length 1 are up to the model.
/// <para>
/// Backward. G += q dy^T; dq = S dy; with e = v - a S'^T k and g = G^T k: dv = b g, db = e . g,
/// dk = b (G e - a S' g), d(a S') = G - b k g^T; da = sum of d(a S') o S' over the matrix; then G = a d(a S').
/// </para>
/// </summary>
internal readonly record struct GatedDeltaRuleOp(Tensor Q, Tensor K, Tensor V, Tensor Decay, Tensor Rate,
    Tensor? Initial, Tensor? Retained, Tensor Final, Tensor Y) : IOp
{
    public Tensor Output => Y;

    public bool WantsGradient => Q.WantsGradient || K.WantsGradient || V.WantsGradient || Decay.WantsGradient
        || Rate.WantsGradient || Initial is { WantsGradient: true };

    public Work ForwardWork =>
        Work.Of("gated delta rule forward", 7.0 * Keys * Y.Length, Q, K, V, Decay, Rate, Initial, Retained, Final, Y);

    public Work? BackwardWork => Work.Of("gated delta rule backward", 24.0 * Keys * Y.Length, Q, K, V, Decay, Rate,
        Retained, Y, Work.GradientOf(Q), Work.GradientOf(K), Work.GradientOf(V), Work.GradientOf(Decay),
        Work.GradientOf(Rate));

    private int Heads => Decay.Shape[2];

    private int Keys => Q.Shape[2] / Heads;

    internal unsafe void Forward(Compute compute) => ScanForward<Rule>.Run(compute, new Rule(this, Y.Pointer),
        MatrixScan.Sizes(V, Heads, Keys), Initial, Retained, Final);

    public unsafe void Backward(Compute compute)
    {
        var rule = new Rule(this, Y.Gradient.Pointer)
        {
            Q = HeadTarget.Of(compute, Q, Keys),
            K = HeadTarget.Of(compute, K, Keys),
            Decay = HeadTarget.Of(compute, Decay, 1),
            Rate = HeadTarget.Of(compute, Rate, 1),
            Values = V.TargetIfWanted(compute),
        };
        ScanBackward<Rule>.Run(compute, rule, MatrixScan.Sizes(V, Heads, Keys), Retained!, Final, Initial);
    }

    private readonly unsafe struct Rule : IScanRule
    {
        private readonly Rows q, k, v, decay, rate;
        private readonly float* y;
        private readonly int keys, channels;

        public Rule(in GatedDeltaRuleOp op, float* y)
        {
            (q, k, v, decay, rate) =
                (Rows.Of(op.Q), Rows.Of(op.K), Rows.Of(op.V), Rows.Of(op.Decay), Rows.Of(op.Rate));
            (keys, channels) = (op.Keys, op.V.Shape[2]);
            this.y = y;
        }

        public HeadTarget Q { get; init; }

        public HeadTarget K { get; init; }

        public HeadTarget Decay { get; init; }

        public HeadTarget Rate { get; init; }

        public GradientTarget Values { get; init; }

        public int Sums => (2 * keys) + 2;

        /// <summary>e, the difference between v and what the state holds under k.</summary>
        public int Extras => 1;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Step<S, V>(nint at, int head, nint channel, float* before, float* after, int stride, float* extras)
            where S : ISimd<V> where V : unmanaged
        {
            float* kt = k.At(at) + ((nint)head * keys), qt = q.At(at) + ((nint)head * keys);
            V kept = S.Splat(decay.At(at)[head]), held = S.Splat(0), sum = S.Splat(0);
            for (nint n = 0; n < keys; n++)
                held = S.Fma(S.Splat(kt[n]), S.Load(before + (n * stride)), held);
            V e = S.Subtract(S.Load(v.At(at) + channel), S.Multiply(kept, held));
            V added = S.Multiply(S.Splat(rate.At(at)[head]), e);
            for (nint n = 0; n < keys; n++)
            {
                V state = S.Fma(kept, S.Load(before + (n * stride)), S.Multiply(S.Splat(kt[n]), added));
                S.Store(after + (n * stride), state);
                sum = S.Fma(S.Splat(qt[n]), state, sum);
            }
            if (extras == null)
                S.Store(y + (at * channels) + channel, sum);
            else
                S.Store(extras, e);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Back<S, V>(nint at, int head, nint channel, float* before, float* after, int stride, float* extras,
            float* gradient, float* sums) where S : ISimd<V> where V : unmanaged
        {
            float* kt = k.At(at) + ((nint)head * keys), qt = q.At(at) + ((nint)head * keys);
            V kept = S.Splat(decay.At(at)[head]), rateOf = S.Splat(rate.At(at)[head]), e = S.Load(extras);
            V dy = S.Load(y + (at * channels) + channel), overKeys = S.Splat(0), overDecay = S.Splat(0);
            for (nint n = 0; n < keys; n++)
            {
                V g = S.Fma(dy, S.Splat(qt[n]), S.Load(gradient + (n * stride)));
                ScanStates.Add<S, V>(sums, n, S.Multiply(dy, S.Load(after + (n * stride))));
                overKeys = S.Fma(g, S.Splat(kt[n]), overKeys);
                S.Store(gradient + (n * stride), g);
            }
            V ofAdded = S.Multiply(rateOf, overKeys), keptAdded = S.Multiply(kept, ofAdded),
                rateE = S.Multiply(rateOf, e);
            for (nint n = 0; n < keys; n++)
            {
                V g = S.Load(gradient + (n * stride)), state = S.Load(before + (n * stride));
                V ofKept = S.Subtract(g, S.Multiply(ofAdded, S.Splat(kt[n])));
                ScanStates.Add<S, V>(sums, keys + n, S.Subtract(S.Multiply(g, rateE), S.Multiply(state, keptAdded)));
                overDecay = S.Fma(ofKept, state, overDecay);
                S.Store(gradient + (n * stride), S.Multiply(kept, ofKept));
            }
            ScanStates.Add<S, V>(sums, 2 * keys, overDecay);
            ScanStates.Add<S, V>(sums, (2 * keys) + 1, S.Multiply(e, overKeys));
            if (Values.Pointer != null)
                Values.Put<S, V>((at * v.Stride) + channel, ofAdded);
        }

        public void Sum<S, V>(nint at, int head, float* sums) where S : ISimd<V> where V : unmanaged
        {
            Q.Put<S, V>(at, head, sums, 0);
            K.Put<S, V>(at, head, sums, keys);
            Decay.Put(at, head, ScanStates.Total<S, V>(sums, 2 * keys));
            Rate.Put(at, head, ScanStates.Total<S, V>(sums, (2 * keys) + 1));
        }
    }
}

/// <summary>The gated delta rule as a method of <see cref="Compute"/>.</summary>
public static class GatedDeltaRuleExtensions
{
    /// <summary>
    /// S = a S; S = S + b k (v - S^T k)^T; y = S^T q for each head. Steps from a state give the bits of the whole
    /// sequence.
    /// </summary>
    /// <param name="compute">The context to run in.</param>
    /// <param name="q">Queries [B, T, H N], of the length and scale that they shall have; columns of a wider tensor are
    /// fine, here and below.</param>
    /// <param name="k">Keys [B, T, H N], usually of length 1.</param>
    /// <param name="v">Values [B, T, H P].</param>
    /// <param name="decay">a [B, T, H], from 0 to 1.</param>
    /// <param name="rate">b [B, T, H], usually from 0 to 1.</param>
    /// <param name="initial">The state before the first step [B, H, N, P], or null for zeros.</param>
    /// <returns>y [B, T, H P] and the state after the last step [B, H, N, P].</returns>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public static (Tensor Y, Tensor State) GatedDeltaRule(this Compute compute, Tensor q, Tensor k, Tensor v,
        Tensor decay, Tensor rate, Tensor? initial = null)
    {
        int heads = decay.Shape.Rank == 3 ? decay.Shape[2] : 0;
        bool fits = MatrixScan.Fits(q, v, heads, heads, initial) && k.Shape == q.Shape && rate.Shape == decay.Shape
            && decay.Shape == q.Shape.WithColumns(heads);
        if (!fits)
            throw new ArgumentException(
                $"gated-delta-rule: q {q}, k {k}, v {v}, decay {decay}, rate {rate}, state "
                + $"{initial?.ToString() ?? "none"} do not fit; wanted [B, T, H N] twice, [B, T, H P], [B, T, H] "
                + "twice, [B, H, N, P]");
        var sizes = MatrixScan.Sizes(v, heads, q.Shape[2] / heads);
        var op = new GatedDeltaRuleOp(q, k, v, decay, rate, initial?.Contiguous("gated-delta-rule"),
            compute.RetainedStates(sizes), compute.New(MatrixScan.StateShape(sizes)), compute.New(v.Shape));
        op.Forward(compute);
        compute.Record(op);
        return (op.Y, FinalStateOp.Of(compute, op.Y, op.Final));
    }
}
