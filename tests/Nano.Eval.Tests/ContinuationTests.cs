namespace Nano.Tests.Evaluation;

/// <summary>
/// A model with random weights, and what it thinks of tokens in plain double precision from the
/// logits of <see cref="LanguageModel.Forward"/>.
/// </summary>
static class RandomModels
{
    /// <summary>Vocabulary 11, context 12.</summary>
    public static LanguageModel New()
    {
        var model = LanguageModel.Create(Runs.Tiny.Model);
        for (int i = 0; i < model.Parameters.All.Count; i++)
            Philox.Normal(1, (ulong)i, 0.3, model.Parameters.All[i].Data);
        return model;
    }

    /// <summary>
    /// One forward pass per token, over the last of all tokens before it that a context of 12 holds
    /// behind the end of the row.
    /// </summary>
    public static double LogProbability(LanguageModel model, int[] context, int[] ids)
    {
        using var compute = new Compute(1);
        int[] all = [.. context, .. ids];
        int begin = Math.Max(0, all.Length - 1 - model.Config.ContextLength), V = model.Config.VocabSize;
        double sum = 0;
        for (int target = context.Length; target < all.Length; target++)
        {
            compute.NextStep();
            int[] seen = all[begin..target];
            double[] row = [.. model.Forward(compute,
                Tensor.FromIds(new Shape(1, seen.Length), seen)).Data[^V..].ToArray()
                .Select(value => (double)value)];
            sum += row[all[target]] - Math.Log(row.Sum(Math.Exp));
        }
        return sum;
    }
}

public class ContinuationTests
{
    /// <summary>
    /// Rows of 1 to 14 tokens; some are longer than the context of 12 with the token behind it.
    /// </summary>
    static readonly Continuation[] Rows =
        [.. Enumerable.Range(0, 40)
            .Select(i => new Continuation(Runs.RandomTokens(1 + (i * 5 % 13), 11),
                [.. Runs.RandomTokens(20, 11).Skip(i % 9).Take(1 + (i % 6))]))];

    [Fact]
    public void The_sum_is_that_of_plain_log_softmax()
    {
        using var model = RandomModels.New();
        using var compute = new Compute(2);
        var done = new List<int>();
        var scores = ContinuationScorer.Score(model, compute, Rows, 64, done.Add);
        for (int i = 0; i < Rows.Length; i++)
        {
            double expected = RandomModels.LogProbability(model, Rows[i].Context, Rows[i].Ids);
            Assert.Equal(expected, scores[i].LogProbability, 2e-5);
            Assert.Equal(Rows[i].Ids.Length, scores[i].Tokens);
            Assert.Equal(-expected / Rows[i].Ids.Length, scores[i].MeanLoss, 2e-5);
            Assert.Equal(Rows[i].Context.Length + Rows[i].Ids.Length > 13, scores[i].Truncated);
        }
        Assert.Contains(scores, score => score.Truncated);
        Assert.Equal(40, done[^1]);
        Assert.Equal(done.Order(), done);
    }

    /// <summary>
    /// The logits that PyTorch computed in double precision for two rows of 48 tokens, at several
    /// borders between context and continuation.
    /// </summary>
    [Fact]
    public void The_sum_is_that_of_PyTorchs_logits()
    {
        using var golden = SafetensorsReader.Open(Goldens.Path("gpt2_tiny/golden.safetensors"));
        const int T = 48, V = 97;
        long[] ids = new long[2 * T];
        float[] logits = new float[2 * T * V];
        golden.ReadInt64("input_ids", ids);
        golden.ReadFloat32("logits", logits);
        var (model, _) = ModelLoader.Load(Goldens.Path("gpt2_tiny"));
        using var dispose = model;
        using var compute = new Compute(2);
        (int Row, int Border, int End)[] cuts = [(0, 1, 48), (0, 47, 48), (1, 20, 31), (1, 5, 6), (0, 30, 48)];
        int[][] rows = [[.. ids[..T].Select(id => (int)id)], [.. ids[T..].Select(id => (int)id)]];
        var scores = ContinuationScorer.Score(model, compute,
            [.. cuts.Select(cut => new Continuation(rows[cut.Row][..cut.Border], rows[cut.Row][cut.Border..cut.End]))],
            100);
        foreach (var ((row, border, end), score) in cuts.Zip(scores))
        {
            double sum = 0;
            for (int t = border; t < end; t++)
            {
                var before = logits.AsSpan(((row * T) + t - 1) * V, V).ToArray()
                    .Select(value => (double)value).ToList();
                sum += before[rows[row][t]] - Math.Log(before.Sum(Math.Exp));
            }
            Assert.Equal(sum, score.LogProbability, 1e-4);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(25)]
    [InlineData(100_000)]
    public void Neither_batch_nor_threads_nor_order_change_a_bit(int tokensTogether)
    {
        using var model = RandomModels.New();
        using Compute one = new(1), three = new(3), scalar = new(2, SimdWidth.Scalar);
        var expected = ContinuationScorer.Score(model, one, Rows, 64);
        Assert.Equal(expected, ContinuationScorer.Score(model, three, Rows, tokensTogether));
        Assert.Equal(expected, ContinuationScorer.Score(model, scalar, Rows, tokensTogether));
        Assert.Equal(expected.Reverse(), ContinuationScorer.Score(model, one, [.. Rows.Reverse()], tokensTogether));
        Assert.Equal(expected[17], Assert.Single(ContinuationScorer.Score(model, one, [Rows[17]], tokensTogether)));
    }

    [Fact]
    public void A_continuation_that_fills_the_context_is_scored_and_a_longer_one_refused()
    {
        using var model = RandomModels.New();
        using var compute = new Compute(1);
        var tokens = Runs.RandomTokens(30, 11);
        var full = new Continuation(tokens[..5], tokens[5..17]);
        var score = Assert.Single(ContinuationScorer.Score(model, compute, [full]));
        Assert.True(score.Truncated);
        // of the context only the last token is seen
        Assert.Equal(RandomModels.LogProbability(model, tokens[4..5], tokens[5..17]), score.LogProbability, 2e-5);
        Assert.Contains("13 tokens",
            Assert.Throws<NanoException>(() => ContinuationScorer.Score(model, compute,
                [new Continuation(tokens[..1], tokens[1..14])])).Message, StringComparison.Ordinal);
        Assert.Contains("the id 11",
            Assert.Throws<NanoException>(() => ContinuationScorer.Score(model, compute,
                [new Continuation([1, 11], [2])])).Message, StringComparison.Ordinal);
        Assert.Contains("the id -1",
            Assert.Throws<NanoException>(() =>
                ContinuationScorer.Score(model, compute, [new Continuation([1], [-1])])).Message,
                StringComparison.Ordinal);
        Assert.Throws<NanoException>(() => ContinuationScorer.Score(model, compute, Rows, 0));
    }

    [Fact]
    public void A_model_that_knows_nothing_gives_every_token_the_same_chance()
    {
        using var model = LanguageModel.Create(Runs.Tiny.Model);
        using var compute = new Compute(1);
        Assert.All(ContinuationScorer.Score(model, compute, Rows),
            score => Assert.Equal(-Math.Log(11) * score.Tokens, score.LogProbability, 1e-5));
    }

    [Fact]
    public void A_damaged_model_is_named_as_such()
    {
        using var model = RandomModels.New();
        model.Parameters.All[0].Data.Fill(float.NaN);
        using var compute = new Compute(1);
        Assert.Contains("not a number",
            Assert.Throws<NanoException>(() => ContinuationScorer.Score(model, compute, Rows)).Message,
            StringComparison.Ordinal);
    }
}
