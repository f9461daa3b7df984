namespace Nano;

/// <summary>
/// Everything that decides what a run computes. Two runs with equal options and equal text give
/// equal bytes.
/// </summary>
public sealed record TrainOptions
{
    private readonly long? evalRows;

    /// <summary>Name of the recipe, for logs and reports.</summary>
    public required string Preset { get; init; }

    /// <summary>The model; its vocabulary size is set once the tokenizer is known.</summary>
    public required ModelConfig Model { get; init; }

    /// <summary>
    /// The tokenizer of a run that names none: a name that <see cref="TokenizerLoader"/> knows, or
    /// null if one must be named. Unless it is <see cref="CorpusTokenizer.Characters"/>, the model
    /// is of a published size, and its vocabulary is the largest it takes.
    /// </summary>
    public string? DefaultTokenizer { get; init; } = CorpusTokenizer.Characters;

    /// <summary>
    /// The model that the run starts from, as the user or the recipe named it; null starts from
    /// random weights.
    /// </summary>
    public string? From { get; init; }

    /// <summary>
    /// The names of parameters that are drawn at random although the run starts from a model; see
    /// <see cref="ModelStart.Open"/>.
    /// </summary>
    public string? Reinit { get; init; }

    /// <summary>
    /// SHA-256 of the weights that the run started from, once they are known; see
    /// <see cref="ModelStart.LoadInto"/>.
    /// </summary>
    public string? FromSha256 { get; init; }

    /// <summary>
    /// Rows per micro-batch. The whole batch has Batch times <see cref="Accumulate"/> rows; the
    /// bits do not depend on how it is split between the two.
    /// </summary>
    public required int Batch { get; init; }

    /// <summary>Tokens per row; at most the model's context.</summary>
    public required int Time { get; init; }

    /// <summary>Micro-batches whose gradients are added up before each update.</summary>
    public int Accumulate { get; init; } = 1;

    /// <summary>
    /// The form in which the inside of each block is retained for the backward pass. Recomputing it
    /// is a third more arithmetic, far less memory, the same bits (so a run may be resumed with the
    /// other choice); bfloat16 changes gradients a little, so it is part of the run's results.
    /// </summary>
    public Nano.Keep KeptActivations { get; init; }

    /// <summary>
    /// The number format of the operands of linear layers' products in training steps; evaluation
    /// computes in float32.
    /// </summary>
    public Precision Precision { get; init; }

    /// <summary>
    /// The type to whose numbers the matrices in blocks are rounded while losses and gradients are computed, see
    /// <see cref="RoundedWeights"/>; F32 for none.
    /// </summary>
    public WeightType FakeQuant { get; init; }

    /// <summary>
    /// The share of a target's weight that is spread evenly over all ids, in [0, 1); see
    /// <see cref="LossOptions"/>. Logs show the loss without it.
    /// </summary>
    public double LabelSmoothing { get; init; }

    /// <summary>
    /// Factor on the square of log sum exp of each row's logits, 0 or more; see
    /// <see cref="LossOptions"/>. Logs show the loss without it.
    /// </summary>
    public double ZLoss { get; init; }

    /// <summary>
    /// The change of the biases by which experts are chosen after each step, see <see cref="RouterBias"/>; 0 leaves
    /// them as they are.
    /// </summary>
    public double RouterBiasRate { get; init; }

    /// <summary>Updates.</summary>
    public required int Steps { get; init; }

    /// <summary>Learning rate at its highest.</summary>
    public required double LearningRate { get; init; }

    /// <summary>Learning rate at the end.</summary>
    public required double MinLearningRate { get; init; }

    /// <summary>Steps over which the learning rate rises.</summary>
    public int WarmupSteps { get; init; } = 100;

    /// <summary>The learning-rate schedule after the warm-up.</summary>
    public Schedule Schedule { get; init; } = new();

    /// <summary>The update rule and its constants.</summary>
    public OptimizerOptions Optimizer { get; init; } = new();

    /// <summary>The norm that all gradients together are scaled down to where they exceed it.</summary>
    public double ClipNorm { get; init; } = 1;

    /// <summary>Steps between evaluations; each also saves a checkpoint and draws a sample.</summary>
    public int EvalInterval { get; init; } = 250;

    /// <summary>Random batches of <see cref="Batch"/> rows per evaluation and split.</summary>
    public int EvalBatches { get; init; } = 20;

    /// <summary>
    /// The rows that these come to; a run that resumes with its rows split into other micro-batches
    /// retains its first number.
    /// </summary>
    public long EvalRows { get => evalRows ?? ((long)EvalBatches * Batch); init => evalRows = value; }

    /// <summary>The newest checkpoints that stay, besides the best.</summary>
    public int Keep { get; init; } = 1;

    /// <summary>
    /// The path of the training text, as the user gave it; null for the default corpus. Checkpoints
    /// identify the text by its digest.
    /// </summary>
    public string? Data { get; init; }

    /// <summary>The path of the validation text, if the user gave one.</summary>
    public string? ValidationData { get; init; }

    /// <summary>Seed of all random numbers.</summary>
    public ulong Seed { get; init; } = 1337;

    /// <summary>The order in which the rows of training batches are chosen.</summary>
    public Sampling Sampling { get; init; }

    /// <summary>
    /// True to fill the rows of training batches with whole documents instead of windows that begin
    /// anywhere: no target and no attention crosses from one document to the next.
    /// </summary>
    public bool Pack { get; init; }

    /// <summary>Options of the run's safeguards.</summary>
    public StabilityOptions Stability { get; init; } = new();

    /// <summary>The learning rate of a step, counted from 0.</summary>
    public double LearningRateAt(long step) => Schedule.At(step, LearningRate, MinLearningRate, WarmupSteps, Steps);

    /// <summary>Tokens per update.</summary>
    public long TokensPerStep => (long)Batch * Time * Accumulate;

    private const long MaxTokensPerStep = 1 << 28;

    /// <summary>
    /// The options that decide the run's results, by name, as logs, reports and checkpoints show
    /// them.
    /// </summary>
    public IReadOnlyDictionary<string, string> Describe()
    {
        var description = new SortedDictionary<string, string>(Model.Describe().ToDictionary(),
            StringComparer.Ordinal)
        { ["preset"] = Preset };
        if (FromSha256 is not null)
            description["from_sha256"] = FromSha256;
        foreach (var setting in TrainSettings.All.Where(setting => setting.ChangesResults))
            if (setting.Get(this) is { } value)
                description.Add(setting.Key, value);
        return description;
    }

    /// <summary>
    /// The options with the vocabulary of a tokenizer; a model that the run starts from keeps its
    /// own, which may have rows to spare.
    /// </summary>
    /// <exception cref="NanoException">The tokenizer has more tokens than the published model, or
    /// the model that the run starts from.</exception>
    public TrainOptions With(ITokenizer tokenizer) => From is not null && tokenizer.VocabSize <= Model.VocabSize ? this
        : From is not null ? throw new NanoException(
            $"the tokenizer has {tokenizer.VocabSize} tokens and the model to start from {Model.VocabSize}",
            "use the tokenizer that the model was trained with")
        : DefaultTokenizer == CorpusTokenizer.Characters || tokenizer.VocabSize <= Model.VocabSize
        ? this with { Model = Model with { VocabSize = tokenizer.VocabSize } }
        : throw new NanoException(
            $"the tokenizer has {tokenizer.VocabSize} tokens and the model of {Quoted.Of(Preset)} {Model.VocabSize}",
            "name a smaller one as `tokenizer`, or make one with 'nano tokenize train'");

    /// <exception cref="NanoException">A value is impossible; the message names it.</exception>
    public void Validate()
    {
        foreach (var setting in TrainSettings.All)
            setting.Check(this);
        Model.Validate();
        if ((Int128)Batch * Accumulate * Time > MaxTokensPerStep)
            throw new NanoException($"`batch` {Batch} times `accumulate` {Accumulate} times `seq` {Time} are "
                + $"{(Int128)Batch * Accumulate * Time:N0} tokens per update, more than {MaxTokensPerStep:N0}");
        if (Time > Model.ContextLength)
            throw new NanoException($"`seq` {Time} is longer than the model's context of {Model.ContextLength}");
        if (!(MinLearningRate >= 0 && MinLearningRate <= LearningRate))
            throw new NanoException($"`min_lr` must be from 0 to the `lr` of {LearningRate}, got {MinLearningRate}");
        if (Pack && Optimizer.Name == "sophia")
            throw new NanoException(
                "`optimizer` sophia draws labels for every position, and packed rows have some without a target",
                "leave out `pack`, or take another optimizer");
        if (RouterBiasRate > 0 && !Model.ChoosesExpertsWithBias)
            throw new NanoException($"`router_bias_rate` {RouterBiasRate} moves the biases of DeepSeek-V3's routers, "
                + $"and a model of type {Model.ModelType} has none", "leave it out");
        Optimizer.Validate();
        Schedule.Validate(WarmupSteps, Steps);
    }
}
