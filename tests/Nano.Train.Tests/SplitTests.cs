namespace Nano.Tests;

/// <summary>
/// Eight rows are one batch, however they are split into micro-batches: the same loss, gradients
/// and weights, bit for bit.
/// </summary>
public class SplitTests
{
    const int Rows = 8, T = 12;

    static readonly DecoderConfig Llama = new()
    {
        VocabSize = 11,
        ContextLength = T,
        Layers = 2,
        Heads = 4,
        KvHeads = 2,
        Channels = 16,
        Intermediate = 40,
        QkNorm = true
    };

    static TrainOptions Options(ModelConfig model, int batch, bool checkpoint) =>
        Runs.Tiny with
        {
            Model = model,
            Batch = batch,
            Accumulate = Rows / batch,
            Time = T,
            KeptActivations = checkpoint ? Keep.Nothing : Keep.All,
            ClipNorm = 0.5
        };

    /// <summary>
    /// All of row 3 of a batch is left out, which is a whole micro-batch where rows come one by
    /// one, and a fifth of the others.
    /// </summary>
    static bool IsLeftOut(long row, int t) => row % Rows == 3 || ((row * 7) + (t * 3)) % 5 == 0;

    static Action<long, Tensor, Tensor> Fill(TrainOptions options, bool ignore)
    {
        var loader = new BatchLoader(Runs.RandomTokens(500, 11), options.Batch, T, "test");
        return (number, ids, targets) =>
        {
            loader.Random(1, RandomPurpose.TrainingWindows, number, ids, targets);
            for (int i = 0; ignore && i < targets.Ids.Length; i++)
                if (IsLeftOut((number * options.Batch) + (i / T), i % T))
                    targets.Ids[i] = -100;
        };
    }

    /// <summary>Results of two updates, the gradients of the second and the weights after it.</summary>
    static (StepResult[] Results, int[] Gradients, int[] Weights) Train(TrainOptions options, bool ignore, int threads)
    {
        using var model = Runs.NewModel(options);
        using var compute = new Compute(threads);
        using var step = new TrainStep(model, compute, Fill(options, ignore), options);
        var results = new StepResult[2];
        for (int i = 0; i < 2; i++)
        {
            results[i] = step.FindGradients(i);
            step.Update(1e-2, results[i]);
        }
        return (results, [.. model.Parameters.All.SelectMany(parameter => Runs.Bits(parameter.Gradient.Data))],
            Runs.Bits(model));
    }

    [Theory]
    [InlineData("gpt2", false)]
    [InlineData("gpt2", true)]
    [InlineData("llama", false)]
    [InlineData("llama", true)]
    public void Any_split_gives_the_same_loss_gradients_and_weights(string kind, bool tied)
    {
        var seen = new HashSet<double>();
        foreach (float dropout in (float[])[0, 0.3f])
            foreach (bool ignore in (bool[])[false, true])
            {
                ModelConfig model = kind == "gpt2" ? Runs.TinyModel with { TiedHead = tied, Dropout = dropout }
                    : Llama with { TiedHead = tied, Dropout = dropout };
                var expected = Train(Options(model, Rows, false), ignore, 1);
                Assert.True(seen.Add(expected.Results[0].Loss), "dropout and ignored targets must change something");
                foreach (int batch in (int[])[8, 4, 2, 1])
                    foreach (bool checkpoint in (bool[])[false, true])
                    {
                        string what = $"{batch} rows at a time, checkpoint {checkpoint}, dropout {dropout}, ignore "
                            + $"{ignore}";
                        var actual = Train(Options(model, batch, checkpoint), ignore, batch == 4 ? 3 : 2);
                        Assert.True(expected.Results.SequenceEqual(actual.Results), what);
                        Assert.True(expected.Gradients.AsSpan().SequenceEqual(actual.Gradients), what);
                        Assert.True(expected.Weights.AsSpan().SequenceEqual(actual.Weights), what);
                    }
            }
    }

    /// <summary>
    /// The mean over the kept targets of the whole batch, from logits and the definition of
    /// cross-entropy.
    /// </summary>
    [Theory]
    [InlineData(8)]
    [InlineData(1)]
    public void The_loss_is_the_mean_over_the_targets_that_are_kept(int batch)
    {
        var options = Options(Runs.TinyModel, batch, false);
        using var model = Runs.NewModel(options);
        using var compute = new Compute(1);
        using var step = new TrainStep(model, compute, Fill(options, ignore: true), options);
        double loss = step.FindGradients(0).Loss, sum = 0;
        int kept = 0;
        var (ids, targets) = (new Tensor(new Shape(Rows, T), DType.Int32), new Tensor(new Shape(Rows, T), DType.Int32));
        new BatchLoader(Runs.RandomTokens(500, 11), Rows, T, "test")
            .Random(1, RandomPurpose.TrainingWindows, 0, ids, targets);
        float[] logits = compute.WithoutTape(() => model.Forward(compute, ids)).Data.ToArray();
        for (int i = 0; i < Rows * T; i++)
            if (!IsLeftOut(i / T, i % T))
            {
                double[] row = [.. logits[(i * 11)..((i + 1) * 11)].Select(value => (double)value)];
                sum += Math.Log(row.Sum(Math.Exp)) - row[targets.Ids[i]];
                kept++;
            }
        Assert.InRange(kept, 60, 72); // seven rows of twelve, less a fifth
        Assert.Equal(sum / kept, loss, 1e-5);
    }

    [Fact]
    public void A_batch_without_any_target_is_refused()
    {
        var options = Options(Runs.TinyModel, 4, false);
        using var model = Runs.NewModel(options);
        using var compute = new Compute(1);
        using var step = new TrainStep(model, compute, (_, ids, targets) =>
        {
            ids.Ids.Clear();
            targets.Ids.Fill(-100);
        }, options);
        int[] before = Runs.Bits(model);
        Assert.Contains("step 8: every target", Assert.Throws<NanoException>(() => step.Run(7, 1e-2)).Message,
            StringComparison.Ordinal);
        Assert.Equal(before, Runs.Bits(model));
    }

    [Fact]
    public void An_evaluation_does_not_depend_on_how_many_rows_come_at_once()
    {
        using var model = Runs.NewModel(Runs.Tiny);
        using var compute = new Compute(2);
        double[] losses = [.. new[] { 12, 6, 5, 4, 1, 50 }
            .Select(batch => EvaluateRows.OnRandomRows(new ModelLosses(model, compute),
                new BatchLoader(Runs.RandomTokens(500, 11), batch, 8, "test"), 12, 1,
                RandomPurpose.TrainingEvaluation))];
        Assert.Single(losses.Distinct());
    }
}
