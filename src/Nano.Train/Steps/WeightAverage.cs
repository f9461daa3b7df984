namespace Nano;

/// <summary>
/// An exponential moving average of a model's weights, as a model of its own (Polyak and Juditsky,
/// "Acceleration of stochastic approximation by averaging", 1992): after update t each average
/// moves by (1 - d) of its distance to the weight, with d = min(decay, (1 + t) / (10 + t)), the
/// warm-up of TensorFlow's ExponentialMovingAverage, without which the random initial weights would
/// linger.
/// </summary>
internal sealed class WeightAverage : IDisposable
{
    private readonly LanguageModel source;
    private readonly double decay;

    /// <summary>Starts as a copy of the model.</summary>
    public WeightAverage(LanguageModel source, double decay)
    {
        (this.source, this.decay) = (source, decay);
        Model = LanguageModel.Create(source.Config);
        foreach (var (average, weight) in Model.Parameters.All.Zip(source.Parameters.All))
            average.CopyFrom(weight);
    }

    /// <summary>The averaged model.</summary>
    public LanguageModel Model { get; }

    /// <summary>The tensors that a checkpoint stores.</summary>
    public IEnumerable<(string Name, Tensor Tensor)> State =>
        Model.Parameters.All.Select(average => (average.Name + ".ema", average));

    /// <summary>Moves the averages after an update of the model.</summary>
    /// <param name="compute">The context to run in.</param>
    /// <param name="updates">Updates done: 1 after the first.</param>
    public void Follow(Compute compute, long updates)
    {
        double share = 1 - Math.Min(decay, (1.0 + updates) / (10.0 + updates));
        for (int i = 0; i < Model.Parameters.All.Count; i++)
            compute.MoveTowards(Model.Parameters.All[i], source.Parameters.All[i], share);
    }

    public void Dispose() => Model.Dispose();
}
