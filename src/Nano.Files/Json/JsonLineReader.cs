using System.Text;

namespace Nano;

/// <summary>
/// Cuts a file into the lines that hold JSON. A byte order mark is dropped, and lines of nothing but white space are
/// skipped, as ndjson allows; they count in line numbers. Memory is bounded by the longest line
/// that is allowed.
/// </summary>
/// <param name="stream">The file.</param>
/// <param name="longest">Bytes that a line may have.</param>
internal sealed class JsonLineReader(SourceStream stream, int longest = JsonLineReader.LongestLine)
{
    /// <summary>Bytes that a line may have, unless a caller wants another number.</summary>
    public const int LongestLine = 1 << 26;

    private const int FirstBytes = 1 << 18;

    private byte[] bytes = new byte[FirstBytes];
    private int start, end; // of what has been read and not cut off
    private int lineLength;
    private bool atEnd, begun;

    /// <summary>The number of the line, from 1.</summary>
    public long Number { get; private set; }

    /// <summary>The line without its end; valid until the next is read.</summary>
    public ReadOnlySpan<byte> Line => bytes.AsSpan(start, lineLength);

    /// <summary>
    /// True if the line is longer than allowed; it is cut off, and nothing can be read after it.
    /// </summary>
    public bool IsTooLong { get; private set; }

    /// <summary>Reads the next line that is not blank.</summary>
    /// <returns>False at the end of the file.</returns>
    /// <exception cref="NanoException">The disk reports an error.</exception>
    /// <exception cref="BadFileException">A compressed file is damaged.</exception>
    public bool Next()
    {
        while (NextOfAny())
            if (IsTooLong || !IsBlank(Line))
                return true;
        return false;
    }

    private bool NextOfAny()
    {
        start = Number == 0 ? 0 : Math.Min(end, start + lineLength + 1); // behind the last line and its end
        lineLength = 0;
        for (int searched = 0; ;)
        {
            int found = bytes.AsSpan(start + searched, end - start - searched).IndexOf((byte)'\n');
            searched = found >= 0 ? searched + found : end - start;
            if (found < 0 && !atEnd && searched <= longest)
            {
                Fill();
                continue;
            }
            if (found < 0 && searched == 0)
                return false;
            Number++;
            IsTooLong = searched > longest;
            lineLength = Math.Min(searched, longest);
            return true;
        }
    }

    /// <summary>Reads on, behind what is kept.</summary>
    private void Fill()
    {
        bytes.AsSpan(start, end - start).CopyTo(bytes);
        (start, end) = (0, end - start);
        if (end == bytes.Length)
            Array.Resize(ref bytes, 2 * bytes.Length);
        int count = stream.Read(bytes.AsSpan(end));
        atEnd = count < bytes.Length - end;
        end += count;
        if (!begun && bytes.AsSpan(0, end).StartsWith(Encoding.UTF8.Preamble))
            start = Encoding.UTF8.Preamble.Length;
        begun = true;
    }

    private static bool IsBlank(ReadOnlySpan<byte> line)
    {
        while (Rune.DecodeFromUtf8(line, out var rune, out int length) == System.Buffers.OperationStatus.Done
            && Rune.IsWhiteSpace(rune))
            line = line[length..];
        return line.IsEmpty;
    }
}
