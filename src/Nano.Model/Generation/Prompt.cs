namespace Nano;

/// <summary>From a text to the ids that a model continues.</summary>
public static class Prompt
{
    /// <summary>
    /// The ids of a prompt, behind the id with which the tokenizer's model wants its texts to
    /// begin. Of an empty one, that id or the end-of-text id alone.
    /// </summary>
    /// <param name="text">The prompt.</param>
    /// <param name="tokenizer">The model's.</param>
    /// <param name="allowSpecial">Whether special tokens in the text become their ids.</param>
    /// <exception cref="NanoException">The text is empty and the tokenizer has neither id, or it
    /// cannot be expressed.</exception>
    public static int[] Encode(string text, ITokenizer tokenizer, bool allowSpecial = false)
    {
        int[] ids = tokenizer.Encode(text, allowSpecial);
        if (tokenizer.BeginId is { } begin)
            return allowSpecial && ids.Length > 0 && ids[0] == begin ? ids : [begin, .. ids];
        return ids.Length > 0 ? ids : tokenizer.EndIds.Count > 0 ? [tokenizer.EndIds[0]]
            : throw new NanoException("the prompt is empty, and the tokenizer has no token with which a text begins",
                "give the model something to continue");
    }

    /// <summary>
    /// The prompt of those who gave none: the beginning of a text, or, where the tokenizer has no
    /// token for it, the first of the vocabulary.
    /// </summary>
    public static int[] Default(ITokenizer tokenizer) =>
        tokenizer.BeginId is null && tokenizer.EndIds.Count == 0 ? [0] : Encode("", tokenizer);

    /// <summary>The ids of a prompt that are text.</summary>
    public static IEnumerable<int> WithoutBeginning(IReadOnlyList<int> ids, ITokenizer tokenizer) =>
        ids.Skip(ids.Count > 0 && (ids[0] == tokenizer.BeginId || (ids.Count == 1 && tokenizer.EndIds.Contains(ids[0])))
            ? 1 : 0);

    /// <summary>Those of some ids that a model has a row for.</summary>
    public static IReadOnlyList<int> Known(IReadOnlyList<int> ids, ModelConfig model) =>
        [.. ids.Where(id => id < model.VocabSize)];

    /// <summary>
    /// True if a tokenizer fits a model. Published models have spare rows; and some tokenizers name
    /// special tokens for which the model has no row, which do no harm until a text contains one. A
    /// vocabulary of characters must match its model exactly.
    /// </summary>
    public static bool Fits(ITokenizer tokenizer, ModelConfig model) =>
        tokenizer is CharTokenizer ? tokenizer.VocabSize == model.VocabSize
        : NeededRows(tokenizer, model) <= model.VocabSize;

    /// <summary>The tokens of a tokenizer without the special ones beyond a model's last row.</summary>
    private static int NeededRows(ITokenizer tokenizer, ModelConfig model) =>
        tokenizer.VocabSize - tokenizer.SpecialTokens.Values.Distinct().Count(id => id >= model.VocabSize);

    /// <summary>
    /// Refuses a tokenizer with more tokens than the model has, special ones apart: it would make
    /// ids that the model does not know.
    /// </summary>
    /// <exception cref="NanoException">It does not fit.</exception>
    public static void CheckFit(ITokenizer tokenizer, ModelConfig model)
    {
        if (NeededRows(tokenizer, model) > model.VocabSize)
            throw new NanoException($"the tokenizer has {tokenizer.VocabSize} tokens and the model {model.VocabSize}",
                "use the tokenizer that the model was trained with");
    }
}
