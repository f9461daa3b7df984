namespace Nano;

/// <summary>The sizes of latent attention.</summary>
/// <param name="Heads">H.</param>
/// <param name="Rank">r, channels of the latent of keys and values.</param>
/// <param name="Plain">n, channels of a head's queries and keys that are not rotated.</param>
/// <param name="Rotary">Those that are, after the others; all heads share those of the key.</param>
/// <param name="Value">v, channels of a head's values.</param>
public readonly record struct LatentSizes(int Heads, int Rank, int Plain, int Rotary, int Value);

/// <summary>
/// Multi-head latent attention (DeepSeek-AI, "DeepSeek-V2", 2024): keys and values of all heads come from one latent c
/// of r channels, and a rotated key that heads share. Two forms give the same numbers but for rounding:
/// <code>
/// naive      k_h = [W_k,h c, k_rope], v_h = W_v,h c; softmax(scale q_h . k_h) v_h
/// absorbed   q_h' = [W_k,h^T q_h, q_rope]; o_h = softmax(scale q_h' . [c, k_rope]) c; W_v,h o_h
/// </code>
/// The naive form has fewer operations where all positions are new, as in training; the absorbed one reads r + rope
/// numbers for each position before, and serves decoding. They are made of other ops, which give their gradients.
/// </summary>
public static class LatentForms
{
    /// <summary>Latent attention in its naive form.</summary>
    /// <param name="c">The context to run in.</param>
    /// <param name="sizes">The sizes.</param>
    /// <param name="q">Queries [B, T, H * (n + rope)], rotated.</param>
    /// <param name="keysAndValues">W c, [B, T, H * (n + v)].</param>
    /// <param name="key">The rotated key [B, T, rope].</param>
    /// <param name="options">H heads and key heads, scale and mask.</param>
    /// <returns>[B, T, H * v].</returns>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public static Tensor LatentAttention(this Compute c, LatentSizes sizes, Tensor q, Tensor keysAndValues, Tensor key,
        in AttentionOptions options)
    {
        var (H, _, n, r, v) = sizes;
        int B = key.Shape[0], T = key.Shape[1];
        var perHead = keysAndValues.Reshape(new Shape(B, T, H, n + v));
        var shared = c.Expand(key.Reshape(new Shape(B, T, 1, r)), new Shape(B, T, H, r));
        var keys = c.Concat(3, c.Slice(perHead, 3, 0, n), shared).Reshape(new Shape(B, T, H * (n + r)));
        var values = c.Contiguous(c.Slice(perHead, 3, n, v)).Reshape(new Shape(B, T, H * v));
        return c.Attention(q, keys, values, options);
    }

    /// <summary>Queries q' [B, T, H * (r + rope)] of the absorbed form.</summary>
    /// <param name="c">The context to run in.</param>
    /// <param name="sizes">The sizes.</param>
    /// <param name="q">Queries [B, T, H * (n + rope)], rotated.</param>
    /// <param name="w">W [H * (n + v), r].</param>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public static Tensor AbsorbedQueries(this Compute c, LatentSizes sizes, Tensor q, Tensor w)
    {
        var (H, rank, n, r, _) = sizes;
        int B = q.Shape[0], T = q.Shape[1];
        var perHead = q.Reshape(new Shape(B * T, H, n + r));
        var plain = c.Permute(c.Slice(perHead, 2, 0, n), 1, 0, 2); // [H, B T, n]
        var absorbed = c.Permute(c.MatMul(plain, c.Slice(ByHead(sizes, w), 1, 0, n)), 1, 0, 2); // [B T, H, r]
        return c.Concat(2, absorbed, c.Slice(perHead, 2, n, r)).Reshape(new Shape(B, T, H * (rank + r)));
    }

    /// <summary>The result [B, T, H * v] of the absorbed form.</summary>
    /// <param name="c">The context to run in.</param>
    /// <param name="sizes">The sizes.</param>
    /// <param name="latents">What attention with c as values gives, [B, T, H * r].</param>
    /// <param name="w">W [H * (n + v), r].</param>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public static Tensor AbsorbedValues(this Compute c, LatentSizes sizes, Tensor latents, Tensor w)
    {
        var (H, rank, n, _, v) = sizes;
        int B = latents.Shape[0], T = latents.Shape[1];
        var byHead = c.Permute(latents.Reshape(new Shape(B * T, H, rank)), 1, 0, 2); // [H, B T, r]
        var values = c.MatMul(byHead, c.Slice(ByHead(sizes, w), 1, n, v), transposeB: true); // [H, B T, v]
        return c.Permute(values, 1, 0, 2).Reshape(new Shape(B, T, H * v));
    }

    private static Tensor ByHead(LatentSizes sizes, Tensor w) =>
        w.Reshape(new Shape(sizes.Heads, sizes.Plain + sizes.Value, sizes.Rank));
}
