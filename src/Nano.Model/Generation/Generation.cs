using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Nano;

/// <summary>One text of a <see cref="Generation"/>.</summary>
public sealed class GeneratedText
{
    private readonly int[] prompt;
    private readonly List<int> ids = [];
    private readonly List<LogProbabilities> logProbabilities = [];

    internal GeneratedText(int row, int[] prompt) => (Row, this.prompt) = (row, prompt);

    /// <summary>Its place among the prompts.</summary>
    public int Row { get; }

    /// <summary>The prompt.</summary>
    public IReadOnlyList<int> Prompt => prompt;

    /// <summary>The tokens generated so far.</summary>
    public IReadOnlyList<int> Ids => ids;

    /// <summary>Of each generated token, where the options ask for them.</summary>
    public IReadOnlyList<LogProbabilities> LogProbabilities => logProbabilities;

    /// <summary>The reason why the text ended, or null before its end.</summary>
    public FinishReason? Finished { get; private set; }

    /// <summary>Ends it where it is, e.g. because a stop string has come.</summary>
    public void Stop() => Finished = FinishReason.Stop;

    /// <summary>Ends it, unless it has ended.</summary>
    internal void Finish(FinishReason reason) => Finished ??= reason;

    internal ReadOnlySpan<int> PromptSpan => prompt;

    internal ReadOnlySpan<int> IdSpan => CollectionsMarshal.AsSpan(ids);

    /// <summary>The last tokens of prompt and text.</summary>
    internal int[] Last(int count) => [.. prompt.Concat(ids).Skip(prompt.Length + ids.Count - count)];

    internal void Add(int id, LogProbabilities? thought)
    {
        ids.Add(id);
        if (thought is not null)
            logProbabilities.Add(thought);
    }
}

/// <summary>
/// Texts being generated, one for each prompt; every step adds a token to each. Prompts are read
/// one by one; after that, one pass over the weights serves all unfinished texts, and each attends
/// to its own keys and values. A text has the bits of its solo run, whatever its neighbours.
/// </summary>
public sealed class Generation
{
    /// <summary>
    /// Tokens of a prompt that are read at once: enough for products to run at their peak, and
    /// little memory for a long prompt.
    /// </summary>
    private const int PromptChunk = 512;

    private readonly IDecoder decoder;
    private readonly int vocabulary;
    private readonly GenerationOptions options;
    private readonly CancellationToken cancel;
    private readonly Sampler sampler;
    private readonly Ranking ranking = new();
    private readonly GeneratedText[] texts;
    private readonly int[] endIds;
    private TimeSpan prefill, decode;
    private long prefillTokens, decodeTokens;

    internal Generation(IDecoder decoder, int vocabulary, IReadOnlyList<int[]> prompts, GenerationOptions options,
        CancellationToken cancel)
    {
        (this.decoder, this.vocabulary, this.options, this.cancel) = (decoder, vocabulary, options, cancel);
        (sampler, endIds) = (new Sampler(options.Sampler), [.. options.EndIds]);
        texts = [.. prompts.Select((prompt, row) => new GeneratedText(row, prompt))];
        foreach (var text in texts)
            if (options.MaxTokens == 0)
                text.Finish(FinishReason.Length);
    }

    /// <summary>The texts, in the order of their prompts.</summary>
    public IReadOnlyList<GeneratedText> Texts => texts;

    /// <summary>Tokens of prompts read per second, or null before the first.</summary>
    public double? PrefillTokensPerSecond => prefillTokens > 0 ? prefillTokens / prefill.TotalSeconds : null;

    /// <summary>Tokens of all texts made per second after the first of each, or null before there are any.</summary>
    public double? DecodeTokensPerSecond => decodeTokens > 0 ? decodeTokens / decode.TotalSeconds : null;

    /// <summary>Makes the next token of every text that has not ended; false if there is none.</summary>
    /// <exception cref="NanoException">The model's logits allow no choice, see <see cref="Sampler.Next"/>.</exception>
    public bool Step()
    {
        if (cancel.IsCancellationRequested)
            Abandon();
        var going = Array.FindAll(texts, text => text.Finished is null);
        if (going.Length == 0)
            return false;
        long start = Stopwatch.GetTimestamp();
        bool first = going[0].Ids.Count == 0; // all unfinished texts have equally many tokens
        if (first)
            foreach (var text in going)
                Read(text, text.PromptSpan);
        else
            Continue(going);
        var elapsed = Stopwatch.GetElapsedTime(start);
        if (first)
            (prefill, prefillTokens) = (elapsed, going.Sum(text => (long)text.Prompt.Count));
        else
            (decode, decodeTokens) = (decode + elapsed, decodeTokens + going.Length);
        return true;
    }

    /// <summary>Ends all texts.</summary>
    internal void Abandon()
    {
        foreach (var text in texts)
            text.Finish(FinishReason.Cancelled);
    }

    /// <summary>
    /// One more token of each text, all in one batch but those that are read again: whose context is full, the newer
    /// half; whose keys become others, the whole.
    /// </summary>
    private void Continue(GeneratedText[] going)
    {
        int context = decoder.Config.ContextLength;
        var batch = Array.FindAll(going, text => decoder.LengthOf(text.Row) is var length && length < context
            && length != decoder.Config.LengthOfOtherKeys);
        foreach (var text in going.Except(batch))
        {
            int length = decoder.LengthOf(text.Row);
            decoder.Clear(text.Row);
            Read(text, text.Last(length == context ? Math.Max(1, context / 2) : length + 1));
        }
        if (batch.Length == 0)
            return;
        var logits = decoder.Next([.. batch.Select(text => text.Row)], [.. batch.Select(text => text.Ids[^1])]);
        for (int b = 0; b < batch.Length; b++)
            Choose(batch[b], logits.SliceRows(b, 1).Data);
    }

    /// <summary>Puts tokens behind what the cache has of a text, and chooses the next.</summary>
    private void Read(GeneratedText text, ReadOnlySpan<int> ids)
    {
        int chunk = decoder.LengthOf(text.Row) == 0 && decoder.Config.LengthOfOtherKeys is { } most && ids.Length > most
            ? Math.Max(PromptChunk, most + 1) : PromptChunk; // the first one tells which keys the text has
        for (; ids.Length > chunk && !cancel.IsCancellationRequested; chunk = PromptChunk)
        {
            decoder.Next([text.Row], ids[..chunk]);
            ids = ids[chunk..];
        }
        if (!cancel.IsCancellationRequested)
            Choose(text, decoder.Next([text.Row], ids).Data);
    }

    private void Choose(GeneratedText text, ReadOnlySpan<float> logits)
    {
        logits = logits[..vocabulary];
        int id = sampler.Next(logits, text.Ids.Count, text.PromptSpan, text.IdSpan);
        text.Add(id, options.LogProbabilities is { } top ? LogProbabilities.Of(logits, id, top, ranking) : null);
        if (endIds.Contains(id))
            text.Finish(FinishReason.Stop);
        else if (text.Ids.Count == options.MaxTokens
            || (!options.Slide && decoder.LengthOf(text.Row) == decoder.Config.ContextLength))
            text.Finish(FinishReason.Length);
    }
}
