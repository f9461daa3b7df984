namespace Nano;

/// <summary>The loss and the gradient norm of a step.</summary>
/// <param name="Loss">Mean cross-entropy over the batch before the update, in nats per token.</param>
/// <param name="GradientNorm">Norm of all gradients together, before clipping.</param>
public readonly record struct StepResult(double Loss, double GradientNorm)
{
    /// <summary>The message about a number that is not finite; null if all are.</summary>
    public string? Diverged { get; init; }
}

/// <summary>
/// One update of a model: <see cref="FindGradients"/> is forward, loss and backward,
/// <see cref="Update"/> clips and moves the weights. This is the whole of training; the rest is
/// bookkeeping.
/// </summary>
public sealed class TrainStep : ITrainStep
{
    private readonly LanguageModel model;
    private readonly Compute compute;
    private readonly TrainOptions options;
    private readonly BatchLoader? loader;
    private readonly UpdateBatch batch;
    private readonly DeferredRows lookups = new();
    private readonly FiniteCheck check;
    private readonly RoundedWeights? rounded;
    private readonly Func<long> drawnLabels;
    private long current; // the step whose gradients are computed

    /// <summary>A step on the loader's rows.</summary>
    public TrainStep(LanguageModel model, Compute compute, BatchLoader loader, TrainOptions options)
        : this(model, compute, (number, ids, targets) => loader.Training(options.Seed, number, ids, targets),
            options) => this.loader = loader;

    /// <param name="model">The model to train.</param>
    /// <param name="compute">The context to run in.</param>
    /// <param name="fill">Fills ids and targets [B, T] of the micro-batch with this number, counted
    /// through the whole run; a target of -100 is left out of the loss.</param>
    /// <param name="options">The options of the run.</param>
    internal TrainStep(LanguageModel model, Compute compute, Action<long, Tensor, Tensor> fill, TrainOptions options)
    {
        (this.model, this.compute, this.options) = (model, compute, options);
        if (options.Precision == Precision.Float16)
            throw new NanoException("`precision` float16 takes a `device` other than cpu");
        batch = new UpdateBatch(options, fill);
        check = new FiniteCheck(model, compute);
        rounded = options.FakeQuant == WeightType.F32 ? null : new RoundedWeights(model, options.FakeQuant);
        drawnLabels = FindGradientsOfDrawnLabels;
        model.Parameters.EnableGradients();
        Optimizer = OptimizerKind.Create(model.Parameters.All, options.Optimizer);
        Norm = new GradientNorm(model.Parameters.All);
        Loads = model.NewLoads();
    }

    /// <inheritdoc/>
    public IOptimizer Optimizer { get; }

    /// <inheritdoc/>
    public long SkippedBatches { get; set; }

    /// <inheritdoc/>
    public GradientNorm Norm { get; }

    /// <inheritdoc/>
    public RouterLoads? Loads { get; }

    /// <inheritdoc/>
    public ITokenLosses Losses => rounded is null ? new ModelLosses(model, compute)
        : new RoundedLosses(model, compute, rounded);

    /// <summary>
    /// Bytes held by everything that takes part: tokens, parameters, gradients, moments,
    /// activations, waiting lookups. The same after every step but the first two.
    /// </summary>
    public long ReservedBytes => batch.ReservedBytes + model.Parameters.ReservedBytes + Optimizer.ReservedBytes
        + compute.StepArena.ReservedBytes + lookups.Arena.ReservedBytes + (rounded?.ReservedBytes ?? 0);

    /// <summary>
    /// Bytes that tokens, activations, their gradients and waiting lookups take of the machine's
    /// memory.
    /// </summary>
    public long ActivationBytes => batch.ReservedBytes + compute.StepArena.TouchedBytes + lookups.Arena.TouchedBytes;

    /// <summary>Runs step number <paramref name="step"/> (from 0): both halves.</summary>
    /// <exception cref="DivergedException">The loss or a gradient is not finite; the message names
    /// the step and the first such tensor. Parameters are unchanged.</exception>
    public StepResult Run(long step, double learningRate)
    {
        var result = FindGradients(step);
        Update(learningRate, result);
        return result;
    }

    /// <inheritdoc/>
    public StepResult FindGradients(long step)
    {
        compute.Profiler?.StartStep();
        current = step;
        compute.StepTensors.Reuses = true;
        try
        {
            Optimizer.BeforeStep(compute, drawnLabels);
            model.Parameters.ForgetGradients();
            Loads?.Clear();
            double loss = AddGradients(step, null);
            double norm = Norm.Measure(compute);
            return double.IsFinite(norm) ? new StepResult(loss, norm) : throw check.BadGradient(step);
        }
        finally
        {
            compute.StepTensors.Reuses = false;
        }
    }

    /// <inheritdoc/>
    public void Update(double learningRate, StepResult gradients)
    {
        compute.StepTensors.Reuses = true;
        try
        {
            Optimizer.Step(compute, learningRate, GradientNorm.ClipScale(gradients.GradientNorm, options.ClipNorm));
            if (Loads is not null && options.RouterBiasRate > 0)
                model.MoveBiases(Loads, (float)options.RouterBiasRate);
        }
        finally
        {
            compute.StepTensors.Reuses = false;
        }
        compute.Profiler?.EndStep();
    }

    /// <summary>
    /// Finds the gradients of the current step's batch for labels that the model draws itself; returns
    /// their number.
    /// </summary>
    private long FindGradientsOfDrawnLabels()
    {
        model.Parameters.ForgetGradients();
        ulong key = Philox.Key(options.Seed, (ulong)RandomPurpose.CurvatureLabels);
        AddGradients(current, new LabelDraw(key, (ulong)current));
        return batch.CountedTargets();
    }

    /// <summary>
    /// Forward and backward for every micro-batch of a step; returns the mean loss of the targets
    /// of all of them. Labels that the model draws meet no dropout.
    /// </summary>
    private double AddGradients(long step, LabelDraw? draws)
    {
        var tape = compute.Tape ??= new Tape();
        tape.Clear(); // of what a step that diverged has left
        lookups.Clear();
        compute.DeferredRows = lookups;
        compute.RoundsProducts = options.Precision == Precision.BFloat16;
        rounded?.Round(compute);
        try
        {
            int counted = ReadBatch(step); // known before the first micro-batch, for each divides by it
            double sum = 0;
            for (int micro = 0; micro < batch.Count; micro++)
            {
                compute.NextStep();
                var (ids, targets) = batch[micro];
                compute.Profiler?.Skip();
                var pass = new Pass
                {
                    Segments = Segments(ids),
                    Masks = draws is null ? Masks(step, micro) : null,
                    Keep = options.KeptActivations,
                    Loads = draws is null ? Loads : null,
                };
                var (loss, nll) = model.Loss(compute, ids, targets, LossOf(counted, micro, draws), pass);
                foreach (float value in nll.Data)
                    sum += value;
                if (!double.IsFinite(sum))
                    throw check.BadLoss($"step {step + 1}: the loss", ids, pass);
                compute.Profiler?.Skip();
                tape.Backward(compute, loss);
            }
            lookups.Run(compute);
            rounded?.Backward(compute);
            return sum / counted;
        }
        finally
        {
            compute.DeferredRows = null;
            compute.RoundsProducts = false;
            rounded?.Restore(compute);
        }
    }

    /// <summary>
    /// The loss options for a batch with this many counted targets: the additional terms apply only
    /// if the targets are the text's, not drawn by the model.
    /// </summary>
    private LossOptions LossOf(int counted, int micro, LabelDraw? draws) => draws is { } draw
        ? new(counted, Draw: draw with { FirstRow = batch.FirstRow(micro) * options.Time })
        : new(counted, options.LabelSmoothing, options.ZLoss);

    private Segments? Segments(Tensor ids) => loader?.DocumentLengths(ids) is { } lengths
        ? new Segments(compute, lengths) : null;

    /// <summary>Reads the batch of a step and returns how many of its targets count.</summary>
    private int ReadBatch(long step)
    {
        compute.Profiler?.Skip();
        int counted = batch.Read(step, SkippedBatches);
        compute.Profiler?.Lap(new Work("batch", 0, batch.ReservedBytes));
        return counted;
    }

    private Dropout? Masks(long step, int micro) =>
        model.Config.Dropout == 0 ? null : new Dropout(model.Config.Dropout, options.Seed,
            (ulong)(step + SkippedBatches), batch.FirstRow(micro));

    /// <inheritdoc/>
    public DivergedException DivergedAt(long step)
    {
        compute.NextStep();
        ReadBatch(step);
        var ids = batch[0].Ids;
        return check.BadLoss($"step {step}: the loss of the evaluation", ids,
            new() { Segments = Segments(ids) });
    }

    /// <inheritdoc/>
    public void ToHost()
    {
        // It never was elsewhere.
    }

    /// <inheritdoc/>
    public void FromHost()
    {
        // It stays here.
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Optimizer.Dispose();
        lookups.Dispose();
        rounded?.Dispose();
    }
}
