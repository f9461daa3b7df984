namespace Nano;

/// <summary>The sizes of latent attention.</summary>
/// <param name="QueryRank">Channels between the two matrices of queries; 0 for one matrix.</param>
/// <param name="Rank">r, channels of the latent of keys and values.</param>
/// <param name="PlainDim">Channels of a head's queries and keys that are not rotated.</param>
/// <param name="RotaryDim">Those that are; all heads share those of the key.</param>
/// <param name="ValueDim">Dv, channels of a head's values.</param>
public sealed record LatentConfig(int QueryRank, int Rank, int PlainDim, int RotaryDim, int ValueDim)
{
    /// <summary>The error in the sizes, or null.</summary>
    internal string? Problem(int mostChannels)
    {
        ReadOnlySpan<int> sizes = [Rank, PlainDim, RotaryDim, ValueDim, QueryRank + 1];
        foreach (int size in sizes)
            if (size < 1 || size > mostChannels)
                return $"latent attention of {this}; its sizes must be from 1 to {mostChannels}";
        return null;
    }
}

/// <summary>
/// Multi-head latent attention (DeepSeek-AI, "DeepSeek-V2", 2024). Keys and values of all heads come from one latent
/// c = norm(W_a x), and a rotated key that heads share: only these are cached. Where all positions are new, as in
/// training, it runs in the naive form of <see cref="LatentForms"/>, with a cache in the absorbed one.
/// </summary>
internal sealed class LatentAttention : IMixer
{
    private readonly DecoderConfig config;
    private readonly LatentConfig sizes;
    private readonly int layer;
    private readonly Linear q, keysAndValues, latent, output;
    private readonly Linear? queryLatent;
    private readonly Norm? queryNorm;
    private readonly Norm latentNorm;

    /// <summary>Declares NAME.q_a_proj and so on.</summary>
    public LatentAttention(DecoderConfig config, Parameters parameters, int layer, string name)
    {
        (this.config, this.layer, sizes) = (config, layer, config.Latent!);
        int C = config.Channels, H = config.Heads, queries = H * config.HeadDim;
        ParameterFacts facts = new(ParameterRole.Inner, ModelComponent.Attention, layer);
        if (sizes.QueryRank > 0)
        {
            queryLatent = Linear.Declare(parameters, name + ".q_a_proj", facts, C, sizes.QueryRank, config.QkvBias);
            queryNorm = Norm.Declare(parameters, name + ".q_a_layernorm", layer, sizes.QueryRank, config.NormKind,
                config.NormEpsilon);
        }
        q = Linear.Declare(parameters, sizes.QueryRank > 0 ? name + ".q_b_proj" : name + ".q_proj", facts,
            sizes.QueryRank > 0 ? sizes.QueryRank : C, queries, bias: false);
        latent = Linear.Declare(parameters, name + ".kv_a_proj_with_mqa", facts, C, sizes.Rank + sizes.RotaryDim,
            config.QkvBias);
        latentNorm = Norm.Declare(parameters, name + ".kv_a_layernorm", layer, sizes.Rank, config.NormKind,
            config.NormEpsilon);
        keysAndValues = Linear.Declare(parameters, name + ".kv_b_proj", facts with { IsReadInParts = true }, sizes.Rank,
            H * (sizes.PlainDim + sizes.ValueDim), bias: false);
        output = Linear.Declare(parameters, name + ".o_proj", facts with { Role = ParameterRole.ResidualOut },
            H * sizes.ValueDim, C, config.OutputBias);
    }

    /// <inheritdoc/>
    public Tensor Forward(Compute c, Tensor x, Pass pass)
    {
        int n = sizes.PlainDim, r = sizes.RotaryDim;
        var normed = queryLatent is null ? x : queryNorm!.Forward(c, queryLatent.Forward(c, x));
        var queries = RotaryRule.Rotated(c, q.Forward(c, normed), pass.Angles!, config.Pairing, pass,
            new RotatedChannels(n + r, n)); // [B, T, H * (n + r)]
        var both = latent.Forward(c, x); // [B, T, rank + r]
        var compressed = latentNorm.Forward(c, c.Contiguous(c.Slice(both, 2, 0, sizes.Rank))); // [B, T, rank]
        var key = RotaryRule.Rotated(c, c.Contiguous(c.Slice(both, 2, sizes.Rank, r)), pass.Angles!, config.Pairing,
            pass, new RotatedChannels(r)); // [B, T, r]
        pass.Watch?.Invoke($"cache{layer}.latent", compressed);
        pass.Watch?.Invoke($"cache{layer}.rope_key", key);
        return output.Forward(c, pass.Cache is { } cache ? Absorbed(c, queries, compressed, key, cache)
            : c.LatentAttention(Forms, queries, keysAndValues.Forward(c, compressed), key,
                Options(config.Heads) with { Segments = pass.Segments }));
    }

    private AttentionOptions Options(int keyHeads) => new(config.Heads, keyHeads)
    {
        Scale = config.AttentionScale > 0 ? config.AttentionScale : (float)(1 / Math.Sqrt(config.HeadDim)),
    };

    private Tensor Absorbed(Compute c, Tensor queries, Tensor compressed, Tensor key, KvCache cache)
    {
        var forms = Forms;
        var o = cache.Attend(c, layer, c.AbsorbedQueries(forms, queries, keysAndValues.Weight),
            c.Concat(2, compressed, key), compressed, Options(1)); // [B, T, H * rank]
        return c.AbsorbedValues(forms, o, keysAndValues.Weight);
    }

    private LatentSizes Forms =>
        new(config.Heads, sizes.Rank, sizes.PlainDim, sizes.RotaryDim, sizes.ValueDim);
}
