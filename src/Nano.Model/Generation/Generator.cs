namespace Nano;

/// <summary>
/// Makes texts with a model: everything that makes text drains a <see cref="Generation"/> from
/// here. Keys and values of earlier positions come from a cache that is kept from one to the next;
/// so there is one at a time, and starting another ends the one before.
/// </summary>
/// <param name="decoder">The model, wherever it runs; disposed with the generator.</param>
public sealed class Generator(IDecoder decoder) : IDisposable
{
    private Generation? current;

    /// <summary>
    /// Only ids below this are chosen, as if the logits of the others were minus infinity: the size
    /// of the tokenizer, where the model has rows to spare that no token belongs to (Qwen2.5:
    /// 151,936 rows, 151,665 tokens). Null for every row of the model.
    /// </summary>
    public int? Tokens { get; init; }

    /// <summary>The model's sizes.</summary>
    public ModelConfig Config => decoder.Config;

    private int Vocabulary => Math.Min(Tokens ?? int.MaxValue, decoder.Config.VocabSize);

    /// <summary>Makes texts with a model on this processor.</summary>
    /// <param name="model">The model.</param>
    /// <param name="compute">The context to run in.</param>
    /// <param name="cacheType">The numbers of the cache of keys and values: F32, F16, Q8_0 or Q4_0.</param>
    /// <exception cref="NanoException">The model's heads are no whole blocks of that type.</exception>
    public Generator(LanguageModel model, Compute compute, WeightType cacheType = WeightType.F32)
        : this(new ModelDecoder(model, compute, cacheType))
    {
    }

    /// <summary>Starts texts that continue prompts; nothing is computed before its first step.</summary>
    /// <param name="prompts">At least one, each of at least one token and no more than the context holds.</param>
    /// <param name="options">The options of the generation.</param>
    /// <param name="cancel">Ends all texts between two tokens.</param>
    /// <exception cref="NanoException">A prompt is empty, longer than the context, or holds an id
    /// that is not the model's; an option is out of range.</exception>
    public Generation Start(IReadOnlyList<IReadOnlyList<int>> prompts, GenerationOptions options,
        CancellationToken cancel = default)
    {
        options.Validate(Vocabulary);
        foreach (var prompt in prompts)
            Check(prompt);
        current?.Abandon();
        Reserve(prompts.Count, prompts.Max(prompt => prompt.Count + (long)options.MaxTokens));
        return current = new Generation(decoder, Vocabulary, [.. prompts.Select(prompt => prompt.ToArray())],
            options, cancel);
    }

    /// <summary>
    /// Continues one prompt without end, as <see cref="GenerationOptions.Slide"/> describes it:
    /// stop taking when you have enough.
    /// </summary>
    /// <exception cref="NanoException">See <see cref="Start"/>.</exception>
    public IEnumerable<int> Continue(IReadOnlyList<int> prompt, SamplerOptions options,
        CancellationToken cancel = default) =>
        Drain(Start([prompt], new GenerationOptions { Sampler = options, Slide = true }, cancel));

    /// <summary>
    /// Searches for the likeliest continuations of a prompt, see <see cref="BeamSearch"/>; best
    /// first.
    /// </summary>
    /// <exception cref="NanoException">See <see cref="Start"/>.</exception>
    public IReadOnlyList<Beam> Search(IReadOnlyList<int> prompt, BeamOptions options,
        CancellationToken cancel = default)
    {
        options.Validate(Vocabulary);
        Check(prompt);
        current?.Abandon();
        Reserve(options.Beams, prompt.Count + (long)options.MaxTokens);
        return new BeamSearch(decoder, Vocabulary, [.. prompt], options).Run(cancel);
    }

    private static IEnumerable<int> Drain(Generation generation)
    {
        var text = generation.Texts[0];
        while (generation.Step() && text.Finished != FinishReason.Cancelled)
            yield return text.Ids[^1];
    }

    private void Check(IReadOnlyList<int> prompt)
    {
        var config = decoder.Config;
        if (prompt.Count == 0)
            throw new NanoException("the prompt is empty: the model needs at least one token to continue");
        if (prompt.Count > config.ContextLength)
            throw new NanoException(
                $"the prompt has {prompt.Count} tokens and the model's context only {config.ContextLength}",
                "shorten the prompt");
        for (int i = 0; i < prompt.Count; i++)
            if ((uint)prompt[i] >= (uint)Vocabulary)
                throw new NanoException(
                    $"the prompt has id {prompt[i]} at position {i}; the model's ids run from 0 to {Vocabulary - 1}",
                    "is this the model's tokenizer?");
    }

    /// <summary>
    /// Reserves memory for this many sequences of this many positions, or of a whole context if
    /// that is less.
    /// </summary>
    private void Reserve(int rows, long positions) =>
        decoder.Reserve(rows, (int)Math.Min(decoder.Config.ContextLength, positions));

    /// <inheritdoc/>
    public void Dispose() => decoder.Dispose();
}
