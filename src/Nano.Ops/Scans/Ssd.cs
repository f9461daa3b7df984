namespace Nano;

/// <summary>
/// The scan of Mamba-2 (Dao and Gu, 2024): per head a matrix of state h [N, P] with one A, h_t = exp(dt_t A) h_{t-1} +
/// B_t (dt_t x_t)^T; y_t = h_t^T C_t + D x_t. Head h reads group h / (H / G) of B and C. A may be given by its
/// logarithm: A = -exp(logA). The steps and their derivatives are those of <see cref="DecayRule"/>.
/// </summary>
internal readonly record struct SsdOp(Tensor X, Tensor Dt, Tensor A, Tensor B, Tensor C, Tensor? D, Tensor? Initial,
    int Groups, bool LogA, Tensor Slopes, Tensor Decays, Tensor? Retained, Tensor Final, Tensor Y) : IOp
{
    public Tensor Output => Y;

    public bool WantsGradient => X.WantsGradient || Dt.WantsGradient || A.WantsGradient || B.WantsGradient
        || C.WantsGradient || D is { WantsGradient: true } || Initial is { WantsGradient: true };

    public Work ForwardWork => Work.Of("ssd forward", ((5.0 * Keys) + 3) * Y.Length, X, Dt, A, B, C, D, Initial,
        Retained, Final, Y);

    public Work? BackwardWork => Work.Of("ssd backward", ((16.0 * Keys) + 8) * Y.Length, X, Dt, A, B, C, D, Retained, Y,
        Work.GradientOf(X), Work.GradientOf(Dt), Work.GradientOf(A), Work.GradientOf(B), Work.GradientOf(C));

    private int Heads => A.Shape[0];

    private int Keys => B.Shape[2] / Groups;

    internal unsafe void Forward(Compute compute)
    {
        compute.For((nint)Dt.Shape.Rows, Compute.RowsPerChunk(Heads), 0, new DecayTable(Rows.Of(Dt),
            A.Contiguous("ssd").Pointer, Heads, LogA, Slopes.Pointer, Decays.Pointer));
        ScanForward<DecayRule>.Run(compute, Rule(Y.Pointer, default), MatrixScan.Sizes(X, Heads, Keys), Initial,
            Retained, Final);
    }

    private unsafe DecayRule Rule(float* y, DecaySteps steps) =>
        new(Rows.Of(C), Rows.Of(B), Rows.Of(X), Keys, Heads, Groups, y)
        {
            Channels = X.Shape[2],
            Decays = new(Decays.Pointer, Heads),
            Steps = steps.IsLearned ? steps : Steps,
        };

    private unsafe DecaySteps Steps =>
        new(Rows.Of(Dt), Slopes.Pointer, LogA, D is null ? null : D.Pointer, X.Shape[1]);

    public unsafe void Backward(Compute compute)
    {
        int rows = X.Shape[0];
        Shape perRow = new(rows, Heads), perHead = new((int)Y.Shape.Rows, Heads, Keys);
        Tensor slopes = compute.New(perRow), skips = compute.New(perRow), db = compute.New(perHead),
            dc = compute.New(perHead);
        slopes.Data.Clear();
        skips.Data.Clear();
        var steps = Steps with
        {
            Dt = HeadTarget.Of(compute, Dt, 1),
            RowSlopes = slopes.Pointer,
            RowSkips = skips.Pointer,
        };
        var rule = Rule(Y.Gradient.Pointer, steps) with
        {
            Queries = new(new(dc.Pointer, false), (nint)Heads * Keys, Keys),
            Keys = new(new(db.Pointer, false), (nint)Heads * Keys, Keys),
            Values = X.TargetIfWanted(compute),
        };
        ScanBackward<DecayRule>.Run(compute, rule, MatrixScan.Sizes(X, Heads, Keys), Retained!, Final, Initial);
        HeadSums.Run(compute, Heads, Groups, Keys, db, B);
        HeadSums.Run(compute, Heads, Groups, Keys, dc, C);
        if (A.TargetIfWanted(compute) is { Pointer: not null } da)
            ColumnSums.Run(compute, rows, Heads, slopes.Pointer, Heads, da);
        if (D.TargetIfWanted(compute) is { Pointer: not null } dd)
            ColumnSums.Run(compute, rows, Heads, skips.Pointer, Heads, dd);
        compute.Release(slopes);
        compute.Release(skips);
        compute.Release(db);
        compute.Release(dc);
    }

    /// <summary>A of each head, and exp(dt A) of each row.</summary>
    private readonly unsafe struct DecayTable(Rows dt, float* a, int heads, bool log, float* slopes, float* decays)
        : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (nint at = begin; at < end; at++)
                for (int head = 0; head < heads; head++)
                {
                    float slope = log ? -SimdMath.Exp<SimdScalar, float>(a[head]) : a[head];
                    if (at == 0)
                        slopes[head] = slope;
                    decays[(at * heads) + head] = SimdMath.Exp<SimdScalar, float>(dt.At(at)[head] * slope);
                }
        }
    }
}

/// <summary>The scan of Mamba-2 as a method of <see cref="Compute"/>.</summary>
public static class SsdExtensions
{
    /// <summary>
    /// The scan of Mamba-2, h_t = exp(dt_t A) h_{t-1} + B_t (dt_t x_t)^T; y_t = h_t^T C_t + D x_t for each head.
    /// Steps from a state give the bits of the whole sequence.
    /// </summary>
    /// <param name="compute">The context to run in.</param>
    /// <param name="x">Inputs [B, T, H P]; columns of a wider tensor are fine.</param>
    /// <param name="dt">Step sizes [B, T, H], likewise.</param>
    /// <param name="a">A [H].</param>
    /// <param name="b">B [B, T, G N], likewise.</param>
    /// <param name="c">C [B, T, G N], likewise.</param>
    /// <param name="groups">G, which divides H.</param>
    /// <param name="d">D [H], or null for none.</param>
    /// <param name="initial">The state before the first step [B, H, N, P], or null for zeros.</param>
    /// <param name="logA">True if a holds log(-A), as files have it.</param>
    /// <returns>y [B, T, H P] and the state after the last step [B, H, N, P].</returns>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public static (Tensor Y, Tensor State) Ssd(this Compute compute, Tensor x, Tensor dt, Tensor a, Tensor b, Tensor c,
        int groups, Tensor? d = null, Tensor? initial = null, bool logA = false)
    {
        int heads = a.Shape.Rank == 1 ? a.Shape[0] : 0;
        bool fits = MatrixScan.Fits(b, x, heads, groups, initial) && c.Shape == b.Shape
            && dt.Shape == x.Shape.WithColumns(heads) && (d is null || d.Shape == a.Shape);
        if (!fits)
            throw new ArgumentException(
                $"ssd: x {x}, dt {dt}, A {a}, B {b}, C {c}, {groups} groups, D {d?.ToString() ?? "none"}, state "
                + $"{initial?.ToString() ?? "none"} do not fit; wanted [B, T, H P], [B, T, H], [H], [B, T, G N] twice, "
                + "[H], [B, H, N, P]");
        var sizes = MatrixScan.Sizes(x, heads, b.Shape[2] / groups);
        var op = new SsdOp(x, dt, a, b, c, d, initial?.Contiguous("ssd"), groups, logA, compute.NewStatistic(a.Shape),
            compute.NewStatistic(dt.Shape), compute.RetainedStates(sizes), compute.New(MatrixScan.StateShape(sizes)),
            compute.New(x.Shape));
        op.Forward(compute);
        compute.Record(op);
        return (op.Y, FinalStateOp.Of(compute, op.Y, op.Final));
    }
}
