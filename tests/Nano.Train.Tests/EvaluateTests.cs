namespace Nano.Tests;

public class EvaluateTests
{
    static readonly int[] Tokens = Runs.RandomTokens(110, 11);

    static LanguageModel RandomModel()
    {
        var model = LanguageModel.Create(Runs.Tiny.Model);
        for (int i = 0; i < model.Parameters.All.Count; i++)
            Philox.Normal(1, (ulong)i, 0.3, model.Parameters.All[i].Data);
        return model;
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(100)]
    public void The_loss_over_all_is_the_mean_over_every_token_but_the_first_whatever_the_batch(int batch)
    {
        using var model = RandomModel();
        using var compute = new Compute(1);
        // 109 targets in windows of 8: 13 windows, and one of the last 5 targets. The mean of -log softmax,
        // in double precision.
        double sum = 0;
        for (int window = 0; window < 14; window++)
        {
            compute.NextStep();
            int length = window < 13 ? 8 : 5;
            float[] logits = model.Forward(compute,
                Tensor.FromIds(new Shape(1, length), Tokens.AsSpan(window * 8, length))).Data.ToArray();
            for (int t = 0; t < length; t++)
            {
                double[] row = [.. logits.Skip(t * 11).Take(11).Select(value => (double)value)];
                sum += Math.Log(row.Sum(Math.Exp)) - row[Tokens[(window * 8) + t + 1]];
            }
        }
        Assert.Equal(sum / 109,
            EvaluateRows.OnAll(new ModelLosses(model, compute), new BatchLoader(Tokens, batch, 8, "test")), 1e-5);
    }

    // The text has 110 tokens, 109 of which are predicted; the model's context is 8.
    [Theory]
    [InlineData(8, 8)]
    [InlineData(8, 1)]
    [InlineData(8, 3)]
    [InlineData(5, 4)]
    [InlineData(1, 1)]
    public void With_a_stride_each_token_is_predicted_once_from_the_first_window_that_reaches_it(int time, int stride)
    {
        using var model = RandomModel();
        using var compute = new Compute(1);
        double sum = 0;
        for (int target = 1; target < 110; target++)
        {
            // the first that begins at or after target - time
            int window = target <= time ? 0 : (target - time + stride - 1) / stride;
            int[] seen = Tokens[(window * stride)..target];
            compute.NextStep();
            double[] row = [.. model.Forward(compute, Tensor.FromIds(new Shape(1, seen.Length), seen)).Data[^11..]
                .ToArray().Select(value => (double)value)];
            sum += Math.Log(row.Sum(Math.Exp)) - row[Tokens[target]];
        }
        var done = new List<long>();
        var result = Evaluate.OnText(new ModelLosses(model, compute), Tokens, 300, time, stride, 4, done.Add);
        Assert.Equal(109, result.Tokens);
        Assert.Equal(sum / 109, result.Loss, 1e-5);
        Assert.Equal(Math.Exp(sum / 109), result.Perplexity, 1e-3);
        Assert.Equal(sum / 300 / Math.Log(2), result.BitsPerByte, 1e-5);
        Assert.Equal(109, done[^1]);
        Assert.Equal(done.Order(), done);
        using var two = new Compute(2);
        foreach (int batch in (int[])[1, 3, 7, 1000])
            // the same bits
            Assert.Equal(result, Evaluate.OnText(new ModelLosses(model, two), Tokens, 300, time, stride, batch));
    }

    // Float16 rounds keys and values by at most 1 part in 2048. The reference feeds the tokens of a window one by one.
    [Fact]
    public void Losses_over_a_cache_are_those_of_tokens_that_come_one_by_one()
    {
        using var model = RandomModel();
        using var compute = new Compute(1);
        double sum = 0;
        using (var cache = model.Config.NewCache(1, 8, WeightType.F16))
            for (int target = 1; target < 110; target++)
            {
                if (target % 8 == 1)
                    cache.Clear();
                compute.NextStep();
                var logits = model.NextLogits(compute, Tensor.FromIds(new Shape(1, 1), Tokens.AsSpan(target - 1, 1)),
                    cache);
                double[] row = [.. logits.Data.ToArray().Select(value => (double)value)];
                sum += Math.Log(row.Sum(Math.Exp)) - row[Tokens[target]];
            }
        using var losses = new CachedLosses(model, compute, WeightType.F16);
        var rounded = Evaluate.OnText(losses, Tokens, 300, 8, 8, 3);
        Assert.Equal(sum / 109, rounded.Loss, 1e-6);
        double exact = Evaluate.OnText(new ModelLosses(model, compute), Tokens, 300, 8, 8, 3).Loss;
        Assert.NotEqual(exact, rounded.Loss);
        Assert.Equal(exact, rounded.Loss, 1e-4);
        using var blocks = new CachedLosses(model, compute, WeightType.Q8_0); // of 32; heads have fewer channels
        Assert.Throws<NanoException>(() => Evaluate.OnText(blocks, Tokens, 300, 8, 8, 3));
    }

    [Theory]
    [InlineData(105)] // 13 windows of 8
    [InlineData(106)] // and one of 1
    [InlineData(110)] // or of 5
    public void Without_overlap_it_is_the_loss_over_all_to_the_last_bit(int length)
    {
        using var model = RandomModel();
        using var compute = new Compute(1);
        int[] tokens = Tokens[..length];
        Assert.Equal(EvaluateRows.OnAll(new ModelLosses(model, compute), new BatchLoader(tokens, 4, 8, "test")),
            Evaluate.OnText(new ModelLosses(model, compute), tokens, 1, 8, 8, 3).Loss);
        Assert.Equal(1, Evaluate.OnText(new ModelLosses(model, compute), tokens.AsMemory(0, 2), 1, 8, 8, 3).Tokens);
    }

    [Theory]
    [InlineData(13, 1, 1, 110, "from 1 to 12", "got 13")]
    [InlineData(0, 1, 1, 110, "got 0")]
    [InlineData(8, 9, 1, 110, "stride", "got 9")]
    [InlineData(8, 0, 1, 110, "stride", "got 0")]
    [InlineData(8, 8, 0, 110, "batch", "got 0")]
    [InlineData(8, 8, 1, 1, "1 tokens")]
    public void What_cannot_be_evaluated_is_refused(int time, int stride, int batch, int length, params string[] words)
    {
        using var model = RandomModel();
        using var compute = new Compute(1);
        var e = Assert.Throws<NanoException>(() =>
            Evaluate.OnText(new ModelLosses(model, compute), Tokens.AsMemory(0, length), 1, time, stride, batch));
        Assert.All(words, word => Assert.Contains(word, e.Message, StringComparison.Ordinal));
        int[] foreign = [1, 2, 11];
        Assert.Contains("the id 11",
            Assert.Throws<NanoException>(() => Evaluate.OnText(new ModelLosses(model, compute), foreign, 1, 8, 8,
                1)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_model_that_knows_nothing_loses_the_logarithm_of_the_vocabulary()
    {
        using var model = LanguageModel.Create(Runs.Tiny.Model);
        using var compute = new Compute(1);
        var loader = new BatchLoader(Tokens, 4, 8, "test");
        Assert.Equal(Math.Log(11), EvaluateRows.OnAll(new ModelLosses(model, compute), loader), 1e-6);
        Assert.Equal(Math.Log(11), EvaluateRows.OnRandomRows(new ModelLosses(model, compute), loader, 12, 1,
            RandomPurpose.TrainingWindows), 1e-6);
    }

    [Fact]
    public void Random_batches_are_the_same_every_time_and_others_for_another_purpose_or_seed()
    {
        using var model = RandomModel();
        using var compute = new Compute(1);
        var loader = new BatchLoader(Tokens, 4, 8, "test");
        double first = EvaluateRows.OnRandomRows(new ModelLosses(model, compute), loader, 8, 1,
            RandomPurpose.TrainingEvaluation);
        Assert.Equal(first, EvaluateRows.OnRandomRows(new ModelLosses(model, compute), loader, 8, 1,
            RandomPurpose.TrainingEvaluation));
        Assert.NotEqual(first, EvaluateRows.OnRandomRows(new ModelLosses(model, compute), loader, 8, 1,
            RandomPurpose.ValidationEvaluation));
        Assert.NotEqual(first,
            EvaluateRows.OnRandomRows(new ModelLosses(model, compute), loader, 8, 2, RandomPurpose.TrainingEvaluation));
        // The mean of two batches, each evaluated alone by a loader whose steps are counted alike.
        double sum = 0;
        for (int step = 0; step < 2; step++)
        {
            compute.NextStep();
            var (ids, targets) = (compute.New(new Shape(4, 8), DType.Int32), compute.New(new Shape(4, 8), DType.Int32));
            loader.Random(1, RandomPurpose.TrainingEvaluation, step, ids, targets);
            sum += compute.CrossEntropy(model.Forward(compute, ids), targets).Loss.Data[0];
        }
        Assert.Equal(sum / 2, first, 1e-5);
    }

    [Fact]
    public void Evaluating_changes_nothing_and_drops_nothing()
    {
        var config = Runs.Tiny.Model;
        using var model = RandomModel();
        using var dropping = LanguageModel.Create(config with { Dropout = 0.5f });
        foreach (var (to, from) in dropping.Parameters.All.Zip(model.Parameters.All))
            to.CopyFrom(from);
        using var compute = new Compute(1) { Tape = new Tape() };
        var tape = compute.Tape;
        var loader = new BatchLoader(Tokens, 4, 8, "test");
        int[] before = Runs.Bits(model);
        double loss = EvaluateRows.OnAll(new ModelLosses(model, compute), loader);
        Assert.Equal(before, Runs.Bits(model));
        Assert.Same(tape, compute.Tape);
        Assert.Empty(tape.Ops);
        Assert.Equal(loss, EvaluateRows.OnAll(new ModelLosses(dropping, compute), loader));
    }
}
