namespace Nano.Tests;

/// <summary>A model that trains, without the rest of a trainer.</summary>
sealed class TrainingSession : IDisposable
{
    public static readonly CharTokenizer Tokenizer = CharTokenizer.FromText("abcdefghijk");

    public readonly LanguageModel Model = Runs.NewModel(Runs.Tiny);
    public readonly IOptimizer Optimizer;
    readonly Compute compute = new(1);
    readonly TrainStep step;

    public TrainingSession()
    {
        step = new TrainStep(Model, compute, new BatchLoader(Runs.RandomTokens(200, 11), 4, 8, "test"), Runs.Tiny);
        Optimizer = step.Optimizer;
    }

    public TrainingSession Train(long from, long to)
    {
        for (long i = from; i < to; i++)
            step.Run(i, 1e-2);
        return this;
    }

    public string Save(string run, long steps, bool isBest = false, TrainOptions? options = null) =>
        Checkpoint.Save(run, Model, Tokenizer, NewState(steps, options), isBest);

    public long Load(string run)
    {
        var state = NewState(0);
        Checkpoint.Load(run, Model, state);
        return Optimizer.StepCount = state.Step;
    }

    public RunState NewState(long steps, TrainOptions? options = null) => new(options ?? Runs.Tiny,
        new Dictionary<string, string> { ["corpus_sha256"] = "abc" }, [.. Optimizer.State])
    { Step = steps };

    /// <summary>Everything a checkpoint must bring back.</summary>
    public int[] State => [.. Runs.Bits(Model), .. Runs.Bits(Optimizer), (int)Optimizer.StepCount];

    public void Dispose()
    {
        Optimizer.Dispose();
        compute.Dispose();
        Model.Dispose();
    }

    /// <summary>The state after that many steps, never stopped.</summary>
    static int[] StateAfter(int steps)
    {
        using var session = new TrainingSession();
        return session.Train(0, steps).State;
    }

    public static Lazy<int[]> After2 { get; } = new(() => StateAfter(2));

    public static Lazy<int[]> After4 { get; } = new(() => StateAfter(4));

    public static Lazy<int[]> After6 { get; } = new(() => StateAfter(6));
}
