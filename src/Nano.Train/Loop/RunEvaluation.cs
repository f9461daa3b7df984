namespace Nano;

/// <summary>The evaluations of a run: losses on both splits, samples, measurements of the model.</summary>
internal sealed class RunEvaluation : IDisposable
{
    private const int SampleLength = 200;

    private readonly TrainOptions options;
    private readonly RunInMemory trained;
    private readonly BatchLoader train, validation;
    private readonly ITokenizer tokenizer;
    private readonly Compute compute;
    private readonly ITokenLosses losses;
    private readonly Generator generator;

    /// <param name="options">The settings.</param>
    /// <param name="trained">The run.</param>
    /// <param name="train">Rows of the training split.</param>
    /// <param name="validation">Rows of the validation split.</param>
    /// <param name="tokenizer">The tokenizer of the text.</param>
    /// <param name="compute">The threads to run on.</param>
    public RunEvaluation(TrainOptions options, RunInMemory trained, BatchLoader train, BatchLoader validation,
        ITokenizer tokenizer, Compute compute)
    {
        (this.options, this.trained, this.train, this.validation) = (options, trained, train, validation);
        (this.tokenizer, this.compute, losses) = (tokenizer, compute, trained.NewLosses());
        generator = new Generator(trained.Shown, compute) { Tokens = tokenizer.VocabSize };
    }

    /// <summary>The loss over the whole validation split.</summary>
    public double OnAllOfValidation() => EvaluateRows.OnAll(losses, validation);

    /// <summary>The model that the run starts from, before the first step.</summary>
    /// <exception cref="DivergedException">Its loss is not finite.</exception>
    public StartEntry OfStart()
    {
        double loss = OnAllOfValidation();
        return double.IsFinite(loss) ? new StartEntry(options.From!, options.FromSha256!, loss)
            : throw trained.Step.DivergedAt(0);
    }

    /// <summary>The model after a step: losses on the rows that every evaluation of the run takes, a sample.</summary>
    /// <param name="step">Steps done.</param>
    /// <exception cref="DivergedException">
    /// A loss is not finite; thrown before a useless checkpoint takes the place of a good one.
    /// </exception>
    public EvalEntry After(long step)
    {
        trained.Step.ToHost();
        var (rows, seed) = (options.EvalRows, options.Seed);
        double trainLoss = EvaluateRows.OnRandomRows(losses, train, rows, seed, RandomPurpose.TrainingEvaluation);
        double valLoss = EvaluateRows.OnRandomRows(losses, validation, rows, seed, RandomPurpose.ValidationEvaluation);
        if (!double.IsFinite(trainLoss + valLoss))
            throw trained.Step.DivergedAt(step);
        string sample = Sample(SampleLength, seed);
        return new EvalEntry((int)step, trainLoss, valLoss, sample, RunHealth.Of(trained.Model, compute));
    }

    /// <summary>
    /// Text that the model continues from the default prompt; of characters that is the line feed. Empty for a model
    /// that is not causal.
    /// </summary>
    public string Sample(int length, ulong seed)
    {
        if (!options.Model.IsCausal)
            return "";
        var tokens = generator.Continue(Prompt.Default(tokenizer), new SamplerOptions { Seed = seed });
        return tokenizer.Decode([.. tokens.Take(length)]);
    }

    public void Dispose() => generator.Dispose();
}
