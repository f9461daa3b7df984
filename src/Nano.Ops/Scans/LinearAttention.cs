using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>
/// Causal linear attention (Katharopoulos et al., "Transformers are RNNs", 2020): with phi(x) = elu(x) + 1 and, per
/// head, S_t = S_{t-1} + phi(k_t) v_t^T and z_t = z_{t-1} + phi(k_t), y_t = S_t^T phi(q_t) / z_t . phi(q_t).
/// <para>
/// It is <see cref="DecayRule"/> with decay 1 over values with a further one that is always 1: the last column of the
/// state is z, and the last value read, the denominator. Backward: from y = u / w, du = dy / w and dw = -dy . y / w;
/// the rule gives the gradients of phi(q), phi(k) and v; phi'(x) = 1 for x > 0, else e^x = phi(x).
/// </para>
/// </summary>
internal readonly record struct LinearAttentionOp(Tensor Q, Tensor K, Tensor V, int Heads, Tensor? Initial,
    Tensor QueryFeatures, Tensor KeyFeatures, Tensor Values, Tensor Sums, Tensor? Retained, Tensor Final, Tensor Y)
    : IOp
{
    public Tensor Output => Y;

    public bool WantsGradient => Q.WantsGradient || K.WantsGradient || V.WantsGradient
        || Initial is { WantsGradient: true };

    public Work ForwardWork =>
        Work.Of("linear attention forward", 5.0 * Keys * Y.Length, Q, K, V, Initial, Retained, Final, Y);

    public Work? BackwardWork => Work.Of("linear attention backward", 16.0 * Keys * Y.Length, Q, K, V, Retained, Y,
        Work.GradientOf(Q), Work.GradientOf(K), Work.GradientOf(V));

    private int Keys => Q.Shape[2] / Heads;

    private int Width => V.Shape[2] / Heads;

    private unsafe DecayRule Rule(Tensor y) =>
        new(Rows.Of(QueryFeatures), Rows.Of(KeyFeatures), Rows.Of(Values), Keys, Heads, Heads, y.Pointer)
        {
            Channels = Values.Shape[2],
        };

    internal unsafe void Forward(Compute compute)
    {
        nint rows = (nint)Q.Shape.Rows, chunk = Compute.RowsPerChunk(Q.Shape[2]);
        compute.For(rows, chunk, 0, new Features(Q.Shape[2], Rows.Of(Q), QueryFeatures.Pointer));
        compute.For(rows, chunk, 0, new Features(Q.Shape[2], Rows.Of(K), KeyFeatures.Pointer));
        compute.For(rows, chunk, 0, new Extended(Heads, Width, Rows.Of(V), Values.Pointer));
        ScanForward<DecayRule>.Run(compute, Rule(Sums), MatrixScan.Sizes(Values, Heads, Keys), Initial, Retained,
            Final);
        compute.For(rows * Heads, Compute.RowsPerChunk(Width), 0, new Quotients(Width, Sums.Pointer, Y.Pointer));
    }

    public unsafe void Backward(Compute compute)
    {
        nint rows = (nint)Q.Shape.Rows, chunk = Compute.RowsPerChunk(Q.Shape[2]);
        Tensor dsums = compute.New(Sums.Shape), dq = compute.New(QueryFeatures.Shape),
            dk = compute.New(KeyFeatures.Shape), dv = compute.New(Values.Shape);
        compute.For(rows * Heads, Compute.RowsPerChunk(Width), 0, new QuotientGradient(Width, Sums.Pointer, Y.Pointer,
            Y.Gradient.Pointer, dsums.Pointer));
        var rule = Rule(dsums) with
        {
            Queries = new(new(dq.Pointer, false), dq.RowStride, Keys),
            Keys = new(new(dk.Pointer, false), dk.RowStride, Keys),
            Values = new(dv.Pointer, false),
        };
        ScanBackward<DecayRule>.Run(compute, rule, MatrixScan.Sizes(Values, Heads, Keys), Retained!, Final, Initial);
        if (Q.TargetIfWanted(compute) is { Pointer: not null } ofQ)
            compute.For(rows, chunk, 0, new FeatureGradient(Q.Shape[2], Rows.Of(Q), QueryFeatures.Pointer, dq.Pointer,
                ofQ));
        if (K.TargetIfWanted(compute) is { Pointer: not null } ofK)
            compute.For(rows, chunk, 0, new FeatureGradient(K.Shape[2], Rows.Of(K), KeyFeatures.Pointer, dk.Pointer,
                ofK));
        if (V.TargetIfWanted(compute) is { Pointer: not null } ofV)
            compute.For(rows, chunk, 0, new ValueGradient(Heads, Width, dv.Pointer, V.RowStride, ofV));
        compute.Release(dsums);
        compute.Release(dq);
        compute.Release(dk);
        compute.Release(dv);
    }

    /// <summary>phi(x) = x + 1 for x > 0, else e^x.</summary>
    private readonly unsafe struct Features(int columns, Rows x, float* y) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (nint row = begin; row < end; row++)
                new ElementwiseLoop<Phi>(new(x.At(row), y + (row * columns))).Run<S, V>(0, columns, scratch);
        }
    }

    private readonly unsafe struct Phi(float* x, float* y) : IElementwise
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged
        {
            V value = S.Load(x + i), zero = S.Splat(0);
            V below = SimdMath.ExpNonPositive<S, V>(S.IfGreater(value, zero, zero, value));
            S.Store(y + i, S.IfGreater(value, zero, S.Add(value, S.Splat(1)), below));
        }
    }

    /// <summary>Values with a 1 behind those of each head.</summary>
    private readonly unsafe struct Extended(int heads, int width, Rows v, float* values) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (nint row = begin; row < end; row++)
                for (nint head = 0; head < heads; head++)
                {
                    float* to = values + (((row * heads) + head) * (width + 1));
                    ScanStates.Copy(1, width, v.At(row) + (head * width), 0, to, 0);
                    to[width] = 1;
                }
        }
    }

    private readonly unsafe struct Quotients(int width, float* sums, float* y) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (nint head = begin; head < end; head++)
            {
                float* from = sums + (head * (width + 1));
                new ElementwiseLoop<Quotient>(new(from, from[width], y + (head * width)))
                    .Run<S, V>(0, width, scratch);
            }
        }
    }

    private readonly unsafe struct Quotient(float* x, float divisor, float* y) : IElementwise
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged =>
            S.Store(y + i, S.Divide(S.Load(x + i), S.Splat(divisor)));
    }

    private readonly unsafe struct QuotientGradient(int width, float* sums, float* y, float* dy, float* dsums) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (nint head = begin; head < end; head++)
            {
                float* to = dsums + (head * (width + 1)), upstream = dy + (head * width);
                float divisor = sums[(head * (width + 1)) + width];
                new ElementwiseLoop<Quotient>(new(upstream, divisor, to)).Run<S, V>(0, width, scratch);
                to[width] = -RowReduce.Sum<S, V, ProductTerm>(width, new(upstream, y + (head * width))) / divisor;
            }
        }
    }

    /// <summary>dx += d phi phi'(x).</summary>
    private readonly unsafe struct FeatureGradient(int columns, Rows x, float* phi, float* dphi, GradientTarget dx)
        : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (nint row = begin; row < end; row++)
                new ElementwiseLoop<Slope>(new(x.At(row), phi + (row * columns), dphi + (row * columns),
                    dx.At(row * x.Stride))).Run<S, V>(0, columns, scratch);
        }
    }

    private readonly unsafe struct Slope(float* x, float* phi, float* dphi, GradientTarget dx) : IElementwise
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged =>
            dx.Put<S, V>(i, S.Multiply(S.Load(dphi + i),
                S.IfGreater(S.Load(x + i), S.Splat(0), S.Splat(1), S.Load(phi + i))));
    }

    private readonly unsafe struct ValueGradient(int heads, int width, float* dvalues, nint rowStride,
        GradientTarget dv) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (nint row = begin; row < end; row++)
                for (nint head = 0; head < heads; head++)
                    ScanStates.Put<S, V>(1, width, dvalues + (((row * heads) + head) * (width + 1)), 0,
                        dv.At((row * rowStride) + (head * width)), 0);
        }
    }
}

/// <summary>Linear attention as a method of <see cref="Compute"/>.</summary>
public static class LinearAttentionExtensions
{
    /// <summary>
    /// Causal attention with phi(q) . phi(k) in place of exp(q . k), phi(x) = elu(x) + 1. Steps from a state give the
    /// bits of the whole sequence.
    /// </summary>
    /// <param name="compute">The context to run in.</param>
    /// <param name="q">Queries [B, T, H N]; columns of a wider tensor are fine.</param>
    /// <param name="k">Keys [B, T, H N], likewise.</param>
    /// <param name="v">Values [B, T, H P], likewise.</param>
    /// <param name="heads">H.</param>
    /// <param name="initial">The state before the first step [B, H, N, P + 1], or null for zeros.</param>
    /// <returns>y [B, T, H P] and the state after the last step [B, H, N, P + 1]: sums of phi(k) v^T, and of phi(k) in
    /// the last column.</returns>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public static (Tensor Y, Tensor State) LinearAttention(this Compute compute, Tensor q, Tensor k, Tensor v,
        int heads, Tensor? initial = null)
    {
        bool fits = MatrixScan.Fits(q, v, heads, heads, null) && k.Shape == q.Shape && (initial is null
            || initial.Shape == new Shape(q.Shape[0], heads, q.Shape[2] / heads, (v.Shape[2] / heads) + 1));
        if (!fits)
            throw new ArgumentException(
                $"linear-attention: q {q}, k {k}, v {v} with {heads} heads, state {initial?.ToString() ?? "none"} do "
                + "not fit; wanted [B, T, H N] twice, [B, T, H P], [B, H, N, P + 1]");
        var extended = compute.New(v.Shape.WithColumns(v.Shape[2] + heads));
        var sizes = MatrixScan.Sizes(extended, heads, q.Shape[2] / heads);
        var op = new LinearAttentionOp(q, k, v, heads, initial?.Contiguous("linear-attention"), compute.New(q.Shape),
            compute.New(q.Shape), extended, compute.New(extended.Shape), compute.RetainedStates(sizes),
            compute.New(MatrixScan.StateShape(sizes)), compute.New(v.Shape));
        op.Forward(compute);
        compute.Record(op);
        return (op.Y, FinalStateOp.Of(compute, op.Y, op.Final));
    }
}
