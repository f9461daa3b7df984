namespace Nano;

/// <summary>The changes of logits z behind the head: cap tanh(scale z / cap), each only where it is given.</summary>
/// <param name="Scale">Factor on logits (Cohere); 0 stands for 1.</param>
/// <param name="Cap">The bound of their absolute values (Gemma 2); 0 for none.</param>
public readonly record struct LogitRule(float Scale, float Cap)
{
    private bool IsScaled => Scale is not (0 or 1);

    /// <summary>Logits as the head gives them, changed.</summary>
    public Tensor Apply(Compute c, Tensor logits)
    {
        if (IsScaled)
            logits = c.Scale(logits, Scale);
        return Cap == 0 ? logits : c.SoftCap(logits, Cap);
    }

    /// <summary>Mean cross-entropy of the changed logits of x [.., C].</summary>
    /// <returns>As of <see cref="LinearCrossEntropyExtensions"/>.</returns>
    public (Tensor Loss, Tensor Nll) Loss(Compute c, Tensor x, Tensor head, Tensor targets, LossOptions options) =>
        Cap == 0 ? c.LinearCrossEntropy(IsScaled ? c.Scale(x, Scale) : x, head, targets, options)
            : c.CrossEntropy(Apply(c, c.Linear(x, head, null)), targets, options);
}
