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

/// <summary>Layer normalisation. Weight [C], bias [C] or none.</summary>
public sealed record LayerNorm(Tensor Weight, Tensor? Bias, float Epsilon)
{
    /// <summary>Declares NAME.weight and, with a bias, NAME.bias.</summary>
    public static LayerNorm Declare(Parameters parameters, string name, int? block, int channels, bool bias,
        float epsilon) =>
        new(parameters.Add(name + ".weight", new(ParameterRole.Norm, ModelComponent.Norm, block), channels),
            bias ? parameters.Add(name + ".bias", new(ParameterRole.Bias, ModelComponent.Norm, block), channels)
                : null, epsilon);

    /// <summary>x [..., C], normalised row by row.</summary>
    public Tensor Forward(Compute compute, Tensor x) => compute.LayerNorm(x, Weight, Bias, Epsilon);
}

/// <summary>Root-mean-square normalisation. Weight [C].</summary>
public sealed record RmsNorm(Tensor Weight, float Epsilon)
{
    /// <summary>Declares NAME.weight.</summary>
    public static RmsNorm Declare(Parameters parameters, string name, int? block, int channels, float epsilon) =>
        new(parameters.Add(name + ".weight", new(ParameterRole.Norm, ModelComponent.Norm, block), channels), epsilon);

    /// <summary>x [..., C], normalised row by row.</summary>
    public Tensor Forward(Compute compute, Tensor x) => compute.RmsNorm(x, Weight, Epsilon);
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
