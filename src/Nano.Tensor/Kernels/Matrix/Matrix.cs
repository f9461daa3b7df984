namespace Nano;

/// <summary>
/// A matrix in memory: element (row, column) lies PerRow * row + PerColumn * column elements behind the first.
/// One of the strides is 1.
/// </summary>
internal readonly unsafe struct Matrix(float* pointer, nint perRow, nint perColumn = 1)
{
    public readonly float* Pointer = pointer;
    public readonly nint PerRow = perRow, PerColumn = perColumn;

    /// <summary>The matrix with rows and columns exchanged.</summary>
    public Matrix Transposed => new(Pointer, PerColumn, PerRow);

    /// <summary>The part that begins at an element.</summary>
    public Matrix From(nint row, nint column) =>
        new(Pointer + (row * PerRow) + (column * PerColumn), PerRow, PerColumn);
}

/// <summary>
/// Rows of adjacent floats: the first begins at First, the next Stride floats later. A stride of 0 is one row
/// that stands for all.
/// </summary>
internal readonly unsafe struct Rows(float* first, nint stride)
{
    public readonly float* First = first;
    public readonly nint Stride = stride;

    /// <summary>The rows of a tensor.</summary>
    public static Rows Of(Tensor tensor) => new(tensor.Pointer, tensor.RowStride);

    public float* At(nint row) => First + (row * Stride);

    /// <summary>The part that begins at an element.</summary>
    public Rows From(nint row, nint column) => new(First + (row * Stride) + column, Stride);

    /// <summary>A contiguous copy of the first rows, each padded with zeros.</summary>
    public Rows Copied<S, V>(int count, int columns, int padded, float* to) where S : ISimd<V> where V : unmanaged
    {
        Pack.Copy<S, V>(count, columns, First, Stride, padded, padded, to);
        return new Rows(to, padded);
    }
}
