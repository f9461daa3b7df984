using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace Nano;

/// <summary>
/// Reads UTF-8 text of any length, strictly, in stretches; a byte order mark is dropped and nothing
/// else changes.
/// </summary>
internal static class PlainTextReader
{
    private const int BlockBytes = 1 << 17;

    /// <summary>A file as one document. Of an empty one there is nothing.</summary>
    /// <exception cref="NanoException">It is not UTF-8; the message gives the offset.</exception>
    public static IEnumerable<DocumentText> Read(SourceStream stream, string path)
    {
        bool begins = true;
        char[]? before = null;
        int length = 0;
        char[] next = new char[BlockBytes];
        foreach (var block in Decode(stream, path))
        {
            if (before is not null)
            {
                yield return new DocumentText(before.AsMemory(0, length), begins, false, path);
                begins = false;
            }
            // The last stretch says that it is the last, so one is always held back.
            (before, next) = (next, before ?? new char[BlockBytes]);
            block.CopyTo(before);
            length = block.Length;
        }
        if (before is not null)
            yield return new DocumentText(before.AsMemory(0, length), begins, true, path);
    }

    /// <summary>
    /// A file as documents that end behind every "\n\n"; where the file ends so, an empty one
    /// follows.
    /// </summary>
    /// <exception cref="NanoException">It is not UTF-8; the message gives the offset.</exception>
    public static IEnumerable<DocumentText> ReadSections(SourceStream stream, string path)
    {
        bool begins = true, any = false;
        bool lineFeed = false; // whether the last character so far is a line feed that ends no document yet
        foreach (var block in Decode(stream, path))
        {
            any = true;
            int start = 0;
            for (int at = 0; at < block.Length;)
            {
                if (!lineFeed)
                {
                    int found = block.Span[at..].IndexOf('\n');
                    at = found < 0 ? block.Length : at + found + 1;
                    lineFeed = found >= 0;
                    continue;
                }
                lineFeed = false;
                if (block.Span[at] != '\n')
                    continue;
                at++;
                yield return new DocumentText(block[start..at], begins, true, path);
                (start, begins) = (at, true);
            }
            if (start < block.Length)
            {
                yield return new DocumentText(block[start..], begins, false, path);
                begins = false;
            }
        }
        if (any)
            yield return new DocumentText(default, begins, true, path);
    }

    private static IEnumerable<ReadOnlyMemory<char>> Decode(SourceStream stream, string path)
    {
        byte[] bytes = new byte[BlockBytes];
        char[] text = new char[BlockBytes];
        long offset = 0; // of bytes[0] in the content
        int kept = 0;
        while (true)
        {
            int wanted = BlockBytes - kept, count = stream.Read(bytes.AsSpan(kept));
            bool last = count < wanted;
            int length = kept + count, skipped = offset == 0
                && bytes.AsSpan(0, length).StartsWith(Encoding.UTF8.Preamble) ? Encoding.UTF8.Preamble.Length : 0;
            var status = Utf8.ToUtf16(bytes.AsSpan(skipped, length - skipped), text, out int read, out int written,
                replaceInvalidSequences: false, isFinalBlock: last);
            read += skipped;
            if (status == OperationStatus.InvalidData)
                throw NotUtf8(path, "", bytes[read], offset + read);
            if (written > 0)
                yield return text.AsMemory(0, written);
            if (last)
                yield break;
            kept = length - read;
            bytes.AsSpan(read, kept).CopyTo(bytes);
            offset += read;
        }
    }

    /// <summary>The error for a byte that is not valid UTF-8.</summary>
    internal static NanoException NotUtf8(string path, string where, byte value, long offset) =>
        new(FormattableString.Invariant(
            $"'{path}'{where} is not UTF-8 text: byte 0x{value:X2} at offset {offset} is not valid there"),
            "convert the file to UTF-8, for example with: iconv -f latin1 -t utf-8 OLD > NEW");
}
