namespace Nano.Tests;

/// <summary>
/// Label smoothing and z-loss in training: what is learned changes, what is reported stays
/// comparable.
/// </summary>
public class TrainLossOptionsTests
{
    private static (StepResult First, int[] Parameters) Train(TrainOptions options)
    {
        using var model = Runs.NewModel(options);
        using var compute = new Compute(2);
        using var step = new TrainStep(model, compute,
            new BatchLoader(Runs.RandomTokens(500, 11), options.Batch, options.Time, "test"), options);
        var first = step.Run(0, 1e-2);
        step.Run(1, 1e-2);
        return (first, Runs.Bits(model));
    }

    [Fact]
    public void The_loss_that_is_reported_is_the_plain_one_and_the_gradient_another()
    {
        var plain = Train(Runs.Tiny);
        foreach (var options in new[] { Runs.Tiny with { LabelSmoothing = 0.1 }, Runs.Tiny with { ZLoss = 1e-2 } })
        {
            var other = Train(options);
            Assert.Equal(plain.First.Loss, other.First.Loss);
            Assert.NotEqual(plain.First.GradientNorm, other.First.GradientNorm);
            Assert.NotEqual(plain.Parameters, other.Parameters);
        }
    }

    [Fact]
    public void A_text_learned_by_heart_with_smoothing_is_known_as_well_as_wanted()
    {
        // The best answer gives the target 1 - s + s / V and every other id s / V.
        var options = Runs.Tiny with { Batch = 2, Time = 12, LabelSmoothing = 0.2 };
        using var model = Runs.NewModel(options);
        using var compute = new Compute(1);
        // one window only
        using var step = new TrainStep(model, compute,
            new BatchLoader(Runs.RandomTokens(13, 11), 2, 12, "test"), options);
        double last = 0;
        for (int i = 0; i < 300; i++)
            last = step.Run(i, i < 200 ? 1e-2 : 1e-3).Loss;
        Assert.Equal(-Math.Log(0.8 + (0.2 / 11)), last, 0.01);
    }

    [Fact]
    public void Micro_batches_give_the_bits_of_the_whole_batch()
    {
        var options = Runs.Tiny with { LabelSmoothing = 0.1, ZLoss = 1e-3 };
        Assert.Equal(Train(options).Parameters, Train(options with { Batch = 1, Accumulate = 4 }).Parameters);
    }

    [Fact]
    public void Z_loss_draws_the_normaliser_towards_one()
    {
        double Square(double zLoss)
        {
            var options = Runs.Tiny with { Batch = 2, Time = 12, ZLoss = zLoss };
            using var model = Runs.NewModel(options);
            using var compute = new Compute(1);
            using var step = new TrainStep(model, compute,
                new BatchLoader(Runs.RandomTokens(13, 11), 2, 12, "test"), options);
            for (int i = 0; i < 150; i++)
                step.Run(i, 1e-2);
            float[] logits = model.Forward(compute,
                Tensor.FromIds(new Shape(1, 12), Runs.RandomTokens(13, 11).AsSpan(0, 12))).Data.ToArray();
            return logits.Chunk(11).Average(row => Math.Pow(Math.Log(row.Sum(z => Math.Exp(z))), 2));
        }

        Assert.True(Square(0.1) < 0.1 * Square(0), $"{Square(0.1)} and {Square(0)}");
    }

    [Fact]
    public void Options_are_described_and_impossible_ones_refused()
    {
        var description = (Runs.Tiny with { LabelSmoothing = 0.1, ZLoss = 1e-4 }).Describe();
        Assert.Equal(("0.1", "0.0001"), (description["label_smoothing"], description["z_loss"]));
        foreach (var options in new[] { Runs.Tiny with { LabelSmoothing = 1 }, Runs.Tiny with { LabelSmoothing = -0.1 },
            Runs.Tiny with { LabelSmoothing = double.NaN } })
            Assert.Contains("`label_smoothing`", Assert.Throws<NanoException>(options.Validate).Message,
                StringComparison.Ordinal);
        foreach (var options in new[] { Runs.Tiny with { ZLoss = -1 },
            Runs.Tiny with { ZLoss = double.PositiveInfinity }, Runs.Tiny with { ZLoss = double.NaN } })
            Assert.Contains("`z_loss`", Assert.Throws<NanoException>(options.Validate).Message,
                StringComparison.Ordinal);
    }
}
