namespace Nano;

/// <summary>
/// The factor of the second softmax of differential attention:
/// lambda = exp(q1 . k1) - exp(q2 . k2) + Initial, with learned vectors [D] that all heads share.
/// </summary>
/// <param name="Q1">[D]</param>
/// <param name="K1">[D]</param>
/// <param name="Q2">[D]</param>
/// <param name="K2">[D]</param>
/// <param name="Initial">The value that lambda begins near.</param>
public sealed record DifferentialFactor(Tensor Q1, Tensor K1, Tensor Q2, Tensor K2, float Initial)
{
    /// <summary>The paper's choice of <see cref="Initial"/> for a layer, from 0 on.</summary>
    public static float InitialOf(int layer) => (float)(0.8 - (0.6 * Math.Exp(-0.3 * layer)));

    /// <summary>lambda, a scalar that gradients pass through.</summary>
    internal Tensor Of(Compute c) =>
        c.Scale(c.Subtract(c.Exp(c.Sum(c.Multiply(Q1, K1))), c.Exp(c.Sum(c.Multiply(Q2, K2)))), 1, Initial);
}

/// <summary>
/// Differential attention (Ye et al., "Differential Transformer", 2024): noise that two softmaxes share is taken away.
/// <code>
/// a = softmax(q1 k1^T) v - lambda softmax(q2 k2^T) v;  y = (1 - Initial) norm(a), RMSNorm over each head
/// </code>
/// It is made of other ops, which give its gradients.
/// </summary>
public static class DifferentialAttentionExtensions
{
    private const float Epsilon = 1e-5f;

    /// <summary>Differential attention of H pairs of heads.</summary>
    /// <param name="c">The context to run in.</param>
    /// <param name="first">Queries [B, T, H * D] and keys [B, T, KV * D] of the first softmax.</param>
    /// <param name="second">Those of the second.</param>
    /// <param name="v">Values [B, T, KV * Dv]; in the paper Dv = 2D.</param>
    /// <param name="factor">The factor of the second softmax.</param>
    /// <param name="weight">Weight [Dv] of the norm over a head.</param>
    /// <param name="options">Heads, scale and mask of both.</param>
    /// <returns>Y: [B, T, H * Dv]. Difference: the same before the norm.</returns>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public static (Tensor Y, Tensor Difference) DifferentialAttention(this Compute c, (Tensor Q, Tensor K) first,
        (Tensor Q, Tensor K) second, Tensor v, DifferentialFactor factor, Tensor weight, in AttentionOptions options)
    {
        var one = c.Attention(first.Q, first.K, v, options);
        var two = c.Attention(second.Q, second.K, v, options);
        var lambda = c.Expand(factor.Of(c).Reshape(new Shape(1, 1, 1)), two.Shape);
        var difference = c.Subtract(one, c.Multiply(lambda, two)); // [B, T, H * Dv]
        int width = difference.Shape[2] / options.Heads;
        var normed = c.RmsNorm(difference.Reshape(new Shape((int)(difference.Length / width), width)), weight, Epsilon);
        return (c.Scale(normed, 1 - factor.Initial).Reshape(difference.Shape), difference);
    }
}
