using System.Globalization;
using System.Text;

namespace Nano;

/// <summary>One step from tokens to text: a decoder of tokenizer.json.</summary>
internal abstract class TokenDecoder
{
    /// <summary>Changes the tokens of a text; all together, joined, they are the text after the last step.</summary>
    public abstract List<string> Apply(List<string> tokens);

    /// <summary>Changes one token by itself, for text that grows token by token.</summary>
    /// <param name="token">The token.</param>
    /// <param name="first">Whether the text begins with it.</param>
    public abstract string One(string token, bool first);

    /// <summary>
    /// The bytes that a token stands for, where it stands for bytes rather than characters; else null.
    /// </summary>
    public virtual byte[]? BytesOf(string token) => null;
}

/// <summary>A decoder that takes the tokens one by one.</summary>
internal abstract class EachTokenDecoder : TokenDecoder
{
    public override List<string> Apply(List<string> tokens)
    {
        for (int i = 0; i < tokens.Count; i++)
            tokens[i] = One(tokens[i], i == 0);
        return tokens;
    }
}

/// <summary>GPT-2's alphabet back to bytes; a token with other characters is text as it is.</summary>
internal sealed class ByteLevelDecoder : TokenDecoder
{
    public override List<string> Apply(List<string> tokens)
    {
        var bytes = new MemoryStream();
        foreach (string token in tokens)
            bytes.Write(BytesOf(token));
        return [Encoding.UTF8.GetString(bytes.GetBuffer().AsSpan(0, (int)bytes.Length))];
    }

    public override string One(string token, bool first) => Encoding.UTF8.GetString(BytesOf(token));

    public override byte[] BytesOf(string token) => ByteAlphabet.ToBytes(token) ?? Encoding.UTF8.GetBytes(token);
}

/// <summary>
/// Tokens such as &lt;0x0A&gt; back to bytes; those that together are not valid characters become
/// U+FFFD each.
/// </summary>
internal sealed class ByteFallbackDecoder : TokenDecoder
{
    private static readonly UTF8Encoding Strict =
        new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public override List<string> Apply(List<string> tokens)
    {
        var result = new List<string>(tokens.Count);
        var bytes = new List<byte>();
        foreach (string token in tokens)
        {
            if (ByteOf(token) is { } b)
            {
                bytes.Add(b);
                continue;
            }
            Add(bytes, result);
            result.Add(token);
        }
        Add(bytes, result);
        return result;
    }

    public override string One(string token, bool first) => token;

    public override byte[]? BytesOf(string token) => ByteOf(token) is { } b ? [b] : null;

    private static byte? ByteOf(string token) =>
        Encoding.UTF8.GetByteCount(token) == 6 && token.StartsWith("<0x", StringComparison.Ordinal)
        && token[^1] == '>' && TryParse(token.AsSpan(3, token.Length - 4), out byte b) ? b : null;

    /// <summary>Two hexadecimal digits, or, as the library has it, one behind a plus sign.</summary>
    private static bool TryParse(ReadOnlySpan<char> digits, out byte b) =>
        byte.TryParse(digits[0] == '+' ? digits[1..] : digits,
            NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out b);

    private static void Add(List<byte> bytes, List<string> result)
    {
        if (bytes.Count == 0)
            return;
        byte[] all = [.. bytes];
        if (System.Text.Unicode.Utf8.IsValid(all))
            result.Add(Strict.GetString(all));
        else
            result.AddRange(Enumerable.Repeat("\uFFFD", all.Length));
        bytes.Clear();
    }
}

/// <summary>Joins all tokens to one.</summary>
internal sealed class FuseDecoder : TokenDecoder
{
    public override List<string> Apply(List<string> tokens) => [string.Concat(tokens)];

    public override string One(string token, bool first) => token;
}

/// <summary>Puts a text in the place of every match of a pattern.</summary>
internal sealed class ReplaceDecoder(TextPattern pattern, string content) : EachTokenDecoder
{
    private readonly ReplaceNormalizer replace = new(pattern, content);

    /// <summary>The replacement that the decoder applies.</summary>
    public ReplaceNormalizer Replace => replace;

    public override string One(string token, bool first) =>
        replace.Apply(TextPiece.Of(token, first: false)).Span.ToString();
}

/// <summary>
/// Removes up to a number of copies of a character from the ends of every token, or of the text
/// where a <see cref="FuseDecoder"/>
/// came before.
/// </summary>
/// <param name="character">The character.</param>
/// <param name="start">The most at the beginning.</param>
/// <param name="stop">The most at the end.</param>
/// <param name="fused">Whether the tokens are one by now.</param>
internal sealed class StripDecoder(Rune character, int start, int stop, bool fused) : EachTokenDecoder
{
    /// <summary>The character, and the most of it at the beginning and at the end.</summary>
    public (Rune Character, int Start, int Stop) Parameters => (character, start, stop);

    public override List<string> Apply(List<string> tokens)
    {
        for (int i = 0; i < tokens.Count; i++)
            tokens[i] = Strip(tokens[i], stop);
        return tokens;
    }

    public override string One(string token, bool first) =>
        !fused ? Strip(token, stop) : first ? Strip(token, 0) : token;

    private string Strip(string token, int most)
    {
        string sign = character.ToString();
        int from = 0, to = token.Length;
        for (int i = 0; i < start && token.AsSpan(from).StartsWith(sign, StringComparison.Ordinal); i++)
            from += sign.Length;
        for (int i = 0; i < most && token.AsSpan(from, to - from).EndsWith(sign, StringComparison.Ordinal); i++)
            to -= sign.Length;
        return token[from..to];
    }
}

/// <summary>SentencePiece's signs back to spaces; the first token loses its own where one was put in front.</summary>
internal sealed class MetaspaceDecoder(char replacement, PrependScheme scheme) : EachTokenDecoder
{
    public override string One(string token, bool first) => first && scheme != PrependScheme.Never
        ? token.Replace(replacement.ToString(), "", StringComparison.Ordinal) : token.Replace(replacement, ' ');
}

/// <summary>
/// A space before every token but the first and those that continue a word, whose sign goes: BERT's way.
/// </summary>
/// <param name="prefix">The sign.</param>
/// <param name="cleanup">Whether spaces before punctuation and English contractions go.</param>
internal sealed class WordPieceDecoder(string prefix, bool cleanup) : EachTokenDecoder
{
    private static readonly (string From, string To)[] Rules =
        [(" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"),
            (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re")];

    public override string One(string token, bool first)
    {
        if (!first)
            token = token.StartsWith(prefix, StringComparison.Ordinal) ? token[prefix.Length..] : " " + token;
        return cleanup ? Clean(token) : token;
    }

    /// <summary>A text without spaces before punctuation and English contractions.</summary>
    public static string Clean(string text)
    {
        foreach (var (from, to) in Rules)
            text = text.Replace(from, to, StringComparison.Ordinal);
        return text;
    }
}

/// <summary>The mark at the end of words becomes a space, but that of the last token nothing.</summary>
internal sealed class SuffixDecoder(string suffix) : TokenDecoder
{
    public override List<string> Apply(List<string> tokens)
    {
        for (int i = 0; i < tokens.Count; i++)
            tokens[i] = Replaced(tokens[i], i == tokens.Count - 1 ? "" : " ");
        return tokens;
    }

    public override string One(string token, bool first) => Replaced(token, " ");

    private string Replaced(string token, string by) =>
        suffix.Length == 0 ? token : token.Replace(suffix, by, StringComparison.Ordinal);
}

/// <summary>
/// Decodes connectionist temporal classification: collapses repeated tokens into one and removes
/// padding.
/// </summary>
/// <param name="padding">The token between two that are the same and stay two.</param>
/// <param name="delimiter">The token between words.</param>
/// <param name="cleanup">Whether delimiters become spaces, and spaces go as <see cref="WordPieceDecoder"/> has
/// it.</param>
internal sealed class CtcDecoder(string padding, string delimiter, bool cleanup) : TokenDecoder
{
    public override List<string> Apply(List<string> tokens)
    {
        var result = new List<string>();
        for (int i = 0; i < tokens.Count; i++)
            if ((i == 0 || tokens[i] != tokens[i - 1]) && One(tokens[i], i == 0) is { Length: > 0 } text)
                result.Add(text);
        return result;
    }

    public override string One(string token, bool first)
    {
        token = padding.Length == 0 ? token : token.Replace(padding, "", StringComparison.Ordinal);
        if (!cleanup)
            return token;
        token = WordPieceDecoder.Clean(token);
        return delimiter.Length == 0 ? token : token.Replace(delimiter, " ", StringComparison.Ordinal);
    }
}
