namespace Nano;

/// <summary>The class of a text.</summary>
/// <param name="Label">The likeliest class.</param>
/// <param name="Probabilities">Of each class, in the order of <see cref="TextClassifier.Labels"/>.</param>
/// <param name="Tokens">The tokens that were read.</param>
/// <param name="IsCut">True if the text was longer, and its end was left out.</param>
public sealed record Classification(string Label, float[] Probabilities, int Tokens, bool IsCut);

/// <summary>An encoder with a head of classes, and its tokenizer. A text has the bits that it has alone.</summary>
public sealed class TextClassifier : IDisposable
{
    private readonly Bert model;
    private readonly EncoderTokens tokens;

    /// <param name="model">A model with a head of classes, disposed with this.</param>
    /// <param name="tokenizer">The model's.</param>
    /// <exception cref="NanoException">It has no such head, or the tokenizer does not fit.</exception>
    public TextClassifier(Bert model, ITokenizer tokenizer)
    {
        var config = (BertConfig)model.Architecture;
        if (config.Head != BertHead.Classes)
            throw new NanoException($"the {config.Family} has no head of classes but {config.Head}",
                "train one with 'nano classify train'");
        this.model = model;
        tokens = new EncoderTokens(tokenizer, config.VocabSize, config.LongestText);
        Labels = config.Labels.Count > 0 ? config.Labels
            : [.. Enumerable.Range(0, config.Classes).Select(i => $"LABEL_{i}")];
    }

    /// <summary>The names of the classes.</summary>
    public IReadOnlyList<string> Labels { get; }

    /// <summary>Opens a folder: model and tokenizer.</summary>
    /// <exception cref="NanoException">There is none, or it tells no classes.</exception>
    /// <exception cref="BadFileException">A file is damaged.</exception>
    public static TextClassifier Open(string path)
    {
        string folder = ModelFolder.Resolve(path);
        if (ConfigFile.LoadAny(Path.Combine(folder, ModelFolder.ConfigFile)) is not BertConfig config)
            throw new NanoException($"{Quoted.Path(path)} holds no encoder, and so no head of classes",
                "train one with 'nano classify train'");
        var tokenizer = TokenizerLoader.Load(folder);
        var model = (Bert)AnyModel.Load(folder);
        try
        {
            return new(model, tokenizer);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>The classes of texts, in their order.</summary>
    /// <exception cref="NanoException">A text cannot be expressed.</exception>
    public Classification[] Classify(Compute c, IReadOnlyList<string> texts, CancellationToken cancel = default)
    {
        var encoded = texts.Select(tokens.Encode).ToList();
        var logits = Logits(c, model, [.. encoded.Select(text => text.Ids)], cancel);
        return [.. encoded.Select((text, i) =>
        {
            float[] probabilities = Softmax(logits[i]);
            return new Classification(Labels[Sampler.ArgMax(probabilities)], probabilities, text.Ids.Length,
                text.IsCut);
        })];
    }

    /// <summary>The logits of the classes of texts.</summary>
    internal static float[][] Logits(Compute c, Bert model, IReadOnlyList<int[]> texts,
        CancellationToken cancel = default)
    {
        int padding = ((BertConfig)model.Architecture).PadToken;
        float[][] logits = new float[texts.Count][];
        foreach (int[] batch in EncoderTokens.Batches(texts))
        {
            cancel.ThrowIfCancellationRequested();
            var rows = c.WithoutTape(() =>
            {
                c.NextStep();
                return model.ClassLogits(c, new(EncoderTokens.Padded(c, [.. batch.Select(i => texts[i])], padding)));
            });
            for (int b = 0; b < batch.Length; b++)
                logits[batch[b]] = rows.SliceRows(b, 1).Data.ToArray();
        }
        return logits;
    }

    private static float[] Softmax(float[] logits)
    {
        double largest = logits.Max();
        double[] powers = Array.ConvertAll(logits, logit => Math.Exp(logit - largest));
        double sum = powers.Sum();
        return Array.ConvertAll(powers, power => (float)(power / sum));
    }

    /// <inheritdoc/>
    public void Dispose() => model.Dispose();
}
