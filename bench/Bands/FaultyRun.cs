namespace Nano.Bands;

/// <summary>What can be wrong with a trainer whose loss still falls.</summary>
public enum Fault
{
    None,
    NoBiasCorrection,
    MaskOffByOne,
    LearningRateTimesTen,
    WrongDecayGroups,
    ShuffledTargets,
    NoResidualScaling,
}

/// <summary>
/// A training run with one planted fault, as a log would show it. The loop is written out again
/// here, so that the program itself needs no switch for being wrong; without a fault it gives the
/// losses of the real trainer, which a test compares.
/// </summary>
public sealed class FaultyRun : IDisposable
{
    private readonly TrainOptions options;
    private readonly Fault fault;
    private readonly Compute compute;
    private readonly LanguageModel model;
    private readonly BatchLoader train, validation;
    private readonly RunEntry run;
    private readonly GradientNorm norm;
    private readonly DeferredRows lookups = new();
    private readonly List<(Tensor Parameter, Tensor Mean, Tensor Square)> slots = [];

    public FaultyRun(TrainOptions options, TrainingData data, Fault fault, Compute compute)
    {
        this.options = options = options.With(data.Tokenizer);
        (this.fault, this.compute) = (fault, compute);
        (train, validation) = (new BatchLoader(data.Train, options.Batch, options.Time,
            "training"), new BatchLoader(data.Validation, options.Batch, options.Time, "validation"));
        model = fault == Fault.MaskOffByOne ? new LeakyGpt2((Gpt2Config)options.Model)
            : LanguageModel.Create(options.Model);
        model.Initialize(options.Seed);
        if (fault == Fault.NoResidualScaling)
            foreach (var parameter in model.Parameters.All
                .Where(parameter => parameter.Parameter!.Role == ParameterRole.ResidualOut))
                foreach (ref float weight in parameter.Data)
                    weight *= (float)Math.Sqrt(2 * options.Model.Layers);
        model.Parameters.EnableGradients();
        norm = new GradientNorm(model.Parameters.All);
        foreach (var parameter in model.Parameters.All)
            slots.Add((parameter, new Tensor(parameter.Shape), new Tensor(parameter.Shape)));
        var config = new OrderedDictionary<string, string>(options.Describe().Concat(data.Identity));
        run = new RunEntry(options.Preset, "", default, config, new RunMachine("", compute.Threads, "", 0), data.Origin,
            model.Parameters.Count);
    }

    /// <summary>The log, entry by entry.</summary>
    public IEnumerable<RunLogEntry> Run()
    {
        yield return run;
        yield return Evaluation(0);
        for (int step = 0; step < options.Steps; step++)
        {
            double rate = options.LearningRateAt(step), loss = FindGradients(step), length = norm.Measure(compute);
            Update(rate * (fault == Fault.LearningRateTimesTen ? 10 : 1),
                GradientNorm.ClipScale(length, options.ClipNorm), step + 1);
            yield return new StepEntry(step + 1, loss, rate, length, 1, 1, 1);
            if ((step + 1) % options.EvalInterval == 0 || step + 1 == options.Steps)
                yield return Evaluation(step + 1);
        }
        yield return new EndEntry(options.Steps, EvaluateRows.OnAll(new ModelLosses(model, compute), validation), 1,
            options.Steps * options.TokensPerStep, "done");
    }

    private EvalEntry Evaluation(int step) => new(step,
        EvaluateRows.OnRandomRows(new ModelLosses(model, compute), train, options.EvalRows, options.Seed,
            RandomPurpose.TrainingEvaluation),
        EvaluateRows.OnRandomRows(new ModelLosses(model, compute), validation, options.EvalRows, options.Seed,
            RandomPurpose.ValidationEvaluation), "", RunHealth.Of(model, compute));

    private double FindGradients(int step)
    {
        var tape = compute.Tape ??= new Tape();
        model.Parameters.ForgetGradients();
        lookups.Clear();
        // that model looks up activations, whose gradients are needed at once
        compute.DeferredRows = fault == Fault.MaskOffByOne ? null : lookups;
        compute.NextStep();
        var shape = new Shape(options.Batch, options.Time);
        var (ids, targets) = (compute.New(shape, DType.Int32), compute.New(shape, DType.Int32));
        train.Random(options.Seed, RandomPurpose.TrainingWindows, step, ids, targets);
        if (fault == Fault.ShuffledTargets)
            new Random(step).Shuffle(targets.Ids);
        var (loss, nll) = model.Loss(compute, ids, targets, options.TokensPerStep);
        double sum = 0;
        foreach (float value in nll.Data)
            sum += value;
        tape.Backward(compute, loss);
        lookups.Run(compute);
        compute.DeferredRows = null;
        return sum / options.TokensPerStep;
    }

    private void Update(double rate, double scale, int step)
    {
        var rule = options.Optimizer;
        foreach (var (parameter, mean, square) in slots)
        {
            bool decays = parameter.Shape.Rank >= 2 != (fault == Fault.WrongDecayGroups);
            compute.AdamW(parameter, parameter.Gradient, mean, square,
                new AdamWNumbers(rate, rule.Beta1, rule.Beta2, rule.Epsilon, decays ? rule.WeightDecay : 0, scale,
                fault == Fault.NoBiasCorrection ? 1L << 40 : step)); // late enough, the correction is 1
        }
    }

    public void Dispose()
    {
        lookups.Dispose();
        model.Dispose();
    }
}
