namespace Nano;

/// <summary>
/// Mamba (Gu and Dao, "Mamba: Linear-Time Sequence Modeling with Selective State Spaces", 2023) and Mamba-2 (Dao and
/// Gu, "Transformers are SSMs", 2024): blocks of one branch, x + mixer(norm(x)), without attention and MLP. The
/// mixer is <see cref="MambaMixer"/>.
/// </summary>
public sealed class Mamba : LanguageModel
{
    private sealed record Layer(Norm Norm, MambaMixer Mixer);

    private const string Backbone = "backbone.";

    private readonly MambaConfig config;
    private readonly Tensor tokenTable; // [V, C]
    private readonly Layer[] layers;
    private readonly Norm finalNorm;

    /// <summary>A model with parameters that are zero.</summary>
    public Mamba(MambaConfig config) : this(config, new Parameters())
    {
    }

    internal Mamba(MambaConfig config, Parameters parameters) : base(config, parameters)
    {
        this.config = config;
        tokenTable = parameters.Add(Backbone + "embeddings.weight",
            new(ParameterRole.Embedding, ModelComponent.Embedding), config.VocabSize, config.Channels);
        layers = new Layer[config.Layers];
        for (int i = 0; i < layers.Length; i++)
            layers[i] = new(
                Norm.Declare(parameters, $"{Backbone}layers.{i}.norm", i, config.Channels, NormKind.Rms,
                    config.NormEpsilon),
                new(config.Mixer, parameters, i, $"{Backbone}layers.{i}.mixer", config.Channels));
        finalNorm = Norm.Declare(parameters, Backbone + "norm_f", null, config.Channels, NormKind.Rms,
            config.NormEpsilon);
        Head = config.TiedHead ? tokenTable : parameters.Add("lm_head.weight",
            new(ParameterRole.Head, ModelComponent.Head), config.VocabSize, config.Channels);
    }

    /// <inheritdoc/>
    protected override Tensor Head { get; }

    /// <inheritdoc/>
    protected override Tensor Embed(Compute c, Tensor ids, Pass pass) => c.Embedding(tokenTable, ids);

    /// <inheritdoc/>
    protected override Tensor Block(Compute c, int layer, Tensor x, Pass pass)
    {
        var (norm, mixer) = layers[layer];
        return AddBranch(c, x, mixer.Forward(c, norm.Forward(c, x), pass), pass, layer);
    }

    /// <inheritdoc/>
    protected override Tensor FinalNorm(Compute c, Tensor x) => finalNorm.Forward(c, x);

    /// <summary>
    /// As published, see <see cref="MambaMixer.Initializes"/>; matrices and taps uniform within 1 / sqrt(in), the last
    /// of a block divided by sqrt(L); token table N(0, 0.02).
    /// </summary>
    protected override void Initialize(Tensor parameter, ulong key, ulong stream)
    {
        var role = parameter.Parameter!.Role;
        if (Array.Exists(layers, layer => layer.Mixer.Initializes(parameter, key, stream)))
            return;
        if (role is ParameterRole.Inner or ParameterRole.ResidualOut)
            Philox.Uniform(key, stream, 1 / Math.Sqrt(parameter.Shape.Columns
                * (role == ParameterRole.ResidualOut ? (double)config.Layers : 1)), parameter.Data);
        else
            base.Initialize(parameter, key, stream);
    }
}
