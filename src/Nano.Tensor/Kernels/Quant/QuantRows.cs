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

    /// <summary>Floats of a row: codes as bytes, then as 16-bit numbers, scales, sums of halves.</summary>
    private static int RowFloats(int k) => Line((k / 4) + (k / 2) + (k / Unit) + (k / 16));

    private static int Line(int floats) => (floats + 15) & ~15;

    /// <summary>Floats of the memory for some rows.</summary>
    public static long Floats(int rows, int k) => (long)rows * RowFloats(k);

    /// <summary>The codes of a row [k].</summary>
    public sbyte* Bytes(int row) => (sbyte*)(memory + (row * (nint)RowFloats(k)));

    /// <summary>The codes of a row as 16-bit numbers [k].</summary>
    public short* Shorts(int row) => (short*)(Bytes(row) + k);

    /// <summary>The scale d of each unit of a row [k / 32].</summary>
    public float* Scales(int row) => (float*)(Shorts(row) + k);

    /// <summary>The sum of each sixteen codes of a row [k / 16].</summary>
    public int* Sums(int row) => (int*)(Scales(row) + (k / Unit));

    /// <summary>Quantises a row x [k].</summary>
    public void Quantise(int row, float* x)
    {
        for (int unit = 0; unit < k / Unit; unit++, x += Unit)
        {
            float max = 0;
            bool isFinite = true;
            for (int i = 0; i < Unit; i++)
            {
                max = MathF.Max(max, MathF.Abs(x[i]));
                isFinite &= float.IsFinite(x[i]);
            }
            float factor = 127 / max;
            if (!isFinite || !float.IsFinite(factor)) // of numbers too small for float32's reciprocals, all zero
                (max, factor) = (isFinite ? 0 : float.NaN, 0);
            Scales(row)[unit] = max / 127;
            for (int half = 0; half < 2; half++)
            {
                int sum = 0;
                for (int i = 16 * half; i < 16 * (half + 1); i += 4)
                {
                    var codes = factor == 0 ? Vector128<int>.Zero : Vector128.ConvertToInt32(
                        Vector128.Round(Vector128.Load(x + i) * Vector128.Create(factor)));
                    for (int lane = 0; lane < 4; lane++)
                    {
                        Bytes(row)[(unit * Unit) + i + lane] = (sbyte)codes[lane];
                        Shorts(row)[(unit * Unit) + i + lane] = (short)codes[lane];
                    }
                    sum += Vector128.Sum(codes);
                }
                Sums(row)[(2 * unit) + half] = sum;
            }
        }
    }
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
