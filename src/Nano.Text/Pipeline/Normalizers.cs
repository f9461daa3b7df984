using System.Text;

namespace Nano;

/// <summary>One step that changes a text before it is cut: a normalizer of tokenizer.json.</summary>
internal abstract class TextNormalizer
{
    /// <summary>Changes a whole text.</summary>
    public abstract TextPiece Apply(TextPiece text);
}

/// <summary>A normalizer that takes the characters one by one.</summary>
/// <param name="append">Adds what a character becomes.</param>
internal sealed class CharacterNormalizer(Action<Rune, StringBuilder> append) : TextNormalizer
{
    /// <summary>Small letters.</summary>
    public static CharacterNormalizer Lowercase { get; } = new(CharacterSets.AppendLower);

    /// <summary>Without combining marks; é as one character stays.</summary>
    public static CharacterNormalizer StripAccents { get; } = new((c, into) =>
        AppendIf(!CharacterSets.IsMark(c), c, into));

    /// <summary>Without nonspacing marks, as BERT does after decomposing.</summary>
    public static CharacterNormalizer StripNonspacing { get; } = new((c, into) =>
        AppendIf(!CharacterSets.IsNonspacingMark(c), c, into));

    /// <summary>Without control characters, white space as spaces: BERT's clean_text.</summary>
    public static CharacterNormalizer Clean { get; } = new((c, into) =>
    {
        if (!CharacterSets.IsControl(c))
            into.Append(CharacterSets.IsWhiteSpace(c) ? new Rune(' ') : c);
    });

    /// <summary>Spaces around every ideograph.</summary>
    public static CharacterNormalizer SpaceIdeographs { get; } = new((c, into) =>
    {
        if (CharacterSets.IsIdeograph(c))
            into.Append(' ').Append(c).Append(' ');
        else
            into.Append(c);
    });

    /// <summary>
    /// The rules of Google's machine translation, as far as they concern control characters and spaces.
    /// </summary>
    public static CharacterNormalizer Nmt { get; } = new((c, into) =>
    {
        if (c.Value is (>= 1 and <= 8) or 0xB or (>= 0xE and <= 0x1F) or 0x7F or 0x8F or 0x9F)
            return;
        into.Append(c.Value is 9 or 0xA or 0xC or 0xD or 0x1680 or (>= 0x200B and <= 0x200F) or 0x2028 or 0x2029
            or 0x2581 or 0xFEFF or 0xFFFD
            ? new Rune(' ') : c);
    });

    /// <summary>The UTF-8 bytes in GPT-2's alphabet.</summary>
    public static CharacterNormalizer Bytes { get; } = new((c, into) =>
    {
        Span<byte> bytes = stackalloc byte[4];
        into.Append(ByteAlphabet.ToText(bytes[..c.EncodeToUtf8(bytes)]));
    });

    public override TextPiece Apply(TextPiece text)
    {
        var result = new PieceBuilder(text);
        int at = 0;
        foreach (var c in text.Span.EnumerateRunes())
        {
            result.Map(c, at, append);
            at += c.Utf16SequenceLength;
        }
        return result.ToPiece();
    }

    private static void AppendIf(bool wanted, Rune c, StringBuilder into)
    {
        if (wanted)
            into.Append(c);
    }
}

/// <summary>One of Unicode's normal forms.</summary>
/// <param name="compatible">Whether characters that only look alike become equal (forms KC and KD).</param>
/// <param name="composed">Whether marks are joined to their letters (forms C and KC).</param>
internal sealed class FormNormalizer(bool compatible, bool composed) : TextNormalizer
{
    /// <summary>True for Unicode normal form C.</summary>
    public bool IsC => composed && !compatible;

    public override TextPiece Apply(TextPiece text)
    {
        string result = NormalFormC.Of(text.Span, compatible, composed).ToString();
        int first = text.AtBeginning == 0 ? 0
            : NormalFormC.Of(text.Span[..text.AtBeginning], compatible, composed).Length;
        return new TextPiece(result, 0, result.Length, Math.Min(first, result.Length));
    }
}

/// <summary>Takes white space off the ends.</summary>
internal sealed class StripNormalizer(bool left, bool right) : TextNormalizer
{
    public override TextPiece Apply(TextPiece text)
    {
        int start = 0, end = text.Length;
        while (left && start < end && char.IsWhiteSpace(text.Span[start]))
            start++;
        while (right && end > start && char.IsWhiteSpace(text.Span[end - 1]))
            end--;
        var rest = text.Slice(start, end - start);
        return rest with { Text = rest.Span.ToString(), Start = 0 };
    }
}

/// <summary>Puts something in front of every text that is not empty.</summary>
internal sealed class PrependNormalizer(string content) : TextNormalizer
{
    /// <summary>The text that is prepended.</summary>
    public string Content => content;

    public override TextPiece Apply(TextPiece text) => text.Length == 0 ? text : Prepend(text, content);

    /// <summary>A piece with something in front, which counts as what the piece begins with.</summary>
    public static TextPiece Prepend(TextPiece text, string content) =>
        new(string.Concat(content, text.Span), 0, content.Length + text.Length,
            text.AtBeginning > 0 ? content.Length + text.AtBeginning : 0);
}

/// <summary>Puts a text in the place of every match of a pattern.</summary>
internal sealed class ReplaceNormalizer(TextPattern pattern, string content) : TextNormalizer
{
    /// <summary>The pattern to search for.</summary>
    public TextPattern Pattern => pattern;

    /// <summary>The replacement of each match.</summary>
    public string Content => content;

    public override TextPiece Apply(TextPiece text)
    {
        if (text.Length == 0)
            return text;
        var matches = new List<(int Start, int End)>();
        pattern.Matches(text.Span, matches);
        if (matches.Count == 0)
            return text;
        var result = new PieceBuilder(text);
        int at = 0;
        foreach (var (start, end) in matches)
        {
            result.Copy(at, start - at);
            result.Append(content, end);
            at = end;
        }
        result.Copy(at, text.Length - at);
        return result.ToPiece();
    }
}
