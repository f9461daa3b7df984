namespace Nano;

/// <summary>
/// Losses that bring rows which belong together near each other and others apart, as methods of
/// <see cref="Compute"/>. Row i of one tensor belongs to row i of the other; each loss needs the
/// whole batch at once.
/// </summary>
public static class ContrastiveLosses
{
    /// <summary>
    /// The mean of the cross-entropies of rows and columns of s = a b^T e^scale, a and b of length
    /// 1 (Radford et al., "CLIP", 2021).
    /// </summary>
    /// <param name="compute">The context to run in.</param>
    /// <param name="a">[B, C].</param>
    /// <param name="b">[B, C].</param>
    /// <param name="logScale">A scalar, which is learnt.</param>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public static Tensor ContrastiveLoss(this Compute compute, Tensor a, Tensor b, Tensor logScale)
    {
        Check("contrastive loss", a, b);
        return compute.ContrastiveLoss(compute.Multiply(compute.Cosines(a, b), compute.Exp(logScale)));
    }

    /// <summary>
    /// The mean of the cross-entropies of rows and columns of scores [B, B], whose diagonal holds the pairs.
    /// </summary>
    /// <exception cref="ArgumentException">The scores are not square.</exception>
    public static Tensor ContrastiveLoss(this Compute compute, Tensor scores)
    {
        if (scores.Shape.Rank != 2 || scores.Shape[0] != scores.Shape[1])
            throw new ArgumentException($"contrastive loss: scores {scores} are not square");
        var places = compute.Places(scores.Shape[0]);
        var both = compute.Add(compute.CrossEntropy(scores, places).Loss,
            compute.CrossEntropy(compute.Transpose(scores), places).Loss);
        return compute.Scale(both, 0.5f);
    }

    /// <summary>
    /// The cross-entropy of finding the key of each query among all keys, by their cosines over a
    /// temperature (van den Oord et al., "Contrastive Predictive Coding", 2018).
    /// </summary>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public static Tensor InfoNce(this Compute compute, Tensor queries, Tensor keys, float temperature)
    {
        Check("info nce", queries, keys);
        return compute.CrossEntropy(compute.Scale(compute.Cosines(queries, keys), 1 / temperature),
            compute.Places(queries.Shape[0])).Loss;
    }

    /// <summary>
    /// The sum over all pairs of -log s(z x), x = e^scale a b^T + bias, z 1 for a pair that belongs
    /// together and else -1, over B (Zhai et al., "SigLIP", 2023). Since -log s(x) = log(1 + e^x) -
    /// x, it is the sum of log(1 + e^x) less the x of the pairs.
    /// </summary>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public static Tensor SigmoidPairLoss(this Compute compute, Tensor a, Tensor b, Tensor logScale, Tensor bias)
    {
        Check("sigmoid pair loss", a, b);
        int rows = a.Shape[0];
        Tensor left = compute.L2Normalize(a), right = compute.L2Normalize(b), scale = compute.Exp(logScale);
        var x = compute.Add(compute.Multiply(compute.MatMul(left, right, transposeB: true), scale), bias);
        var pairs = compute.Add(compute.Multiply(compute.Sum(compute.Multiply(left, right)), scale),
            compute.Scale(bias, rows));
        return compute.Scale(compute.Subtract(compute.Sum(compute.Activation(ActivationKind.Softplus, x)), pairs),
            1f / rows);
    }

    /// <summary>
    /// The mean of max(|a - p|^2 - |a - n|^2 + margin, 0) over rows: an anchor, one that belongs to
    /// it, one that does not (Schroff et al., "FaceNet", 2015).
    /// </summary>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public static Tensor TripletLoss(this Compute compute, Tensor anchor, Tensor positive, Tensor negative,
        float margin)
    {
        Check("triplet loss", anchor, positive);
        Check("triplet loss", anchor, negative);
        Tensor near = compute.Square(compute.Subtract(anchor, positive)),
            far = compute.Square(compute.Subtract(anchor, negative));
        return compute.Mean(compute.Activation(ActivationKind.Relu,
            compute.Scale(compute.Sum(compute.Subtract(near, far), -1), 1, margin)));
    }

    private static Tensor Cosines(this Compute compute, Tensor a, Tensor b) =>
        compute.MatMul(compute.L2Normalize(a), compute.L2Normalize(b), transposeB: true);

    /// <summary>0, 1, 2, ..: the place of each row's own column.</summary>
    private static Tensor Places(this Compute compute, int count)
    {
        var ids = compute.New(new Shape(count), DType.Int32);
        for (int i = 0; i < count; i++)
            ids.Ids[i] = i;
        return ids;
    }

    private static void Check(string loss, Tensor a, Tensor b)
    {
        if (a.Shape.Rank != 2 || a.Shape != b.Shape)
            throw new ArgumentException($"{loss}: {a} and {b} do not fit; wanted [B, C] twice");
    }
}
