namespace Nano;

/// <summary>
/// The common part of recurrent models: a text behind which lies a state of one size, in place of the keys and values
/// of all its positions.
/// </summary>
public abstract record RecurrentConfig : ModelConfig
{
    /// <summary>The shapes of the states of a block, for one text.</summary>
    protected abstract IReadOnlyList<Shape> StateShapes { get; }

    /// <summary>Arithmetic of the scan of a block for one token, forward and backward.</summary>
    protected abstract double ScanFlops { get; }

    internal override bool CarriesStates => true;

    /// <summary>States for texts of this model; how long the texts become does not matter.</summary>
    internal override IReadOnlyList<CacheLayer> CacheLayers =>
        [.. Enumerable.Repeat(new CacheLayer(0, 0) { States = StateShapes }, Layers)];

    internal override WeightType FittingCache(WeightType type) => type == WeightType.F32 ? type
        : throw new NanoException($"a {ModelType} keeps a state in float32, not keys and values in {type}", "take f32");

    /// <summary>
    /// Arithmetic of one training token, forward and backward: 6 per weight that multiplies it, and the scans.
    /// </summary>
    public override double TrainingFlopsPerToken(int T) => (6.0 * MultiplyingWeights()) + (Layers * ScanFlops);
}
