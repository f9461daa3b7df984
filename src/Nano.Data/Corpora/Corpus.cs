using System.Security.Cryptography;
using System.Text;

namespace Nano;

/// <summary>Text to train on.</summary>
/// <param name="Name">The name of the source or file.</param>
/// <param name="Text">The text, exactly as it was in the file but for a byte order mark.</param>
/// <param name="Origin">One line for people: where it came from.</param>
public sealed record Corpus(string Name, string Text, string Origin)
{
    /// <summary>
    /// SHA-256 of the text as UTF-8 without a byte order mark, in lower-case hexadecimal: tells
    /// whether two runs saw the same text.
    /// </summary>
    public string Sha256 => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Text)));

    /// <summary>
    /// The first nine tenths of the characters (Unicode scalar values), which train, and the rest,
    /// which validates.
    /// </summary>
    public (string Train, string Validation) Split()
    {
        int characters = 0, end = 0;
        foreach (var _ in Text.EnumerateRunes())
            characters++;
        for (int left = (int)(characters * 0.9); left > 0; left--)
            end += char.IsSurrogatePair(Text, end) ? 2 : 1;
        return (Text[..end], Text[end..]);
    }
}
