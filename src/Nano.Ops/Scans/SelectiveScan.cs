using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>
/// The selective scan of Mamba (Gu and Dao, 2023): for each channel c, with N numbers of state,
/// h_t = exp(dt_t A) h_{t-1} + dt_t u_t B_t; y_t = C_t . h_t + D u_t. B and C are shared by all channels. A may be
/// given by its logarithm: A = -exp(logA).
/// <para>
/// Backward. With a_t = exp(dt_t A), G = dL/dh runs from the last step to the first: G += dy_t C_t; q = G a_t h_{t-1};
/// dA += dt q; d dt = sum_n (q A + G u B); du = dt sum_n G B + D dy; dB = sum_c G dt u; dC = sum_c dy h_t;
/// dD += dy u; then G = a_t G. From A = -exp(logA), dlogA = dA A.
/// </para>
/// Vectors lie along channels, in blocks of 64 that are the heads of the scan; dB and dC are summed within blocks, then
/// over blocks in order. dA and dD are summed over time within a row of the batch, then over rows in order.
/// </summary>
internal readonly record struct SelectiveScanOp(Tensor U, Tensor Dt, Tensor A, Tensor B, Tensor C, Tensor? D,
    Tensor? Initial, bool LogA, Tensor Slopes, Tensor? Retained, Tensor Final, Tensor Y) : IOp
{
    private const int BlockWidth = 64;

    public Tensor Output => Y;

    public bool WantsGradient => U.WantsGradient || Dt.WantsGradient || A.WantsGradient || B.WantsGradient
        || C.WantsGradient || D is { WantsGradient: true } || Initial is { WantsGradient: true };

    public Work ForwardWork => Work.Of("selective scan forward", ((7.0 * A.Shape[1]) + 3) * Y.Length,
        U, Dt, A, B, C, D, Initial, Final, Retained, Y);

    public Work? BackwardWork => Work.Of("selective scan backward", ((20.0 * A.Shape[1]) + 8) * Y.Length,
        U, Dt, A, B, C, D, Retained, Y, Work.GradientOf(U), Work.GradientOf(Dt), Work.GradientOf(A),
        Work.GradientOf(B), Work.GradientOf(C));

    internal static ScanSizes Sizes(Tensor u, int keys) => new(u.Shape[0], u.Shape[1],
        (u.Shape[2] + BlockWidth - 1) / BlockWidth, keys, u.Shape[2], BlockWidth, KeysOutside: true);

    internal unsafe void Forward(Compute compute)
    {
        int channels = A.Shape[0], keys = A.Shape[1];
        compute.For(channels, Compute.RowsPerChunk(keys), 0,
            new SlopeTable(A.Contiguous("selective-scan").Pointer, channels, keys, LogA, Slopes.Pointer));
        ScanForward<Rule>.Run(compute, new Rule(this, default), Sizes(U, keys), Initial, Retained, Final);
    }

    public void Backward(Compute compute)
    {
        var sizes = Sizes(U, A.Shape[1]);
        var (rows, keys) = (sizes.Rows, sizes.Keys);
        var perBlock = new Shape((int)Y.Shape.Rows, sizes.Heads, keys);
        var sums = new Sums(compute.New(new Shape(rows, keys, sizes.Channels)),
            compute.New(new Shape(rows, sizes.Channels)), compute.New(perBlock), compute.New(perBlock));
        sums.Clear(compute);
        ScanBackward<Rule>.Run(compute, new Rule(this, sums.For(compute, this)), sizes, Retained!, Final, Initial);
        HeadSums.Run(compute, sizes.Heads, 1, keys, sums.B, B);
        HeadSums.Run(compute, sizes.Heads, 1, keys, sums.C, C);
        sums.PutRows(compute, this);
        sums.Release(compute);
    }

    /// <summary>Sums of the backward pass that become gradients afterwards.</summary>
    /// <param name="A">dA of each row of the batch, [rows, N, C].</param>
    /// <param name="D">dD likewise, [rows, C].</param>
    /// <param name="B">dB of each block of channels, [rows T, blocks, N].</param>
    /// <param name="C">dC likewise.</param>
    private readonly record struct Sums(Tensor A, Tensor D, Tensor B, Tensor C)
    {
        public unsafe void Clear(Compute compute)
        {
            compute.Clear(A.Pointer, (nint)A.Length);
            compute.Clear(D.Pointer, (nint)D.Length);
        }

        public unsafe Targets For(Compute compute, in SelectiveScanOp op) => new(A.Pointer, D.Pointer, B.Pointer,
            C.Pointer, op.U.TargetIfWanted(compute), op.Dt.TargetIfWanted(compute), op.Y.Gradient.Pointer);

        public unsafe void PutRows(Compute compute, in SelectiveScanOp op)
        {
            int rows = A.Shape[0], keys = A.Shape[1], channels = A.Shape[2];
            if (op.A.TargetIfWanted(compute) is { Pointer: not null } da)
                compute.For(channels, Compute.RowsPerChunk(rows * keys), 0, new SlopeGradient(rows, channels, keys,
                    A.Pointer, op.LogA ? op.Slopes.Pointer : null, da));
            if (op.D.TargetIfWanted(compute) is { Pointer: not null } dd)
                ColumnSums.Run(compute, rows, channels, D.Pointer, channels, dd);
        }

        public void Release(Compute compute)
        {
            compute.Release(A);
            compute.Release(D);
            compute.Release(B);
            compute.Release(C);
        }
    }

    /// <summary>The places that the backward pass of the rule writes to, and the gradient that it reads.</summary>
    private readonly unsafe struct Targets(float* da, float* dd, float* db, float* dc, GradientTarget du,
        GradientTarget ddt, float* dy)
    {
        public readonly float* A = da, D = dd, B = db, C = dc, Y = dy;
        public readonly GradientTarget U = du, Dt = ddt;
    }

    /// <summary>A as [N, C], from [C, N].</summary>
    private readonly unsafe struct SlopeTable(float* a, int channels, int keys, bool log, float* slopes) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (nint c = begin; c < end; c++)
                for (nint n = 0; n < keys; n++)
                {
                    float value = a[(c * keys) + n];
                    slopes[(n * channels) + c] = log ? -SimdMath.Exp<SimdScalar, float>(value) : value;
                }
        }
    }

    /// <summary>
    /// dA [C, N] += the sums of the rows [rows, N, C], in their order; times A if its logarithm was given.
    /// </summary>
    private readonly unsafe struct SlopeGradient(int rows, int channels, int keys, float* sums, float* slopes,
        GradientTarget da) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            da.Begin(begin * keys, end * keys);
            for (nint c = begin; c < end; c++)
                for (nint n = 0; n < keys; n++)
                    for (nint row = 0; row < rows; row++)
                    {
                        float sum = sums[(((row * keys) + n) * channels) + c];
                        da.Pointer[(c * keys) + n] += slopes == null ? sum : sum * slopes[(n * channels) + c];
                    }
        }
    }

    private readonly unsafe struct Rule : IScanRule
    {
        private readonly Rows u, dt, b, c;
        private readonly float* slopes, d, y;
        private readonly int keys, channels, blocks, times;
        private readonly Targets to;

        public Rule(in SelectiveScanOp op, Targets to)
        {
            (u, dt, b, c) = (Rows.Of(op.U), Rows.Of(op.Dt), Rows.Of(op.B), Rows.Of(op.C));
            slopes = op.Slopes.Pointer;
            d = op.D is null ? null : op.D.Pointer;
            y = op.Y.Pointer;
            (keys, channels, times) = (op.A.Shape[1], op.A.Shape[0], op.U.Shape[1]);
            blocks = Sizes(op.U, keys).Heads;
            this.to = to;
        }

        public int Sums => 2 * keys;

        public int Extras => keys;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Step<S, V>(nint at, int head, nint channel, float* before, float* after, int stride, float* extras)
            where S : ISimd<V> where V : unmanaged
        {
            V step = S.Load(dt.At(at) + channel), input = S.Load(u.At(at) + channel);
            V added = S.Multiply(step, input), sum = S.Splat(0);
            float* bt = b.At(at), ct = c.At(at);
            for (nint n = 0; n < keys; n++)
            {
                V decay = SimdMath.Exp<S, V>(S.Multiply(step, S.Load(slopes + (n * channels) + channel)));
                V h = S.Fma(decay, S.Load(before + (n * stride)), S.Multiply(added, S.Splat(bt[n])));
                S.Store(after + (n * stride), h);
                if (extras == null)
                    sum = S.Fma(S.Splat(ct[n]), h, sum);
                else
                    S.Store(extras + (n * stride), decay);
            }
            if (extras == null)
                S.Store(y + (at * channels) + channel, d == null ? sum : S.Fma(S.Load(d + channel), input, sum));
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Back<S, V>(nint at, int head, nint channel, float* before, float* after, int stride, float* extras,
            float* gradient, float* sums) where S : ISimd<V> where V : unmanaged
        {
            V step = S.Load(dt.At(at) + channel), input = S.Load(u.At(at) + channel);
            V dy = S.Load(to.Y + (at * channels) + channel);
            V added = S.Multiply(step, input), overB = S.Splat(0), overA = S.Splat(0);
            float* bt = b.At(at), ct = c.At(at), da = to.A + (at / times * keys * channels) + channel;
            for (nint n = 0; n < keys; n++)
            {
                V g = S.Fma(dy, S.Splat(ct[n]), S.Load(gradient + (n * stride)));
                V decayed = S.Multiply(g, S.Load(extras + (n * stride)));
                V q = S.Multiply(decayed, S.Load(before + (n * stride)));
                overA = S.Fma(q, S.Load(slopes + (n * channels) + channel), overA);
                overB = S.Fma(g, S.Splat(bt[n]), overB);
                S.Store(da + (n * channels), S.Fma(step, q, S.Load(da + (n * channels))));
                ScanStates.Add<S, V>(sums, n, S.Multiply(g, added));
                ScanStates.Add<S, V>(sums, keys + n, S.Multiply(dy, S.Load(after + (n * stride))));
                S.Store(gradient + (n * stride), decayed);
            }
            V du = S.Multiply(step, overB);
            if (d != null)
            {
                float* dd = to.D + (at / times * channels) + channel;
                S.Store(dd, S.Fma(dy, input, S.Load(dd)));
                du = S.Fma(S.Load(d + channel), dy, du);
            }
            if (to.U.Pointer != null)
                to.U.Put<S, V>((at * u.Stride) + channel, du);
            if (to.Dt.Pointer != null)
                to.Dt.Put<S, V>((at * dt.Stride) + channel, S.Fma(input, overB, overA));
        }

        public void Sum<S, V>(nint at, int head, float* sums) where S : ISimd<V> where V : unmanaged
        {
            nint first = ((at * blocks) + head) * keys;
            ScanStates.PutTotals<S, V>(sums, 0, keys, new(to.B + first, false));
            ScanStates.PutTotals<S, V>(sums, keys, keys, new(to.C + first, false));
        }
    }
}

/// <summary>The selective scan as a method of <see cref="Compute"/>.</summary>
public static class SelectiveScanExtensions
{
    /// <summary>
    /// The selective scan of Mamba: h_t = exp(dt_t A) h_{t-1} + dt_t u_t B_t; y_t = C_t . h_t + D u_t. Steps from
    /// a state give the bits of the whole sequence.
    /// </summary>
    /// <param name="compute">The context to run in.</param>
    /// <param name="u">Inputs [B, T, C]; columns of a wider tensor are fine.</param>
    /// <param name="dt">Step sizes [B, T, C], likewise.</param>
    /// <param name="a">A [C, N].</param>
    /// <param name="b">B [B, T, N], likewise.</param>
    /// <param name="c">C [B, T, N], likewise.</param>
    /// <param name="d">D [C], or null for none.</param>
    /// <param name="initial">The state before the first step [B, N, C], or null for zeros.</param>
    /// <param name="logA">True if a holds log(-A), as files have it.</param>
    /// <returns>y [B, T, C] and the state after the last step [B, N, C].</returns>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public static (Tensor Y, Tensor State) SelectiveScan(this Compute compute, Tensor u, Tensor dt, Tensor a, Tensor b,
        Tensor c, Tensor? d = null, Tensor? initial = null, bool logA = false)
    {
        bool fits = u.Shape.Rank == 3 && dt.Shape == u.Shape && a.Shape.Rank == 2 && a.Shape[0] == u.Shape[2]
            && b.Shape == u.Shape.WithColumns(a.Shape[1]) && c.Shape == b.Shape
            && (d is null || d.Shape == new Shape(u.Shape[2]))
            && (initial is null || initial.Shape == new Shape(u.Shape[0], a.Shape[1], u.Shape[2]));
        if (!fits)
            throw new ArgumentException(
                $"selective-scan: u {u}, dt {dt}, A {a}, B {b}, C {c}, D {d?.ToString() ?? "none"}, state "
                + $"{initial?.ToString() ?? "none"} do not fit; wanted [B, T, C] twice, [C, N], [B, T, N] twice, [C], "
                + "[B, N, C]");
        int batch = u.Shape[0], keys = a.Shape[1], channels = u.Shape[2];
        var final = compute.New(new Shape(batch, keys, channels));
        var retained = compute.RetainedStates(SelectiveScanOp.Sizes(u, keys));
        var op = new SelectiveScanOp(u, dt, a, b, c, d, initial?.Contiguous("selective-scan"), logA,
            compute.NewStatistic(new Shape(keys, channels)), retained, final, compute.New(u.Shape));
        op.Forward(compute);
        compute.Record(op);
        return (op.Y, FinalStateOp.Of(compute, op.Y, final));
    }

    /// <summary>A place for the states that a backward pass starts from; null if there will be none.</summary>
    internal static Tensor? RetainedStates(this Compute compute, ScanSizes sizes) => compute.Differentiates
        ? compute.NewStatistic(new Shape(sizes.Chunks, sizes.Rows, sizes.Keys, sizes.Channels)) : null;
}
