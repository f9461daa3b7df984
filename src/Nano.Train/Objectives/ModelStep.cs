namespace Nano;

/// <summary>
/// One update of a model of any kind: its loss of a batch, backward, clip, AdamW. <see cref="TrainStep"/> is the one of
/// models that continue a text, with micro-batches and numbers of fewer bits.
/// </summary>
public sealed class ModelStep : IDisposable
{
    private const double ClipNorm = 1;
    private const string Hint = "try a lower `lr`";

    private readonly Model model;
    private readonly Compute compute;
    private readonly Func<long, Batch> batches;
    private readonly AdamW optimizer;
    private readonly GradientNorm norm;

    /// <param name="model">The model to train.</param>
    /// <param name="compute">The context to run in.</param>
    /// <param name="batches">The batch of a step, whose tensors may be the step's.</param>
    /// <param name="rule">The constants of AdamW; 0.9, 0.999 and a decay of 0.01 where nothing is said.</param>
    public ModelStep(Model model, Compute compute, Func<long, Batch> batches, OptimizerOptions? rule = null)
    {
        (this.model, this.compute, this.batches) = (model, compute, batches);
        model.Parameters.EnableGradients();
        optimizer = new AdamW(model.Parameters.All, rule ?? new("adamw", Beta2: 0.999, WeightDecay: 0.01));
        norm = new GradientNorm(model.Parameters.All);
    }

    /// <summary>Runs step number <paramref name="step"/> (from 0).</summary>
    /// <exception cref="DivergedException">The loss or a gradient is not finite; the message names the step and the
    /// first such tensor. Parameters are unchanged.</exception>
    public StepResult Run(long step, double learningRate)
    {
        compute.Tape = new Tape();
        try
        {
            compute.NextStep();
            model.Parameters.ForgetGradients();
            var loss = model.Loss(compute, batches(step));
            double value = loss.Data[0];
            if (!double.IsFinite(value))
                throw new DivergedException($"step {step + 1}: the loss is not finite; first in {FirstBad(step)}",
                    Hint);
            compute.Tape.Backward(compute, loss);
            double length = norm.Measure(compute);
            if (!double.IsFinite(length))
                throw new DivergedException($"step {step + 1}: the gradient is not finite", Hint);
            optimizer.Step(compute, learningRate, GradientNorm.ClipScale(length, ClipNorm));
            return new(value, length);
        }
        finally
        {
            compute.Tape = null;
        }
    }

    private string FirstBad(long step)
    {
        string? first = model.Parameters.All.FirstOrDefault(parameter => IsBad(parameter))?.Name;
        compute.WithoutTape(() => model.Loss(compute, batches(step), (name, tensor) =>
            first ??= IsBad(tensor) ? name : null));
        return first ?? "the loss itself";
    }

    private static bool IsBad(Tensor tensor)
    {
        foreach (float value in tensor.Data)
            if (!float.IsFinite(value))
                return true;
        return false;
    }

    /// <inheritdoc/>
    public void Dispose() => optimizer.Dispose();
}
