using System.Text;

namespace Nano;

/// <summary>A question with answers to choose from.</summary>
/// <param name="Context">The text before each choice.</param>
/// <param name="Choices">At least two, none empty.</param>
/// <param name="Answer">Index of the right one.</param>
public sealed record ChoiceExample(string Context, IReadOnlyList<string> Choices, int Answer)
{
    /// <summary>
    /// Reads a file of JSON lines such as {"context": "A dog says", "choices": ["woof", "meow"],
    /// "answer": 0}; other keys are ignored.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="limit">The most lines to read; null for all.</param>
    /// <exception cref="NanoException">The file is missing or cannot be read.</exception>
    /// <exception cref="BadFileException">A line is not an example; the message gives its number.</exception>
    public static IReadOnlyList<ChoiceExample> Read(string path, int? limit = null) => JsonLines.Read(path, line =>
    {
        var choices = line.Texts("choices", 2);
        int empty = choices.ToList().IndexOf("");
        return empty >= 0 ? throw line.Bad($"choice {empty} is empty")
            : new ChoiceExample(line.Text("context"), choices, line.Index("answer", choices.Count));
    }, limit);
}

/// <summary>
/// Accuracy of a model on multiple-choice examples, with confidence intervals
/// (<see cref="Confidence.OfShare"/>).
/// </summary>
/// <param name="Examples">Number of examples.</param>
/// <param name="Truncated">Examples of which the model did not see the whole context.</param>
/// <param name="Accuracy">By the largest sum of log-probabilities: "acc".</param>
/// <param name="PerCharacter">By the largest sum divided by the choice's length in characters: "acc_norm".</param>
/// <param name="PerByte">By the largest sum divided by the choice's length in UTF-8 bytes: "acc_bytes".</param>
public sealed record ChoiceResult(int Examples, int Truncated, Score Accuracy, Score PerCharacter, Score PerByte);

/// <summary>
/// Multiple choice by log-likelihood, with the rules of EleutherAI's lm-evaluation-harness (Gao et
/// al., 2021; lm_eval/api/model.py and task.py):
/// <list type="bullet">
/// <item>the choice behind its delimiter is the continuation; white space at the end of the context
/// moves to the front of it, before anything is tokenized;</item>
/// <item>the continuation's ids are those of context and continuation together less as many as the
/// context alone has, so that a token across the border is counted once;</item>
/// <item>an empty context is the token with which texts begin, or else the one with which they
/// end;</item>
/// <item>acc takes the largest sum of log p, acc_norm the largest sum divided by the characters
/// (Unicode code points, Python's len) of the choice without delimiter, acc_bytes that divided by
/// its UTF-8 bytes; of equals the first.</item>
/// </list>
/// </summary>
public static class MultipleChoice
{
    /// <summary>Scores every choice of every example.</summary>
    /// <param name="model">The model.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="compute">The context to run in.</param>
    /// <param name="examples">At least one.</param>
    /// <param name="delimiter">The text between context and choice.</param>
    /// <param name="tokensTogether">Tokens of a batch; changes no result.</param>
    /// <param name="progress">Is told how many choices are done, and of how many.</param>
    /// <exception cref="NanoException">A text cannot be tokenized, or a choice is longer than the
    /// model's context; the message names the example.</exception>
    public static ChoiceResult Evaluate(LanguageModel model, ITokenizer tokenizer, Compute compute,
        IReadOnlyList<ChoiceExample> examples, string delimiter = "",
        int tokensTogether = ContinuationScorer.DefaultTokensTogether, Action<int, int>? progress = null)
    {
        var rows = new List<Continuation>();
        for (int i = 0; i < examples.Count; i++)
            try
            {
                foreach (string choice in examples[i].Choices)
                    rows.Add(ContinuationScorer.Checked(Encode(examples[i].Context, delimiter + choice, tokenizer),
                        model.Config));
            }
            catch (NanoException e)
            {
                throw new NanoException($"example {i + 1}: {e.Message}", e.Hint, e);
            }
        var scores = ContinuationScorer.Score(model, compute, rows, tokensTogether,
            done => progress?.Invoke(done, rows.Count));
        int plain = 0, perCharacter = 0, perByte = 0, truncated = 0, first = 0;
        foreach (var example in examples)
        {
            var own = new ArraySegment<ContinuationScore>(scores, first, example.Choices.Count);
            first += own.Count;
            plain += IsBest(example.Answer, own, _ => 1) ? 1 : 0;
            perCharacter += IsBest(example.Answer, own, c => example.Choices[c].EnumerateRunes().Count()) ? 1 : 0;
            perByte += IsBest(example.Answer, own, c => Encoding.UTF8.GetByteCount(example.Choices[c])) ? 1 : 0;
            truncated += own.Any(score => score.Truncated) ? 1 : 0;
        }
        int n = examples.Count;
        return new ChoiceResult(n, truncated, Confidence.OfShare(plain, n), Confidence.OfShare(perCharacter, n),
            Confidence.OfShare(perByte, n));
    }

    /// <summary>
    /// True if a choice is the first with the largest log-probability divided by its length.
    /// </summary>
    internal static bool IsBest(int choice, IReadOnlyList<ContinuationScore> scores, Func<int, double> length)
    {
        int best = 0;
        for (int i = 1; i < scores.Count; i++)
            if (scores[i].LogProbability / length(i) > scores[best].LogProbability / length(best))
                best = i;
        return best == choice;
    }

    /// <summary>Context and continuation as ids.</summary>
    /// <exception cref="NanoException">One cannot be expressed, nothing is left of the
    /// continuation, or the context is empty and no token stands for that.</exception>
    internal static Continuation Encode(string context, string continuation, ITokenizer tokenizer)
    {
        string trimmed = EvaluationText.TrimEnd(context);
        (context, continuation) = (trimmed, context[trimmed.Length..] + continuation);
        int[] seen = Prompt.Encode(context, tokenizer), begin = tokenizer.BeginId is { } id ? [id] : [];
        int[] all = context.Length == 0 ? [.. seen, .. tokenizer.Encode(continuation)]
            : [.. begin, .. tokenizer.Encode(context + continuation)];
        return all.Length > seen.Length ? new Continuation(seen, all[seen.Length..])
            : throw new NanoException($"the choice adds no token to its context: both together have {all.Length}");
    }
}
