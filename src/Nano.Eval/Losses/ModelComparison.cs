namespace Nano;

/// <summary>A model beside the one that it was made from, on a text.</summary>
/// <param name="Tokens">Tokens of the text.</param>
/// <param name="Loss">The mean loss of each token but the first of a window, in nats.</param>
/// <param name="ReferenceLoss">That of the original.</param>
/// <param name="Divergence">The mean over positions of the Kullback-Leibler divergence of the model's distribution from
/// the original's, in nats.</param>
/// <param name="SameTop">The share of positions at which both find the same token likeliest.</param>
public sealed record ModelDifference(int Tokens, double Loss, double ReferenceLoss, double Divergence, double SameTop)
{
    /// <summary>The loss beyond the original's; negative where chance favours the model.</summary>
    public double MoreLoss => Loss - ReferenceLoss;
}

/// <summary>Measures how far a model has moved from another one of the same vocabulary, as by quantisation.</summary>
public static class ModelComparison
{
    /// <summary>The default length of a window: both models' logits of a window are in memory.</summary>
    public const int DefaultWindow = 512;

    /// <summary>Runs both models over a text, in windows that begin behind each other, each a text of its own. The
    /// number of threads changes no bit.</summary>
    /// <param name="reference">The original.</param>
    /// <param name="model">The model.</param>
    /// <param name="compute">The context to run in.</param>
    /// <param name="ids">The text.</param>
    /// <param name="window">Tokens of a window; the last may be shorter.</param>
    /// <param name="progress">Is told how many tokens are done.</param>
    /// <exception cref="NanoException">The text is too short, an id is not the models', or the window does not fit
    /// their context.</exception>
    public static ModelDifference Measure(LanguageModel reference, LanguageModel model, Compute compute,
        ReadOnlyMemory<int> ids, int window, Action<int>? progress = null)
    {
        Check(reference.Config, model.Config, ids.Span, window);
        double loss = 0, referenceLoss = 0, divergence = 0;
        int targets = 0, same = 0;
        for (int start = 0; start < ids.Length; start += window)
        {
            var inputs = ids.Slice(start, Math.Min(window, ids.Length - start));
            var rows = Compare(reference, model, compute, inputs, ids[(start + 1)..]);
            foreach (Row row in rows) // in order, so that the sums have the same bits on any number of threads
            {
                (loss, referenceLoss, divergence) = (loss + row.Loss, referenceLoss + row.ReferenceLoss,
                    divergence + row.Divergence);
                (targets, same) = (targets + (row.HasTarget ? 1 : 0), same + (row.IsSameTop ? 1 : 0));
            }
            progress?.Invoke(start + inputs.Length);
        }
        return new ModelDifference(ids.Length, loss / targets, referenceLoss / targets, divergence / ids.Length,
            (double)same / ids.Length);
    }

    private static void Check(ModelConfig reference, ModelConfig model, ReadOnlySpan<int> ids, int window)
    {
        if (reference.VocabSize != model.VocabSize)
            throw new NanoException($"the models have {reference.VocabSize} and {model.VocabSize} tokens; models of "
                + "one vocabulary can be compared");
        int context = Math.Min(reference.ContextLength, model.ContextLength);
        if (window < 1 || window > context)
            throw new NanoException($"a window must have from 1 to {context} tokens, the models' context, got "
                + $"{window}");
        if (ids.Length < 2)
            throw new NanoException($"the text is too short: it has {ids.Length} tokens; it takes two to predict one "
                + "from the other", "use more text");
        int wrong = ids.IndexOfAnyExceptInRange(0, model.VocabSize - 1);
        if (wrong >= 0)
            throw new NanoException($"the text has the id {ids[wrong]}; the models' ids run from 0 to "
                + $"{model.VocabSize - 1}", "is this the models' tokenizer?");
    }

    /// <summary>The figures of one position; without a target its losses are 0.</summary>
    private readonly record struct Row(double Loss, double ReferenceLoss, double Divergence, bool IsSameTop,
        bool HasTarget);

    private static Row[] Compare(LanguageModel reference, LanguageModel model, Compute compute,
        ReadOnlyMemory<int> inputs, ReadOnlyMemory<int> targets) => compute.WithoutTape(() =>
    {
        compute.NextStep();
        var ids = compute.New(new Shape(1, inputs.Length), DType.Int32);
        inputs.Span.CopyTo(ids.Ids);
        Tensor expected = reference.Forward(compute, ids), actual = model.Forward(compute, ids); // [1, T, V]
        int vocabulary = model.Config.VocabSize;
        var rows = new Row[inputs.Length];
        Parallel.For(0, rows.Length, new ParallelOptions { MaxDegreeOfParallelism = compute.Threads }, position =>
            rows[position] = Compare(expected.Data.Slice(position * vocabulary, vocabulary),
                actual.Data.Slice(position * vocabulary, vocabulary),
                position < targets.Length ? targets.Span[position] : null));
        return rows;
    });

    private static Row Compare(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, int? target)
    {
        double expectedNorm = LogSum(expected), actualNorm = LogSum(actual), divergence = 0;
        for (int id = 0; id < expected.Length; id++)
        {
            double logP = expected[id] - expectedNorm;
            divergence += Math.Exp(logP) * (logP - (actual[id] - actualNorm));
        }
        return new Row(target is { } next ? actualNorm - actual[next] : 0,
            target is { } same ? expectedNorm - expected[same] : 0, divergence,
            IndexOfMax(expected) == IndexOfMax(actual), target is not null);
    }

    /// <summary>The logarithm of the sum of exponentials.</summary>
    private static double LogSum(ReadOnlySpan<float> logits)
    {
        double max = logits[IndexOfMax(logits)], sum = 0;
        foreach (float logit in logits)
            sum += Math.Exp(logit - max);
        return max + Math.Log(sum);
    }

    /// <summary>The first of the largest.</summary>
    private static int IndexOfMax(ReadOnlySpan<float> values)
    {
        int best = 0;
        for (int i = 1; i < values.Length; i++)
            if (values[i] > values[best])
                best = i;
        return best;
    }
}
