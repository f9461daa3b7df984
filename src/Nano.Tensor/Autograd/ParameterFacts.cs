namespace Nano;

/// <summary>The role of a parameter in the arithmetic of a model.</summary>
public enum ParameterRole
{
    /// <summary>A table with a row per token.</summary>
    Embedding,

    /// <summary>A table with a row per position.</summary>
    Position,

    /// <summary>The factors of a norm.</summary>
    Norm,

    /// <summary>A vector that is added, also that of a norm.</summary>
    Bias,

    /// <summary>A matrix inside a block.</summary>
    Inner,

    /// <summary>The last matrix of a branch, whose output is added to the residual stream.</summary>
    ResidualOut,

    /// <summary>The output matrix, where it is not the token table.</summary>
    Head,

    /// <summary>The matrix whose outputs choose experts.</summary>
    Router,

    /// <summary>A table of a recurrence: decays, taps over time, factors of mixing.</summary>
    Recurrence,

    /// <summary>A vector of a recurrence: one number for each head or channel.</summary>
    RecurrenceVector,
}

/// <summary>The component of a model to which a parameter belongs; a bias belongs to that of its weight.</summary>
public enum ModelComponent
{
    /// <summary>The tables of tokens and positions.</summary>
    Embedding,

    /// <summary>The projections around attention.</summary>
    Attention,

    /// <summary>The feed-forward layer of a block.</summary>
    Mlp,

    /// <summary>The norms, those of single heads too.</summary>
    Norm,

    /// <summary>The output matrix, where it is not the token table.</summary>
    Head,
}

/// <summary>
/// The facts that a model states when it declares a parameter. Initialisation, decay, update rules, norms, summaries
/// and file layouts ask here and never read them out of a name.
/// </summary>
/// <param name="Role">Its role.</param>
/// <param name="Component">The component to which it belongs.</param>
/// <param name="Block">The number of its block, or null outside the blocks.</param>
public sealed record ParameterFacts(ParameterRole Role, ModelComponent Component, int? Block = null)
{
    /// <summary>
    /// Matrices of equal height that lie above each other in it: 3 for queries, keys and values in
    /// one.
    /// </summary>
    public int Parts { get; init; } = 1;

    /// <summary>
    /// True if its rows are channels of heads that are rotated by their positions.
    /// </summary>
    public bool IsRotated { get; init; }

    /// <summary>True for the weight of a norm that is added to one, and so begins at zero.</summary>
    public bool IsAddedToOne { get; init; }

    /// <summary>The deviation of its random values at the start; null for the model's own.</summary>
    public double? Deviation { get; init; }

    /// <summary>The share of tokens that it multiplies: below 1 for an expert, which not every token chooses.</summary>
    public double Use { get; init; } = 1;

    /// <summary>True for a matrix that is read in parts, and so never packed.</summary>
    public bool IsReadInParts { get; init; }

    /// <summary>False for what no gradient reaches: buffers that are stored with a model.</summary>
    public bool IsTrained { get; init; } = true;

    /// <summary>
    /// True if weight decay applies: to tables and matrices, not to norms, biases and vectors.
    /// </summary>
    public bool Decays => Role is not (ParameterRole.Norm or ParameterRole.Bias or ParameterRole.RecurrenceVector);

    /// <summary>True for a matrix inside a block.</summary>
    public bool IsInner => Role is ParameterRole.Inner or ParameterRole.ResidualOut;

    /// <summary>
    /// The part of the model under which norms of gradients are reported: embed, block3,
    /// final_norm, head.
    /// </summary>
    public string Group => Block is { } block ? $"block{block}" : Component switch
    {
        ModelComponent.Embedding => "embed",
        ModelComponent.Attention => "attention",
        ModelComponent.Mlp => "mlp",
        ModelComponent.Norm => "final_norm",
        _ => "head",
    };
}
