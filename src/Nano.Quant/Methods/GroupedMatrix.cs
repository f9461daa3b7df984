namespace Nano;

/// <summary>
/// A matrix [rows, columns] as codes of at most 8 bits, with a <see cref="GroupGrid"/> for each row
/// and group of neighbouring columns.
/// </summary>
internal sealed class GroupedMatrix
{
    private readonly double[] scales, zeros; // [rows, groups]
    private readonly byte[] codes;           // [rows, columns]

    /// <summary>A matrix of zeros with no grids.</summary>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Columns, a multiple of the group.</param>
    /// <param name="group">Columns of a group.</param>
    /// <param name="bits">Bits of a code, 1 to 8.</param>
    public GroupedMatrix(int rows, int columns, int group, int bits)
    {
        if (group <= 0 || columns % group != 0)
            throw new ArgumentException($"{columns} columns are no whole groups of {group}");
        ArgumentOutOfRangeException.ThrowIfLessThan(bits, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bits, 8);
        (Rows, Columns, Group, Bits) = (rows, columns, group, bits);
        (scales, zeros) = (new double[rows * Groups], new double[rows * Groups]);
        codes = new byte[checked(rows * columns)];
    }

    public int Rows { get; }

    public int Columns { get; }

    /// <summary>Columns of a group.</summary>
    public int Group { get; }

    /// <summary>Bits of a code.</summary>
    public int Bits { get; }

    /// <summary>The largest code.</summary>
    public int Most => GroupGrid.MostOf(Bits);

    /// <summary>Groups of a row.</summary>
    public int Groups => Columns / Group;

    /// <summary>All codes, row by row.</summary>
    public ReadOnlySpan<byte> AllCodes => codes;

    /// <summary>All scales, row by row.</summary>
    public ReadOnlySpan<double> Scales => scales;

    /// <summary>All zeros, row by row.</summary>
    public ReadOnlySpan<double> Zeros => zeros;

    /// <summary>The codes of a row.</summary>
    public Span<byte> Row(int row) => codes.AsSpan(row * Columns, Columns);

    /// <summary>The grid of a group.</summary>
    public GroupGrid this[int row, int group]
    {
        get => new(scales[(row * Groups) + group], zeros[(row * Groups) + group], Most);
        set => (scales[(row * Groups) + group], zeros[(row * Groups) + group]) = (value.Scale, value.Zero);
    }

    /// <summary>The weights of a row.</summary>
    public void Dequantise(int row, Span<double> weights)
    {
        ReadOnlySpan<byte> from = Row(row);
        for (int group = 0; group < Groups; group++)
        {
            GroupGrid grid = this[row, group];
            for (int i = group * Group; i < (group + 1) * Group; i++)
                weights[i] = grid.Value(from[i]);
        }
    }
}
