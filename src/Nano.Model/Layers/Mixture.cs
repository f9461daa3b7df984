namespace Nano;

/// <summary>The sizes and rules of a mixture of experts.</summary>
/// <param name="Experts">E, experts of a layer.</param>
/// <param name="Width">I, width of an expert.</param>
/// <param name="Rule">The rule of the router.</param>
public sealed record MixtureConfig(int Experts, int Width, RouterRule Rule)
{
    /// <summary>Width of the expert that sees every token; 0 for none.</summary>
    public int SharedWidth { get; init; }

    /// <summary>Layers at the beginning that have one MLP instead.</summary>
    public int FirstDense { get; init; }

    /// <summary>n: a layer i is a mixture only if n divides i + 1.</summary>
    public int Every { get; init; } = 1;

    /// <summary>Other layers that have one MLP instead.</summary>
    public ValueList<int> DenseLayers { get; init; } = [];

    /// <summary>Factor of the balance loss in training.</summary>
    public float BalanceLoss { get; init; }

    /// <summary>Factor of the router's z-loss in training.</summary>
    public float ZLoss { get; init; }

    /// <summary>Factor of the balance loss within sequences in training (DeepSeek-V3).</summary>
    public float SequenceLoss { get; init; }

    /// <summary>
    /// True if experts choose their tokens, n k / E of a batch of n, see <see cref="ExpertChoice"/>: which they are
    /// depends on the whole batch, so that such a model does not continue texts.
    /// </summary>
    public bool ExpertsChoose { get; init; }

    /// <summary>True if experts are chosen with a bias that is adjusted after each step (DeepSeek-V3).</summary>
    public bool ChoosesWithBias { get; init; }

    /// <summary>True if a layer has one MLP instead.</summary>
    public bool IsDense(int layer) =>
        layer < FirstDense || (layer + 1) % Every != 0 || DenseLayers.Contains(layer);

    /// <summary>The error in the sizes, or null.</summary>
    internal string? Problem(int layers, int mostChannels)
    {
        if (Experts is < 1 or > 4096 || Width < 1 || Width > mostChannels || SharedWidth < 0
            || SharedWidth > mostChannels)
            return $"{Experts} experts of {Width} channels and a shared one of {SharedWidth}; there must be from 1 to "
                + $"4096, of 1 to {mostChannels}";
        if (Rule.Groups < 1 || Experts % Rule.Groups != 0)
            return $"{Experts} experts cannot be divided into {Rule.Groups} groups";
        if (Rule.GroupsChosen < 1 || Rule.GroupsChosen > Rule.Groups)
            return $"{Rule.GroupsChosen} of {Rule.Groups} groups of experts cannot be chosen";
        if (Rule.Chosen < 1 || Rule.Chosen > Experts / Rule.Groups * Rule.GroupsChosen)
            return $"{Rule.Chosen} experts of each token; there are {Experts / Rule.Groups * Rule.GroupsChosen} to "
                + "choose from";
        if (!(Rule.Factor > 0 && float.IsFinite(Rule.Factor)))
            return $"the factor of the experts' weights is {Rule.Factor}; it must be positive";
        if (!(BalanceLoss >= 0 && ZLoss >= 0 && SequenceLoss >= 0
            && float.IsFinite(BalanceLoss + ZLoss + SequenceLoss)))
            return $"the factors of the router's losses are {BalanceLoss}, {ZLoss} and {SequenceLoss}; they must be 0 "
                + "or more";
        if (ExpertsChoose && (ChoosesWithBias || Rule is not { Scoring: RouterScoring.Softmax, Groups: 1 }
            || BalanceLoss + SequenceLoss > 0))
            return "experts that choose their tokens do so by softmax scores, and have neither groups nor biases nor "
                + "balance losses";
        return Every < 1 || FirstDense < 0 || FirstDense > layers
            || DenseLayers.Any(layer => layer < 0 || layer >= layers)
            ? $"dense layers {FirstDense}, every {Every}, {DenseLayers} do not fit {layers} layers" : null;
    }
}

/// <summary>The choices of a router in a run.</summary>
/// <param name="Layer">The block.</param>
/// <param name="Logits">[n, E], tokens in row order.</param>
/// <param name="Experts">[n, k], best first; where experts choose, the tokens of each, [E, n k / E].</param>
/// <param name="Weights">[n, k]; where experts choose, the scores [n, E].</param>
/// <param name="Loads">The number of tokens of each expert.</param>
public sealed record Routing(int Layer, Tensor Logits, Tensor Experts, Tensor Weights, IReadOnlyList<int> Loads);

/// <summary>
/// A mixture of experts (Shazeer et al., "Outrageously Large Neural Networks", 2017): a router chooses k of E MLPs for
/// each token, and the result is the sum of what they make of it, weighed. An expert that no token chose is not read.
/// No token is dropped.
/// </summary>
internal sealed class Mixture : IFeedForward
{
    private readonly MixtureConfig config;
    private readonly int layer;
    private readonly Linear router;
    private readonly Tensor? bias; // [E]
    private readonly FeedForward[] experts;
    private readonly FeedForward? shared;

    /// <summary>Declares NAME.gate, NAME.experts.0 and so on.</summary>
    public Mixture(MixtureConfig config, Parameters parameters, int layer, string name, int channels,
        ActivationKind activation, bool isGated = true)
    {
        (this.config, this.layer) = (config, layer);
        ParameterFacts facts = new(ParameterRole.Router, ModelComponent.Mlp, layer);
        router = Linear.Declare(parameters, name + ".gate", facts, channels, config.Experts, bias: false);
        if (config.ChoosesWithBias)
            bias = parameters.Add(name + ".gate.e_score_correction_bias",
                facts with { Role = ParameterRole.Bias, IsTrained = false }, config.Experts);
        experts = new FeedForward[config.Experts];
        for (int e = 0; e < experts.Length; e++)
            experts[e] = FeedForward.Declare(parameters, $"{name}.experts.{e}", layer, channels, config.Width,
                activation, isGated, bias: false, (double)config.Rule.Chosen / config.Experts);
        if (config.SharedWidth > 0)
            shared = FeedForward.Declare(parameters, name + ".shared_experts", layer, channels, config.SharedWidth,
                activation, isGated, bias: false);
    }

    /// <summary>Moves the bias of choices towards even loads of a step; nothing where there is no bias.</summary>
    public void MoveBias(RouterLoads loads, float rate)
    {
        if (bias is not null)
            RouterBias.Update(loads.Of(layer), bias.Data, rate);
    }

    /// <inheritdoc/>
    public Tensor Forward(Compute c, Tensor x, Pass pass)
    {
        var tokens = x.Reshape(new Shape((int)x.Shape.Rows, x.Shape.Columns)); // [n, C]
        var logits = router.Forward(c, tokens); // [n, E]
        if (config.ExpertsChoose)
            return WithShared(c, x, OfExpertChoice(c, tokens, logits, pass));
        var (chosen, weights) = c.Router(logits, config.Rule, bias); // [n, k]
        var order = new Dispatch(c, chosen, experts.Length);
        pass.Loads?.Add(layer, order);
        pass.Routings?.Add(new(layer, logits, chosen, weights, [.. order.Loads]));
        return WithShared(c, x, order.Combine(c, Outputs(c, tokens, order.Tokens, order.Of), weights));
    }

    private Tensor OfExpertChoice(Compute c, Tensor tokens, Tensor logits, Pass pass)
    {
        if (pass.Cache is not null)
            throw new NanoException("experts of this model choose their tokens from a whole batch, later ones "
                + "included: it cannot continue a text");
        var scores = c.Softmax(logits); // [n, E]
        int n = tokens.Shape[0], E = experts.Length, taken = (int)((long)n * config.Rule.Chosen / E);
        var order = new ExpertChoice(c, scores, taken);
        pass.Routings?.Add(new(layer, logits, order.Tokens.Reshape(new Shape(E, taken)), scores,
            [.. Enumerable.Repeat(taken, E)]));
        return order.Combine(c, Outputs(c, tokens, order.Tokens, e => (e * taken, taken)), scores);
    }

    /// <summary>The outputs of experts for their rows, one after the other.</summary>
    private Tensor Outputs(Compute c, Tensor tokens, Tensor order, Func<int, (int Start, int Count)> rowsOf)
    {
        var rows = c.SelectRows(tokens, order);
        var outputs = new List<Tensor>();
        for (int e = 0; e < experts.Length; e++)
            if (rowsOf(e) is var (start, count) && count > 0)
                outputs.Add(experts[e].Forward(c, rows.SliceRows(start, count)));
        return outputs.Count == 0 ? rows : c.Concat(0, [.. outputs]);
    }

    private Tensor WithShared(Compute c, Tensor x, Tensor y) =>
        shared is null ? y.Reshape(x.Shape) : c.Add(y.Reshape(x.Shape), shared.Forward(c, x));
}
