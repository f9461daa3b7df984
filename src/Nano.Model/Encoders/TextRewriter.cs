namespace Nano;

/// <summary>A text that a model made of another.</summary>
/// <param name="Source">The ids that were read.</param>
/// <param name="Ids">The ids that were written, the end included.</param>
/// <param name="Text">Their text, without special tokens.</param>
/// <param name="IsEnded">True if the model ended it.</param>
/// <param name="IsCut">True if the text that was read was longer, and its end was left out.</param>
public sealed record RewrittenText(int[] Source, IReadOnlyList<int> Ids, string Text, bool IsEnded, bool IsCut);

/// <summary>
/// An encoder-decoder and its tokenizer: reads a text and writes another, the likeliest token each time.
/// </summary>
public sealed class TextRewriter : IDisposable
{
    private readonly Model model;
    private readonly ITokenizer tokenizer;
    private readonly EncoderTokens tokens;
    private readonly int start, longest;
    private readonly int? end;

    private TextRewriter(Model model, ITokenizer tokenizer)
    {
        (this.model, this.tokenizer) = (model, tokenizer);
        int vocabulary;
        (start, end, longest, vocabulary) = model.Architecture switch
        {
            TransformerConfig config => (config.StartToken, config.EndToken, config.ContextLength, config.VocabSize),
            T5Config config => (config.StartToken, null, int.MaxValue, config.VocabSize),
            var other => throw new ArgumentException($"a {other.ModelType} does not read one text and write another"),
        };
        end ??= tokenizer.EndIds.Count > 0 ? tokenizer.EndIds[0] : null;
        tokens = new EncoderTokens(tokenizer, vocabulary, longest);
    }

    /// <summary>Opens a folder; null if it holds no such model.</summary>
    /// <exception cref="NanoException">It does, and there is no tokenizer, or it does not fit.</exception>
    /// <exception cref="BadFileException">A file is damaged.</exception>
    public static TextRewriter? TryOpen(string folder)
    {
        string config = Path.Combine(folder, ModelFolder.ConfigFile);
        if (!File.Exists(config) || ConfigFile.LoadAny(config) is not (T5Config or TransformerConfig))
            return null;
        var tokenizer = TokenizerLoader.Load(folder);
        var model = AnyModel.Load(folder);
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

    /// <summary>The likeliest text about another.</summary>
    /// <param name="c">The context to run in.</param>
    /// <param name="text">The text to read.</param>
    /// <param name="maxTokens">The most tokens to write.</param>
    public RewrittenText Rewrite(Compute c, string text, int maxTokens)
    {
        var (source, isCut) = tokens.Encode(text);
        var ids = ((IEncoderDecoder)model).Write(c, source, [start], Math.Min(maxTokens, longest - 1), end);
        var special = tokenizer.SpecialTokens.Values.ToHashSet();
        var words = ids.Where(id => !special.Contains(id) && id < tokenizer.VocabSize);
        return new(source, ids, tokenizer.Decode([.. words]), ids.Count > 0 && ids[^1] == end, isCut);
    }

    /// <inheritdoc/>
    public void Dispose() => model.Dispose();
}
