namespace Nano;

/// <summary>
/// A matrix in memory: element (row, column) lies PerRow * row + PerColumn * column elements behind the first.
/// One of the strides is 1.
/// </summary>
internal readonly unsafe struct Matrix(float* pointer, nint perRow, nint perColumn = 1,
    WeightForm form = WeightForm.Float32)
{
    public readonly float* Pointer = pointer; // of 16-bit weights only an address
    public readonly nint PerRow = perRow, PerColumn = perColumn;
    public readonly WeightForm Form = form;

    /// <summary>A parameter [rows, columns], of 32 or 16 bits, for products.</summary>
    public static Matrix Of(Compute compute, Tensor weight, string user)
    {
        nint columns = weight.Contiguous(user).Shape.Columns;
        return weight.IsHalf ? new((float*)weight.HalfPointer, columns, 1, FormOf(compute, weight))
            : new(weight.Pointer, columns);
    }

    /// <summary>The matrix with rows and columns exchanged.</summary>
    public Matrix Transposed => new(Pointer, PerColumn, PerRow, Form);

    /// <summary>The part that begins at an element.</summary>
    public Matrix From(nint row, nint column)
    {
        nint elements = (row * PerRow) + (column * PerColumn);
        return new(Form == WeightForm.Float32 ? Pointer + elements : (float*)((ushort*)Pointer + elements), PerRow,
            PerColumn, Form);
    }

    /// <summary>Bytes of an element.</summary>
    public int ElementSize => Form == WeightForm.Float32 ? sizeof(float) : sizeof(ushort);

    /// <summary>The form of 16-bit weights; whether all are finite is looked up at their first use.</summary>
    private static WeightForm FormOf(Compute compute, Tensor weight)
    {
        if (weight.Type == DType.BFloat16)
            return WeightForm.BFloat16;
        if (weight.IsFinite is null && !compute.OnlyPlans)
        {
            int bad = 0;
            compute.For((nint)weight.Length, 1 << 15, 0, new FindInfinite(weight.HalfPointer, &bad));
            weight.IsFinite = bad == 0;
        }
        return weight.IsFinite == true ? WeightForm.FiniteFloat16 : WeightForm.Float16;
    }

    /// <summary>Sets a mark if one of the float16 is infinite or NaN.</summary>
    private readonly struct FindInfinite(ushort* halves, int* mark) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            var part = new ReadOnlySpan<ushort>(halves + begin, (int)(end - begin));
            if (part.ContainsAnyInRange((ushort)0x7c00, (ushort)0x7fff) || part.ContainsAnyInRange((ushort)0xfc00,
                ushort.MaxValue))
                Volatile.Write(ref *mark, 1);
        }
    }
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
