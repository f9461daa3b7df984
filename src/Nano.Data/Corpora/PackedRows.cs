namespace Nano;

/// <summary>
/// Rows of at most T tokens that hold whole documents: a document begins with the end-of-text id,
/// as llm.c writes it, and runs to the next one. Rows are filled in the order of the text; a
/// document that does not fit into the rest of a row begins the next one, and one of more than T
/// tokens begins a row and is cut into pieces of T, the last of which shares its row with what
/// follows. So a row is a stretch of the text, and a number per row says it all.
/// </summary>
public sealed class PackedRows
{
    private const int Read = 1 << 16;

    private readonly List<long> starts = []; // of each row, and the end of the last

    /// <summary>Finds the rows; reads the text once.</summary>
    /// <param name="tokens">The text.</param>
    /// <param name="time">T.</param>
    /// <param name="separator">The id that every document begins with.</param>
    public PackedRows(TokenSource tokens, int time, int separator)
    {
        (Separator, Tokens) = (separator, tokens.Length);
        long row = 0, document = 0;
        int[] ids = new int[Read];
        for (long at = 0; at < tokens.Length;)
        {
            var read = ids.AsSpan(0, (int)Math.Min(Read, tokens.Length - at));
            tokens.CopyTo(at, read);
            for (int i = 0; i < read.Length; i++)
            {
                int found = read[i..].IndexOf(separator);
                if (found < 0)
                    break;
                i += found;
                if (at + i > document)
                    row = Add(row, document, at + i, time);
                document = at + i;
            }
            at += read.Length;
        }
        if (tokens.Length > document)
            row = Add(row, document, tokens.Length, time);
        if (tokens.Length > row)
            starts.Add(row);
        starts.Add(tokens.Length);
    }

    /// <summary>Number of rows.</summary>
    public int Count => starts.Count - 1;

    /// <summary>The id that every document begins with.</summary>
    public int Separator { get; }

    /// <summary>Tokens of all rows.</summary>
    public long Tokens { get; }

    /// <summary>The stretch of the text that a row holds.</summary>
    public (long Start, int Length) this[long row] =>
        (starts[(int)row], (int)(starts[(int)row + 1] - starts[(int)row]));

    /// <summary>
    /// Targets of a row that count: the token after each of its own. The last of a document is the
    /// end of text behind it; of the text, there is none.
    /// </summary>
    public int CountedTargets(long row)
    {
        var (start, length) = this[row];
        return start + length < Tokens ? length : length - 1;
    }

    /// <summary>
    /// Puts a document, or a part of one, into the row that begins at a place, or into new ones,
    /// and returns where the last row begins.
    /// </summary>
    private long Add(long row, long document, long end, int time)
    {
        if (end - row <= time)
            return row;
        if (document > row)
            starts.Add(row);
        for (row = document; end - row > time; row += time)
            starts.Add(row);
        return row;
    }
}
