using System.Text;

namespace Nano;

/// <summary>A part of a text on its way to the model.</summary>
/// <param name="Text">The text that it is part of, as the normalizers have left it.</param>
/// <param name="Start">The start of the part in it.</param>
/// <param name="Length">Its length in UTF-16 units.</param>
/// <param name="AtBeginning">The number of its first units that come from the first character of the whole original
/// text; mostly 0.</param>
internal readonly record struct TextPiece(string Text, int Start, int Length, int AtBeginning)
{
    /// <summary>The characters.</summary>
    public ReadOnlySpan<char> Span => Text.AsSpan(Start, Length);

    /// <summary>A whole text as a piece.</summary>
    /// <param name="text">The text.</param>
    /// <param name="first">Whether it is the beginning of the original.</param>
    public static TextPiece Of(string text, bool first)
    {
        if (!first || text.Length == 0)
            return new TextPiece(text, 0, text.Length, 0);
        return new TextPiece(text, 0, text.Length, Math.Min(text.Length, char.IsHighSurrogate(text[0]) ? 2 : 1));
    }

    /// <summary>A part of this one.</summary>
    public TextPiece Slice(int start, int length) =>
        new(Text, Start + start, length, Math.Clamp(AtBeginning - start, 0, length));
}

/// <summary>The text that a step makes of a piece, kept within bounds whatever the file says.</summary>
/// <param name="source">The piece.</param>
internal sealed class PieceBuilder(TextPiece source)
{
    private const int Factor = 64, Constant = 1 << 16;

    private readonly StringBuilder text = new(source.Length);
    private int atBeginning;

    /// <summary>The largest length that a step may produce from a text of this length.</summary>
    public static long Limit(long length) => (Factor * length) + Constant;

    /// <summary>The result.</summary>
    public TextPiece ToPiece() => new(text.ToString(), 0, text.Length, atBeginning);

    /// <summary>Copies characters of the source.</summary>
    public void Copy(int start, int length)
    {
        if (start < source.AtBeginning)
            atBeginning = text.Length + Math.Min(length, source.AtBeginning - start);
        text.Append(source.Span.Slice(start, length));
        Check();
    }

    /// <summary>Adds other characters, which count as what ends at a position of the source.</summary>
    public void Append(ReadOnlySpan<char> content, int sourceEnd)
    {
        text.Append(content);
        if (sourceEnd <= source.AtBeginning && source.AtBeginning > 0)
            atBeginning = text.Length;
        Check();
    }

    /// <summary>Adds what a character becomes.</summary>
    /// <param name="c">The character.</param>
    /// <param name="at">The position in the source.</param>
    /// <param name="append">Adds what it becomes, which may be nothing.</param>
    public void Map(Rune c, int at, Action<Rune, StringBuilder> append)
    {
        append(c, text);
        if (at < source.AtBeginning)
            atBeginning = text.Length;
    }

    private void Check()
    {
        if (text.Length > Limit(source.Length))
            throw new NanoException(
                $"the tokenizer makes more than {Limit(source.Length)} characters of {source.Length}",
                "is its tokenizer.json as it was published?");
    }
}
