using Nano.Bands;

namespace Nano.Tests;

/// <summary>
/// The short version of `make check-bands`: a smaller recipe, whose bands come from five healthy
/// seeds.
/// </summary>
public sealed class FaultTests : IClassFixture<FaultTests.Healthy>
{
    static readonly TrainOptions Options = Runs.Tiny with
    {
        Model = Runs.TinyModel with { ContextLength = 32, Channels = 32, Bias = false, TiedHead = true },
        Batch = 8,
        Time = 32,
        Steps = 300,
        LearningRate = 2e-3,
        MinLearningRate = 2e-4,
        WarmupSteps = 50,
        EvalInterval = 100,
        EvalBatches = 8,
        Optimizer = new OptimizerOptions(Beta2: 0.99),
    };

    static readonly TrainingData Data =
        TrainingData.FromText(new Corpus("built-in", BuiltInCorpus.Generate(1, 100_000), "made for this test"), null);

    readonly Healthy healthy;

    public FaultTests(Healthy healthy) => this.healthy = healthy;

    public sealed class Healthy
    {
        public RecipeBands Bands { get; } = RecipeBands.Measure("built-in", "test",
            [.. new ulong[] { 1, 2, 3, 4, 5 }.Select(seed => Log(Fault.None, seed))]);
    }

    static List<RunLogEntry> Log(Fault fault, ulong seed)
    {
        using var compute = new Compute(1);
        using var run = new FaultyRun(Options with { Seed = seed }, Data, fault, compute);
        return [.. run.Run()];
    }

    [Theory]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    public void A_healthy_seed_that_the_bands_have_not_seen_is_as_expected(ulong seed)
    {
        var verdict = RunVerdict.Of(Log(Fault.None, seed), [healthy.Bands]);
        Assert.True(verdict.Outcome == RunOutcome.AsExpected, verdict.Reason);
        Assert.Empty(verdict.Causes);
    }

    [Theory]
    [InlineData(Fault.NoBiasCorrection, "bias correction")]
    [InlineData(Fault.MaskOffByOne, "mask off by one")]
    [InlineData(Fault.LearningRateTimesTen, "learning rate that is too high")]
    [InlineData(Fault.WrongDecayGroups, "decay on the wrong group")]
    [InlineData(Fault.ShuffledTargets, "shuffled")]
    [InlineData(Fault.NoResidualScaling, "sqrt(2L)")]
    public void A_planted_fault_is_flagged_and_named_first(Fault fault, string cause)
    {
        var verdict = RunVerdict.Of(Log(fault, 9), [healthy.Bands]);
        Assert.True(verdict.Outcome is RunOutcome.High or RunOutcome.Low or RunOutcome.Unusual, verdict.Word);
        Assert.True(verdict.Causes[0].Contains(cause, StringComparison.Ordinal),
            $"{verdict.Word}: {verdict.Reason}\n{string.Join('\n', verdict.Causes)}");
    }

    [Fact]
    public void Without_a_fault_the_losses_are_those_of_the_trainer()
    {
        using var folder = new TempFolder();
        using var compute = new Compute(1);
        var options = Options with { Steps = 30, EvalInterval = 15 };
        using var trainer = new Trainer(options, Data, folder.Root, false, compute, 100, "nano train test");
        Assert.Equal(30, trainer.Run(CancellationToken.None).OfType<StepDone>().Count());
        using var run = new FaultyRun(options, Data, Fault.None, compute);
        Assert.Equal(Numbers(RunLog.Read(folder.File("log.jsonl"))), Numbers([.. run.Run()]));

        static IEnumerable<RunSignal> Numbers(IReadOnlyList<RunLogEntry> log) => RunSignals.Of(log);
    }
}
