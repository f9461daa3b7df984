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
    private readonly TrainOptions options;
    private readonly Action<long, Tensor, Tensor> fill;
    private readonly BatchLoader? loader;
    private readonly UpdateBatch batch;
    private readonly LaterLookups lookups = new();

    /// <summary>A step on the loader's rows.</summary>
    public TrainStep(LanguageModel model, Compute compute, BatchLoader loader, TrainOptions options)
        : this(model, compute, (number, ids, targets) => loader.Training(options.Seed, number, ids, targets), options) => this.loader = loader;

    /// <param name="model">What is trained.</param>
    /// <param name="compute">Where to run.</param>
    /// <param name="fill">Fills ids and targets [B, T] of the micro-batch with this number, counted through the whole run; a target of -100 is left out of the loss.</param>
    /// <param name="options">How.</param>
    internal TrainStep(LanguageModel model, Compute compute, Action<long, Tensor, Tensor> fill, TrainOptions options)
    {
        (this.model, this.compute, this.fill, this.options) = (model, compute, fill, options);
        batch = new UpdateBatch(options);
        model.Parameters.EnableGradients();
        Optimizer = OptimizerKind.Create(model.Parameters.All, options.Optimizer);
        Norm = new GradientNorm(model.Parameters.All);
    }

    public IOptimizer Optimizer { get; }

    /// <summary>Batches that the run passes over: step s takes the batch of number s + this many.</summary>
    public long PassedOver { get; set; }

    /// <summary>The norms of the last gradients, block by block.</summary>
    public GradientNorm Norm { get; }

    /// <summary>Bytes held by everything that takes part: tokens, parameters, gradients, moments, activations, waiting lookups. The same after every step but the first two.</summary>
    public long ReservedBytes => batch.ReservedBytes + model.Parameters.ReservedBytes + Optimizer.ReservedBytes + compute.StepArena.ReservedBytes + lookups.Arena.ReservedBytes;

    /// <summary>Bytes that tokens, activations, their gradients and waiting lookups take of the machine's memory.</summary>
    public long ActivationBytes => batch.ReservedBytes + compute.StepArena.TouchedBytes + lookups.Arena.TouchedBytes;

    /// <summary>Runs step number <paramref name="step"/> (from 0): both halves.</summary>
    /// <exception cref="DivergedException">The loss or a gradient is not finite; the message names the step and the first such tensor. Parameters are unchanged.</exception>
    public StepResult Run(long step, double learningRate)
    {
        var result = FindGradients(step);
        Update(learningRate, result);
        return result;
    }

    /// <summary>The gradients of the batch of step number <paramref name="step"/> (from 0). Parameters are unchanged.</summary>
    /// <exception cref="DivergedException">The loss or a gradient is not finite; the message names the step and the first such tensor.</exception>
    public StepResult FindGradients(long step)
    {
        compute.Profiler?.StartStep();
        if (Optimizer is Sophia { EstimateIsDue: true } sophia)
            EstimateCurvature(sophia, step);
        model.Parameters.ForgetGradients();
        double loss = AddGradients(step, null);
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
        sophia.Estimate(compute, batch.KeptTargets());
    }

    /// <summary>Forward and backward for every micro-batch of a step; returns the mean loss of the targets of all of them. Labels that the model draws meet no dropout.</summary>
    private double AddGradients(long step, LabelDraw? draws)
    {
        var tape = compute.Tape ??= new Tape();
        tape.Clear(); // of what a step that diverged has left
        lookups.Clear();
        compute.LaterLookups = lookups;
        try
        {
            int kept = ReadBatch(step); // known before the first micro-batch, for each divides by it
            double sum = 0;
            for (int micro = 0; micro < batch.Count; micro++)
            {
                compute.NextStep();
                var (ids, targets) = batch[micro];
                compute.Profiler?.Skip();
                var masks = draws is null ? Masks(step, micro) : null;
                LabelDraw? draw = draws is { } whole ? whole with { FirstRow = batch.FirstRow(micro) * options.Time } : null;
                var (loss, nll) = model.Loss(compute, ids, targets, LossOf(kept, draw), masks, options.CheckpointActivations, Segments(ids), activations: options.Activations, draw: draw);
                foreach (float value in nll.Data)
                    sum += value;
                if (!double.IsFinite(sum))
                    throw Diverged(step, ids, masks);
                compute.Profiler?.Skip();
                tape.Backward(compute, loss);
            }
            lookups.Run(compute);
            return sum / kept;
        }
        finally
        {
            compute.LaterLookups = null;
        }
    }

    /// <summary>What is added to the loss, which is no part of it where the model draws the labels.</summary>
    private LossOptions LossOf(int kept, LabelDraw? draw) => draw is null ? new(kept, options.LabelSmoothing, options.ZLoss) : new(kept);

    private Segments? Segments(Tensor ids) => loader?.DocumentLengths(ids) is { } lengths ? new Segments(compute, lengths) : null;

    /// <summary>Reads the batch of a step and returns how many of its targets count.</summary>
    private int ReadBatch(long step)
    {
        compute.Profiler?.Skip();
        for (int micro = 0; micro < batch.Count; micro++)
        {
            fill(((step + PassedOver) * batch.Count) + micro, batch[micro].Ids, batch[micro].Targets);
            compute.Profiler?.Lap(Work.Of("batch", 0, batch[micro].Ids, batch[micro].Targets));
        }
        return batch.KeptTargets() is > 0 and var kept ? kept : throw new NanoException($"step {step + 1}: every target of its batch is left out, so there is no loss");
    }

    private Dropout? Masks(long step, int micro) =>
        model.Config.Dropout == 0 ? null : new Dropout(model.Config.Dropout, options.Seed, (ulong)(step + PassedOver), batch.FirstRow(micro));

    private const string DivergedHint = "the last checkpoint is whole; try a lower --lr";

    private DivergedException Diverged(long step, Tensor ids, Dropout? dropout) =>
        new($"step {step + 1}: the loss is not finite; first in {FirstBad(ids, dropout)}", DivergedHint);

    /// <summary>The error of an evaluation after <paramref name="step"/> updates whose loss is not finite. A batch of training text serves to look for the place.</summary>
    internal DivergedException DivergedAt(long step)
    {
        compute.NextStep();
        ReadBatch(step);
        return new($"step {step}: the loss of the evaluation is not finite; first in {FirstBad(batch[0].Ids, null)}", DivergedHint);
    }

    /// <summary>Looks at every weight after <paramref name="step"/> updates, before a checkpoint takes the place of a good one.</summary>
    /// <exception cref="DivergedException">One is not finite; the message names the step and the tensor.</exception>
    internal void CheckParameters(long step)
    {
        compute.NextStep();
        foreach (var parameter in model.Parameters.All)
            // The squares of finite weights may be too large for a number; so it is looked at closely before it is called bad.
            if (!double.IsFinite(compute.SumOfSquares(parameter)) && FirstBad([(parameter.Name!, parameter)]) is var first && first != Nowhere)
                throw new DivergedException($"step {step}: a weight is not finite; first in {first}", DivergedHint);
    }

    /// <summary>Runs a batch, looking at every tensor, to say where the trouble starts.</summary>
    private string FirstBad(Tensor ids, Dropout? dropout)
    {
        string first = FirstBad(model.Parameters.All.Select(parameter => (parameter.Name!, parameter)));
        if (first == Nowhere)
            compute.WithoutTape(() => model.Forward(compute, ids, dropout: dropout, segments: Segments(ids), watch: (name, tensor) =>
                first = first == Nowhere ? FirstBad([(name, tensor)]) : first));
        return first;
    }

    private DivergedException BadGradient(long step)
    {
        string first = FirstBad(model.Parameters.All.Where(parameter => parameter.HasGradient).Select(parameter => (parameter.Name!, parameter.Gradient)));
        return new DivergedException(first == Nowhere ? $"step {step + 1}: the norm of the gradient is too large for a number" : $"step {step + 1}: the gradient is not finite; first in {first}", DivergedHint);
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
