namespace Nano;

/// <summary>Tokens that a model is to predict, behind tokens that it sees.</summary>
/// <param name="Context">At least one id.</param>
/// <param name="Ids">The continuation: at least one id.</param>
public sealed record Continuation(int[] Context, int[] Ids);

/// <summary>The log-probability that a model gives to a <see cref="Continuation"/>.</summary>
/// <param name="LogProbability">The sum of log p of its tokens, in nats.</param>
/// <param name="Tokens">Number of tokens.</param>
/// <param name="Truncated">Whether context was left out because the model sees no more tokens at once.</param>
public readonly record struct ContinuationScore(double LogProbability, int Tokens, bool Truncated)
{
    /// <summary>Mean of -log p of a token.</summary>
    public double MeanLoss => -LogProbability / Tokens;
}

/// <summary>
/// log p(continuation | context) = sum over t of log softmax(logits(context, ids before t))[id t],
/// in nats. A model of context T sees the last T tokens before the last one of the continuation;
/// what is further to the left is left out, as lm-evaluation-harness does. Rows of a batch are
/// filled up on the right, where a causal model does not look, so neither batch nor threads change
/// a bit.
/// </summary>
public static class ContinuationScorer
{
    /// <summary>Tokens that are computed together, unless a row alone has more.</summary>
    public const int DefaultTokensTogether = 1024;

    /// <summary>Scores continuations, those of similar length together.</summary>
    /// <param name="model">The model.</param>
    /// <param name="compute">The context to run in.</param>
    /// <param name="rows">The rows to score.</param>
    /// <param name="tokensTogether">Tokens of a batch, at least 1.</param>
    /// <param name="progress">Is told how many rows are done.</param>
    /// <returns>In the order of the rows.</returns>
    /// <exception cref="NanoException">An id is not the model's, a continuation is longer than its
    /// context, or the model's output is not a number.</exception>
    public static ContinuationScore[] Score(LanguageModel model, Compute compute, IReadOnlyList<Continuation> rows,
        int tokensTogether = DefaultTokensTogether, Action<int>? progress = null)
    {
        if (tokensTogether < 1)
            throw new NanoException($"a batch must have 1 token or more, got {tokensTogether}");
        foreach (var row in rows)
            Checked(row, model.Config);
        var scores = new ContinuationScore[rows.Count];
        // the largest batch first: what does not fit memory fails at once
        int[] order = [.. Enumerable.Range(0, rows.Count).OrderByDescending(i => Inputs(rows[i], model.Config))];
        for (int first = 0; first < order.Length;)
        {
            int T = Inputs(rows[order[first]], model.Config),
                B = Math.Clamp(tokensTogether / T, 1, order.Length - first);
            ScoreBatch(model, compute, rows, order.AsSpan(first, B), T, scores);
            first += B;
            progress?.Invoke(first);
        }
        return scores;
    }

    /// <summary>Tokens that the model reads to predict all of a continuation.</summary>
    private static int Inputs(Continuation row, ModelConfig config) =>
        Math.Min(row.Context.Length + row.Ids.Length - 1, config.ContextLength);

    /// <summary>The row, if the model can score it.</summary>
    /// <exception cref="NanoException">It has an id that is not the model's, or is longer than its context.</exception>
    internal static Continuation Checked(Continuation row, ModelConfig config)
    {
        if (row.Context.Length == 0 || row.Ids.Length == 0)
            throw new ArgumentException("a continuation and its context have at least one token each");
        if (row.Ids.Length > config.ContextLength)
            throw new NanoException(
                $"a continuation has {row.Ids.Length} tokens and the model's context only {config.ContextLength}",
                "use a model with a longer context");
        foreach (int id in row.Context.Concat(row.Ids))
            if ((uint)id >= (uint)config.VocabSize)
                throw new NanoException(
                    $"the examples have the id {id}; the model's ids run from 0 to {config.VocabSize - 1}",
                    "are they made for this model's tokenizer?");
        return row;
    }

    private static void ScoreBatch(LanguageModel model, Compute compute, IReadOnlyList<Continuation> rows,
        ReadOnlySpan<int> chosen, int T, ContinuationScore[] scores)
    {
        int B = chosen.Length;
        int[] ids = new int[B * T], targets = new int[B * T];
        Array.Fill(targets, -100);
        for (int b = 0; b < B; b++)
            Fill(rows[chosen[b]], Inputs(rows[chosen[b]], model.Config), ids.AsSpan(b * T, T),
                targets.AsSpan(b * T, T));
        float[] losses = compute.WithoutTape(() => // [B, T]
        {
            compute.NextStep();
            var shape = new Shape(B, T);
            var (idTensor, targetTensor) = (compute.New(shape, DType.Int32), compute.New(shape, DType.Int32));
            ids.CopyTo(idTensor.Ids);
            targets.CopyTo(targetTensor.Ids);
            return model.Loss(compute, idTensor, targetTensor).Nll.Data.ToArray();
        });
        for (int b = 0; b < B; b++)
        {
            var row = rows[chosen[b]];
            int inputs = Inputs(row, model.Config);
            double sum = 0;
            foreach (float loss in losses.AsSpan((b * T) + inputs - row.Ids.Length, row.Ids.Length))
                sum -= loss;
            if (double.IsNaN(sum))
                throw new NanoException("the model's output is not a number",
                    "the weights are damaged or their training diverged; use another checkpoint");
            scores[chosen[b]] = new ContinuationScore(sum, row.Ids.Length,
                row.Context.Length + row.Ids.Length - 1 > inputs);
        }
    }

    /// <summary>The last inputs of a row, and the continuation as what they are to predict at their end.</summary>
    private static void Fill(Continuation row, int inputs, Span<int> ids, Span<int> targets)
    {
        int skipped = row.Context.Length + row.Ids.Length - 1 - inputs;
        for (int t = 0; t < inputs; t++)
            ids[t] = t + skipped < row.Context.Length ? row.Context[t + skipped]
                : row.Ids[t + skipped - row.Context.Length];
        row.Ids.CopyTo(targets[(inputs - row.Ids.Length)..]);
    }
}
