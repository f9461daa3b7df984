using System.Runtime.Intrinsics;

namespace Nano;

/// <summary>
/// Searches the scale s of a part of a block whose codes l run from -n to n - 1, so that the
/// weighted squared error of s l is small.
/// </summary>
internal static class SignedScale
{
    /// <summary>Numbers below this are 0 beside any weight.</summary>
    public const float Negligible = 1e-15f;

    private const int Tries = 9, Passes = 5;

    /// <summary>Searches the scale of a single part.</summary>
    public static float Search(int n, ReadOnlySpan<float> x, ReadOnlySpan<float> weights, Span<byte> codes)
    {
        Span<float> scales = stackalloc float[PartLanes.Count];
        Search(n, x.Length, x, weights, codes, scales);
        return scales[0];
    }

    /// <summary>
    /// Tries nineteen scales around the one that gives the largest number the code -n, each fitted
    /// by least squares.
    /// </summary>
    /// <param name="n">Half the number of codes.</param>
    /// <param name="part">The length of a part.</param>
    /// <param name="x">The numbers of up to eight parts.</param>
    /// <param name="weights">The weight of each number's error.</param>
    /// <param name="codes">Receives the codes plus n.</param>
    /// <param name="scales">Receives eight scales, NaN where a number or a sum is.</param>
    public static void Search(int n, int part, ReadOnlySpan<float> x, ReadOnlySpan<float> weights, Span<byte> codes,
        Span<float> scales)
    {
        Span<Vector256<float>> numbers = stackalloc Vector256<float>[part],
            errorWeights = stackalloc Vector256<float>[part];
        PartLanes.Gather(x, part, numbers);
        PartLanes.Gather(weights, part, errorWeights);
        Vector256<float> largest = Largest(numbers),
            isZero = Vector256.LessThan(Vector256.Abs(largest), Vector256.Create(Negligible)),
            inverse = Vector256.Create((float)-n) / largest, kept = inverse;
        (Vector256<float> products, Vector256<float> squares) = Sums(n, numbers, errorWeights, inverse);
        Vector256<float> scale = Vector256.AndNot(products / squares, Vector256.Equals(squares, default)),
            best = scale * products;
        for (int i = -Tries; i <= Tries; i++)
        {
            if (i == 0)
                continue;
            inverse = Vector256.Create(-(n + (0.1f * i))) / largest;
            (products, squares) = Sums(n, numbers, errorWeights, inverse);
            Vector256<float> better = Vector256.GreaterThan(squares, default)
                & Vector256.GreaterThan(products * products, best * squares), fitted = products / squares;
            scale = Vector256.ConditionalSelect(better, fitted, scale);
            best = Vector256.ConditionalSelect(better, fitted * products, best);
            kept = Vector256.ConditionalSelect(better, inverse, kept);
        }
        Vector256.AndNot(scale, isZero).CopyTo(scales);
        Span<Vector256<int>> found = stackalloc Vector256<int>[part];
        for (int i = 0; i < part; i++)
            found[i] = Vector256.AndNot(PartLanes.Near(kept * numbers[i], -n, n - 1) + Vector256.Create(n),
                isZero.AsInt32());
        PartLanes.Scatter(found, codes);
    }

    /// <summary>The first number of largest magnitude in each lane; NaN if one of them is.</summary>
    private static Vector256<float> Largest(ReadOnlySpan<Vector256<float>> x)
    {
        Vector256<float> largest = default, isNumber = Vector256<float>.AllBitsSet;
        foreach (Vector256<float> value in x)
        {
            isNumber &= Vector256.Equals(value, value);
            largest = Vector256.ConditionalSelect(
                Vector256.GreaterThan(Vector256.Abs(value), Vector256.Abs(largest)), value, largest);
        }
        return Vector256.ConditionalSelect(isNumber, largest, Vector256.Create(float.NaN));
    }

    /// <summary>The sums of w x l and of w l l over all numbers.</summary>
    private static (Vector256<float> Products, Vector256<float> Squares) Sums(int n,
        ReadOnlySpan<Vector256<float>> x, ReadOnlySpan<Vector256<float>> weights, Vector256<float> inverse)
    {
        Vector256<float> products = default, squares = default;
        for (int i = 0; i < x.Length; i++)
        {
            Vector256<float> l = Vector256.ConvertToSingle(PartLanes.Near(inverse * x[i], -n, n - 1));
            products += weights[i] * x[i] * l;
            squares += weights[i] * l * l;
        }
        return (products, squares);
    }

    /// <summary>
    /// Changes one code at a time while that lowers the error, weighted by the squares of the
    /// numbers, for up to five passes.
    /// </summary>
    /// <param name="n">Half the number of codes.</param>
    /// <param name="x">The numbers.</param>
    /// <param name="codes">Receives the codes plus n.</param>
    public static float Descend(int n, ReadOnlySpan<float> x, Span<byte> codes)
    {
        float largest = Rounding.Largest(x);
        if (MathF.Abs(largest) < Negligible)
        {
            codes.Clear();
            return 0;
        }
        float inverse = -n / largest, products = 0, squares = 0;
        for (int i = 0; i < x.Length; i++)
        {
            int l = Rounding.Near(inverse * x[i], -n, n - 1);
            codes[i] = (byte)(l + n);
            float w = x[i] * x[i];
            products += w * x[i] * l;
            squares += w * l * l;
        }
        for (int pass = 0; pass < Passes && DescendOnce(n, x, codes, ref products, ref squares); pass++)
        {
        }
        return squares <= 0 ? 0 : products / squares;
    }

    /// <summary>One pass; true if a code has changed.</summary>
    private static bool DescendOnce(int n, ReadOnlySpan<float> x, Span<byte> codes, ref float products,
        ref float squares)
    {
        bool changed = false;
        for (int i = 0; i < x.Length; i++)
        {
            float w = x[i] * x[i], l = codes[i] - n, otherProducts = products - (w * x[i] * l);
            if (!(otherProducts > 0))
                continue;
            float otherSquares = squares - (w * l * l);
            int code = Rounding.Near(x[i] * otherSquares / otherProducts, -n, n - 1);
            if (code == l)
                continue;
            otherProducts += w * x[i] * code;
            otherSquares += w * code * code;
            if (otherSquares > 0 && otherProducts * otherProducts * squares > products * products * otherSquares)
            {
                codes[i] = (byte)(code + n);
                (products, squares, changed) = (otherProducts, otherSquares, true);
            }
        }
        return changed;
    }
}
