using System.Text;

namespace Nano;

/// <summary>
/// Byte-level BPE as in GPT-2 (Radford et al. 2019), GPT-4, Llama-3, Qwen and SmolLM: text is cut
/// into pieces, and the UTF-8 bytes of a piece are merged. Any text can be expressed, and comes
/// back as it was.
/// </summary>
internal sealed class ByteBpeTokenizer : BpeTokenizer
{
    private readonly Splitter? splitter;
    private readonly RegexCutter? cutter;
    private readonly int[] byteIds = new int[256];

    /// <param name="parts">The vocabulary, its rules and its added tokens.</param>
    /// <param name="pattern">The pattern that cuts text.</param>
    /// <param name="composed">Whether text is first brought into Unicode's normal form C.</param>
    public ByteBpeTokenizer(BpeParts parts, SplitPattern pattern, bool composed) : base(parts)
    {
        (Pattern, Composed) = (pattern, composed);
        if (pattern.Regexes.Count > 0)
            cutter = new RegexCutter(pattern.Regexes);
        else
            splitter = pattern.NewSplitter();
        for (int b = 0; b < byteIds.Length; b++)
            byteIds[b] = parts.Vocabulary.Find([(byte)b]);
    }

    /// <summary>The pattern that cuts text into pieces.</summary>
    public SplitPattern Pattern { get; }

    /// <summary>True if text is first normalised to Unicode's form C.</summary>
    public bool Composed { get; }

    /// <inheritdoc/>
    public override void Save(string path) => TokenizerJsonWriter.Save(path, this);

    protected override void EncodeText(BpeWorkspace work, ReadOnlySpan<char> text, bool first)
    {
        if (Composed)
            text = NormalFormC.Of(text, compatible: false, composed: true);
        int length = work.SetText(text);
        if (splitter is null)
            AddPieces(work, text);
        for (int at = 0; splitter is not null && at < length;)
        {
            int end = splitter.Next(work.Utf8.AsSpan(0, length), at);
            AddPiece(work, at, end);
            at = end;
        }
    }

    private void AddPieces(BpeWorkspace work, ReadOnlySpan<char> text)
    {
        int start = 0, at = 0;
        foreach (int end in cutter!.Ends(text))
        {
            int bytes = Encoding.UTF8.GetByteCount(text[start..end]);
            AddPiece(work, at, at + bytes);
            (start, at) = (end, at + bytes);
        }
    }

    protected override int Symbols(ReadOnlySpan<byte> piece, Span<int> symbols)
    {
        for (int i = 0; i < piece.Length; i++)
        {
            int id = byteIds[piece[i]];
            symbols[i] = id >= 0 ? id
                : throw new NanoException(
                    $"the vocabulary has no token for the byte 0x{piece[i]:X2} of "
                    + $"{Quoted.Of(Encoding.UTF8.GetString(piece))}", "use a tokenizer that knows all bytes");
        }
        return piece.Length;
    }

    protected override void AddUnknown(BpeWorkspace work, int symbol) =>
        throw new InvalidOperationException("every byte has an id");
}
