namespace Nano;

/// <summary>
/// The memory of a training step, in bytes, from a dry run of the step on a <see cref="Compute"/>
/// that allocates memory and computes nothing: the system gives no pages to memory that is never
/// written, so planning costs almost nothing.
/// </summary>
/// <param name="Parameters">The model's weights.</param>
/// <param name="Gradients">Of every parameter.</param>
/// <param name="Moments">The optimizer's state: two floats per parameter for AdamW.</param>
/// <param name="Activations">The step's memory at its fullest: what the backward pass needs of the
/// forward pass, and the gradients on the way.</param>
/// <param name="Scratch">Working memory of the threads.</param>
public sealed record MemoryPlan(long Parameters, long Gradients, long Moments, long Activations, long Scratch)
{
    /// <summary>
    /// Memory of the .NET runtime and the compiled program, measured on x86-64 Linux; other systems
    /// differ somewhat.
    /// </summary>
    public const long Runtime = 45_000_000;

    /// <summary>All together.</summary>
    public long Total => Parameters + Gradients + Moments + Activations + Scratch + Runtime;

    /// <summary>
    /// Says no before a run begins that the system would end in the middle, once it touches the memory it was
    /// promised.
    /// </summary>
    /// <param name="options">Model, batch and length of a step.</param>
    /// <param name="threads">Threads that will work on it.</param>
    /// <exception cref="NanoException">A step takes more memory than the machine, or the container it is in,
    /// has; or the options are impossible.</exception>
    public static void CheckFit(TrainOptions options, int threads)
    {
        long needed = Of(options, threads).Total, available = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        if (needed > available)
            throw new NanoException(FormattableString.Invariant(
                $"a training step takes {needed:N0} bytes of memory, and this machine has {available:N0}"),
                "use a smaller `batch` (with `accumulate` for as many rows), `seq` or model; 'nano plan' shows them");
    }

    /// <summary>
    /// Refuses a model whose weights, gradients and state alone are more than the machine's memory, which the
    /// system would promise all the same.
    /// </summary>
    /// <exception cref="NanoException">They are.</exception>
    public static void RefuseTooLarge(TrainOptions options)
    {
        bool copies = options.Stability.OnSpike == OnSpike.Rollback; // of weights and state
        double state = OptimizerKind.Get(options.Optimizer.Name).StateFloats
            + (options.Stability.AverageDecay > 0 ? 1 : 0);
        double floats = 2 + state + (copies ? 1 + state : 0); // weights, gradients, what else a checkpoint keeps
        double parameters = options.Model.ParameterShapes().Sum(parameter => (double)parameter.Shape.Length);
        double bytes = floats * sizeof(float) * parameters;
        long available = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        if (bytes > available)
            throw new NanoException(FormattableString.Invariant(
                $"the model takes {bytes:N0} bytes to train, and this machine has {available:N0}"),
                "use fewer `layers` or `channels`");
    }

    /// <summary>The plan for these options.</summary>
    /// <param name="options">Model, batch and length of a step.</param>
    /// <param name="threads">Threads that will work on it; 0 for the default.</param>
    /// <param name="width">SIMD width; null for the default.</param>
    /// <exception cref="NanoException">The options are impossible, or not even addresses can be had
    /// for so much memory.</exception>
    public static MemoryPlan Of(TrainOptions options, int threads = 0, SimdWidth? width = null)
    {
        options.Validate();
        using var compute = new Compute(threads, width) { OnlyPlans = true };
        using var model = LanguageModel.Create(options.Model);
        using var step = new TrainStep(model, compute,
            new BatchLoader(new int[options.Time + 1], options.Batch, options.Time, "planned"), options);
        for (int i = 0; i < 3; i++) // the arenas have found their final form after two
            step.Run(i, options.LearningRate);
        long parameters = model.Parameters.Count * sizeof(float);
        long moments = step.Optimizer.State.Sum(slot => slot.Tensor.Length) * sizeof(float);
        return new MemoryPlan(parameters, parameters, moments, step.ActivationBytes, compute.ScratchBytes);
    }
}
