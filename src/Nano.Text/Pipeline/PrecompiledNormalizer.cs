using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Nano;

/// <summary>
/// SentencePiece's compiled normalization rules (precompiled_charsmap): a double-array trie (Aoe 1989; the layout is
/// that of Darts-clone) from UTF-8 to places among replacements that end in NUL. Applied as Hugging Face's library
/// does: to a grapheme of fewer than six bytes as a whole, else to its characters, and the shortest rule that it begins
/// with stands for all of it.
/// </summary>
internal sealed class PrecompiledNormalizer : TextNormalizer
{
    private const int MaxGrapheme = 6;

    private readonly uint[] units;
    private readonly byte[] replacements;
    private readonly string path;

    /// <summary>Reads the rules, which are written in base 64.</summary>
    /// <exception cref="BadFileException">They are malformed.</exception>
    public PrecompiledNormalizer(TokenizerComponent component)
    {
        path = component.Path;
        byte[] rules;
        try
        {
            rules = Convert.FromBase64String(component.Text("precompiled_charsmap")
                ?? throw component.Bad("has no precompiled_charsmap"));
        }
        catch (FormatException e)
        {
            throw new BadFileException(path, $"{component.Where} has a precompiled_charsmap that is not base 64", e);
        }
        uint size = rules.Length < 4 ? uint.MaxValue : BinaryPrimitives.ReadUInt32LittleEndian(rules);
        if (size > rules.Length - 4 || size < 4)
            throw component.Bad("has a precompiled_charsmap that is shorter than it says, or empty");
        units = new uint[size / 4];
        for (int i = 0; i < units.Length; i++)
            units[i] = BinaryPrimitives.ReadUInt32LittleEndian(rules.AsSpan(4 + (4 * i)));
        replacements = rules[(4 + (4 * units.Length))..];
        if (!System.Text.Unicode.Utf8.IsValid(replacements))
            throw component.Bad("has a precompiled_charsmap with replacements that are not UTF-8");
    }

    public override TextPiece Apply(TextPiece text)
    {
        var result = new PieceBuilder(text);
        for (int at = 0; at < text.Length;)
        {
            int length = StringInfo.GetNextTextElementLength(text.Span[at..]);
            var grapheme = text.Span.Slice(at, length);
            if (length >= MaxGrapheme || Encoding.UTF8.GetByteCount(grapheme) >= MaxGrapheme
                || !TryReplace(result, grapheme, at))
                ReplaceEach(result, grapheme, at);
            at += length;
        }
        return result.ToPiece();
    }

    private void ReplaceEach(PieceBuilder result, ReadOnlySpan<char> grapheme, int at)
    {
        for (int i = 0, length; i < grapheme.Length; i += length)
        {
            length = char.IsHighSurrogate(grapheme[i]) ? 2 : 1;
            if (!TryReplace(result, grapheme.Slice(i, length), at + i))
                result.Copy(at + i, length);
        }
    }

    /// <summary>Adds the replacement of a part of the text that has one.</summary>
    private bool TryReplace(PieceBuilder result, ReadOnlySpan<char> part, int at)
    {
        Span<byte> utf8 = stackalloc byte[MaxGrapheme];
        int place = Find(utf8[..Encoding.UTF8.GetBytes(part, utf8)]);
        if (place < 0)
            return false;
        if (place > replacements.Length)
            throw Damaged();
        var replacement = replacements.AsSpan(place);
        int end = replacement.IndexOf((byte)0);
        replacement = end < 0 ? replacement : replacement[..end];
        if (!System.Text.Unicode.Utf8.IsValid(replacement))
            throw Damaged();
        result.Append(Encoding.UTF8.GetString(replacement), at + 1);
        return true;
    }

    /// <summary>The value of the shortest key that some bytes begin with, or -1.</summary>
    private int Find(ReadOnlySpan<byte> key)
    {
        uint node = Offset(units[0]);
        foreach (byte b in key)
        {
            if (b == 0)
                return -1;
            uint unit = Unit(node ^= b);
            if ((unit & 0x800000FF) != b)
                return -1;
            node ^= Offset(unit);
            if ((unit & 0x100) != 0)
                return (int)(Unit(node) & 0x7FFFFFFF);
        }
        return -1;
    }

    private uint Unit(uint node) => node < units.Length ? units[node] : throw Damaged();

    private static uint Offset(uint unit) => (unit >> 10) << (int)((unit & 0x200) >> 6);

    private NanoException Damaged() => new($"the precompiled_charsmap of {path} points outside itself");
}
