namespace Nano;

/// <summary>y = x W^T + b. Weight [out, in], bias [out] or none.</summary>
public sealed record Linear(Tensor Weight, Tensor? Bias)
{
    /// <summary>Declares NAME.weight and, with a bias, NAME.bias.</summary>
    public static Linear Declare(Parameters parameters, string name, ParameterFacts facts, int inputs, int outputs,
        bool bias) =>
        new(parameters.Add(name + ".weight", facts, outputs, inputs),
            bias ? parameters.Add(name + ".bias", facts with { Role = ParameterRole.Bias }, outputs) : null);

    /// <summary>x [..., in] to [..., out].</summary>
    public Tensor Forward(Compute compute, Tensor x) => compute.Linear(x, Weight, Bias);
}

/// <summary>The kinds of norms of rows.</summary>
public enum NormKind
{
    /// <summary>Root mean square: x / rms(x) w.</summary>
    Rms,

    /// <summary>Root mean square with a weight that begins at zero: x / rms(x) (1 + w).</summary>
    RmsPlusOne,

    /// <summary>Layer normalisation: (x - mean) / deviation w + b.</summary>
    Layer,

    /// <summary>Layer normalisation without a bias.</summary>
    LayerWithoutBias,
}

/// <summary>A norm of rows [.., C]. Weight [C]; bias [C] or none.</summary>
public sealed record Norm(NormKind Kind, Tensor Weight, Tensor? Bias, float Epsilon)
{
    /// <summary>Declares NAME.weight and, of a kind with a bias, NAME.bias.</summary>
    public static Norm Declare(Parameters parameters, string name, int? block, int channels, NormKind kind,
        float epsilon)
    {
        ParameterFacts facts = new(ParameterRole.Norm, ModelComponent.Norm, block);
        return new(kind, parameters.Add(name + ".weight", facts with { IsAddedToOne = kind == NormKind.RmsPlusOne },
            channels), kind == NormKind.Layer ? parameters.Add(name + ".bias",
            facts with { Role = ParameterRole.Bias }, channels) : null, epsilon);
    }

    /// <summary>x [..., C], normalised row by row.</summary>
    public Tensor Forward(Compute compute, Tensor x) => Kind switch
    {
        NormKind.Rms => compute.RmsNorm(x, Weight, Epsilon),
        NormKind.RmsPlusOne => compute.RmsNormPlusOne(x, Weight, Epsilon),
        _ => compute.LayerNorm(x, Weight, Bias, Epsilon),
    };
}

/// <summary>
/// The masks of one training step: each use in the model draws from its own stream of random
/// numbers.
/// </summary>
/// <param name="Probability">The dropout probability, in [0, 1).</param>
/// <param name="Seed">The run's seed.</param>
/// <param name="Step">The training step, so that masks differ from step to step.</param>
/// <param name="FirstRow">The row of the step's whole batch that a micro-batch begins with: a row's
/// mask is the same however the batch is split.</param>
public sealed record Dropout(float Probability, ulong Seed, ulong Step, long FirstRow = 0)
{
    /// <summary>Drops elements of x.</summary>
    /// <param name="compute">The context to run in.</param>
    /// <param name="x">Rows of any shape.</param>
    /// <param name="use">The place in the model, below 65,536: the same place has the same mask
    /// whenever it is computed.</param>
    public Tensor Forward(Compute compute, Tensor x, int use) =>
        compute.Dropout(x, Probability, Philox.Key(Seed, (ulong)RandomPurpose.Dropout), (Step << 16) + (ulong)use,
            FirstRow == 0 ? 0 : FirstRow * (x.Length / x.Shape[0]));
}
