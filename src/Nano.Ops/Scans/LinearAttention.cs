namespace Nano;

/// <summary>
/// Causal linear attention (Katharopoulos et al., "Transformers are RNNs", 2020): with phi(x) = elu(x) + 1 and, per
/// head, S_t = S_{t-1} + phi(k_t) v_t^T and z_t = z_{t-1} + phi(k_t), y_t = S_t^T phi(q_t) / z_t . phi(q_t).
/// <para>
/// It is <see cref="RetentionExtensions.Retention"/> with gamma 1 over values with a further one that is always 1: the
/// last column of the state is z, and the last value read, the denominator. The ops give its gradients.
/// </para>
/// </summary>
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
        int B = v.Shape[0], T = v.Shape[1], P = v.Shape[2] / heads;
        var extended = compute.Concat(3, compute.Contiguous(v).Reshape(new Shape(B, T, heads, P)),
            Ones(compute, new Shape(B, T, heads, 1))).Reshape(new Shape(B, T, heads * (P + 1)));
        var (sums, state) = compute.Retention(compute.Activation(ActivationKind.EluPlusOne, q),
            compute.Activation(ActivationKind.EluPlusOne, k), extended, Ones(compute, new Shape(heads)), initial);
        var perHead = sums.Reshape(new Shape(B, T, heads, P + 1));
        var divisors = compute.Expand(compute.Slice(perHead, 3, P, 1), new Shape(B, T, heads, P));
        return (compute.Divide(compute.Contiguous(compute.Slice(perHead, 3, 0, P)).Reshape(v.Shape),
            divisors.Reshape(v.Shape)), state);
    }

    private static Tensor Ones(Compute compute, Shape shape)
    {
        var ones = compute.New(shape);
        ones.WantsGradient = false;
        if (!compute.OnlyPlans)
            ones.Data.Fill(1);
        return ones;
    }
}
