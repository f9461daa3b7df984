namespace Nano;

/// <summary>
/// AdamW over all parameters of a model, in two groups: tensors of two or more dimensions decay, biases and norm weights do not.
/// </summary>
public sealed class AdamW : IOptimizer
{
    private readonly Arena arena = new();
    private readonly List<(Tensor Parameter, Tensor Mean, Tensor Square)> slots = [];
    private readonly AdamWOptions options;

    public AdamW(IReadOnlyList<Tensor> parameters, AdamWOptions options)
    {
        this.options = options;
        foreach (var parameter in parameters)
            slots.Add((parameter, Zeros(parameter), Zeros(parameter)));
    }

    /// <summary>Steps taken.</summary>
    public long StepCount { get; set; }

    /// <summary>Bytes held for the moments.</summary>
    public long ReservedBytes => arena.ReservedBytes;

    /// <summary>The moments under the names of their parameters: what a checkpoint keeps.</summary>
    public IEnumerable<(string Name, Tensor Tensor)> State =>
        slots.SelectMany(slot => new[] { (slot.Parameter.Name + ".mean", slot.Mean), (slot.Parameter.Name + ".square", slot.Square) });

    /// <inheritdoc/>
    public void Step(Compute compute, double learningRate, double gradientScale)
    {
        StepCount++;
        foreach (var (parameter, mean, square) in slots)
            if (parameter.HasGradient)
            {
                compute.AdamW(parameter, parameter.Gradient, mean, square, new AdamWNumbers(learningRate, options.Beta1, options.Beta2, options.Epsilon,
                    parameter.Shape.Rank >= 2 ? options.WeightDecay : 0, gradientScale, StepCount));
                compute.Profiler?.Lap(Work.Of("adamw", 15 * parameter.Length, parameter, parameter, mean, square, parameter, mean, square));
            }
    }

    private Tensor Zeros(Tensor like) => new(arena, like.Shape); // an arena gives zeros the first time

    public void Dispose() => arena.Dispose();
}

/// <summary>AdamW's constants.</summary>
public sealed record AdamWOptions(double Beta1 = 0.9, double Beta2 = 0.95, double Epsilon = 1e-8, double WeightDecay = 0.1);
