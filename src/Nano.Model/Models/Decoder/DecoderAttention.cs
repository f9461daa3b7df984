namespace Nano;

/// <summary>
/// Causal attention of a decoder: queries, keys and values, norms of them where a family has such, rotation by their
/// positions, attention in groups of heads, and a projection.
/// </summary>
internal sealed class DecoderAttention : IMixer
{
    private readonly DecoderConfig config;
    private readonly int layer;
    private readonly Linear q, k, v, output;
    private readonly Norm? qNorm, kNorm;
    private readonly AttentionOptions options;

    /// <summary>Declares the projections NAME.q_proj and so on.</summary>
    public DecoderAttention(DecoderConfig config, Parameters parameters, int layer, string name)
    {
        (this.config, this.layer) = (config, layer);
        int C = config.Channels, D = config.HeadDim, queries = config.Heads * D, keys = config.KvHeads * D;
        ParameterFacts facts = new(ParameterRole.Inner, ModelComponent.Attention, layer);
        var rotated = facts with { IsRotated = config.Positions == PositionKind.Rotary };
        q = Linear.Declare(parameters, name + ".q_proj", rotated, C, queries, config.QkvBias);
        k = Linear.Declare(parameters, name + ".k_proj", rotated, C, keys, config.QkvBias);
        v = Linear.Declare(parameters, name + ".v_proj", facts, C, keys, config.QkvBias);
        if (config.QkNorm || config.QkNormAllHeads)
        {
            bool whole = config.QkNormAllHeads;
            qNorm = Norm.Declare(parameters, name + ".q_norm", layer, whole ? queries : D, config.NormKind,
                config.NormEpsilon);
            kNorm = Norm.Declare(parameters, name + ".k_norm", layer, whole ? keys : D, config.NormKind,
                config.NormEpsilon);
        }
        output = Linear.Declare(parameters, name + ".o_proj", facts with { Role = ParameterRole.ResidualOut }, queries,
            C, config.OutputBias);
        options = new(config.Heads, config.KvHeads)
        {
            Scale = config.AttentionScale,
            Window = config.WindowOf(layer),
            SoftCap = config.ScoreCap,
            Slopes = config.Positions == PositionKind.Slopes
                ? Tensor.From(new Shape(config.Heads), Alibi.Slopes(config.Heads)) : null,
        };
    }

    /// <inheritdoc/>
    public Tensor Forward(Compute c, Tensor x, Pass pass)
    {
        var queries = Rotated(c, Normed(c, qNorm, q.Forward(c, x)), pass); // [B, T, H * D]
        var keys = Rotated(c, Normed(c, kNorm, k.Forward(c, x)), pass); // [B, T, KV * D]
        var values = v.Forward(c, x);
        return output.Forward(c, pass.Cache is { } cache ? cache.Attend(c, layer, queries, keys, values, options)
            : c.Attention(queries, keys, values, options with { Segments = pass.Segments }));
    }

    /// <summary>The norm of each head of x [B, T, H * D], or of all heads together, where there is one.</summary>
    private Tensor Normed(Compute c, Norm? norm, Tensor x) => norm is null ? x
        : config.QkNormAllHeads ? norm.Forward(c, x)
        : norm.Forward(c, x.Reshape(new Shape(x.Shape[0], x.Shape[1], x.Shape[2] / config.HeadDim, config.HeadDim)))
            .Reshape(x.Shape);

    /// <summary>x [B, T, H * D], rotated where the model rotates.</summary>
    private Tensor Rotated(Compute c, Tensor x, Pass pass) =>
        config.RotatesAt(layer) && ((config.WindowOf(layer) > 0 ? pass.LocalAngles : null) ?? pass.Angles) is { } angles
            ? RotaryRule.Rotated(c, x, angles, config.Pairing, pass, new RotatedChannels(config.HeadDim)) : x;
}

/// <summary>
/// The angles of a decoder's rotary positions. Layers with a window may have a base of their own (Gemma 3).
/// </summary>
internal sealed class RotaryRule(DecoderConfig config)
{
    /// <summary>
    /// x [B, T, H * D] with its heads rotated by the angles of their positions. x itself is not
    /// needed again.
    /// </summary>
    public static Tensor Rotated(Compute c, Tensor x, RopeTable angles, RopePairing pairing, Pass pass,
        RotatedChannels channels)
    {
        int positions = angles.Cos.Shape[0];
        var y = pass.Segments is not null || positions == x.Shape[1]
            ? c.Rope(x, angles, pairing, pass.Segments, channels)
            : c.Rope(x.Reshape(new Shape((int)x.Shape.Rows / positions, positions, x.Shape[2])), angles, pairing,
                channels: channels).Reshape(x.Shape);
        c.Release(x);
        return y;
    }

    private readonly RopeTable all = new(config.RotaryDim, config.RopeTheta, config.RopeScaling, 0);
    private readonly RopeTable? inWindow = config.LocalRopeTheta is { } theta
        ? new(config.RotaryDim, theta, null, 0) : null;

    /// <summary>
    /// Angles of T positions, which rows and documents share; behind a cache, of the [B * T] positions of its rows.
    /// </summary>
    public Pass Begin(Compute c, Pass pass, int T)
    {
        if (pass.Cache is { } cache)
        {
            Span<int> lengths = stackalloc int[cache.Selected.Length];
            for (int b = 0; b < lengths.Length; b++)
            {
                int before = cache.LengthOf(cache.Selected[b]);
                lengths[b] = before + T;
                if (before > 0 && config.RopeScaling is { } scaling && scaling.IsBeyond(lengths[b])
                    && !scaling.IsBeyond(before))
                    throw new NanoException($"a text of {before} tokens cannot grow to {lengths[b]}: beyond that "
                        + "length the angles of all of its tokens change",
                        "begin with the whole text, or make less of it");
            }
            return With(pass, cache.Positions(c, T), lengths);
        }
        int longest = pass.Segments?.Longest ?? T;
        var positions = c.New(new Shape(longest), DType.Int32);
        for (int t = 0; t < longest; t++)
            positions.Ids[t] = t;
        return With(pass, positions, [longest]);

        Pass With(Pass pass, Tensor positions, ReadOnlySpan<int> lengths) => pass with
        {
            Angles = all.For(c, positions, lengths),
            LocalAngles = inWindow?.For(c, positions, lengths),
        };
    }
}
