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

    /// <inheritdoc/>
    public override long StateBytes => sizeof(float) * Layers * StateShapes.Sum(shape => shape.Length);

    /// <inheritdoc/>
    public override long CacheBytesPerToken => 0;

    /// <summary>States for texts of this model; how long the texts become does not matter.</summary>
    /// <param name="rows">Texts.</param>
    /// <param name="positions">Positions for each.</param>
    /// <param name="type">F32.</param>
    /// <exception cref="NanoException">It is another type.</exception>
    public override KvCache NewCache(int rows, int positions, WeightType type = WeightType.F32) =>
        new(Layers, positions, 0, rows, FittingCache(type), stateShapes: StateShapes);

    internal override WeightType FittingCache(WeightType type) => type == WeightType.F32 ? type
        : throw new NanoException($"a {ModelType} keeps a state in float32, not keys and values in {type}", "take f32");

    /// <summary>
    /// Arithmetic of one training token, forward and backward: 6 per weight that multiplies it, and the scans.
    /// </summary>
    public override double TrainingFlopsPerToken(int T) => (6.0 * MultiplyingWeights()) + (Layers * ScanFlops);
}
