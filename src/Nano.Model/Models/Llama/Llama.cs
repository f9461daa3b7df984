namespace Nano;

/// <summary>
/// The Llama family (Touvron et al., "LLaMA", 2023, and its successors): token embeddings, L
/// pre-norm blocks of causal attention with rotary positions and grouped heads and of a SwiGLU
/// layer, a final norm and a head. What a member of the family adds is a switch in
/// <see cref="LlamaConfig"/>. How the pieces run is <see cref="LanguageModel"/>'s.
/// </summary>
public sealed class Llama : LanguageModel
{
    private sealed record Block(RmsNorm Norm1, Linear Q, Linear K, Linear V, RmsNorm? QNorm, RmsNorm? KNorm,
        Linear AttentionOut,
        RmsNorm Norm2, Linear Gate, Linear Up, Linear Down);

    private readonly LlamaConfig config;
    private readonly Tensor tokenTable; // [V, C]
    private readonly Block[] blocks;
    private readonly RmsNorm finalNorm;
    private readonly RopeTable rotary; // the rule of all angles, without positions

    /// <summary>
    /// A model with parameters that are zero until a file or <see cref="LanguageModel.Initialize"/>
    /// fills them.
    /// </summary>
    public Llama(LlamaConfig config) : this(config, new Parameters())
    {
    }

    internal Llama(LlamaConfig config, Parameters parameters) : base(config, parameters)
    {
        this.config = config;
        int C = config.Channels, D = config.HeadDim, queries = config.Heads * D, keys = config.KvHeads * D,
            I = config.Intermediate;
        tokenTable = parameters.Add("model.embed_tokens.weight", new(ParameterRole.Embedding, ModelComponent.Embedding),
            config.VocabSize, C);
        blocks = new Block[config.Layers];
        for (int i = 0; i < blocks.Length; i++)
        {
            string block = $"model.layers.{i}", attention = block + ".self_attn", mlp = block + ".mlp";
            ParameterFacts inAttention = new(ParameterRole.Inner, ModelComponent.Attention, i);
            ParameterFacts inMlp = new(ParameterRole.Inner, ModelComponent.Mlp, i);
            var rotated = inAttention with { IsRotated = true };
            blocks[i] = new Block(Norm(block + ".input_layernorm", i, C),
                Linear(attention + ".q_proj", rotated, C, queries, config.QkvBias),
                Linear(attention + ".k_proj", rotated, C, keys, config.QkvBias),
                Linear(attention + ".v_proj", inAttention, C, keys, config.QkvBias),
                config.QkNorm ? Norm(attention + ".q_norm", i, D) : null,
                config.QkNorm ? Norm(attention + ".k_norm", i, D) : null,
                Linear(attention + ".o_proj", inAttention with { Role = ParameterRole.ResidualOut }, queries, C,
                    config.OutputBias),
                Norm(block + ".post_attention_layernorm", i, C),
                Linear(mlp + ".gate_proj", inMlp, C, I, config.MlpBias),
                Linear(mlp + ".up_proj", inMlp, C, I, config.MlpBias),
                Linear(mlp + ".down_proj", inMlp with { Role = ParameterRole.ResidualOut }, I, C, config.MlpBias));
        }
        finalNorm = Norm("model.norm", null, C);
        Head = config.TiedHead ? tokenTable :
            parameters.Add("lm_head.weight", new(ParameterRole.Head, ModelComponent.Head), config.VocabSize, C);
        rotary = new RopeTable(D, config.RopeTheta, config.RopeScaling, 0);

        RmsNorm Norm(string name, int? block, int channels) =>
            RmsNorm.Declare(parameters, name, block, channels, config.NormEpsilon);
        Linear Linear(string name, ParameterFacts facts, int inputs, int outputs, bool bias) =>
            Nano.Linear.Declare(parameters, name, facts, inputs, outputs, bias);
    }

    /// <inheritdoc/>
    protected override Tensor Head { get; }

    /// <summary>
    /// Angles of T positions, which rows and documents share; behind a cache, of the [B * T] positions of its rows.
    /// </summary>
    protected override Pass Begin(Compute c, Pass pass, int T)
    {
        if (pass.Cache is { } cache)
            return pass with { Angles = rotary.For(c, cache.Positions(c, T)) };
        var positions = c.New(new Shape(pass.Segments?.Longest ?? T), DType.Int32);
        for (int t = 0; t < positions.Length; t++)
            positions.Ids[t] = t;
        return pass with { Angles = rotary.For(c, positions) };
    }

    /// <inheritdoc/>
    protected override Tensor Embed(Compute c, Tensor ids, Pass pass) => c.Embedding(tokenTable, ids);

    /// <inheritdoc/>
    protected override Tensor Attention(Compute c, int layer, Tensor x, Pass pass)
    {
        var block = blocks[layer];
        var normed = block.Norm1.Forward(c, x);
        var q = Rotated(c, EachHead(c, block.QNorm, block.Q.Forward(c, normed)), pass); // [B, T, H * D]
        var k = Rotated(c, EachHead(c, block.KNorm, block.K.Forward(c, normed)), pass); // [B, T, KV * D]
        var v = block.V.Forward(c, normed);
        var options = new AttentionOptions(config.Heads, config.KvHeads) { Window = config.WindowOf(layer) };
        return block.AttentionOut.Forward(c, pass.Cache is { } cache
            ? cache.Attend(c, layer, q, k, v, options)
            : c.Attention(q, k, v, options with { Segments = pass.Segments }));
    }

    /// <summary>The norm of each head of x [B, T, H * D], where there is one.</summary>
    private Tensor EachHead(Compute c, RmsNorm? norm, Tensor x) =>
        norm is null ? x : norm.Forward(c,
            x.Reshape(new Shape(x.Shape[0], x.Shape[1], x.Shape[2] / config.HeadDim, config.HeadDim))).Reshape(x.Shape);

    /// <summary>
    /// x [B, T, H * D] with its heads rotated by the angles of their positions. x itself is not
    /// needed again.
    /// </summary>
    private Tensor Rotated(Compute c, Tensor x, Pass pass)
    {
        var angles = pass.Angles!;
        int positions = angles.Cos.Shape[0];
        var y = pass.Segments is not null || positions == x.Shape[1] ? c.Rope(x, angles, config.Pairing, pass.Segments)
            : c.Rope(x.Reshape(new Shape((int)x.Shape.Rows / positions, positions, x.Shape[2])), angles, config.Pairing)
                .Reshape(x.Shape);
        c.Release(x);
        return y;
    }

    /// <inheritdoc/>
    protected override Tensor Mlp(Compute c, int layer, Tensor x)
    {
        var block = blocks[layer];
        var normed = block.Norm2.Forward(c, x);
        // [B, T, I] within
        return block.Down.Forward(c, c.SwiGlu(block.Gate.Forward(c, normed), block.Up.Forward(c, normed)));
    }

    /// <inheritdoc/>
    protected override Tensor FinalNorm(Compute c, Tensor x) => finalNorm.Forward(c, x);
}
