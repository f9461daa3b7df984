namespace Nano;

/// <summary>The sizes of a stack of transformer blocks.</summary>
public sealed record TowerConfig
{
    /// <summary>L: number of blocks.</summary>
    public required int Layers { get; init; }

    /// <summary>H: attention heads per block.</summary>
    public required int Heads { get; init; }

    /// <summary>C: width of the residual stream.</summary>
    public required int Channels { get; init; }

    /// <summary>I: width of the MLP.</summary>
    public required int Intermediate { get; init; }

    /// <summary>The activation function of the MLP.</summary>
    public required ActivationKind Activation { get; init; }

    /// <summary>Added to the variance in norms.</summary>
    public required float NormEpsilon { get; init; }

    /// <summary>The error in the sizes, or null.</summary>
    internal string? Problem() => SizeChecks.Problem(
        ("number of layers", Layers, SizeChecks.MaxLayers), ("number of heads", Heads, SizeChecks.MaxChannels),
        ("number of channels", Channels, SizeChecks.MaxChannels),
        ("width of the MLP", Intermediate, SizeChecks.MaxChannels))
        ?? SizeChecks.HeadsProblem(Channels, Heads) ?? SizeChecks.EpsilonProblem(NormEpsilon);
}

/// <summary>The names of a block's parts in files.</summary>
internal sealed record TowerNames(string AttentionNorm, string Query, string Key, string Value, string Output,
    string MlpNorm, string Wide, string Narrow)
{
    /// <summary>False where keys have no bias, which softmax ignores.</summary>
    public bool KeyBias { get; init; } = true;
}

/// <summary>
/// L transformer blocks with norms before the branches, biases and a plain MLP: x +=
/// attention(norm(x)), x += mlp(norm(x)). Every row sees all others, or those before it.
/// </summary>
internal sealed class Tower
{
    private sealed record Layer(Norm AttentionNorm, Linear Q, Linear K, Linear V, Linear Output, Norm MlpNorm,
        FeedForward Mlp);

    private readonly TowerConfig config;
    private readonly Layer[] layers;

    /// <summary>Declares the parameters of all blocks: NAME.0., NAME.1. and so on.</summary>
    public Tower(TowerConfig config, Parameters parameters, string name, TowerNames names)
    {
        this.config = config;
        int C = config.Channels;
        layers = new Layer[config.Layers];
        for (int i = 0; i < layers.Length; i++)
        {
            string layer = $"{name}.{i}.";
            ParameterFacts attention = new(ParameterRole.Inner, ModelComponent.Attention, i),
                mlp = new(ParameterRole.Inner, ModelComponent.Mlp, i);
            layers[i] = new(Norm(layer + names.AttentionNorm, i), Linear(layer + names.Query, attention, C, C),
                Linear(layer + names.Key, attention, C, C, names.KeyBias), Linear(layer + names.Value, attention, C, C),
                Linear(layer + names.Output, attention with { Role = ParameterRole.ResidualOut }, C, C),
                Norm(layer + names.MlpNorm, i), new(config.Activation, null,
                    Linear(layer + names.Wide, mlp, C, config.Intermediate), Linear(layer + names.Narrow,
                        mlp with { Role = ParameterRole.ResidualOut }, config.Intermediate, C)));
        }

        Norm Norm(string norm, int block) =>
            Nano.Norm.Declare(parameters, norm, block, C, NormKind.Layer, config.NormEpsilon);
        Linear Linear(string linear, ParameterFacts facts, int inputs, int outputs, bool bias = true) =>
            Nano.Linear.Declare(parameters, linear, facts, inputs, outputs, bias);
    }

    /// <summary>The residual stream [B, T, C] behind the first blocks.</summary>
    /// <param name="c">The context to run in.</param>
    /// <param name="x">[B, T, C] before them.</param>
    /// <param name="count">The number of blocks that run.</param>
    /// <param name="isCausal">True if no row sees those behind it.</param>
    /// <param name="watch">Is shown the stream behind each block.</param>
    public Tensor Forward(Compute c, Tensor x, int count, bool isCausal, Action<int, Tensor>? watch)
    {
        var options = new AttentionOptions(config.Heads, config.Heads) { IsCausal = isCausal };
        for (int i = 0; i < count; i++)
        {
            var layer = layers[i];
            var normed = layer.AttentionNorm.Forward(c, x);
            var attention = c.Attention(layer.Q.Forward(c, normed), layer.K.Forward(c, normed),
                layer.V.Forward(c, normed), options);
            x = c.Add(x, layer.Output.Forward(c, attention));
            x = c.Add(x, layer.Mlp.Forward(c, layer.MlpNorm.Forward(c, x)));
            watch?.Invoke(i, x);
        }
        return x;
    }
}
