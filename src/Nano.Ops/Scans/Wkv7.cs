using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>
/// The recurrence of RWKV-7 (Peng et al., 2025): per head, with keys along the rows of S and d = exp(-e^-1/2 s(w)),
/// S = diag(d) S' + b (S'^T a)^T + k v^T; y = S^T r, S' being S before the step.
/// <para>
/// Backward. G += r dy^T; dr = S dy; dv = G^T k; dk = G v; dd = sums of G o S' along values; with e = G^T b and
/// u = S'^T a, da = S' e and db = G u; then G = diag(d) G + a e^T. From d, dw = -e^-1/2 dd d s (1 - s).
/// </para>
/// </summary>
internal readonly record struct Wkv7Op(Tensor R, Tensor W, Tensor K, Tensor V, Tensor A, Tensor B, int Heads,
    Tensor? Initial, Tensor Decays, Tensor? Retained, Tensor Final, Tensor Y) : IOp
{
    private const float RootOfE = 0.6065306597126334f; // e^-1/2

    public Tensor Output => Y;

    public bool WantsGradient => R.WantsGradient || W.WantsGradient || K.WantsGradient || V.WantsGradient
        || A.WantsGradient || B.WantsGradient || Initial is { WantsGradient: true };

    public Work ForwardWork =>
        Work.Of("wkv7 forward", 9.0 * Keys * Y.Length, R, W, K, V, A, B, Initial, Retained, Final, Y);

    public Work? BackwardWork => Work.Of("wkv7 backward", 30.0 * Keys * Y.Length, R, W, K, V, A, B, Retained, Y,
        Work.GradientOf(R), Work.GradientOf(W), Work.GradientOf(K), Work.GradientOf(V), Work.GradientOf(A),
        Work.GradientOf(B));

    private int Keys => R.Shape[2] / Heads;

    internal unsafe void Forward(Compute compute)
    {
        compute.For((nint)W.Shape.Rows, Compute.RowsPerChunk(W.Shape[2]), 0,
            new DecayRows(W.Shape[2], Rows.Of(W), Decays.Pointer));
        ScanForward<Rule>.Run(compute, new Rule(this, Y.Pointer), MatrixScan.Sizes(V, Heads, Keys), Initial, Retained,
            Final);
    }

    public unsafe void Backward(Compute compute)
    {
        var dd = compute.New(Decays.Shape);
        var rule = new Rule(this, Y.Gradient.Pointer)
        {
            R = HeadTarget.Of(compute, R, Keys),
            K = HeadTarget.Of(compute, K, Keys),
            A = HeadTarget.Of(compute, A, Keys),
            B = HeadTarget.Of(compute, B, Keys),
            Decays = new(new(dd.Pointer, false), dd.RowStride, Keys),
            Values = V.TargetIfWanted(compute),
        };
        ScanBackward<Rule>.Run(compute, rule, MatrixScan.Sizes(V, Heads, Keys), Retained!, Final, Initial);
        if (W.TargetIfWanted(compute) is { Pointer: not null } dw)
            compute.For((nint)W.Shape.Rows, Compute.RowsPerChunk(W.Shape[2]), 0,
                new DecayGradient(W.Shape[2], Rows.Of(W), Decays.Pointer, dd.Pointer, dw));
        compute.Release(dd);
    }

    /// <summary>d = exp(-e^-1/2 s(w)).</summary>
    private readonly unsafe struct DecayRows(int columns, Rows w, float* decays) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (nint row = begin; row < end; row++)
                new ElementwiseLoop<Decay>(new(w.At(row), decays + (row * columns))).Run<S, V>(0, columns, scratch);
        }
    }

    private readonly unsafe struct Decay(float* w, float* decays) : IElementwise
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged =>
            S.Store(decays + i, SimdMath.ExpNonPositive<S, V>(
                S.Multiply(S.Splat(-RootOfE), SimdMath.Sigmoid<S, V>(S.Load(w + i)))));
    }

    private readonly unsafe struct DecayGradient(int columns, Rows w, float* decays, float* dd, GradientTarget dw)
        : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (nint row = begin; row < end; row++)
                new ElementwiseLoop<Slope>(new(w.At(row), decays + (row * columns), dd + (row * columns),
                    dw.At(row * w.Stride))).Run<S, V>(0, columns, scratch);
        }
    }

    private readonly unsafe struct Slope(float* w, float* decays, float* dd, GradientTarget dw) : IElementwise
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged =>
            dw.Put<S, V>(i, S.Multiply(S.Multiply(S.Multiply(S.Load(dd + i), S.Load(decays + i)), S.Splat(-RootOfE)),
                default(Sigmoid).Derivative<S, V>(S.Load(w + i))));
    }

    private readonly unsafe struct Rule : IScanRule
    {
        private readonly Rows r, k, v, a, b;
        private readonly float* decays, y;
        private readonly int keys, channels;
        private readonly nint decayStride;

        public Rule(in Wkv7Op op, float* y)
        {
            (r, k, v, a, b) = (Rows.Of(op.R), Rows.Of(op.K), Rows.Of(op.V), Rows.Of(op.A), Rows.Of(op.B));
            (keys, channels, decayStride) = (op.Keys, op.V.Shape[2], op.Decays.RowStride);
            decays = op.Decays.Pointer;
            this.y = y;
        }

        public HeadTarget R { get; init; }

        public HeadTarget K { get; init; }

        public HeadTarget A { get; init; }

        public HeadTarget B { get; init; }

        public HeadTarget Decays { get; init; }

        public GradientTarget Values { get; init; }

        public int Sums => 5 * keys;

        /// <summary>S'^T a.</summary>
        public int Extras => 1;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Step<S, V>(nint at, int head, nint channel, float* before, float* after, int stride, float* extras)
            where S : ISimd<V> where V : unmanaged
        {
            nint first = (nint)head * keys;
            float* rt = r.At(at) + first, kt = k.At(at) + first, removing = a.At(at) + first, bt = b.At(at) + first,
                dt = decays + (at * decayStride) + first;
            V value = S.Load(v.At(at) + channel), removed = S.Splat(0), sum = S.Splat(0);
            for (nint n = 0; n < keys; n++)
                removed = S.Fma(S.Splat(removing[n]), S.Load(before + (n * stride)), removed);
            for (nint n = 0; n < keys; n++)
            {
                V added = S.Fma(S.Splat(bt[n]), removed, S.Multiply(S.Splat(kt[n]), value));
                V state = S.Fma(S.Splat(dt[n]), S.Load(before + (n * stride)), added);
                S.Store(after + (n * stride), state);
                sum = S.Fma(S.Splat(rt[n]), state, sum);
            }
            if (extras == null)
                S.Store(y + (at * channels) + channel, sum);
            else
                S.Store(extras, removed);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Back<S, V>(nint at, int head, nint channel, float* before, float* after, int stride, float* extras,
            float* gradient, float* sums) where S : ISimd<V> where V : unmanaged
        {
            nint first = (nint)head * keys;
            float* rt = r.At(at) + first, kt = k.At(at) + first, removing = a.At(at) + first, bt = b.At(at) + first,
                dt = decays + (at * decayStride) + first;
            V value = S.Load(v.At(at) + channel), removed = S.Load(extras), dy = S.Load(y + (at * channels) + channel);
            V overKeys = S.Splat(0), e = S.Splat(0);
            for (nint n = 0; n < keys; n++)
            {
                V g = S.Fma(dy, S.Splat(rt[n]), S.Load(gradient + (n * stride)));
                ScanStates.Add<S, V>(sums, n, S.Multiply(dy, S.Load(after + (n * stride))));
                ScanStates.Add<S, V>(sums, keys + n, S.Multiply(g, value));
                ScanStates.Add<S, V>(sums, (2 * keys) + n, S.Multiply(g, S.Load(before + (n * stride))));
                ScanStates.Add<S, V>(sums, (3 * keys) + n, S.Multiply(g, removed));
                overKeys = S.Fma(g, S.Splat(kt[n]), overKeys);
                e = S.Fma(g, S.Splat(bt[n]), e);
                S.Store(gradient + (n * stride), g);
            }
            for (nint n = 0; n < keys; n++)
            {
                ScanStates.Add<S, V>(sums, (4 * keys) + n, S.Multiply(e, S.Load(before + (n * stride))));
                S.Store(gradient + (n * stride), S.Fma(S.Splat(dt[n]), S.Load(gradient + (n * stride)),
                    S.Multiply(e, S.Splat(removing[n]))));
            }
            if (Values.Pointer != null)
                Values.Put<S, V>((at * v.Stride) + channel, overKeys);
        }

        public void Sum<S, V>(nint at, int head, float* sums) where S : ISimd<V> where V : unmanaged
        {
            R.Put<S, V>(at, head, sums, 0);
            K.Put<S, V>(at, head, sums, keys);
            Decays.Put<S, V>(at, head, sums, 2 * keys);
            B.Put<S, V>(at, head, sums, 3 * keys);
            A.Put<S, V>(at, head, sums, 4 * keys);
        }
    }
}

/// <summary>The recurrence of RWKV-7 as a method of <see cref="Compute"/>.</summary>
public static class Wkv7Extensions
{
    /// <summary>
    /// S = diag(d) S + b (S^T a)^T + k v^T, y = S^T r for each head, with d = exp(-e^-1/2 sigmoid(w)). Steps from a
    /// state give the bits of the whole sequence.
    /// </summary>
    /// <param name="compute">The context to run in.</param>
    /// <param name="r">Receptance [B, T, H N]; columns of a wider tensor are fine, here and below.</param>
    /// <param name="w">Decay before its functions [B, T, H N].</param>
    /// <param name="k">Keys [B, T, H N].</param>
    /// <param name="v">Values [B, T, H P].</param>
    /// <param name="a">Keys of what is removed [B, T, H N]: -kk in RWKV-7.</param>
    /// <param name="b">Keys under which it is added again [B, T, H N]: kk a in RWKV-7.</param>
    /// <param name="heads">H.</param>
    /// <param name="initial">The state before the first step [B, H, N, P], or null for zeros.</param>
    /// <returns>y [B, T, H P] and the state after the last step [B, H, N, P].</returns>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public static (Tensor Y, Tensor State) Wkv7(this Compute compute, Tensor r, Tensor w, Tensor k, Tensor v, Tensor a,
        Tensor b, int heads, Tensor? initial = null)
    {
        bool fits = MatrixScan.Fits(r, v, heads, heads, initial) && w.Shape == r.Shape && k.Shape == r.Shape
            && a.Shape == r.Shape && b.Shape == r.Shape;
        if (!fits)
            throw new ArgumentException(
                $"wkv7: r {r}, w {w}, k {k}, v {v}, a {a}, b {b} with {heads} heads, state "
                + $"{initial?.ToString() ?? "none"} do not fit; wanted [B, T, H N], v [B, T, H P], [B, H, N, P]");
        var sizes = MatrixScan.Sizes(v, heads, r.Shape[2] / heads);
        var op = new Wkv7Op(r, w, k, v, a, b, heads, initial?.Contiguous("wkv7"), compute.NewStatistic(w.Shape),
            compute.RetainedStates(sizes), compute.New(MatrixScan.StateShape(sizes)), compute.New(v.Shape));
        op.Forward(compute);
        compute.Record(op);
        return (op.Y, FinalStateOp.Of(compute, op.Y, op.Final));
    }
}
