namespace Nano;

/// <summary>
/// The common part of all update rules: the walk over the parameters, state tensors for each of
/// them in one arena, and two groups by their roles: tables and matrices decay, biases and norm
/// weights do not.
/// </summary>
public abstract class Optimizer : IOptimizer
{
    private readonly Arena arena = new();
    private readonly List<(string Name, Tensor Tensor)>[] state; // of each parameter
    private readonly int flops, streams;

    /// <summary>A rule over these parameters.</summary>
    /// <param name="parameters">The parameters to update; frozen ones are skipped and have no
    /// state.</param>
    /// <param name="options">The rule's name and constants.</param>
    /// <param name="flops">Operations per element of a parameter, for the profile.</param>
    /// <param name="streams">Floats read and written per element, for the profile.</param>
    protected Optimizer(IReadOnlyList<Tensor> parameters, OptimizerOptions options, int flops, int streams)
    {
        (Options, this.flops, this.streams) = (options, flops, streams);
        Parameters = [.. parameters.Where(parameter => parameter.WantsGradient)];
        state = [.. Parameters.Select(_ => new List<(string, Tensor)>())];
    }

    /// <inheritdoc/>
    public long StepCount { get; set; }

    /// <inheritdoc/>
    public long ReservedBytes => arena.ReservedBytes;

    /// <inheritdoc/>
    public IEnumerable<(string Name, Tensor Tensor)> State => state.SelectMany(tensors => tensors);

    /// <summary>The parameters that are not frozen.</summary>
    protected IReadOnlyList<Tensor> Parameters { get; }

    /// <summary>The rule's name and constants.</summary>
    protected OptimizerOptions Options { get; }

    /// <summary>Does nothing by default.</summary>
    public virtual void BeforeStep(Compute compute, Func<long> findGradientsOfDrawnLabels)
    {
    }

    /// <inheritdoc/>
    public void Step(Compute compute, double learningRate, double gradientScale)
    {
        StepCount++;
        UpdateAll(compute, learningRate, gradientScale);
    }

    /// <summary>Updates the parameters that have gradients, one after the other.</summary>
    protected virtual void UpdateAll(Compute compute, double learningRate, double gradientScale)
    {
        for (int i = 0; i < Parameters.Count; i++)
            if (Parameters[i].HasGradient)
            {
                Update(compute, i, learningRate, gradientScale);
                compute.Profiler?.Lap(WorkOf(Parameters[i].Length));
            }
    }

    /// <summary>The update of a number of elements, for the profile.</summary>
    protected Work WorkOf(double elements) =>
        new(Options.Name, flops * elements, sizeof(float) * streams * elements);

    /// <summary>Moves the parameter of this index along its gradient.</summary>
    protected abstract void Update(Compute compute, int index, double learningRate, double gradientScale);

    /// <summary>Zeros of each parameter's shape.</summary>
    protected Tensor[] NewState(string name) =>
        [.. Parameters.Select((parameter, index) => NewState(index, name, parameter.Shape))];

    /// <summary>Zeros of any shape that belong to the parameter of this index.</summary>
    protected Tensor NewState(int index, string name, Shape shape, DType type = DType.Float32)
    {
        var tensor = new Tensor(arena, shape, type); // an arena gives zeros the first time
        state[index].Add(($"{Parameters[index].Name}.{name}", tensor));
        return tensor;
    }

    /// <summary>The decay of the parameter of this index; without a role, matrices decay and vectors do not.</summary>
    protected double Decay(int index) =>
        Parameters[index] is var parameter && (parameter.Parameter?.Decays ?? parameter.Shape.Rank >= 2)
            ? Options.WeightDecay : 0;

    /// <summary>The numbers of this step for the parameter of this index, for rules with the moments of Adam.</summary>
    protected AdamWNumbers MomentNumbers(int index, double learningRate, double gradientScale) =>
        new(learningRate, Options.Beta1, Options.Beta2, Options.Epsilon, Decay(index), gradientScale, StepCount);

    /// <inheritdoc/>
    public void Dispose()
    {
        arena.Dispose();
        GC.SuppressFinalize(this);
    }
}
