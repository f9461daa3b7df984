namespace Nano.Tests;

/// <summary>
/// The distance of a model from another, against sums in double precision over their logits.
/// </summary>
public class ModelComparisonTests
{
    static readonly Gpt2Config Config = new()
    {
        VocabSize = 13,
        ContextLength = 12,
        Layers = 1,
        Heads = 2,
        Channels = 8,
    };

    static readonly int[] Text = [.. Enumerable.Range(0, 29).Select(i => i * i % 13)];

    static LanguageModel Model(ulong seed, Gpt2Config? config = null)
    {
        var model = LanguageModel.Create(config ?? Config);
        for (int i = 0; i < model.Parameters.All.Count; i++)
            Philox.Normal(seed, (ulong)i, 0.3, model.Parameters.All[i].Data);
        return model;
    }

    static ModelDifference Measure(LanguageModel reference, LanguageModel model, int[] ids, int window, int threads = 1)
    {
        using var compute = new Compute(threads);
        return ModelComparison.Measure(reference, model, compute, ids, window);
    }

    /// <summary>The probabilities of the next token at every position of a text.</summary>
    static double[][] Probabilities(LanguageModel model, int[] ids)
    {
        using var compute = new Compute(1);
        return [.. model.Forward(compute, Tensor.FromIds(new Shape(1, ids.Length), ids)).Data.ToArray().Chunk(13)
            .Select(row => row.Select(logit => Math.Exp(logit)).ToArray())
            .Select(row => row.Select(value => value / row.Sum()).ToArray())];
    }

    [Theory]
    [InlineData(12)]
    [InlineData(7)]
    [InlineData(1)]
    public void Figures_are_means_over_windows_of_their_own(int window)
    {
        using LanguageModel reference = Model(1), model = Model(2);
        double loss = 0, referenceLoss = 0, divergence = 0, same = 0;
        for (int start = 0; start < Text.Length; start += window)
        {
            int[] ids = Text[start..Math.Min(Text.Length, start + window)];
            double[][] p = Probabilities(reference, ids), q = Probabilities(model, ids);
            for (int i = 0; i < ids.Length; i++)
            {
                divergence += p[i].Zip(q[i], (a, b) => a * Math.Log(a / b)).Sum() / Text.Length;
                same += p[i].IndexOf(p[i].Max()) == q[i].IndexOf(q[i].Max()) ? 1.0 / Text.Length : 0;
                if (start + i + 1 == Text.Length)
                    continue;
                loss -= Math.Log(q[i][Text[start + i + 1]]) / (Text.Length - 1);
                referenceLoss -= Math.Log(p[i][Text[start + i + 1]]) / (Text.Length - 1);
            }
        }
        ModelDifference actual = Measure(reference, model, Text, window);
        Assert.Equal(29, actual.Tokens);
        Assert.Equal(loss, actual.Loss, 1e-9);
        Assert.Equal(referenceLoss, actual.ReferenceLoss, 1e-9);
        Assert.Equal(divergence, actual.Divergence, 1e-9);
        Assert.Equal(same, actual.SameTop, 1e-9);
        Assert.True(actual.Divergence > 0.01 && actual.SameTop < 1);
        Assert.Equal(actual, Measure(reference, model, Text, window, threads: 3));
    }

    [Fact]
    public void A_model_does_not_diverge_from_itself()
    {
        using LanguageModel model = Model(1);
        ModelDifference actual = Measure(model, model, Text, 12);
        Assert.Equal((0, 1, actual.ReferenceLoss), (actual.Divergence, actual.SameTop, actual.Loss));
    }

    [Fact]
    public void Texts_and_models_that_cannot_be_compared_are_refused()
    {
        using LanguageModel model = Model(1), other = Model(1, Config with { VocabSize = 14 }),
            shorter = Model(1, Config with { ContextLength = 5 });
        Assert.Contains("the text is too short: it has 1 tokens", Message(model, [3], 4), StringComparison.Ordinal);
        Assert.Contains("the text has the id 13", Message(model, [3, 13], 4), StringComparison.Ordinal);
        Assert.Contains("13 and 14 tokens", Message(other, [3, 1], 4), StringComparison.Ordinal);
        Assert.Contains("from 1 to 5 tokens", Message(shorter, [3, 1], 6), StringComparison.Ordinal);
        Assert.Contains("from 1 to 12 tokens", Message(model, [3, 1], 0), StringComparison.Ordinal);

        string Message(LanguageModel with, int[] ids, int window) =>
            Assert.Throws<NanoException>(() => Measure(model, with, ids, window)).Message;
    }
}
