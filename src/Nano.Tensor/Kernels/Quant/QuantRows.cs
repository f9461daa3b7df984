using System.Runtime.Intrinsics;

namespace Nano;

/// <summary>
/// Rows of activations in 8 bits: in each 32 of a row d = max |x| / 127 and q = x (127 / max |x|), rounded to nearest,
/// ties to even. A row that holds an infinity or a NaN gives NaN for these 32. A rule for each 32 alone, so the batch
/// and the width do not show.
/// </summary>
internal readonly unsafe struct QuantRows(int k, float* memory)
{
    private const int Unit = QuantPanels.Unit;

    /// <summary>Floats of a row: codes, scales, sums of halves.</summary>
    private static int RowFloats(int k) => Line((k / 4) + (k / Unit) + (k / 16));

    private static int Line(int floats) => (floats + 15) & ~15;

    /// <summary>Floats of the memory for some rows.</summary>
    public static long Floats(int rows, int k) => (long)rows * RowFloats(k);

    /// <summary>Bytes from one row to the next.</summary>
    public nint RowBytes => RowFloats(k) * sizeof(float);

    /// <summary>A row.</summary>
    public QuantToken Token(int row)
    {
        sbyte* codes = (sbyte*)(memory + (row * (nint)RowFloats(k)));
        float* scales = (float*)(codes + k);
        return new QuantToken(codes, scales, (int*)(scales + (k / Unit)));
    }

    /// <summary>Quantises a row x [k].</summary>
    public void Quantise(int row, float* x)
    {
        var token = Token(row);
        for (int unit = 0; unit < k / Unit; unit++, x += Unit)
        {
            // As whole numbers the bits of absolute values are in order, and above all finite ones lie inf and NaN.
            var largest = Vector128<int>.Zero;
            for (int i = 0; i < Unit; i += 4)
                largest = Vector128.Max(largest, Vector128.Abs(Vector128.Load(x + i)).AsInt32());
            int bits = Math.Max(Math.Max(largest[0], largest[1]), Math.Max(largest[2], largest[3]));
            float max = BitConverter.Int32BitsToSingle(bits), factor = 127 / max;
            if (!float.IsFinite(max) || !float.IsFinite(factor)) // of numbers too small for a reciprocal, all zero
                (max, factor) = (float.IsFinite(max) ? 0 : float.NaN, 0);
            token.Scales[unit] = max / 127;
            for (int half = 0; half < 2; half++)
                token.Sums[(2 * unit) + half] = QuantiseHalf(x + (16 * half), factor,
                    token.Codes + (unit * Unit) + (16 * half));
        }
    }

    /// <summary>Sixteen codes; returns their sum.</summary>
    private static int QuantiseHalf(float* x, float factor, sbyte* to)
    {
        if (factor == 0)
        {
            Vector128<sbyte>.Zero.Store(to);
            return 0;
        }
        Vector128<int> a = Code(x, factor), b = Code(x + 4, factor), c = Code(x + 8, factor), d = Code(x + 12, factor);
        Vector128.Narrow(Vector128.Narrow(a, b), Vector128.Narrow(c, d)).Store(to);
        return Vector128.Sum(a + b + (c + d));
    }

    private static Vector128<int> Code(float* x, float factor) =>
        Vector128.ConvertToInt32(Vector128.Round(Vector128.Load(x) * Vector128.Create(factor)));
}

/// <summary>A row of activations in 8 bits.</summary>
/// <param name="codes">The codes [k].</param>
/// <param name="scales">The scale d of each unit [k / 32].</param>
/// <param name="sums">The sum of each sixteen codes [k / 16].</param>
internal readonly unsafe struct QuantToken(sbyte* codes, float* scales, int* sums)
{
    public readonly sbyte* Codes = codes;
    public readonly float* Scales = scales;
    public readonly int* Sums = sums;
}

/// <summary>Quantises rows of a matrix.</summary>
internal readonly unsafe struct QuantiseRows(Rows x, QuantRows to) : IKernel
{
    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        for (nint row = begin; row < end; row++)
            to.Quantise((int)row, x.At(row));
    }
}
