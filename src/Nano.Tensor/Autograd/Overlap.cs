using System.Diagnostics;

namespace Nano;

/// <summary>
/// Refuses tensors that lie in the same memory where a kernel would read what it has just
/// overwritten, or two threads would write one element. Debug builds only: every tensor that an op
/// makes itself is fresh memory, so only views and tensors handed in from outside can overlap.
/// </summary>
internal static unsafe class Overlap
{
    /// <summary>In debug builds, <see cref="Check"/>.</summary>
    [Conditional("DEBUG")]
    public static void Refuse(string op, Tensor written, params ReadOnlySpan<Tensor> others) =>
        Check(op, written, others);

    /// <summary>In debug builds, <see cref="CheckPartial"/>.</summary>
    [Conditional("DEBUG")]
    public static void RefusePartial(string op, Tensor a, Tensor b) => CheckPartial(op, a, b);

    /// <exception cref="ArgumentException">A tensor shares an element with the one that is written.</exception>
    internal static void Check(string op, Tensor written, params ReadOnlySpan<Tensor> others)
    {
        foreach (var other in others)
            if (Share(written, other))
                throw new ArgumentException($"{op}: {written} and {other} overlap in memory");
    }

    /// <exception cref="ArgumentException">Two tensors share an element without being views of the
    /// same elements in the same order.</exception>
    internal static void CheckPartial(string op, Tensor a, Tensor b)
    {
        bool same = First(a) == First(b) && a.Shape == b.Shape && (a.RowStride == b.RowStride || a.Shape.Rows <= 1);
        if (!same && Share(a, b))
            throw new ArgumentException($"{op}: {a} and {b} overlap in memory without being the same");
    }

    /// <summary>
    /// True if two tensors have an element in common. Rows may have gaps, and rows of one tensor
    /// may lie in the gaps of the other.
    /// </summary>
    internal static bool Share(Tensor a, Tensor b)
    {
        if (a.Length == 0 || b.Length == 0)
            return false;
        for (nint i = 0, j = 0; i < (nint)a.Shape.Rows && j < (nint)b.Shape.Rows;)
        {
            float* rowOfA = First(a) + (i * a.RowStride), rowOfB = First(b) + (j * b.RowStride);
            if (rowOfA + a.Shape.Columns <= rowOfB)
                i++;
            else if (rowOfB + b.Shape.Columns <= rowOfA)
                j++;
            else
                return true;
        }
        return false;
    }

    /// <summary>Ids and numbers are equally large.</summary>
    private static float* First(Tensor tensor) => tensor.Type == DType.Int32 ? (float*)tensor.IdPointer
        : tensor.Pointer;
}
