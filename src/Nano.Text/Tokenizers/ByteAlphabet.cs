using System.Text;

namespace Nano;

/// <summary>
/// GPT-2's printable stand-ins for bytes, which vocab.bpe, encoder.json, tokenizer.json and GGUF
/// write tokens in: ! to ~, U+00A1 to U+00AC and U+00AE to U+00FF are themselves, the other 68
/// bytes in order are U+0100 and up.
/// </summary>
internal static class ByteAlphabet
{
    private static readonly char[] Characters = Build();
    private static readonly short[] Bytes = Invert();

    /// <summary>Bytes as text.</summary>
    public static string ToText(ReadOnlySpan<byte> bytes)
    {
        var text = new StringBuilder(bytes.Length);
        foreach (byte b in bytes)
            text.Append(Characters[b]);
        return text.ToString();
    }

    /// <summary>Text as bytes, or null if a character stands for none.</summary>
    public static byte[]? ToBytes(string text)
    {
        byte[] bytes = new byte[text.Length];
        for (int i = 0; i < bytes.Length; i++)
        {
            if (text[i] >= Bytes.Length || Bytes[text[i]] < 0)
                return null;
            bytes[i] = (byte)Bytes[text[i]];
        }
        return bytes;
    }

    /// <summary>All bytes in the order of their characters: GPT-2's ids 0 to 255.</summary>
    public static IEnumerable<byte> InOrder() => Enumerable.Range(0, 256).Select(b => (byte)b)
        .OrderBy(b => Characters[b]);

    private static char[] Build()
    {
        var characters = new char[256];
        int others = 0;
        for (int b = 0; b < 256; b++)
            characters[b] = b is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or >= 0xAE ? (char)b
                : (char)(256 + others++);
        return characters;
    }

    private static short[] Invert()
    {
        var bytes = new short[256 + 68];
        Array.Fill(bytes, (short)-1);
        for (int b = 0; b < 256; b++)
            bytes[Characters[b]] = (short)b;
        return bytes;
    }
}
