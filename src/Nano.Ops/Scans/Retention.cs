namespace Nano;

/// <summary>
/// Retention (Sun et al., "Retentive Network", 2023): per head S_t = gamma S_{t-1} + k_t v_t^T, y_t = S_t^T q_t, with a
/// constant gamma. It is <see cref="DecayRule"/> with a = gamma and f = 1. A scale of q, usually 1 / sqrt(N), is up
/// to the model.
/// </summary>
internal readonly record struct RetentionOp(Tensor Q, Tensor K, Tensor V, Tensor Gammas, Tensor? Initial,
    Tensor? Retained, Tensor Final, Tensor Y) : IOp
{
    public Tensor Output => Y;

    public bool WantsGradient => Q.WantsGradient || K.WantsGradient || V.WantsGradient
        || Initial is { WantsGradient: true };

    public Work ForwardWork =>
        Work.Of("retention forward", 5.0 * Keys * Y.Length, Q, K, V, Initial, Retained, Final, Y);

    public Work? BackwardWork => Work.Of("retention backward", 16.0 * Keys * Y.Length, Q, K, V, Retained, Y,
        Work.GradientOf(Q), Work.GradientOf(K), Work.GradientOf(V));

    private int Heads => Gammas.Shape[0];

    private int Keys => Q.Shape[2] / Heads;

    private unsafe DecayRule Rule(Tensor y) => new(Rows.Of(Q), Rows.Of(K), Rows.Of(V), Keys, Heads, Heads, y.Pointer)
    {
        Channels = V.Shape[2],
        Decays = new(Gammas.Pointer, 0),
    };

    internal void Forward(Compute compute) => ScanForward<DecayRule>.Run(compute, Rule(Y),
        MatrixScan.Sizes(V, Heads, Keys), Initial, Retained, Final);

    public void Backward(Compute compute)
    {
        var rule = Rule(Y.Gradient) with
        {
            Queries = HeadTarget.Of(compute, Q, Keys),
            Keys = HeadTarget.Of(compute, K, Keys),
            Values = V.TargetIfWanted(compute),
        };
        ScanBackward<DecayRule>.Run(compute, rule, MatrixScan.Sizes(V, Heads, Keys), Retained!, Final, Initial);
    }
}

/// <summary>Retention as a method of <see cref="Compute"/>.</summary>
public static class RetentionExtensions
{
    /// <summary>
    /// S_t = gamma S_{t-1} + k_t v_t^T, y_t = S_t^T q_t for each head. Steps from a state give the bits of the whole
    /// sequence.
    /// </summary>
    /// <param name="compute">The context to run in.</param>
    /// <param name="q">Queries [B, T, H N], scaled already; columns of a wider tensor are fine.</param>
    /// <param name="k">Keys [B, T, H N], likewise.</param>
    /// <param name="v">Values [B, T, H P], likewise.</param>
    /// <param name="gammas">The decay of each head [H]; it gets no gradient.</param>
    /// <param name="initial">The state before the first step [B, H, N, P], or null for zeros.</param>
    /// <returns>y [B, T, H P] and the state after the last step [B, H, N, P].</returns>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public static (Tensor Y, Tensor State) Retention(this Compute compute, Tensor q, Tensor k, Tensor v, Tensor gammas,
        Tensor? initial = null)
    {
        int heads = gammas.Shape.Rank == 1 ? gammas.Shape[0] : 0;
        if (!MatrixScan.Fits(q, v, heads, heads, initial) || k.Shape != q.Shape)
            throw new ArgumentException(
                $"retention: q {q}, k {k}, v {v}, gammas {gammas}, state {initial?.ToString() ?? "none"} do not fit; "
                + "wanted [B, T, H N] twice, [B, T, H P], [H], [B, H, N, P]");
        var sizes = MatrixScan.Sizes(v, heads, q.Shape[2] / heads);
        var op = new RetentionOp(q, k, v, gammas.Contiguous("retention"), initial?.Contiguous("retention"),
            compute.RetainedStates(sizes), compute.New(MatrixScan.StateShape(sizes)), compute.New(v.Shape));
        op.Forward(compute);
        compute.Record(op);
        return (op.Y, FinalStateOp.Of(compute, op.Y, op.Final));
    }
}
