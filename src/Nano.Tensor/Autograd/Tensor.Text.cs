using System.Globalization;
using System.Text;

namespace Nano;

/// <summary>A tensor as text.</summary>
public sealed unsafe partial class Tensor
{
    private const int RowsShown = 6, ColumnsShown = 8;

    /// <summary>
    /// Name and shape, and below them the first values: at most 6 rows and 8 columns of each.
    /// Within an interpolated string, such as a message, a tensor is its name and shape alone;
    /// "{x:v}" adds the values there.
    /// </summary>
    public override string ToString() => ToString("v", null);

    /// <summary>
    /// Name and shape; with the format "v" also values, with "v20" those of up to 20 rows and
    /// columns.
    /// </summary>
    /// <exception cref="FormatException">The format is neither.</exception>
    public string ToString(string? format, IFormatProvider? formatProvider)
    {
        string described = Name is null ? Shape.ToString() : $"{Name} {Shape}";
        if (string.IsNullOrEmpty(format))
            return described;
        int most = 0;
        if (format[0] != 'v' || (format.Length > 1
            && !int.TryParse(format.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture, out most)))
            throw new FormatException($"a tensor is written with the format \"v\" or \"v20\", not \"{format}\"");
        if (IsPacked || IsGone)
            return described + (IsPacked ? " (packed)" : " (its memory has been freed)");
        var (rows, columns) = format.Length > 1 ? (most, most) : (RowsShown, ColumnsShown);
        var text = new StringBuilder(described);
        for (long row = 0; row < Math.Min(rows, Length == 0 ? 0 : Shape.Rows); row++)
        {
            text.Append("\n ");
            for (int i = 0; i < Math.Min(columns, Shape.Columns); i++)
                text.Append(' ').Append(Value(row, i));
            if (Shape.Columns > columns)
                text.Append(" ...");
        }
        if (Length > 0 && Shape.Rows > rows)
            text.Append("\n  ...");
        return text.ToString();
    }

    private string Value(long row, int column) => Type == DType.Int32
        ? IdPointer[((nint)row * RowStride) + column].ToString(CultureInfo.InvariantCulture)
        : Pointer[((nint)row * RowStride) + column].ToString("G4", CultureInfo.InvariantCulture);
}
