namespace Nano;

/// <summary>The vector of a text.</summary>
/// <param name="Vector">[C]</param>
/// <param name="Tokens">The tokens that were read.</param>
/// <param name="IsCut">True if the text was longer, and its end was left out.</param>
public sealed record TextEmbedding(float[] Vector, int Tokens, bool IsCut);

/// <summary>
/// Texts as vectors (Reimers and Gurevych, "Sentence-BERT", 2019): the rows of an encoder's last layer, or of a
/// decoder's, pooled, and divided by their length. A text has the bits that it has alone, whatever stands beside it in
/// a batch: padding is hidden from attention, and pooling reads a text's own rows in order.
/// </summary>
public sealed class TextEmbedder : IDisposable
{
    private readonly Model model;
    private readonly Pooling pooling;
    private readonly bool isNormalized;
    private readonly Func<string, (int[] Ids, bool IsCut)> encode;

    private TextEmbedder(Model model, Pooling pooling, bool isNormalized,
        Func<string, (int[] Ids, bool IsCut)> encode) =>
        (this.model, this.pooling, this.isNormalized, this.encode) = (model, pooling, isNormalized, encode);

    /// <summary>The name of the pooling in use.</summary>
    public Pooling Pooling => pooling;

    /// <summary>Opens a model and its tokenizer.</summary>
    /// <param name="path">The folder of an encoder, or whatever holds a decoder.</param>
    /// <param name="pooling">The pooling; null for that which the folder names, else the mean of encoders and the last
    /// token of decoders.</param>
    /// <exception cref="NanoException">There is no model or no tokenizer, or the model is of another kind.</exception>
    /// <exception cref="BadFileException">A file is damaged.</exception>
    public static TextEmbedder Open(string path, Pooling? pooling = null)
    {
        if (ModelLoader.FormatOf(path) == ModelFormat.Safetensors && ModelFolder.Resolve(path) is var folder
            && ConfigFile.LoadAny(Path.Combine(folder, ModelFolder.ConfigFile)) is not ModelConfig and var config)
            return config is BertConfig encoder ? OfEncoder(folder, encoder, pooling) : throw new NanoException(
                $"{Quoted.Path(path)} holds a {config.ModelType}, whose rows are no vectors of texts",
                "give the folder of an encoder such as BERT, or of a decoder");
        return OfDecoder(path, pooling);
    }

    private static TextEmbedder OfEncoder(string folder, BertConfig config, Pooling? pooling)
    {
        var layout = SentenceLayout.Read(folder);
        var tokenizer = TokenizerLoader.Load(TokenizerLoader.FindIn(folder) ?? throw NoTokenizer(folder));
        var tokens = new EncoderTokens(tokenizer, config.VocabSize,
            Math.Min(config.LongestText, layout?.LongestText ?? int.MaxValue));
        return new(AnyModel.Load(folder), pooling ?? layout?.Pooling ?? Pooling.Mean, layout?.IsNormalized ?? true,
            tokens.Encode);
    }

    private static TextEmbedder OfDecoder(string path, Pooling? pooling)
    {
        using var source = ModelLoader.Open(path);
        if (pooling == Pooling.First)
            throw new NanoException("the first token of a decoder sees nothing but itself", "pool by last or mean");
        var tokenizer = TokenizerLoader.Load(source.TokenizerPath ?? throw NoTokenizer(path));
        Prompt.CheckFit(tokenizer, source.Config);
        int longest = source.Config.ContextLength;
        var layout = Directory.Exists(path) ? SentenceLayout.Read(ModelFolder.Resolve(path)) : null;
        return new(source.LoadToRun(exact: false, null), pooling ?? layout?.Pooling ?? Pooling.Last,
            layout?.IsNormalized ?? true, text =>
            {
                int[] ids = Prompt.Encode(text, tokenizer);
                return ids.Length > longest ? (ids[..longest], true) : (ids, false);
            });
    }

    private static NanoException NoTokenizer(string path) => new(
        $"the model at {Quoted.Path(path)} brings no tokenizer", "put its tokenizer.json or vocab.txt beside it");

    /// <summary>The vectors of texts, in their order.</summary>
    /// <exception cref="NanoException">A text cannot be expressed.</exception>
    public TextEmbedding[] Embed(Compute c, IReadOnlyList<string> texts, CancellationToken cancel = default)
    {
        var encoded = texts.Select(encode).ToList();
        var vectors = Embed(c, [.. encoded.Select(text => text.Ids)], cancel);
        return [.. encoded.Select((text, i) => new TextEmbedding(vectors[i], text.Ids.Length, text.IsCut))];
    }

    /// <summary>The vectors of texts that are ids already. Texts of like length share a batch.</summary>
    public float[][] Embed(Compute c, IReadOnlyList<int[]> texts, CancellationToken cancel = default)
    {
        float[][] vectors = new float[texts.Count][];
        foreach (int[] batch in EncoderTokens.Batches(texts))
        {
            cancel.ThrowIfCancellationRequested();
            var rows = RowsOf(c, [.. batch.Select(i => texts[i])]);
            for (int b = 0; b < batch.Length; b++)
                vectors[batch[b]] = Pooled(rows, b, texts[batch[b]].Length);
        }
        return vectors;
    }

    /// <summary>The last rows of texts [B, T, C], T the longest of them.</summary>
    private Tensor RowsOf(Compute c, IReadOnlyList<int[]> texts) => c.WithoutTape(() =>
    {
        c.NextStep();
        var batch = EncoderTokens.Padded(c, texts, (model.Architecture as BertConfig)?.PadToken ?? 0);
        return model is Bert encoder ? encoder.Encode(c, new(batch))
            : ((LanguageModel)model).Trunk(c, batch["input_ids"], new());
    });

    /// <summary>The vector of a text from its rows.</summary>
    private float[] Pooled(Tensor rows, int text, int length)
    {
        float[] vector = Pool(rows, text, length, pooling);
        if (!isNormalized)
            return vector;
        double size = Math.Sqrt(vector.Sum(x => (double)x * x));
        return size == 0 ? vector : Array.ConvertAll(vector, x => (float)(x / size));
    }

    /// <summary>The cosine of the angle between two vectors.</summary>
    public static double Cosine(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        double product = 0, ofA = 0, ofB = 0;
        for (int i = 0; i < a.Length; i++)
            (product, ofA, ofB) = (product + ((double)a[i] * b[i]), ofA + ((double)a[i] * a[i]),
                ofB + ((double)b[i] * b[i]));
        return ofA == 0 || ofB == 0 ? 0 : product / Math.Sqrt(ofA * ofB);
    }

    /// <summary>A text's rows, of those of a batch [B, T, C], as one vector of any length.</summary>
    internal static float[] Pool(Tensor rows, int text, int length, Pooling pooling)
    {
        int T = rows.Shape[1], C = rows.Shape[2];
        var own = rows.Data.Slice(text * T * C, length * C);
        if (pooling != Pooling.Mean)
            return own.Slice(pooling == Pooling.First ? 0 : (length - 1) * C, C).ToArray();
        float[] mean = new float[C];
        for (int i = 0; i < C; i++)
        {
            double sum = 0;
            for (int t = 0; t < length; t++)
                sum += own[(t * C) + i];
            mean[i] = (float)(sum / length);
        }
        return mean;
    }

    /// <inheritdoc/>
    public void Dispose() => model.Dispose();
}
