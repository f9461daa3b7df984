namespace Nano.Tests;

/// <summary>Quantisation-aware training.</summary>
public class FakeQuantTests
{
    private static readonly TrainOptions Options = Runs.Tiny with
    {
        Model = RoundedTraining.SmallModel(24) with { Heads = 4, Channels = 32 },
        Batch = 8,
        Time = 24,
        FakeQuant = WeightType.Q4_0,
    };

    private static BatchLoader Loader(TrainOptions options, int tokens = 500) =>
        new(Runs.RandomTokens(tokens, 29), options.Batch, options.Time, "test");

    [Fact]
    public void Every_width_team_and_split_into_micro_batches_gives_the_same_bits()
    {
        var plain = Options with { Model = Options.Model with { Dropout = 0 } };
        var expected = RoundedTraining.Train(plain, 1, SimdWidth.Scalar);
        foreach (int rows in new[] { 1, 2, 4 })
            Assert.Equal(expected.Parameters,
                RoundedTraining.Train(plain with { Batch = rows, Accumulate = 8 / rows }).Parameters);
        Assert.Equal(expected.Parameters,
            RoundedTraining.Train(plain with { KeptActivations = Keep.Nothing }).Parameters);
        foreach (var (width, threads) in new[] { (SimdWidth.W128, 3), (SimdWidth.W256, 1), (SimdWidth.W512, 2) })
            Assert.Equal(expected.Parameters, RoundedTraining.Train(plain, threads, width).Parameters);
    }

    /// <summary>The gradients of a model whose matrices are the rounded ones, where weights lie within range.</summary>
    [Fact]
    public void Gradients_are_those_of_the_quantised_model_and_weights_keep_their_values()
    {
        var options = Options with { Model = Options.Model with { Dropout = 0 } };
        using LanguageModel model = Runs.NewModel(options), quantised = Runs.NewModel(options);
        using var compute = new Compute(2);
        using var step = new TrainStep(model, compute, Loader(options), options);
        using var plain = new TrainStep(quantised, compute, Loader(options),
            options with { FakeQuant = WeightType.F32 });
        int[] before = Runs.Bits(model);
        int matrices = 0;
        foreach (Tensor weights in quantised.Parameters.All.Where(p => p.Parameter!.IsInner && p.Shape.Rank == 2))
        {
            byte[] blocks = new byte[BlockFormat.Of(WeightType.Q4_0).BytesOf(weights.Length)];
            BlockFormat.Of(WeightType.Q4_0).Quantise(weights.Data, blocks);
            BlockFormat.Of(WeightType.Q4_0).Dequantise(blocks, weights.Data);
            matrices++;
        }
        Assert.Equal(8, matrices);
        Assert.Equal(plain.FindGradients(0).Loss, step.FindGradients(0).Loss);
        Assert.Equal(before, Runs.Bits(model));
        int passed = 0, stopped = 0;
        foreach (var (mine, theirs) in model.Parameters.All.Zip(quantised.Parameters.All))
            for (int i = 0; i < mine.Length; i++)
                if (BitConverter.SingleToInt32Bits(mine.Gradient.Data[i])
                    == BitConverter.SingleToInt32Bits(theirs.Gradient.Data[i]))
                    passed++;
                else
                {
                    Assert.True(mine.Parameter!.IsInner && mine.Gradient.Data[i] == 0, mine.Name);
                    stopped++;
                }
        Assert.InRange(stopped, 1, passed / 20);
    }

    [Fact]
    public void A_model_trained_with_it_loses_less_when_quantised_than_one_trained_without()
    {
        for (ulong seed = 1; seed <= 3; seed++)
        {
            double after = Quantised(WeightType.F32, seed), aware = Quantised(WeightType.TQ2_0, seed);
            Assert.True(aware < after, $"seed {seed}: {aware} with, {after} without");
        }
    }

    /// <summary>
    /// The loss on its training text of a model whose matrices become three values after 60 steps and 30 more, these
    /// with or without rounding.
    /// </summary>
    private static double Quantised(WeightType type, ulong seed)
    {
        var options = Options with
        {
            Model = Options.Model with { Dropout = 0, Layers = 1, Channels = 256 },
            Batch = 4,
            Seed = seed,
            FakeQuant = WeightType.F32,
        };
        using var model = Runs.NewModel(options);
        using var compute = new Compute(2);
        var loader = Loader(options, 400);
        using (var first = new TrainStep(model, compute, loader, options))
            for (int i = 0; i < 60; i++)
                first.Run(i, 3e-3);
        using (var second = new TrainStep(model, compute, loader, options with { FakeQuant = type }))
            for (int i = 60; i < 90; i++)
                second.Run(i, 1e-3);
        using var rounded = new RoundedWeights(model, WeightType.TQ2_0);
        return EvaluateRows.OnAll(new RoundedLosses(model, compute, rounded), loader);
    }

    [Fact]
    public void After_the_first_steps_a_step_reserves_nothing()
    {
        using var model = Runs.NewModel(Options);
        using var compute = new Compute(2);
        using var step = new TrainStep(model, compute, Loader(Options), Options);
        for (int i = 0; i < 3; i++)
            step.Run(i, 1e-3);
        long reserved = step.ReservedBytes, scratch = compute.ScratchBytes,
            before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 3; i < 13; i++)
            step.Run(i, 1e-3);
        long perStep = (GC.GetAllocatedBytesForCurrentThread() - before) / 10;
        Assert.True(perStep < 48 * 1024, $"{perStep} bytes per step");
        Assert.Equal((reserved, scratch), (step.ReservedBytes, compute.ScratchBytes));
    }

    [Fact]
    public void Evaluations_are_those_of_the_rounded_model()
    {
        using var model = Runs.NewModel(Options);
        using var compute = new Compute(1);
        using var step = new TrainStep(model, compute, Loader(Options), Options);
        int[] before = Runs.Bits(model);
        Assert.NotEqual(EvaluateRows.OnAll(new ModelLosses(model, compute), Loader(Options)),
            EvaluateRows.OnAll(step.Losses, Loader(Options)));
        Assert.Equal(before, Runs.Bits(model));
    }

    [Fact]
    public void A_loss_that_is_not_finite_leaves_the_weights_with_their_values()
    {
        using var model = Runs.NewModel(Options);
        using var compute = new Compute(1);
        using var step = new TrainStep(model, compute, Loader(Options), Options);
        model.Parameters.All.First(p => p.Parameter!.IsInner).Data[3] = float.PositiveInfinity;
        int[] before = Runs.Bits(model);
        Assert.Throws<DivergedException>(() => step.FindGradients(0));
        Assert.Equal(before, Runs.Bits(model));
    }

    [Fact]
    public void It_is_described_and_rows_that_no_block_divides_are_refused()
    {
        Assert.Equal("q4_0", Options.Describe()["fake_quant"]);
        Assert.Equal("none", Runs.Tiny.Describe()["fake_quant"]);
        var narrow = Options with { Model = RoundedTraining.SmallModel(24) with { Channels = 12 } };
        using var model = Runs.NewModel(narrow);
        using var compute = new Compute(1);
        var e = Assert.Throws<NanoException>(() => new TrainStep(model, compute, Loader(narrow), narrow));
        Assert.Contains("whole blocks of Q4_0", e.Message, StringComparison.Ordinal);
    }
}
