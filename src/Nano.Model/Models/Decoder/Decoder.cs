namespace Nano;

/// <summary>
/// The decoders that followed GPT-2 on one page: Llama (Touvron et al., "LLaMA", 2023), Mistral, Qwen, Gemma, Phi,
/// OLMo, GPT-NeoX, BLOOM, Falcon, MPT, Cohere, StarCoder, SmolLM, OPT, mixtures of experts and Jamba, some of
/// whose layers are mixers of Mamba; and GPT-1, which came before. Token embeddings, L blocks of causal attention
/// and of an MLP, a final norm and a head. What a family changes is a switch in <see cref="DecoderConfig"/>; the order
/// in which blocks run is <see cref="LanguageModel"/>'s.
/// <code>
/// norms before the branches   x += attention(norm(x));       x += mlp(norm(x))
/// behind them (OLMo-2)        x += norm(attention(x));       x += norm(mlp(x))
/// both (Gemma)                x += norm(attention(norm(x))); x += norm(mlp(norm(x)))
/// on the sums (GPT-1)         x = norm(x + attention(x));    x = norm(x + mlp(x))
/// parallel (GPT-NeoX)         x += attention(norm(x)) + mlp(norm(x))
/// </code>
/// </summary>
public sealed class Decoder : LanguageModel
{
    // A norm that is not there passes its input on. In parallel blocks the MLP may share the norm of attention.
    private sealed record Layer(Norm? BeforeAttention, IMixer Attention, Norm? AfterAttention,
        Norm? BeforeMlp, IFeedForward Mlp, Norm? AfterMlp);

    private readonly DecoderConfig config;
    private readonly Tensor tokenTable; // [V, C]
    private readonly Tensor? positionTable; // [offset + T, C]
    private readonly Norm? embeddingNorm, finalNorm;
    private readonly Layer[] layers;
    private readonly RotaryRule? rotary;

    /// <summary>
    /// A model with parameters that are zero until a file or <see cref="LanguageModel.Initialize"/>
    /// fills them.
    /// </summary>
    public Decoder(DecoderConfig config) : this(config, new Parameters())
    {
    }

    internal Decoder(DecoderConfig config, Parameters parameters) : base(config, parameters)
    {
        this.config = config;
        int C = config.Channels;
        tokenTable = parameters.Add("model.embed_tokens.weight", new(ParameterRole.Embedding, ModelComponent.Embedding),
            config.VocabSize, C);
        positionTable = config.Positions == PositionKind.Learned ? parameters.Add("model.embed_positions.weight",
            new(ParameterRole.Position, ModelComponent.Embedding), config.PositionOffset + config.ContextLength, C)
            : null;
        embeddingNorm = config.EmbeddingNorm ? Norm("model.embed_norm", null) : null;
        bool before = config.Norms is NormPlacement.Before or NormPlacement.Both,
            after = config.Norms != NormPlacement.Before;
        layers = new Layer[config.Layers];
        for (int i = 0; i < layers.Length; i++)
        {
            string layer = $"model.layers.{i}.";
            layers[i] = new Layer(
                before ? Norm(layer + "input_layernorm", i) : null,
                config.MixerOf(i) is { } mixer ? new MambaMixer(mixer, parameters, i, layer + "mamba", C)
                    : config.Latent is null ? new DecoderAttention(config, parameters, i, layer + "self_attn")
                    : new LatentAttention(config, parameters, i, layer + "self_attn"),
                after ? Norm(layer + "post_attention_layernorm", i) : null,
                before && !config.SharesNorm ? Norm(layer
                    + (after ? "pre_feedforward_layernorm" : "post_attention_layernorm"), i) : null,
                FeedForward(parameters, i, layer + "mlp"),
                after ? Norm(layer + "post_feedforward_layernorm", i) : null);
        }
        finalNorm = config.HasFinalNorm ? Norm("model.norm", null) : null;
        Head = config.TiedHead ? tokenTable :
            parameters.Add("lm_head.weight", new(ParameterRole.Head, ModelComponent.Head), config.VocabSize, C);
        rotary = config.Positions == PositionKind.Rotary ? new RotaryRule(config) : null;

        Norm Norm(string name, int? block) =>
            Nano.Norm.Declare(parameters, name, block, C, config.NormKind, config.NormEpsilon);
    }

    private IFeedForward FeedForward(Parameters parameters, int layer, string name) =>
        config.Mixture is { } mixture && !mixture.IsDense(layer)
            ? new Mixture(mixture, parameters, layer, name, config.Channels, config.Activation,
                config.IsGated)
            : Nano.FeedForward.Declare(parameters, name, layer, config.Channels, config.Intermediate, config.Activation,
                config.IsGated, config.MlpBias);

    /// <inheritdoc/>
    protected override Tensor Head { get; }

    /// <inheritdoc/>
    protected override LogitRule Logits => new(config.LogitScale, config.LogitCap);

    /// <inheritdoc/>
    protected override Pass BeginLosses(Pass pass)
    {
        if (config.Mixture is not ({ BalanceLoss: > 0 } or { ZLoss: > 0 } or { SequenceLoss: > 0 }))
            return pass;
        return pass.Keep == Keep.All ? pass with { Routings = pass.Routings ?? [] }
            : throw new NanoException("a model with losses of routers retains its blocks as they were computed",
                "train without recomputation and with activations in float32, or set their factors to 0");
    }

    /// <inheritdoc/>
    protected override IEnumerable<(Tensor Loss, float Factor)> LayerLosses(Compute c,
        IReadOnlyList<Routing> routings, int length)
    {
        Tensor[] logits = [.. routings.Select(routing => routing.Logits)],
            experts = [.. routings.Select(routing => routing.Experts)];
        if (config.Mixture!.BalanceLoss is > 0 and var balance)
            yield return (c.BalanceLoss(logits, experts), balance);
        if (config.Mixture.SequenceLoss is > 0 and var sequence)
            yield return (c.SequenceBalanceLoss(logits, experts, config.Mixture.Rule.Scoring, length), sequence);
        if (config.Mixture.ZLoss is > 0 and var z)
            yield return (c.RouterZLoss(logits), z);
    }

    /// <summary>As others; mixers of Mamba as <see cref="MambaMixer.Initializes"/>.</summary>
    protected override void Initialize(Tensor parameter, ulong key, ulong stream)
    {
        if (!Array.Exists(layers, layer => layer.Attention is MambaMixer mixer
            && mixer.Initializes(parameter, key, stream)))
            base.Initialize(parameter, key, stream);
    }

    /// <inheritdoc/>
    public override RouterLoads? NewLoads() => config.Mixture is not { } mixture ? null
        : new(Enumerable.Range(0, layers.Length).Where(layer => !mixture.IsDense(layer)), mixture.Experts);

    /// <inheritdoc/>
    public override void MoveBiases(RouterLoads loads, float rate)
    {
        foreach (var layer in layers)
            (layer.Mlp as Mixture)?.MoveBias(loads, rate);
    }

    /// <inheritdoc/>
    protected override Pass Begin(Compute c, Pass pass, int T) => rotary?.Begin(c, pass, T) ?? pass;

    /// <inheritdoc/>
    protected override Tensor Embed(Compute c, Tensor ids, Pass pass)
    {
        var x = c.Embedding(tokenTable, ids);
        if (config.EmbeddingScale != 1)
            x = c.Scale(x, config.EmbeddingScale);
        if (positionTable is not null)
            x = WithPositions(c, x, pass, positionTable);
        return Through(c, embeddingNorm, x);
    }

    /// <summary>x [B, T, C] and the rows of its positions.</summary>
    private Tensor WithPositions(Compute c, Tensor x, Pass pass, Tensor table)
    {
        int T = x.Shape[1], offset = config.PositionOffset;
        var positions = pass.Segments?.Positions.Reshape(new Shape(x.Shape[0], T)) ?? pass.Cache?.Positions(c, T);
        var y = c.Add(x, positions is null ? table.SliceRows(offset, T)
            : c.Embedding(offset == 0 ? table : table.SliceRows(offset, config.ContextLength), positions));
        c.Release(x);
        return y;
    }

    /// <inheritdoc/>
    protected override Tensor Block(Compute c, int layer, Tensor x, Pass pass)
    {
        var block = layers[layer];
        if (config.Norms == NormPlacement.AfterSum)
        {
            x = Through(c, block.AfterAttention, AddBranch(c, x, block.Attention.Forward(c, x, pass), pass, 2 * layer));
            return Through(c, block.AfterMlp, AddBranch(c, x, block.Mlp.Forward(c, x, pass), pass, (2 * layer) + 1));
        }
        var normed = Through(c, block.BeforeAttention, x);
        var attention = Through(c, block.AfterAttention, block.Attention.Forward(c, normed, pass));
        var y = AddBranch(c, x, attention, pass, 2 * layer);
        var input = config.SharesNorm ? normed : Through(c, block.BeforeMlp, config.IsParallel ? x : y);
        return AddBranch(c, y, Through(c, block.AfterMlp, block.Mlp.Forward(c, input, pass)), pass, (2 * layer) + 1);
    }

    private static Tensor Through(Compute c, Norm? norm, Tensor x) => norm is null ? x : norm.Forward(c, x);

    /// <inheritdoc/>
    protected override Tensor FinalNorm(Compute c, Tensor x) => Through(c, finalNorm, x);
}
