namespace Nano;

/// <summary>Accuracy of a model in choosing the right one of several completions.</summary>
/// <param name="Examples">Number of examples.</param>
/// <param name="Truncated">Examples of which the model did not see the whole context.</param>
/// <param name="Accuracy">By the largest sum of log-probabilities.</param>
/// <param name="PerToken">By the smallest mean loss of a token: what llm.c prints as HellaSwag's accuracy.</param>
public sealed record TokenChoiceResult(int Examples, int Truncated, Score Accuracy, Score PerToken);

/// <summary>
/// Questions that are tokens already (<see cref="LlmcEvalFile"/>), judged as llm.c does (its
/// dataloader.h, evalloader_stat_losses): the completion whose tokens have the smallest mean loss
/// behind the context, the first of equals. The mean is over tokens, not characters as in
/// <see cref="MultipleChoice"/>.
/// </summary>
public static class TokenChoiceScores
{
    /// <summary>Examples that are held in memory and scored at a time.</summary>
    private const int ExamplesTogether = 256;

    /// <summary>Scores every completion of every question, or of the first ones.</summary>
    /// <param name="model">The model.</param>
    /// <param name="compute">The context to run in.</param>
    /// <param name="file">The questions.</param>
    /// <param name="limit">The most examples to use; null for all.</param>
    /// <param name="tokensTogether">Tokens of a batch; changes no result.</param>
    /// <param name="progress">Is told how many questions are done, how many there are, and how many
    /// were right by mean loss.</param>
    /// <exception cref="NanoException">A token is not the model's, or a completion longer than its
    /// context; the message names the example.</exception>
    public static TokenChoiceResult Evaluate(LanguageModel model, Compute compute, LlmcEvalFile file, int? limit = null,
        int tokensTogether = ContinuationScorer.DefaultTokensTogether, Action<int, int, int>? progress = null)
    {
        if (limit is < 1)
            throw new NanoException($"the limit must be 1 or more, got {limit}");
        int n = Math.Min(limit ?? file.Count, file.Count), bySum = 0, byMean = 0, truncated = 0;
        for (int first = 0; first < n; first += ExamplesTogether)
        {
            var examples = Enumerable.Range(first, Math.Min(ExamplesTogether, n - first))
                .Select(i => (Index: i, Example: file[i])).ToList();
            var scores = ContinuationScorer.Score(model, compute,
                [.. examples.SelectMany(item => Rows(item.Index, item.Example, model.Config))], tokensTogether);
            int at = 0;
            foreach (var (_, example) in examples)
            {
                var own = new ArraySegment<ContinuationScore>(scores, at, example.Completions.Count);
                at += own.Count;
                bySum += MultipleChoice.IsBest(example.Label, own, _ => 1) ? 1 : 0;
                byMean += MultipleChoice.IsBest(example.Label, own, i => own[i].Tokens) ? 1 : 0;
                truncated += own.Any(score => score.Truncated) ? 1 : 0;
            }
            progress?.Invoke(first + examples.Count, n, byMean);
        }
        return new TokenChoiceResult(n, truncated, Confidence.OfShare(bySum, n), Confidence.OfShare(byMean, n));
    }

    private static IEnumerable<Continuation> Rows(int index, TokenChoices example, ModelConfig config)
    {
        try
        {
            return [.. example.Completions.Select(completion =>
                ContinuationScorer.Checked(new Continuation(example.Context, completion), config))];
        }
        catch (NanoException e)
        {
            throw new NanoException($"example {index}: {e.Message}", e.Hint, e);
        }
    }
}
