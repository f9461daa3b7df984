using System.Diagnostics;

namespace Nano;

/// <summary>
/// The cost of a training run before it starts: parameters, arithmetic, memory and time, and the
/// amount of text that suits the model. All but the time follow from the configuration alone.
/// </summary>
/// <param name="Options">The run.</param>
/// <param name="Parameters">N: all parameters.</param>
/// <param name="ParametersWithoutEmbeddings">Those outside the tables of tokens and positions and a
/// head of its own, the N of Kaplan et al. ("Scaling laws for neural language models",
/// 2020).</param>
/// <param name="FlopsPerToken">Counted arithmetic of a token, forward and backward, see
/// <see cref="ModelConfig.TrainingFlopsPerToken"/>.</param>
public sealed record TrainingPlan(TrainOptions Options, long Parameters, long ParametersWithoutEmbeddings,
    double FlopsPerToken)
{
    /// <summary>
    /// Tokens per parameter at which a given amount of arithmetic makes the best model (Hoffmann et
    /// al., "Training compute-optimal large language models", 2022, table 3: about 20).
    /// </summary>
    public const int OptimalTokensPerParameter = 20;

    /// <summary>
    /// The share of a machine's peak that is assumed where none is measured: what models of GPT-2's
    /// size reach (README, "Measured").
    /// </summary>
    public const double AssumedShare = 0.6;

    /// <summary>
    /// Steps that are tried out to measure the share: the first ones find their memory and do not
    /// count, and of the others at least one is run, and more until EnoughSeconds have passed.
    /// </summary>
    private const int WarmupSteps = 2, MeasuredSteps = 9, EnoughSeconds = 5;

    /// <summary>D: tokens of all steps.</summary>
    public long Tokens => Options.Steps * Options.TokensPerStep;

    /// <summary>
    /// The usual estimate of a token's arithmetic, 6 N: 2 forward, 4 backward per parameter (Kaplan
    /// et al., 2020).
    /// </summary>
    public double EstimatedFlopsPerToken => 6.0 * Parameters;

    /// <summary>
    /// Tokens at which this model makes the best of its arithmetic, see
    /// <see cref="OptimalTokensPerParameter"/>.
    /// </summary>
    public long OptimalTokens => OptimalTokensPerParameter * Parameters;

    /// <summary>Steps of this size that read them.</summary>
    public long OptimalSteps => (OptimalTokens + Options.TokensPerStep - 1) / Options.TokensPerStep;

    /// <summary>
    /// The arithmetic that recomputation adds per token: a forward pass without the head.
    /// </summary>
    public double RecomputedFlopsPerToken =>
        (FlopsPerToken / 3) - (2.0 * Options.Model.VocabSize * Options.Model.Channels);

    /// <summary>The plan of a run.</summary>
    /// <exception cref="NanoException">The options are impossible.</exception>
    public static TrainingPlan Of(TrainOptions options)
    {
        options.Validate();
        var summary = ModelSummary.Of(options.Model);
        return new TrainingPlan(options, summary.Parameters,
            summary.Components["attention"] + summary.Components["mlp"] + summary.Components["norms"],
            options.Model.TrainingFlopsPerToken(options.Time));
    }

    /// <summary>Seconds that tokens take.</summary>
    /// <param name="tokens">Number of tokens.</param>
    /// <param name="gigaflops">The machine's peak in GFLOP/s.</param>
    /// <param name="share">The share of it that is reached, what is computed again counted as arithmetic.</param>
    /// <param name="recompute">Whether each block is computed again in the backward pass.</param>
    public double Seconds(long tokens, double gigaflops, double share, bool recompute) =>
        tokens * FlopsPerTokenOf(recompute) / (gigaflops * 1e9 * share);

    private double FlopsPerTokenOf(bool recompute) => FlopsPerToken + (recompute ? RecomputedFlopsPerToken : 0);

    /// <summary>The run with or without computing each block again in the backward pass.</summary>
    /// <param name="compute">The threads that will work on it.</param>
    /// <param name="gigaflops">The machine's peak in GFLOP/s.</param>
    /// <param name="recompute">True with recomputation.</param>
    /// <param name="share">The share of the peak to expect; null measures it, see
    /// <see cref="MeasureShare"/>, or assumes <see cref="AssumedShare"/>.</param>
    /// <param name="longestStep">Seconds that a step may take to be tried out.</param>
    public TrainingEstimate Estimate(Compute compute, double gigaflops, bool recompute, double? share,
        double longestStep)
    {
        var memory = MemoryPlan.Of(With(recompute), compute.Threads);
        bool canMeasure = share is null && memory.Total <= GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 2
            && Seconds(Options.TokensPerStep, gigaflops, AssumedShare, recompute) <= longestStep;
        double reached = share ?? (canMeasure ? MeasureShare(compute, gigaflops, recompute) : AssumedShare);
        return new TrainingEstimate(recompute, memory, reached, canMeasure,
            Seconds(Options.TokensPerStep, gigaflops, reached, recompute),
            Seconds(Tokens, gigaflops, reached, recompute), Seconds(OptimalTokens, gigaflops, reached, recompute));
    }

    /// <summary>
    /// The options with one of the two; what is computed again is not kept, so it does not matter
    /// how.
    /// </summary>
    private TrainOptions With(bool recompute) => Options with
    {
        KeptActivations = recompute ? Keep.Nothing
            : Options.KeptActivations == Keep.Nothing ? Keep.All : Options.KeptActivations,
    };

    /// <summary>
    /// The share of the peak that steps of this run reach on this machine: the median of a few on
    /// random tokens; evaluation, checkpoints and reading text not included.
    /// </summary>
    private double MeasureShare(Compute compute, double gigaflops, bool recompute)
    {
        var options = With(recompute);
        using var model = LanguageModel.Create(options.Model);
        model.Initialize(1);
        int[] tokens = new int[(options.Batch * options.Time * 4) + 1];
        for (int i = 0; i < tokens.Length; i++)
            tokens[i] = (int)Philox.Below(7, 0, (ulong)i, options.Model.VocabSize);
        using var step = new TrainStep(model, compute,
            new BatchLoader(tokens, options.Batch, options.Time, "random tokens"), options);
        var seconds = new List<double>();
        for (int i = 0; i < WarmupSteps + MeasuredSteps && seconds.Sum() < EnoughSeconds; i++)
        {
            long start = Stopwatch.GetTimestamp();
            step.Run(i, options.LearningRate / 10);
            if (i >= WarmupSteps)
                seconds.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        compute.NextStep();
        compute.Tape = null;
        return Seconds(options.TokensPerStep, gigaflops, 1, recompute) / seconds.Order().ElementAt(seconds.Count / 2);
    }
}

/// <summary>Memory and time of a <see cref="TrainingPlan"/>.</summary>
/// <param name="Recompute">Whether each block is computed again in the backward pass.</param>
/// <param name="Memory">The memory of a step.</param>
/// <param name="Share">The share of the machine's peak that is reached or expected.</param>
/// <param name="Measured">Whether the share was measured by steps of this run.</param>
/// <param name="StepSeconds">Time of a step.</param>
/// <param name="Seconds">Time of all steps.</param>
/// <param name="OptimalSeconds">Time of <see cref="TrainingPlan.OptimalTokens"/>.</param>
public sealed record TrainingEstimate(bool Recompute, MemoryPlan Memory, double Share, bool Measured,
    double StepSeconds, double Seconds, double OptimalSeconds);
