using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace Nano;

/// <summary>Reads text files strictly: what is not text is an error, never repaired.</summary>
internal static class TextFile
{
    private const int LongestString = 0x3FFFFFDF; // what .NET allows, in UTF-16 units; UTF-8 has at least as many bytes

    /// <summary>
    /// Reads a whole text file, which must be UTF-8. A byte order mark is dropped; nothing else
    /// changes, line ends included.
    /// </summary>
    /// <exception cref="NanoException">The file is missing, unreadable, no file but a pipe or a device, empty, larger
    /// than about 1 GB, or not UTF-8 (the message gives the offset).</exception>
    /// <exception cref="BadFileException">It has grown beyond that while it was read.</exception>
    public static string Read(string path)
    {
        byte[] bytes = ReadAll(path);
        ReadOnlySpan<byte> text = bytes;
        if (text.StartsWith(Encoding.UTF8.Preamble))
            text = text[Encoding.UTF8.Preamble.Length..];
        if (text.IsEmpty)
            throw new NanoException($"'{path}' is empty: there is nothing to train on", "name a file with text in it");
        if (!Utf8.IsValid(text))
        {
            int offset = bytes.Length - text.Length + FirstInvalid(text);
            throw new NanoException(
                FormattableString.Invariant(
                    $"'{path}' is not UTF-8 text: byte 0x{bytes[offset]:X2} at offset {offset} is not valid there"),
                "convert the file to UTF-8, for example with: iconv -f latin1 -t utf-8 OLD > NEW");
        }
        return Encoding.UTF8.GetString(text);
    }

    private static byte[] ReadAll(string path)
    {
        if (Directory.Exists(path))
            throw new NanoException($"'{path}' is a folder, not a text file", "name one of the files in it");
        if (new FileInfo(path) is { Exists: true, Length: > LongestString } file)
            throw new NanoException(FormattableString.Invariant(
                $"'{path}' has {file.Length:N0} bytes; text is read whole, up to {LongestString:N0}"),
                "train on a part of it");
        return InputFile.ReadBytes(path, LongestString,
            "check the path; `nano data` lists the texts that can be fetched");
    }

    private static int FirstInvalid(ReadOnlySpan<byte> text)
    {
        int offset = 0;
        while (Rune.DecodeFromUtf8(text[offset..], out _, out int length) == OperationStatus.Done)
            offset += length;
        return offset;
    }
}
