namespace Nano;

/// <summary>
/// Prompts with a text before and a text behind what a model is to write (Bavarian et al., "Efficient Training of
/// Language Models to Fill in the Middle", 2022). Models are trained on such texts with three special tokens, in the
/// order prefix, suffix, middle or suffix, prefix, middle:
/// <code>
/// (prefix token) prefix (suffix token) suffix (middle token)
/// (prefix token) (suffix token) suffix (middle token) prefix
/// </code>
/// </summary>
public static class FillIn
{
    /// <summary>The tokens of prefix, suffix and middle as families of models spell them.</summary>
    private static readonly (string Prefix, string Suffix, string Middle)[] Spellings =
    [
        ("<fim_prefix>", "<fim_suffix>", "<fim_middle>"), // StarCoder
        ("<fim-prefix>", "<fim-suffix>", "<fim-middle>"), // SantaCoder
        ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"), // Qwen, CodeGemma
        ("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"), // DeepSeek
        ("▁<PRE>", "▁<SUF>", "▁<MID>"), // Code Llama
        ("<PRE>", "<SUF>", "<MID>"),
    ];

    /// <summary>The ids of a prompt, behind the id with which the tokenizer's model wants its texts to begin.</summary>
    /// <param name="prefix">The text before.</param>
    /// <param name="suffix">The text behind.</param>
    /// <param name="tokenizer">The model's.</param>
    /// <param name="suffixFirst">Whether the suffix comes before the prefix.</param>
    /// <exception cref="NanoException">The tokenizer has no such tokens.</exception>
    public static int[] Encode(string prefix, string suffix, ITokenizer tokenizer, bool suffixFirst = false)
    {
        var special = tokenizer.SpecialTokens;
        foreach (var (before, behind, middle) in Spellings)
            if (special.TryGetValue(before, out int prefixId) && special.TryGetValue(behind, out int suffixId)
                && special.TryGetValue(middle, out int middleId))
            {
                int[] first = tokenizer.Encode(prefix), last = tokenizer.Encode(suffix);
                int[] ids = suffixFirst ? [prefixId, suffixId, .. last, middleId, .. first]
                    : [prefixId, .. first, suffixId, .. last, middleId];
                return tokenizer.BeginId is { } begin ? [begin, .. ids] : ids;
            }
        throw new NanoException("the tokenizer has no tokens of prefix, suffix and middle: its model was not trained "
            + "to fill in", $"take a model whose tokenizer has {Spellings[0].Prefix} or another spelling of it");
    }
}
