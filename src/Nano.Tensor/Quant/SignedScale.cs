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

    /// <summary>
    /// Tries nineteen scales around the one that gives the largest number the code -n, each fitted
    /// by least squares.
    /// </summary>
    /// <param name="n">Half the number of codes.</param>
    /// <param name="x">The numbers.</param>
    /// <param name="weights">The weight of each number's error.</param>
    /// <param name="codes">Receives the codes plus n.</param>
    public static float Search(int n, ReadOnlySpan<float> x, ReadOnlySpan<float> weights, Span<byte> codes)
    {
        float largest = Rounding.Largest(x);
        if (MathF.Abs(largest) < Negligible)
        {
            codes.Clear();
            return 0;
        }
        float inverse = -n / largest;
        (float products, float squares) = Sums(n, x, weights, inverse);
        float scale = squares != 0 ? products / squares : 0, best = scale * products, kept = inverse;
        for (int i = -Tries; i <= Tries; i++)
        {
            if (i == 0)
                continue;
            inverse = -(n + (0.1f * i)) / largest;
            (products, squares) = Sums(n, x, weights, inverse);
            if (squares > 0 && products * products > best * squares)
            {
                (scale, kept) = (products / squares, inverse);
                best = scale * products;
            }
        }
        for (int i = 0; i < x.Length; i++)
            codes[i] = (byte)(n + Rounding.Near(kept * x[i], -n, n - 1));
        return scale;
    }

    /// <summary>The sums of w x l and of w l l over all numbers.</summary>
    private static (float Products, float Squares) Sums(int n, ReadOnlySpan<float> x, ReadOnlySpan<float> weights,
        float inverse)
    {
        float products = 0, squares = 0;
        for (int i = 0; i < x.Length; i++)
        {
            float l = Rounding.Near(inverse * x[i], -n, n - 1), w = weights[i];
            products += w * x[i] * l;
            squares += w * l * l;
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
