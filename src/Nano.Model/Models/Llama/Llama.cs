namespace Nano;

/// <summary>
/// The Llama family (Touvron et al., "LLaMA", 2023, and its successors): token embeddings, L pre-norm blocks of causal attention with rotary positions and
/// grouped heads and of a SwiGLU layer, a final norm and a head. What a member of the family adds is a switch in <see cref="LlamaConfig"/>. How the
/// pieces run is <see cref="LanguageModel"/>'s.
/// </summary>
public sealed class Llama : LanguageModel
{
    private sealed record Block(RmsNorm Norm1, Linear Q, Linear K, Linear V, RmsNorm? QNorm, RmsNorm? KNorm, Linear AttentionOut,
        RmsNorm Norm2, Linear Gate, Linear Up, Linear Down);

    private readonly LlamaConfig config;
    private readonly Tensor tokenTable; // [V, C]
    private readonly Block[] blocks;
    private readonly RmsNorm finalNorm;
    private RopeTable rotary; // of the positions seen so far, at least

    /// <summary>A model with parameters that are zero until a file or <see cref="LanguageModel.Initialize"/> fills them.</summary>
    public Llama(LlamaConfig config) : this(config, new Parameters())
    {
    }

    internal Llama(LlamaConfig config, Parameters parameters) : base(config, parameters)
    {
        this.config = config;
        int C = config.Channels, D = config.HeadDim, queries = config.Heads * D, keys = config.KvHeads * D, I = config.Intermediate;
        tokenTable = parameters.Add("model.embed_tokens.weight", config.VocabSize, C);
        blocks = new Block[config.Layers];
        for (int i = 0; i < blocks.Length; i++)
        {
            string block = $"model.layers.{i}", attention = block + ".self_attn", mlp = block + ".mlp";
            blocks[i] = new Block(Norm(block + ".input_layernorm", C),
                Linear(attention + ".q_proj", C, queries, config.QkvBias), Linear(attention + ".k_proj", C, keys, config.QkvBias), Linear(attention + ".v_proj", C, keys, config.QkvBias),
                config.QkNorm ? Norm(attention + ".q_norm", D) : null, config.QkNorm ? Norm(attention + ".k_norm", D) : null,
                Linear(attention + ".o_proj", queries, C, config.OutputBias),
                Norm(block + ".post_attention_layernorm", C),
                Linear(mlp + ".gate_proj", C, I, config.MlpBias), Linear(mlp + ".up_proj", C, I, config.MlpBias), Linear(mlp + ".down_proj", I, C, config.MlpBias));
        }
        finalNorm = Norm("model.norm", C);
        Head = config.TiedHead ? tokenTable : parameters.Add("lm_head.weight", config.VocabSize, C);
        rotary = new RopeTable(D, config.RopeTheta, config.RopeScaling, 0);

        RmsNorm Norm(string name, int channels) => RmsNorm.Declare(parameters, name, channels, config.NormEpsilon);
        Linear Linear(string name, int inputs, int outputs, bool bias) => Nano.Linear.Declare(parameters, name, inputs, outputs, bias);
    }

    /// <inheritdoc/>
    protected override Tensor Head { get; }

    /// <inheritdoc/>
    protected override Tensor Embed(Compute c, Tensor ids, KvCache? cache, Segments? segments) => c.Embedding(tokenTable, ids);

    /// <inheritdoc/>
    protected override Tensor Attention(Compute c, int layer, Tensor x, KvCache? cache, Segments? segments)
    {
        var block = blocks[layer];
        var normed = block.Norm1.Forward(c, x);
        var angles = Angles(c, cache, segments?.Longest ?? x.Shape[1]);
        var q = Turned(c, EachHead(c, block.QNorm, block.Q.Forward(c, normed)), angles, segments); // [B, T, H * D]
        var k = Turned(c, EachHead(c, block.KNorm, block.K.Forward(c, normed)), angles, segments); // [B, T, KV * D]
        var v = block.V.Forward(c, normed);
        var (H, KV, window) = (config.Heads, config.KvHeads, config.WindowOf(layer));
        return block.AttentionOut.Forward(c, cache is null ? c.CausalAttention(q, k, v, H, KV, window: window, segments: segments) : cache.Attend(c, layer, q, k, v, H, KV, window));
    }

    /// <summary>The norm of each head of x [B, T, H * D], where there is one.</summary>
    private Tensor EachHead(Compute c, RmsNorm? norm, Tensor x) =>
        norm is null ? x : norm.Forward(c, x.Reshape(new Shape(x.Shape[0], x.Shape[1], x.Shape[2] / config.HeadDim, config.HeadDim))).Reshape(x.Shape);

    /// <summary>
    /// Cosines and sines of T positions behind the cache, which segments share: [T] positions, or [B * T] where rows stand at different places. The table grows by
    /// doubling, so that decoding makes few.
    /// </summary>
    private RopeTable Angles(Compute c, KvCache? cache, int T)
    {
        var table = rotary;
        int held = table.Cos.Shape[0], start = cache?.Length ?? 0;
        if (held < start + T)
            rotary = table = new RopeTable(config.HeadDim, config.RopeTheta, config.RopeScaling, Math.Clamp(2 * held, start + T, config.ContextLength));
        return cache is null || cache.Selected.Length == 1 ? table.Slice(start, T) : table.At(c, cache.Positions(c, T));
    }

    /// <summary>x [B, T, H * D] with its heads turned by the angles of their positions. What x was before is not needed again.</summary>
    private Tensor Turned(Compute c, Tensor x, RopeTable angles, Segments? segments)
    {
        int positions = angles.Cos.Shape[0];
        var y = segments is not null || positions == x.Shape[1] ? c.Rope(x, angles, config.Pairing, segments)
            : c.Rope(x.Reshape(new Shape((int)x.Shape.Rows / positions, positions, x.Shape[2])), angles, config.Pairing).Reshape(x.Shape);
        c.Release(x);
        return y;
    }

    /// <inheritdoc/>
    protected override Tensor Mlp(Compute c, int layer, Tensor x)
    {
        var block = blocks[layer];
        var normed = block.Norm2.Forward(c, x);
        return block.Down.Forward(c, c.SwiGlu(block.Gate.Forward(c, normed), block.Up.Forward(c, normed))); // [B, T, I] within
    }

    /// <inheritdoc/>
    protected override Tensor FinalNorm(Compute c, Tensor x) => finalNorm.Forward(c, x);

    /// <inheritdoc/>
    protected override bool EntersResidual(string parameter) =>
        parameter.EndsWith("o_proj.weight", StringComparison.Ordinal) || parameter.EndsWith("down_proj.weight", StringComparison.Ordinal);
}
