namespace Nano;

/// <summary>The sizes of a tensor's dimensions, outermost first: at most four, stored without an array.</summary>
public readonly record struct Shape
{
    private readonly int d0, d1, d2, d3; // dimensions beyond the rank are 0, so that a scalar equals default

    /// <summary>A shape of up to four dimensions; none at all is a scalar.</summary>
    /// <exception cref="ArgumentException">More than four dimensions, a negative one, or too many
    /// elements to count.</exception>
    public Shape(params ReadOnlySpan<int> dims)
    {
        if (dims.Length > 4)
            throw new ArgumentException($"a shape has at most 4 dimensions, got {dims.Length}");
        foreach (int dim in dims)
            if (dim < 0)
                throw new ArgumentException($"a dimension cannot be negative, got {dim}");
        Rank = dims.Length;
        (d0, d1, d2, d3) = (dims.Length > 0 ? dims[0] : 0, dims.Length > 1 ? dims[1] : 0, dims.Length > 2 ? dims[2]
            : 0, dims.Length > 3 ? dims[3] : 0);
        Int128 length = 1;
        foreach (int dim in dims)
            length *= dim;
        if (length > nint.MaxValue)
            throw new ArgumentException($"{this} has too many elements");
    }

    /// <summary>The sizes as files and foreign libraries want them.</summary>
    public long[] ToArray()
    {
        var sizes = new long[Rank];
        for (int i = 0; i < sizes.Length; i++)
            sizes[i] = this[i];
        return sizes;
    }

    /// <summary>Number of dimensions.</summary>
    public int Rank { get; }

    /// <summary>Number of elements.</summary>
    public long Length => checked(Rows * Columns);

    /// <summary>Size of one dimension; negative indices count from the end, so [-1] is the innermost.</summary>
    public int this[int i]
    {
        get
        {
            int at = i < 0 ? i + Rank : i;
            if ((uint)at >= (uint)Rank)
                throw new ArgumentOutOfRangeException(nameof(i), $"{this} has no dimension {i}");
            return at switch { 0 => d0, 1 => d1, 2 => d2, _ => d3 };
        }
    }

    /// <summary>Elements per innermost row; 1 for a scalar.</summary>
    public int Columns => Rank == 0 ? 1 : this[-1];

    /// <summary>Number of innermost rows.</summary>
    public long Rows => Rank == 0 ? 1 : Rank == 1 ? 1 : checked((long)d0 * (Rank > 2 ? d1 : 1) * (Rank > 3 ? d2 : 1));

    /// <summary>The shape with another innermost size.</summary>
    public Shape WithColumns(int columns) => Rank switch
    {
        1 => new Shape(columns),
        2 => new Shape(d0, columns),
        3 => new Shape(d0, d1, columns),
        4 => new Shape(d0, d1, d2, columns),
        _ => throw new InvalidOperationException("a scalar has no columns"),
    };

    /// <inheritdoc/>
    public override string ToString() => Rank switch
    {
        0 => "[]",
        1 => $"[{d0}]",
        2 => $"[{d0}, {d1}]",
        3 => $"[{d0}, {d1}, {d2}]",
        _ => $"[{d0}, {d1}, {d2}, {d3}]",
    };
}
