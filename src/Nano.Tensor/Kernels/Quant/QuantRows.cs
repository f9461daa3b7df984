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

    /// <summary>Floats of the memory for some rows.</summary>
    public static long Floats(int rows, int k) => (long)rows * (k / Unit) * (sizeof(QuantUnit) / sizeof(float));

    /// <summary>The units of a row [k / 32].</summary>
    public QuantUnit* Row(int row) => (QuantUnit*)memory + (row * (nint)(k / Unit));

    /// <summary>Quantises a row x [k].</summary>
    public void Quantise(int row, float* x)
    {
        QuantUnit* end = Row(row + 1);
        for (QuantUnit* unit = Row(row); unit < end; unit++, x += Unit)
        {
            // As whole numbers the bits of absolute values are in order, and above all finite ones lie inf and NaN.
            var largest = Vector128<int>.Zero;
            for (int i = 0; i < Unit; i += 4)
                largest = Vector128.Max(largest, Vector128.Abs(Vector128.Load(x + i)).AsInt32());
            int bits = Math.Max(Math.Max(largest[0], largest[1]), Math.Max(largest[2], largest[3]));
            float max = BitConverter.Int32BitsToSingle(bits), factor = 127 / max;
            if (!float.IsFinite(max) || !float.IsFinite(factor)) // of numbers too small for a reciprocal, all zero
                (max, factor) = (float.IsFinite(max) ? 0 : float.NaN, 0);
            unit->Scale = max / 127;
            unit->LessFirst = -QuantiseHalf(x, factor, unit->Codes);
            unit->LessSecond = -QuantiseHalf(x + 16, factor, unit->Codes + 16);
            unit->LessSum = unit->LessFirst + unit->LessSecond;
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

/// <summary>Thirty-two activations in 8 bits; emitted code knows the places of its fields.</summary>
internal unsafe struct QuantUnit
{
    /// <summary>Places of the scale and of the sums.</summary>
    public const int ScaleAt = 32, FirstAt = 36, SecondAt = 40, SumAt = 44;

    public fixed sbyte Codes[32];
    public float Scale;

    /// <summary>The sums, negated, of the first and of the last sixteen codes and of all.</summary>
    public int LessFirst, LessSecond, LessSum;
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
