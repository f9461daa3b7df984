namespace Nano;

/// <summary>
/// GPT-2 (Radford et al., "Language Models are Unsupervised Multitask Learners", 2019): token and position embeddings, L pre-norm blocks of
/// causal attention and a four times wider GELU layer, a final norm, and a head that shares the token table unless told otherwise.
/// How the pieces run is <see cref="LanguageModel"/>'s.
/// </summary>
public sealed class Gpt2 : LanguageModel
{
    private sealed record Block(LayerNorm Norm1, Linear Qkv, Linear AttentionOut, LayerNorm Norm2, Linear Wide, Linear WideOut);

    private readonly Gpt2Config config;
    private readonly Tensor tokenTable; // [V, C]
    private readonly Tensor positionTable; // [T, C]
    private readonly Block[] blocks;
    private readonly LayerNorm finalNorm;

    /// <summary>A model with parameters that are zero until a file or <see cref="LanguageModel.Initialize"/> fills them.</summary>
    public Gpt2(Gpt2Config config) : this(config, new Parameters())
    {
    }

    internal Gpt2(Gpt2Config config, Parameters parameters) : base(config, parameters)
    {
        this.config = config;
        int C = config.Channels;
        tokenTable = parameters.Add("wte.weight", config.VocabSize, C);
        positionTable = parameters.Add("wpe.weight", config.ContextLength, C);
        blocks = new Block[config.Layers];
        for (int i = 0; i < blocks.Length; i++)
            blocks[i] = new Block(Norm($"h.{i}.ln_1"), Linear($"h.{i}.attn.c_attn", C, 3 * C), Linear($"h.{i}.attn.c_proj", C, C),
                Norm($"h.{i}.ln_2"), Linear($"h.{i}.mlp.c_fc", C, 4 * C), Linear($"h.{i}.mlp.c_proj", 4 * C, C));
        finalNorm = Norm("ln_f");
        Head = config.TiedHead ? tokenTable : parameters.Add("lm_head.weight", config.VocabSize, C);

        LayerNorm Norm(string name) => LayerNorm.Declare(parameters, name, C, config.Bias, config.LayerNormEpsilon);
        Linear Linear(string name, int inputs, int outputs) => Nano.Linear.Declare(parameters, name, inputs, outputs, config.Bias);
    }

    /// <inheritdoc/>
    protected override Tensor Head { get; }

    /// <inheritdoc/>
    protected override Tensor Embed(Compute c, Tensor ids, KvCache? cache, Segments? segments)
    {
        var tokens = c.Embedding(tokenTable, ids);
        int T = ids.Shape[1];
        var positions = segments?.Positions.Reshape(ids.Shape) ?? cache?.Positions(c, T);
        var x = c.Add(tokens, positions is null ? positionTable.SliceRows(0, T) : c.Embedding(positionTable, positions)); // [B, T, C]
        c.Release(tokens);
        return x;
    }

    /// <inheritdoc/>
    protected override Tensor Attention(Compute c, int layer, Tensor x, KvCache? cache, Segments? segments)
    {
        int C = config.Channels, H = config.Heads;
        var block = blocks[layer];
        var qkv = block.Qkv.Forward(c, block.Norm1.Forward(c, x)); // [B, T, 3C]
        var (q, k, v) = (qkv.SliceColumns(0, C), qkv.SliceColumns(C, C), qkv.SliceColumns(2 * C, C));
        return block.AttentionOut.Forward(c, cache is null ? c.CausalAttention(q, k, v, H, H, segments: segments) : cache.Attend(c, layer, q, k, v, H, H));
    }

    /// <inheritdoc/>
    protected override Tensor Mlp(Compute c, int layer, Tensor x)
    {
        var block = blocks[layer];
        var wide = block.Wide.Forward(c, block.Norm2.Forward(c, x)); // [B, T, 4C]
        return block.WideOut.Forward(c, c.Activation(config.Gelu == GeluForm.Tanh ? ActivationKind.GeluTanh : ActivationKind.GeluErf, wide));
    }

    /// <inheritdoc/>
    protected override Tensor FinalNorm(Compute c, Tensor x) => finalNorm.Forward(c, x);

    /// <inheritdoc/>
    protected override bool EntersResidual(string parameter) => parameter.EndsWith("c_proj.weight", StringComparison.Ordinal);
}
