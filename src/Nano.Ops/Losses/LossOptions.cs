namespace Nano;

/// <summary>
/// The options of a batch's loss. All zero: the mean cross-entropy. A plain number converts to the
/// denominator.
/// </summary>
/// <param name="Denominator">The divisor of the sum over rows; 0 means the number of counted rows.
/// A micro-batch passes the count of its whole batch.</param>
/// <param name="LabelSmoothing">s in [0, 1): how much of the target's weight is spread evenly over
/// all ids (Szegedy et al., "Rethinking the Inception Architecture", 2016).</param>
/// <param name="ZLoss">Factor, 0 or more, on the square of log sum exp of a row's logits, which
/// keeps them from drifting (Chowdhery et al., "PaLM", 2022, take 1e-4).</param>
/// <param name="Draw">The draw of targets from the model itself, which overwrite those given; null
/// for the given targets. Only where head and loss are one op.</param>
public readonly record struct LossOptions(
    double Denominator = 0, double LabelSmoothing = 0, double ZLoss = 0, LabelDraw? Draw = null)
{
    /// <summary>A denominator as options.</summary>
    public static implicit operator LossOptions(double denominator) => new(denominator);

    /// <summary>True if a row's loss is -log p of its target, without additional terms.</summary>
    internal bool IsPlain => LabelSmoothing == 0 && ZLoss == 0;

    /// <summary>
    /// The options with the denominator that they stand for. Refuses options and targets that make
    /// no sense.
    /// </summary>
    internal LossOptions Checked(string op, Tensor targets, int vocabulary)
    {
        if (!(LabelSmoothing is >= 0 and < 1))
            throw new ArgumentException($"{op}: label smoothing must be in [0, 1), got {LabelSmoothing}");
        if (!(ZLoss >= 0) || double.IsInfinity(ZLoss))
            throw new ArgumentException($"{op}: the factor of z-loss must be 0 or more, got {ZLoss}");
        int counted = 0;
        foreach (int target in targets.Ids)
        {
            if (target != CrossEntropyOp.Ignore && (uint)target >= (uint)vocabulary)
                throw new ArgumentException($"{op}: target {target} is not below the vocabulary size {vocabulary}");
            counted += target == CrossEntropyOp.Ignore ? 0 : 1;
        }
        if (counted == 0 && Denominator == 0)
            throw new ArgumentException($"{op}: all of the {targets.Length} targets are ignored, so there is no mean");
        return this with { Denominator = Denominator == 0 ? counted : Denominator };
    }
}
