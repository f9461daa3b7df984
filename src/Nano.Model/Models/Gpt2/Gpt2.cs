namespace Nano;

/// <summary>
/// GPT-2 (Radford et al., "Language Models are Unsupervised Multitask Learners", 2019): token and
/// position embeddings, L pre-norm blocks of causal attention and a four times wider GELU layer, a
/// final norm, and a head that shares the token table unless told otherwise. How the pieces run is
/// <see cref="LanguageModel"/>'s.
/// </summary>
public sealed class Gpt2 : LanguageModel
{
    private sealed record Layer(Norm Norm1, Linear Qkv, Linear AttentionOut, Norm Norm2, Linear Wide, Linear WideOut);

    private readonly Gpt2Config config;
    private readonly Tensor tokenTable; // [V, C]
    private readonly Tensor positionTable; // [T, C]
    private readonly Layer[] layers;
    private readonly Norm finalNorm;

    /// <summary>
    /// A model with parameters that are zero until a file or <see cref="LanguageModel.Initialize"/>
    /// fills them.
    /// </summary>
    public Gpt2(Gpt2Config config) : this(config, new Parameters())
    {
    }

    internal Gpt2(Gpt2Config config, Parameters parameters) : base(config, parameters)
    {
        this.config = config;
        int C = config.Channels;
        tokenTable = parameters.Add("wte.weight", new(ParameterRole.Embedding, ModelComponent.Embedding),
            config.VocabSize, C);
        positionTable = parameters.Add("wpe.weight", new(ParameterRole.Position, ModelComponent.Embedding),
            config.ContextLength, C);
        layers = new Layer[config.Layers];
        for (int i = 0; i < layers.Length; i++)
        {
            ParameterFacts attention = new(ParameterRole.Inner, ModelComponent.Attention, i);
            ParameterFacts mlp = new(ParameterRole.Inner, ModelComponent.Mlp, i);
            layers[i] = new Layer(
                Norm($"h.{i}.ln_1", i),
                Linear($"h.{i}.attn.c_attn", attention with { Parts = 3 }, C, 3 * C),
                Linear($"h.{i}.attn.c_proj", attention with { Role = ParameterRole.ResidualOut }, C, C),
                Norm($"h.{i}.ln_2", i),
                Linear($"h.{i}.mlp.c_fc", mlp, C, 4 * C),
                Linear($"h.{i}.mlp.c_proj", mlp with { Role = ParameterRole.ResidualOut }, 4 * C, C));
        }
        finalNorm = Norm("ln_f", null);
        Head = config.TiedHead ? tokenTable :
            parameters.Add("lm_head.weight", new(ParameterRole.Head, ModelComponent.Head), config.VocabSize, C);

        Norm Norm(string name, int? block) => Nano.Norm.Declare(parameters, name, block, C,
            config.Bias ? NormKind.Layer : NormKind.LayerWithoutBias, config.LayerNormEpsilon);
        Linear Linear(string name, ParameterFacts facts, int inputs, int outputs) =>
            Nano.Linear.Declare(parameters, name, facts, inputs, outputs, config.Bias);
    }

    /// <inheritdoc/>
    protected override Tensor Head { get; }

    /// <inheritdoc/>
    protected override Tensor Embed(Compute c, Tensor ids, Pass pass)
    {
        var tokens = c.Embedding(tokenTable, ids);
        int T = ids.Shape[1];
        var positions = pass.Segments?.Positions.Reshape(ids.Shape) ?? pass.Cache?.Positions(c, T);
        // [B, T, C]
        var x = c.Add(tokens, positions is null ? positionTable.SliceRows(0, T)
            : c.Embedding(positionTable, positions));
        c.Release(tokens);
        return x;
    }

    /// <inheritdoc/>
    protected override Tensor Block(Compute c, int layer, Tensor x, Pass pass)
    {
        x = AddBranch(c, x, Attention(c, layer, x, pass), pass, 2 * layer);
        return AddBranch(c, x, Mlp(c, layers[layer], x), pass, (2 * layer) + 1);
    }

    private Tensor Attention(Compute c, int layer, Tensor x, Pass pass)
    {
        int C = config.Channels, H = config.Heads;
        var (block, cache) = (layers[layer], pass.Cache);
        var qkv = block.Qkv.Forward(c, block.Norm1.Forward(c, x)); // [B, T, 3C]
        var (q, k, v) = (qkv.SliceColumns(0, C), qkv.SliceColumns(C, C), qkv.SliceColumns(2 * C, C));
        return block.AttentionOut.Forward(c, cache is not null ? cache.Attend(c, layer, q, k, v, new(H, H))
            : c.CausalAttention(q, k, v, H, H, segments: pass.Segments));
    }

    private Tensor Mlp(Compute c, Layer block, Tensor x)
    {
        var wide = block.Wide.Forward(c, block.Norm2.Forward(c, x)); // [B, T, 4C]
        return block.WideOut.Forward(c,
            c.Activation(config.Gelu == GeluForm.Tanh ? ActivationKind.GeluTanh : ActivationKind.GeluErf, wide));
    }

    /// <inheritdoc/>
    protected override Tensor FinalNorm(Compute c, Tensor x) => finalNorm.Forward(c, x);
}
