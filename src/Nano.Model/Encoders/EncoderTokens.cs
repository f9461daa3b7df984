namespace Nano;

/// <summary>
/// Texts as an encoder reads them: between the tokens that begin and end a text, [CLS] and [SEP] or the like, where the
/// tokenizer has such; and batches of them, padded on the right.
/// </summary>
public sealed class EncoderTokens
{
    private const int BatchRows = 16, BatchTokens = 1 << 13;

    private static readonly (string Begin, string End)[] Pairs = [("[CLS]", "[SEP]"), ("<s>", "</s>")];

    private readonly ITokenizer tokenizer;
    private readonly int[] begin, end;

    /// <param name="tokenizer">The model's.</param>
    /// <param name="vocabSize">V: the model's number of ids.</param>
    /// <param name="longest">The longest text that the model reads, in tokens.</param>
    /// <exception cref="NanoException">The tokenizer has more tokens than the model.</exception>
    public EncoderTokens(ITokenizer tokenizer, int vocabSize, int longest)
    {
        if (tokenizer.VocabSize > vocabSize)
            throw new NanoException($"the tokenizer has {tokenizer.VocabSize} tokens and the model {vocabSize}",
                "use the tokenizer that the model was trained with");
        (this.tokenizer, Longest) = (tokenizer, longest);
        var special = tokenizer.SpecialTokens;
        (begin, end) = ([], []);
        foreach (var (first, last) in Pairs)
            if (special.TryGetValue(first, out int a) && special.TryGetValue(last, out int b))
            {
                (begin, end) = ([a], [b]);
                break;
            }
        if (begin.Length == 0 && special.TryGetValue("</s>", out int only)) // T5
            end = [only];
        if (longest <= begin.Length + end.Length)
            throw new NanoException($"the model reads {longest} tokens, of which the text would be none");
    }

    /// <summary>The longest text in tokens, those that begin and end it included.</summary>
    public int Longest { get; }

    /// <summary>
    /// The ids of a text. One that is too long loses its end, and the token that ends a text stays the last.
    /// </summary>
    /// <exception cref="NanoException">The text cannot be expressed, or is empty without tokens around it.</exception>
    public (int[] Ids, bool IsCut) Encode(string text)
    {
        int[] ids = tokenizer.Encode(text);
        int room = Longest - begin.Length - end.Length;
        if (ids.Length + begin.Length + end.Length == 0)
            throw new NanoException("the text is empty, and the tokenizer has no token with which a text begins",
                "leave out empty texts");
        bool isCut = ids.Length > room;
        return ([.. begin, .. isCut ? ids[..room] : ids, .. end], isCut);
    }

    /// <summary>The numbers of texts in batches, each of texts of like length.</summary>
    internal static IEnumerable<int[]> Batches(IReadOnlyList<int[]> texts)
    {
        int[] order = [.. Enumerable.Range(0, texts.Count).OrderByDescending(i => texts[i].Length)];
        for (int first = 0; first < order.Length;)
        {
            int count = Math.Clamp(BatchTokens / texts[order[first]].Length, 1, BatchRows);
            int end = Math.Min(order.Length, first + count);
            yield return order[first..end];
            first = end;
        }
    }

    /// <summary>Rows of ids as input_ids and attention_mask [B, T], T the longest of them.</summary>
    public static Dictionary<string, Tensor> Padded(Compute c, IReadOnlyList<int[]> rows, int padding)
    {
        int T = rows.Max(row => row.Length);
        var shape = new Shape(rows.Count, T);
        Tensor ids = c.New(shape, DType.Int32), mask = c.New(shape, DType.Int32);
        ids.Ids.Fill(padding);
        mask.Ids.Clear();
        for (int b = 0; b < rows.Count; b++)
        {
            rows[b].CopyTo(ids.Ids[(b * T)..]);
            mask.Ids.Slice(b * T, rows[b].Length).Fill(1);
        }
        return new() { ["input_ids"] = ids, ["attention_mask"] = mask };
    }
}
