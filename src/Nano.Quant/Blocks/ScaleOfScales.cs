namespace Nano;

/// <summary>
/// Fits the scale of the scales of a block, which are not negative, to weights by least squares:
/// the last step of the K formats with importance.
/// </summary>
internal static class ScaleOfScales
{
    private const int Tries = 4, Passes = 5;

    /// <summary>Finds a scale and codes from 0.</summary>
    /// <param name="most">The largest code.</param>
    /// <param name="x">The scales.</param>
    /// <param name="weights">The weight of each one's error.</param>
    /// <param name="codes">Receives the codes.</param>
    public static float Search(int most, ReadOnlySpan<float> x, ReadOnlySpan<float> weights, Span<byte> codes)
    {
        float max = MathF.Max(0, Rounding.Largest(x)); // stays NaN
        if (max < SignedScale.Negligible)
        {
            codes.Clear();
            return 0;
        }
        float inverse = BestInverse(most, x, weights, max), products = 0, squares = 0;
        for (int i = 0; i < x.Length; i++)
        {
            int l = Math.Min(most, Rounding.Near(inverse * x[i]));
            codes[i] = (byte)l;
            products += weights[i] * x[i] * l;
            squares += weights[i] * l * l;
        }
        for (int pass = 0; pass < Passes && Descend(most, x, weights, codes, ref products, ref squares); pass++)
        {
        }
        return squares <= 0 ? 0 : products / squares;
    }

    private static float BestInverse(int most, ReadOnlySpan<float> x, ReadOnlySpan<float> weights, float max)
    {
        float best = most / max, least = Error(most, x, weights, best);
        for (int i = -Tries; i <= Tries; i++)
        {
            if (i == 0)
                continue;
            float inverse = ((0.1f * i) + most) / max, error = Error(most, x, weights, inverse);
            if (error < least)
                (least, best) = (error, inverse);
        }
        return best;
    }

    private static float Error(int most, ReadOnlySpan<float> x, ReadOnlySpan<float> weights, float inverse)
    {
        float scale = 1 / inverse, sum = 0;
        for (int i = 0; i < x.Length; i++)
        {
            float difference = x[i] - (scale * Math.Min(most, Rounding.Near(inverse * x[i])));
            sum += weights[i] * difference * difference;
        }
        return sum;
    }

    /// <summary>Changes one code at a time where that lowers the error; true if one has changed.</summary>
    private static bool Descend(int most, ReadOnlySpan<float> x, ReadOnlySpan<float> weights, Span<byte> codes,
        ref float products, ref float squares)
    {
        bool changed = false;
        for (int i = 0; i < x.Length; i++)
        {
            float w = weights[i], l = codes[i], otherProducts = products - (w * x[i] * l),
                otherSquares = squares - (w * l * l);
            if (!(otherProducts > 0 && otherSquares > 0))
                continue;
            int code = Math.Min(most, Rounding.Near(x[i] * otherSquares / otherProducts));
            if (code == l)
                continue;
            otherProducts += w * x[i] * code;
            otherSquares += w * code * code;
            if (otherProducts * otherProducts * squares > products * products * otherSquares)
            {
                codes[i] = (byte)code;
                (products, squares, changed) = (otherProducts, otherSquares, true);
            }
        }
        return changed;
    }
}
