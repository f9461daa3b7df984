namespace Nano;

/// <summary>What the gradients of a step were made with.</summary>
/// <param name="Loss">Mean cross-entropy over the batch before the update, in nats per token.</param>
/// <param name="GradientNorm">Norm of all gradients together, before clipping.</param>
public readonly record struct StepResult(double Loss, double GradientNorm);

/// <summary>
/// One update of a model: <see cref="FindGradients"/> is forward, loss and backward, <see cref="Update"/> clips and moves the weights. This is the whole
/// of training; the rest is bookkeeping.
/// </summary>
public sealed class TrainStep : IDisposable
{
    private readonly LanguageModel model;
    private readonly Compute compute;
    private readonly BatchLoader loader;
    private readonly TrainOptions options;
    private readonly LaterLookups lookups = new();

    public TrainStep(LanguageModel model, Compute compute, BatchLoader loader, TrainOptions options)
    {
        (this.model, this.compute, this.loader, this.options) = (model, compute, loader, options);
        model.Parameters.EnableGradients();
        Optimizer = OptimizerKind.Create(model.Parameters.All, options.Optimizer);
        Norm = new GradientNorm(model.Parameters.All);
    }

    public IOptimizer Optimizer { get; }

    /// <summary>The norms of the last gradients, block by block.</summary>
    public GradientNorm Norm { get; }

    /// <summary>Bytes held by everything that takes part: parameters, gradients, moments, activations, waiting lookups. The same after every step but the first two.</summary>
    public long ReservedBytes => model.Parameters.ReservedBytes + Optimizer.ReservedBytes + compute.StepArena.ReservedBytes + lookups.Arena.ReservedBytes;

    /// <summary>Bytes that activations, their gradients and waiting lookups take of the machine's memory.</summary>
    public long ActivationBytes => compute.StepArena.TouchedBytes + lookups.Arena.TouchedBytes;

    /// <summary>Runs step number <paramref name="step"/> (from 0): both halves.</summary>
    /// <exception cref="NanoException">The loss or a gradient is not finite; the message names the step and the first such tensor. Parameters are unchanged.</exception>
    public StepResult Run(long step, double learningRate)
    {
        var result = FindGradients(step);
        Update(learningRate, result);
        return result;
    }

    /// <summary>The gradients of the batch of step number <paramref name="step"/> (from 0). Parameters are unchanged.</summary>
    /// <exception cref="NanoException">The loss or a gradient is not finite; the message names the step and the first such tensor.</exception>
    public StepResult FindGradients(long step)
    {
        compute.Profiler?.StartStep();
        if (Optimizer is Sophia { EstimateIsDue: true } sophia)
            EstimateCurvature(sophia, step);
        model.Parameters.ForgetGradients();
        double loss = AddGradients(step, null) / options.TokensPerStep;
        double norm = Norm.Measure(compute);
        return double.IsFinite(norm) ? new StepResult(loss, norm) : throw BadGradient(step);
    }

    /// <summary>Moves the parameters along the gradients just found.</summary>
    public void Update(double learningRate, StepResult gradients)
    {
        Optimizer.Step(compute, learningRate, GradientNorm.ClipScale(gradients.GradientNorm, options.ClipNorm));
        compute.Profiler?.EndStep();
    }

    /// <summary>The gradients of a step's batch, for labels that the model draws itself.</summary>
    private void EstimateCurvature(Sophia sophia, long step)
    {
        model.Parameters.ForgetGradients();
        AddGradients(step, new LabelDraw(Philox.Key(options.Seed, (ulong)RandomPurpose.CurvatureLabels), (ulong)step));
        sophia.Estimate(compute, options.TokensPerStep);
    }

    /// <summary>Forward and backward for every micro-batch of a step; returns the summed loss of their tokens. Labels that the model draws meet no dropout.</summary>
    private double AddGradients(long step, LabelDraw? draw)
    {
        var tape = compute.Tape ??= new Tape();
        lookups.Clear();
        compute.LaterLookups = lookups;
        try
        {
            double sum = 0;
            for (int micro = 0; micro < options.Accumulate; micro++)
            {
                compute.NextStep();
                compute.Profiler?.Skip();
                var (ids, targets) = NextBatch((step * options.Accumulate) + micro);
                compute.Profiler?.Lap(Work.Of("batch", 0, ids, targets));
                var masks = draw is null ? Masks(step, micro) : null;
                var (loss, nll) = model.Loss(compute, ids, targets, draw is null ? Loss : new LossOptions(options.TokensPerStep), masks, options.CheckpointActivations, activations: options.Activations, draw: draw is { } labels ? labels with { FirstRow = micro * ids.Length } : null);
                foreach (float value in nll.Data)
                    sum += value;
                if (!double.IsFinite(sum))
                    throw Diverged(step, ids, masks);
                compute.Profiler?.Skip();
                tape.Backward(compute, loss);
            }
            lookups.Run(compute);
            return sum;
        }
        finally
        {
            compute.LaterLookups = null;
        }
    }

    private LossOptions Loss => new(options.TokensPerStep, options.LabelSmoothing, options.ZLoss);

    private (Tensor Ids, Tensor Targets) NextBatch(long batch)
    {
        var shape = new Shape(loader.Batch, loader.Time);
        var (ids, targets) = (compute.New(shape, DType.Int32), compute.New(shape, DType.Int32));
        loader.Random(options.Seed, RandomPurpose.TrainingWindows, batch, ids, targets);
        return (ids, targets);
    }

    private Dropout? Masks(long step, int micro) =>
        model.Config.Dropout == 0 ? null : new Dropout(model.Config.Dropout, options.Seed, (ulong)((step * options.Accumulate) + micro));

    private const string DivergedHint = "the last checkpoint is whole; try a lower --lr";

    private NanoException Diverged(long step, Tensor ids, Dropout? dropout) =>
        new($"step {step + 1}: the loss is not finite; first in {FirstBad(ids, dropout)}", DivergedHint);

    /// <summary>The error of an evaluation after <paramref name="step"/> updates whose loss is not finite. A batch of training text serves to look for the place.</summary>
    internal NanoException DivergedAt(long step)
    {
        compute.NextStep();
        return new($"step {step}: the loss of the evaluation is not finite; first in {FirstBad(NextBatch(step * options.Accumulate).Ids, null)}", DivergedHint);
    }

    /// <summary>Runs a batch, looking at every tensor, to say where the trouble starts.</summary>
    private string FirstBad(Tensor ids, Dropout? dropout)
    {
        string first = FirstBad(model.Parameters.All.Select(parameter => (parameter.Name!, parameter)));
        if (first == Nowhere)
            compute.WithoutTape(() => model.Forward(compute, ids, dropout: dropout, watch: (name, tensor) =>
                first = first == Nowhere ? FirstBad([(name, tensor)]) : first));
        return first;
    }

    private NanoException BadGradient(long step)
    {
        string first = FirstBad(model.Parameters.All.Where(parameter => parameter.HasGradient).Select(parameter => (parameter.Name!, parameter.Gradient)));
        return new NanoException(first == Nowhere ? $"step {step + 1}: the norm of the gradient is too large for a number" : $"step {step + 1}: the gradient is not finite; first in {first}", DivergedHint);
    }

    private const string Nowhere = "the loss itself";

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

    public void Dispose()
    {
        Optimizer.Dispose();
        lookups.Dispose();
    }
}
