namespace Nano;

/// <summary>
/// An update rule over all parameters of a model. Each implementation is one file with its paper
/// and its rule in the header.
/// </summary>
public interface IOptimizer : IDisposable
{
    /// <summary>Steps taken.</summary>
    long StepCount { get; set; }

    /// <summary>Bytes held for the state.</summary>
    long ReservedBytes { get; }

    /// <summary>
    /// What a checkpoint keeps besides the step count, under names that begin with those of the
    /// parameters.
    /// </summary>
    IEnumerable<(string Name, Tensor Tensor)> State { get; }

    /// <summary>
    /// Is called before the gradients of a step are computed: a rule that learns from others
    /// besides asks for them here.
    /// </summary>
    /// <param name="compute">Where to run.</param>
    /// <param name="findGradientsOfDrawnLabels">
    /// Sets the parameters' gradients to those of the step's batch with labels that the model draws from its own
    /// predictions, and returns the number of labels.
    /// </param>
    void BeforeStep(Compute compute, Func<long> findGradientsOfDrawnLabels);

    /// <summary>One step along the gradients. A parameter that no gradient reached stays as it is.</summary>
    /// <param name="compute">Where to run.</param>
    /// <param name="learningRate">Step size.</param>
    /// <param name="gradientScale">Factor on every gradient, from clipping.</param>
    void Step(Compute compute, double learningRate, double gradientScale);
}
