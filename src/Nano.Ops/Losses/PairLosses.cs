namespace Nano;

/// <summary>
/// Losses of predictions and targets of one shape, means over all elements or rows, as methods of
/// <see cref="Compute"/>. Gradients reach both, if they want them.
/// </summary>
public static class PairLosses
{
    /// <summary>The mean of (x - y)^2.</summary>
    /// <exception cref="ArgumentException">The shapes differ.</exception>
    public static Tensor MeanSquaredError(this Compute compute, Tensor x, Tensor y) =>
        compute.Mean(compute.Square(compute.Difference("mean squared error", x, y)));

    /// <summary>The mean of |x - y|.</summary>
    /// <exception cref="ArgumentException">The shapes differ.</exception>
    public static Tensor MeanAbsoluteError(this Compute compute, Tensor x, Tensor y) =>
        compute.Mean(compute.Abs(compute.Difference("mean absolute error", x, y)));

    /// <summary>
    /// The mean of Huber's function of x - y: half the square up to delta, linear beyond (Huber,
    /// "Robust Estimation of a Location Parameter", 1964).
    /// </summary>
    /// <exception cref="ArgumentException">The shapes differ, or delta is not positive.</exception>
    public static Tensor HuberLoss(this Compute compute, Tensor x, Tensor y, float delta = 1) =>
        compute.Mean(compute.Activation(ActivationKind.Huber, compute.Difference("huber loss", x, y), delta));

    /// <summary>
    /// The mean of -t log s(x) - (1 - t) log(1 - s(x)), s the sigmoid, t in [0, 1]: log(1 + e^x) -
    /// t x, which neither overflows nor cancels.
    /// </summary>
    /// <exception cref="ArgumentException">The shapes differ.</exception>
    public static Tensor BinaryCrossEntropy(this Compute compute, Tensor logits, Tensor targets)
    {
        Check("binary cross-entropy", logits, targets);
        return compute.Mean(compute.Subtract(compute.Activation(ActivationKind.Softplus, logits),
            compute.Multiply(logits, targets)));
    }

    /// <summary>
    /// The divergence sum p log(p / q) of two distributions over each row, mean over rows (Kullback
    /// and Leibler, "On Information and Sufficiency", 1951); p and q are given by their logits [..,
    /// V].
    /// </summary>
    /// <exception cref="ArgumentException">The shapes differ.</exception>
    public static Tensor KlDivergence(this Compute compute, Tensor p, Tensor q)
    {
        Check("kl divergence", p, q);
        Tensor logP = compute.LogSoftmax(p), logQ = compute.LogSoftmax(q);
        var sum = compute.Sum(compute.Multiply(compute.Exp(logP), compute.Subtract(logP, logQ)));
        return compute.Scale(sum, 1f / p.Shape.Rows);
    }

    /// <summary>
    /// x - log sum e^x over each row: the logarithm of softmax, in which no probability is too
    /// small.
    /// </summary>
    public static Tensor LogSoftmax(this Compute compute, Tensor x)
    {
        var shifted = compute.Subtract(x, compute.Max(x, -1, keep: true));
        return compute.Subtract(shifted, compute.Log(compute.Sum(compute.Exp(shifted), -1, keep: true)));
    }

    private static Tensor Difference(this Compute compute, string loss, Tensor x, Tensor y)
    {
        Check(loss, x, y);
        return compute.Subtract(x, y);
    }

    private static void Check(string loss, Tensor x, Tensor y)
    {
        if (x.Shape != y.Shape)
            throw new ArgumentException($"{loss}: {x} and {y} differ in shape");
    }
}
