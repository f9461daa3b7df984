namespace Nano;

/// <summary>
/// The layout of the documents in a packed batch: its B * T rows, in order, are cut into segments.
/// A row attends only to rows of its own segment, and its position counts from the segment's start,
/// so all values of a segment equal, bit for bit, those of a batch that holds it alone. A segment
/// may continue from one row of the batch into the next.
/// </summary>
public sealed class Segments
{
    /// <summary>Segments of these lengths, one after the other.</summary>
    /// <param name="compute">The context of their step: they become invalid with
    /// <see cref="Compute.NextStep"/>.</param>
    /// <param name="lengths">Rows of each segment, at least 1.</param>
    /// <exception cref="ArgumentException">A length is not positive, or there are too many rows to count.</exception>
    public Segments(Compute compute, params ReadOnlySpan<int> lengths)
    {
        long rows = 0;
        foreach (int length in lengths)
        {
            if (length < 1)
                throw new ArgumentException($"segments: a segment has at least 1 row, got {length}");
            rows += length;
            Longest = Math.Max(Longest, length);
        }
        if (rows >= int.MaxValue)
            throw new ArgumentException($"segments: {rows} rows are too many");
        (Count, Rows) = (lengths.Length, (int)rows);
        // As long as could be, so that how a batch is cut changes nothing about the step's memory.
        (Starts, Positions) =
            (compute.New(new Shape(Rows + 1), DType.Int32), compute.New(new Shape(Rows), DType.Int32));
        int start = 0;
        for (int i = 0; i < Count; i++)
        {
            Starts.Ids[i] = start;
            for (int position = 0; position < lengths[i]; position++)
                Positions.Ids[start + position] = position;
            start += lengths[i];
        }
        Starts.Ids[Count] = start;
    }

    /// <summary>Number of segments.</summary>
    public int Count { get; }

    /// <summary>Rows of all segments together.</summary>
    public int Rows { get; }

    /// <summary>Rows of the longest segment; 0 if there is none.</summary>
    public int Longest { get; }

    /// <summary>The position of each row in its segment, [Rows].</summary>
    public Tensor Positions { get; }

    /// <summary>
    /// The first row of each segment and, behind the last, the number of rows: Count + 1 ids, the
    /// rest is not set.
    /// </summary>
    internal Tensor Starts { get; }

    /// <summary>Rows of segment i.</summary>
    public int LengthOf(int i) => Starts.Ids[i + 1] - Starts.Ids[i];

    /// <inheritdoc/>
    public override string ToString() => $"{Count} segments of {Rows} rows";
}
