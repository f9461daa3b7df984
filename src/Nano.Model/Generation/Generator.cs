namespace Nano;

/// <summary>
/// The one token stream: everything that makes text drains it. Each step runs the model on the new token alone; keys and values of
/// earlier positions come from the cache. One stream at a time: they share the cache.
/// </summary>
public sealed class Generator : IDisposable
{
    private readonly LanguageModel model;
    private readonly Compute compute;
    private readonly KvCache cache;
    private readonly List<int> window = [];

    public Generator(LanguageModel model, Compute compute)
    {
        (this.model, this.compute) = (model, compute);
        cache = new KvCache(model.Config.Layers, model.Config.ContextLength, model.Config.KvHeads * model.Config.HeadDim);
    }

    /// <summary>
    /// Continues a prompt without end: stop taking when you have enough. When the context is full, the older half of it is dropped and
    /// the rest is read again, so each token sees between half a context and a whole one.
    /// </summary>
    /// <param name="prompt">At least one token and no more than the context holds.</param>
    /// <param name="options">How tokens are chosen.</param>
    /// <param name="cancel">Ends the stream between two tokens.</param>
    /// <exception cref="NanoException">The prompt is empty or longer than the context.</exception>
    public IEnumerable<int> Continue(IReadOnlyList<int> prompt, SamplerOptions options, CancellationToken cancel = default)
    {
        options.Validate();
        int context = model.Config.ContextLength;
        if (prompt.Count == 0)
            throw new NanoException("the prompt is empty: the model needs at least one token to continue");
        if (prompt.Count > context)
            throw new NanoException($"the prompt has {prompt.Count} tokens and the model's context only {context}", "shorten the prompt");
        return Stream(prompt, options, context, cancel);
    }

    private IEnumerable<int> Stream(IReadOnlyList<int> prompt, SamplerOptions options, int context, CancellationToken cancel)
    {
        var sampler = new Sampler(options);
        cache.Clear();
        window.Clear();
        window.AddRange(prompt);
        var news = prompt.ToArray();
        for (long position = 0; !cancel.IsCancellationRequested; position++)
        {
            int next = Step(news, sampler, position);
            yield return next;
            window.Add(next);
            if (window.Count <= context)
            {
                news = [next];
                continue;
            }
            cache.Clear();
            window.RemoveRange(0, window.Count - Math.Max(1, context / 2));
            news = [.. window];
        }
    }

    private int Step(int[] ids, Sampler sampler, long position) => compute.WithoutTape(() =>
    {
        compute.NextStep();
        var input = compute.New(new Shape(1, ids.Length), DType.Int32);
        ids.CopyTo(input.Ids);
        var logits = model.Forward(compute, input, cache); // [1, T, V]
        return sampler.Next(logits.Data[^model.Config.VocabSize..], position);
    });

    public void Dispose() => cache.Dispose();
}
