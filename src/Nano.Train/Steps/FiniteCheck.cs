namespace Nano;

/// <summary>Looks for the first number of a model that is not finite, so that the error of a run that has diverged says where.</summary>
public sealed class FiniteCheck(LanguageModel model, Compute compute)
{
    private const string Hint = "the last checkpoint is whole; try a lower `lr`";
    private const string Nowhere = "the loss itself";

    /// <summary>The error of a batch whose loss is not finite.</summary>
    /// <param name="when">What it is that is not finite, and when: "step 3: the loss".</param>
    /// <param name="ids">The batch [B, T].</param>
    /// <param name="pass">The masks that it met and the documents in it.</param>
    public DivergedException BadLoss(string when, Tensor ids, Pass pass) =>
        new($"{when} is not finite; first in {FirstBad(ids, pass)}", Hint);

    /// <summary>The error of gradients that are not finite, or whose norm is not.</summary>
    /// <param name="step">Counted from 0.</param>
    /// <param name="where">The first that is not finite; null to look through those of the parameters.</param>
    public DivergedException BadGradient(long step, string? where = null)
    {
        string first = where ?? FirstBad(model.Parameters.All.Where(parameter => parameter.HasGradient).Select(parameter => (parameter.Name!, parameter.Gradient)));
        return new DivergedException(first == Nowhere ? $"step {step + 1}: the norm of the gradient is too large for a number" : $"step {step + 1}: the gradient is not finite; first in {first}", Hint);
    }

    /// <summary>Looks at every weight after <paramref name="step"/> updates, before a checkpoint takes the place of a good one.</summary>
    /// <exception cref="DivergedException">One is not finite; the message names the step and the tensor.</exception>
    public void Parameters(long step)
    {
        compute.NextStep();
        foreach (var parameter in model.Parameters.All)
            // The squares of finite weights may be too large for a number; so it is looked at closely before it is called bad.
            if (!double.IsFinite(compute.SumOfSquares(parameter)) && FirstBad([(parameter.Name!, parameter)]) is var first && first != Nowhere)
                throw new DivergedException($"step {step}: a weight is not finite; first in {first}", Hint);
    }

    /// <summary>Runs a batch, looking at every tensor, to say where the trouble starts.</summary>
    private string FirstBad(Tensor ids, Pass pass)
    {
        string first = FirstBad(model.Parameters.All.Select(parameter => (parameter.Name!, parameter)));
        if (first == Nowhere)
            compute.WithoutTape(() => model.Forward(compute, ids, pass with
            {
                Watch = (name, tensor) => first = first == Nowhere ? FirstBad([(name, tensor)]) : first,
            }));
        return first;
    }

    private static string FirstBad(IEnumerable<(string Name, Tensor Tensor)> tensors)
    {
        foreach (var (name, tensor) in tensors)
        {
            var data = tensor.Data;
            for (int i = 0; i < data.Length; i++)
                if (!float.IsFinite(data[i]))
                    return $"{name} {tensor.Shape}, element {i} ({data[i]})";
        }
        return Nowhere;
    }
}
