using System.Text;
using CommunityToolkit.HighPerformance.Buffers;

namespace Nano;

/// <summary>One step that cuts a text into the pieces that the model sees: a pre-tokenizer of tokenizer.json.</summary>
internal abstract class PreTokenizer
{
    /// <summary>Cuts a piece that is not empty; empty results do not count.</summary>
    /// <param name="piece">The piece.</param>
    /// <param name="into">Receives the parts.</param>
    public abstract void Cut(TextPiece piece, List<TextPiece> into);
}

/// <summary>Cuts at every match of a pattern.</summary>
internal sealed class SplitPreTokenizer : PreTokenizer
{
    private readonly SplitBehavior behavior;
    private readonly bool inverted;
    private readonly Splitter? splitter;

    /// <param name="pattern">The pattern.</param>
    /// <param name="behavior">The treatment of matches.</param>
    /// <param name="inverted">Whether what lies between the matches counts as matches.</param>
    public SplitPreTokenizer(TextPattern pattern, SplitBehavior behavior, bool inverted)
    {
        (Pattern, this.behavior, this.inverted) = (pattern, behavior, inverted);
        // The known patterns match every character, so their matches are the pieces.
        if (inverted ? behavior == SplitBehavior.Removed : behavior == SplitBehavior.Isolated)
            Known = pattern.Expression is { } regex ? SplitPattern.OfRegex(regex) : null;
        splitter = Known?.NewSplitter();
    }

    /// <summary>The pattern whose matches cut the text.</summary>
    public TextPattern Pattern { get; }

    /// <summary>The published pattern into whose matches text is cut, or null.</summary>
    public SplitPattern? Known { get; }

    public override void Cut(TextPiece piece, List<TextPiece> into)
    {
        if (splitter is not null)
        {
            ByteLevelPreTokenizer.CutBy(splitter, piece, into);
            return;
        }
        var matches = new List<(int Start, int End)>();
        Pattern.Matches(piece.Span, matches);
        PieceCutter.Cut(piece, matches, behavior, inverted, into);
    }
}

/// <summary>Cuts at every character of a kind.</summary>
/// <param name="isMatch">The kind.</param>
/// <param name="behavior">The treatment of these characters.</param>
internal sealed class CharacterPreTokenizer(Func<Rune, bool> isMatch, SplitBehavior behavior) : PreTokenizer
{
    /// <summary>Every number character by itself.</summary>
    public static CharacterPreTokenizer SingleDigits { get; } = new(CharacterSets.IsNumeric, SplitBehavior.Isolated);

    /// <summary>Runs of number characters.</summary>
    public static CharacterPreTokenizer Digits { get; } = new(CharacterSets.IsNumeric, SplitBehavior.Contiguous);

    public override void Cut(TextPiece piece, List<TextPiece> into)
    {
        var matches = new List<(int Start, int End)>();
        int at = 0;
        foreach (var c in piece.Span.EnumerateRunes())
        {
            if (isMatch(c))
                matches.Add((at, at + c.Utf16SequenceLength));
            at += c.Utf16SequenceLength;
        }
        PieceCutter.Cut(piece, matches, behavior, inverted: false, into);
    }
}

/// <summary>Runs of word characters and runs of others, without the white space between them: \w+|[^\w\s]+.</summary>
internal sealed class WhitespacePreTokenizer : PreTokenizer
{
    public override void Cut(TextPiece piece, List<TextPiece> into)
    {
        int at = 0, start = 0, kind = 0; // 0 for white space
        foreach (var c in piece.Span.EnumerateRunes())
        {
            int own = CharacterSets.IsWord(c) ? 1 : CharacterSets.IsWhiteSpace(c) ? 0 : 2;
            if (own != kind)
            {
                if (kind != 0)
                    into.Add(piece.Slice(start, at - start));
                (start, kind) = (at, own);
            }
            at += c.Utf16SequenceLength;
        }
        if (kind != 0)
            into.Add(piece.Slice(start, at - start));
    }
}

/// <summary>Pieces of a fixed number of characters.</summary>
internal sealed class FixedLengthPreTokenizer(int length) : PreTokenizer
{
    public override void Cut(TextPiece piece, List<TextPiece> into)
    {
        int start = 0, at = 0, count = 0;
        foreach (var c in piece.Span.EnumerateRunes())
        {
            at += c.Utf16SequenceLength;
            if (++count < length)
                continue;
            into.Add(piece.Slice(start, at - start));
            (start, count) = (at, 0);
        }
        if (start < at)
            into.Add(piece.Slice(start, at - start));
    }
}

/// <summary>The places where <see cref="MetaspacePreTokenizer"/> prepends its sign.</summary>
internal enum PrependScheme
{
    Always,
    First,
    Never,
}

/// <summary>
/// SentencePiece's way: a sign in the place of each space and, unless it is there already, in front; cut before each
/// sign.
/// </summary>
/// <param name="replacement">The sign.</param>
/// <param name="scheme">The places where it is prepended.</param>
/// <param name="split">Whether the text is cut.</param>
internal sealed class MetaspacePreTokenizer(char replacement, PrependScheme scheme, bool split) : PreTokenizer
{
    /// <summary>The sign.</summary>
    public char Replacement => replacement;

    /// <summary>The places where the sign is prepended.</summary>
    public PrependScheme Scheme => scheme;

    /// <summary>True to cut the text into words.</summary>
    public bool Split => split;

    public override void Cut(TextPiece piece, List<TextPiece> into)
    {
        var changed = piece with { Text = piece.Span.ToString().Replace(' ', replacement), Start = 0 };
        bool prepend = scheme == PrependScheme.Always || (scheme == PrependScheme.First && piece.AtBeginning > 0);
        if (prepend && changed.Span[0] != replacement)
            changed = PrependNormalizer.Prepend(changed, replacement.ToString());
        if (!split)
        {
            into.Add(changed);
            return;
        }
        var matches = new List<(int Start, int End)>();
        for (int at = 0; changed.Span[at..].IndexOf(replacement) is >= 0 and int found; at += found + 1)
            matches.Add((at + found, at + found + 1));
        PieceCutter.Cut(changed, matches, SplitBehavior.MergedWithNext, inverted: false, into);
    }
}

/// <summary>GPT-2's way: cut by its regular expression, then the UTF-8 bytes of each piece in its alphabet.</summary>
/// <param name="prefixSpace">Whether a text that does not begin with a space gets one.</param>
/// <param name="cuts">Whether the regular expression is used.</param>
internal sealed class ByteLevelPreTokenizer(bool prefixSpace, bool cuts) : PreTokenizer
{
    private static readonly Splitter Gpt2 = SplitPattern.Gpt2.NewSplitter();

    /// <summary>True to prepend a space to a text that does not begin with one.</summary>
    public bool PrefixSpace => prefixSpace;

    /// <summary>True to cut the text with GPT-2's regular expression.</summary>
    public bool Cuts => cuts;

    public override void Cut(TextPiece piece, List<TextPiece> into)
    {
        if (prefixSpace && piece.Span[0] != ' ')
            piece = PrependNormalizer.Prepend(piece, " ");
        int first = into.Count;
        if (cuts)
            CutBy(Gpt2, piece, into);
        else
            into.Add(piece);
        for (int i = first; i < into.Count; i++)
            into[i] = CharacterNormalizer.Bytes.Apply(into[i]);
    }

    /// <summary>Cuts a piece as a published regular expression does.</summary>
    public static void CutBy(Splitter splitter, TextPiece piece, List<TextPiece> into)
    {
        using var utf8 = SpanOwner<byte>.Allocate(Encoding.UTF8.GetMaxByteCount(piece.Length));
        var text = utf8.Span[..Encoding.UTF8.GetBytes(piece.Span, utf8.Span)];
        int start = 0;
        for (int at = 0; at < text.Length;)
        {
            int end = splitter.Next(text, at);
            int length = Encoding.UTF8.GetCharCount(text[at..end]);
            into.Add(piece.Slice(start, length));
            (at, start) = (end, start + length);
        }
    }
}
