namespace Nano;

/// <summary>The layer of a block behind its attention: an MLP or a mixture of them.</summary>
internal interface IFeedForward
{
    /// <summary>x [B, T, C] to [B, T, C].</summary>
    Tensor Forward(Compute c, Tensor x, Pass pass);
}

/// <summary>
/// An MLP. Plain: down(f(up(x))). Gated (Shazeer, "GLU Variants Improve Transformer", 2020): down(f(gate(x)) * up(x)).
/// </summary>
/// <param name="Activation">f.</param>
/// <param name="Gate">[I, C], or null for a plain one.</param>
/// <param name="Up">[I, C]</param>
/// <param name="Down">[C, I]</param>
internal sealed record FeedForward(ActivationKind Activation, Linear? Gate, Linear Up, Linear Down) : IFeedForward
{
    /// <summary>Declares NAME.gate_proj, NAME.up_proj and NAME.down_proj.</summary>
    public static FeedForward Declare(Parameters parameters, string name, int layer, int channels, int width,
        ActivationKind activation, bool isGated, bool bias, double use = 1)
    {
        ParameterFacts facts = new(ParameterRole.Inner, ModelComponent.Mlp, layer) { Use = use };
        return new(activation,
            isGated ? Linear.Declare(parameters, name + ".gate_proj", facts, channels, width, bias) : null,
            Linear.Declare(parameters, name + ".up_proj", facts, channels, width, bias),
            Linear.Declare(parameters, name + ".down_proj", facts with { Role = ParameterRole.ResidualOut }, width,
                channels, bias));
    }

    /// <inheritdoc/>
    public Tensor Forward(Compute c, Tensor x, Pass pass) => Forward(c, x);

    /// <summary>x [.., C] to [.., C].</summary>
    public Tensor Forward(Compute c, Tensor x)
    {
        if (Gate is null)
            return Down.Forward(c, c.Activation(Activation, Up.Forward(c, x)));
        var (gate, up) = (Gate.Forward(c, x), Up.Forward(c, x)); // [.., I]
        return Down.Forward(c, c.Gated(Activation, gate, up));
    }
}
