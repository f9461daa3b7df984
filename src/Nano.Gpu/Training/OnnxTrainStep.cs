namespace Nano;

/// <summary>
/// The training step on a device. Weights, moments and gradients stay there in two copies that take
/// turns, since a graph cannot change its inputs: a step reads one and writes the other. Tokens and
/// a few numbers go up; the loss and one number per parameter come down.
/// </summary>
public sealed class OnnxTrainStep : ITrainStep
{
    private readonly LanguageModel model;
    private readonly Compute compute;
    private readonly OrtDevice device;
    private readonly TrainOptions options;
    private readonly UpdateBatch batch;
    private readonly FiniteCheck check;
    private readonly LossScale scale;
    private readonly Resources all = new();
    private readonly OnnxLosses losses;
    private readonly DeviceTensors[] weights, moments; // two copies of each
    private readonly OrtBinding[] updates; // by the copy that is read
    private readonly OrtBinding[,] gradients; // by the copy of the weights, and where gradients are put
    private readonly OrtTensor ids, targets, loss, squares;
    private readonly Dictionary<string, OrtTensor> scalars = [];
    private int current;
    private bool hostIsOld;

    /// <summary>Makes the graphs ready.</summary>
    /// <param name="model">The model to train; its parameters are the host's copy.</param>
    /// <param name="compute">For what the host computes: looking for numbers that are not finite.</param>
    /// <param name="loader">The source of batches.</param>
    /// <param name="options">The options of the run.</param>
    /// <param name="device">The device; to be disposed after this.</param>
    /// <exception cref="NanoException">The device has no room, lacks an op, or an option has no form there.</exception>
    public OnnxTrainStep(LanguageModel model, Compute compute, BatchLoader loader, TrainOptions options,
        OrtDevice device)
    {
        Refuse(options);
        if (model.Parameters.All.Any(parameter => !parameter.WantsGradient))
            throw new NanoException("a device trains all parameters, and some of this model are frozen",
                "train on the processor, or freeze none");
        (this.model, this.compute, this.device, this.options) = (model, compute, device, options);
        batch = new UpdateBatch(options, (number, ids, targets) => loader.Training(options.Seed, number, ids, targets));
        check = new FiniteCheck(model, compute);
        scale = new LossScale(options.Precision);
        Optimizer = all.Add(OptimizerKind.Create(model.Parameters.All, options.Optimizer));
        Norm = new GradientNorm(model.Parameters.All);
        try
        {
            var parameters = model.Parameters.All.Select(parameter => (parameter.Name!, parameter)).ToList();
            weights = Copies(2, parameters);
            moments = Copies(2, Optimizer.State);
            ids = all.Add(OrtTensor.OnHost(OnnxType.Int32, options.Batch, options.Time));
            targets = all.Add(OrtTensor.OnHost(OnnxType.Int32, options.Batch, options.Time));
            loss = all.Add(OrtTensor.OfFloats());
            squares = all.Add(OrtTensor.OfFloats(parameters.Count));
            losses = all.Add(new OnnxLosses(model, device, weights, () => current));
            var found = Copies(options.Accumulate > 1 ? 2 : 1,
                parameters.Select(parameter => (OnnxTraining.Gradient + parameter.Item1, parameter.parameter)));
            gradients = BindGradients(found);
            updates = BindUpdates(found[(options.Accumulate - 1) % found.Length]);
        }
        catch
        {
            all.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public IOptimizer Optimizer { get; }

    /// <inheritdoc/>
    public GradientNorm Norm { get; }

    /// <inheritdoc/>
    public RouterLoads? Loads => null;

    /// <inheritdoc/>
    public long SkippedBatches { get; set; }

    /// <inheritdoc/>
    public ITokenLosses Losses => losses;

    /// <summary>The factor on the loss at present, 1 in float32.</summary>
    public double LossScale => scale.Value;

    private static void Refuse(TrainOptions options)
    {
        string? what = options switch
        {
            { Optimizer.Name: not "adamw" and var name } => $"`optimizer` {name}",
            { Model.Dropout: > 0 } => "`dropout`",
            { KeptActivations: Keep.BFloat16 } => "`activations` bf16",
            { Precision: Precision.BFloat16 } => "`precision` bf16",
            { FakeQuant: not WeightType.F32 } => "`fake_quant`",
            { Pack: true } => "`pack`",
            { Stability.AverageDecay: > 0 } => "`ema`",
            _ => null,
        };
        if (what is not null)
            throw new NanoException($"{what} has no form on a device", "leave it out, or train with `device` cpu");
    }

    private DeviceTensors[] Copies(int count, IEnumerable<(string Name, Tensor Host)> tensors) =>
        [.. Enumerable.Range(0, count).Select(_ => all.Add(new DeviceTensors(device, tensors)))];

    private OrtBinding[,] BindGradients(DeviceTensors[] found)
    {
        bool accumulates = options.Accumulate > 1;
        var session = all.Add(
            device.Open(OnnxTraining.Gradients(model,
                OnnxTraining.OnDevice with { HalfProducts = options.Precision == Precision.Float16 },
                new(0, options.LabelSmoothing, options.ZLoss), accumulates,
                OnnxTraining.LossBlocks((long)options.Batch * options.Time))));
        var bindings = new OrtBinding[weights.Length, found.Length];
        for (int copy = 0; copy < weights.Length; copy++)
            for (int to = 0; to < found.Length; to++)
            {
                var binding = bindings[copy, to] = all.Add(new OrtBinding(session));
                weights[copy].Into(binding);
                if (accumulates)
                    found[1 - to].Into(binding);
                found[to].OutOf(binding);
                binding.Output(OnnxTraining.Loss, loss);
                binding.Output(OnnxTraining.Squares, squares);
            }
        return bindings;
    }

    private OrtBinding[] BindUpdates(DeviceTensors found)
    {
        var session = all.Add(device.Open(OnnxTraining.Update(model.Parameters.All, options.Optimizer)));
        return [.. weights.Select((_, copy) =>
        {
            var binding = all.Add(new OrtBinding(session));
            weights[copy].Into(binding);
            moments[copy].Into(binding);
            found.Into(binding);
            weights[1 - copy].OutOf(binding);
            moments[1 - copy].OutOf(binding);
            return binding;
        })];
    }

    /// <inheritdoc/>
    public StepResult FindGradients(long step)
    {
        int counted = batch.Read(step, SkippedBatches);
        while (true)
        {
            double sum = AddGradients(step, counted);
            double norm = Norm.SetFrom(squares.Floats, scale.Value);
            if (double.IsFinite(norm))
                return new StepResult(sum, norm);
            if (!scale.Halve())
                throw check.BadGradient(step, FirstBad());
        }
    }

    /// <summary>
    /// Forward and backward for every micro-batch of a step; returns the mean loss of the targets
    /// of all of them.
    /// </summary>
    private double AddGradients(long step, int counted)
    {
        double sum = 0;
        for (int micro = 0; micro < batch.Count; micro++)
        {
            var binding = gradients[current, micro % gradients.GetLength(1)];
            batch[micro].Ids.Ids.CopyTo(ids.Ints);
            batch[micro].Targets.Ids.CopyTo(targets.Ints);
            binding.Input(OnnxRecording.Ids, ids);
            binding.Input(OnnxRecording.Targets, targets);
            SetScalar(binding, OnnxTraining.Denominator, counted);
            SetScalar(binding, OnnxTraining.LossScale, scale.Value);
            if (batch.Count > 1)
                SetScalar(binding, OnnxTraining.Keep, micro == 0 ? 0 : 1);
            binding.Run();
            sum += loss.Floats[0];
            if (!double.IsFinite(sum))
                throw Diverged($"step {step + 1}: the loss", micro);
        }
        return sum;
    }

    /// <inheritdoc/>
    public void Update(double learningRate, StepResult gradients)
    {
        var binding = updates[current];
        var numbers = new AdamWNumbers(learningRate, options.Optimizer.Beta1, options.Optimizer.Beta2,
            options.Optimizer.Epsilon, 0, 1, ++Optimizer.StepCount);
        SetScalar(binding, OnnxTraining.LearningRate, learningRate);
        SetScalar(binding, OnnxTraining.MeanCorrection, numbers.MeanCorrection);
        SetScalar(binding, OnnxTraining.RootCorrection, numbers.RootCorrection);
        SetScalar(binding, OnnxTraining.GradientScale,
            GradientNorm.ClipScale(gradients.GradientNorm, options.ClipNorm) / scale.Value);
        binding.Run();
        scale.Succeeded();
        (current, hostIsOld) = (1 - current, true);
    }

    private void SetScalar(OrtBinding binding, string name, double value)
    {
        if (!scalars.TryGetValue(name, out var scalar))
            scalars[name] = scalar = all.Add(OrtTensor.OfFloats());
        scalar.Floats[0] = (float)value;
        binding.Input(name, scalar);
    }

    /// <summary>
    /// The first parameter whose gradient is not finite; null where only the sum of all is too
    /// large.
    /// </summary>
    private string? FirstBad()
    {
        int bad = Array.FindIndex(squares.Floats.ToArray(), square => !float.IsFinite(square));
        return bad < 0 ? null : model.Parameters.All[bad].Name;
    }

    /// <inheritdoc/>
    public DivergedException DivergedAt(long step)
    {
        batch.Read(step, SkippedBatches);
        return Diverged($"step {step}: the loss of the evaluation", 0);
    }

    /// <summary>The error of a micro-batch, which the host computes again to find the place.</summary>
    private DivergedException Diverged(string when, int micro)
    {
        ToHost();
        compute.NextStep();
        return check.BadLoss(when, batch[micro].Ids, new());
    }

    /// <inheritdoc/>
    public void ToHost()
    {
        if (!hostIsOld)
            return;
        weights[current].Down();
        moments[current].Down();
        hostIsOld = false;
    }

    /// <inheritdoc/>
    public void FromHost()
    {
        weights[current].Up();
        moments[current].Up();
        hostIsOld = false;
    }

    /// <inheritdoc/>
    public void Dispose() => all.Dispose();
}
