namespace Nano;

/// <summary>
/// What the loss of a batch is, besides its logits and targets. All zero: the mean cross-entropy. A
/// plain number is the denominator.
/// </summary>
/// <param name="Denominator">What the sum over rows is divided by; 0 means the number of kept rows.
/// A micro-batch passes the count of its whole batch.</param>
/// <param name="LabelSmoothing">s in [0, 1): how much of the target's weight is spread evenly over
/// all ids (Szegedy et al., "Rethinking the Inception Architecture", 2016).</param>
/// <param name="ZLoss">Factor, 0 or more, on the square of log sum exp of a row's logits, which
/// keeps them from drifting (Chowdhery et al., "PaLM", 2022, take 1e-4).</param>
/// <param name="Draw">How the model draws its own targets, which overwrite those given; null to
/// keep them. Only where head and loss are one op.</param>
public readonly record struct LossOptions(
    double Denominator = 0, double LabelSmoothing = 0, double ZLoss = 0, LabelDraw? Draw = null)
{
    /// <summary>A denominator as options.</summary>
    public static implicit operator LossOptions(double denominator) => new(denominator);

    /// <summary>Whether a row's loss is -log p of its target and nothing else.</summary>
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
        int kept = 0;
        foreach (int target in targets.Ids)
        {
            if (target != CrossEntropyOp.Ignore && (uint)target >= (uint)vocabulary)
                throw new ArgumentException($"{op}: target {target} is not below the vocabulary size {vocabulary}");
            kept += target == CrossEntropyOp.Ignore ? 0 : 1;
        }
        if (kept == 0 && Denominator == 0)
            throw new ArgumentException($"{op}: none of the {targets.Length} targets is kept, so there is no mean");
        return this with { Denominator = Denominator == 0 ? kept : Denominator };
    }
}
