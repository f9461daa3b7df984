namespace Nano;

/// <summary>The arguments of a search for a scale and a minimum.</summary>
/// <param name="First">The first tried deviation from the largest code.</param>
/// <param name="Step">The distance from one to the next.</param>
/// <param name="Steps">The number of tries, less one.</param>
/// <param name="IsAbsolute">True if errors count by their size, false by their squares.</param>
internal readonly record struct MinimumSearch(float First, float Step, int Steps, bool IsAbsolute)
{
    /// <summary>The search with importance, of every format.</summary>
    public static MinimumSearch WithImportance => new(-0.9f, 0.05f, 36, false);
}

/// <summary>
/// Searches the scale s and the minimum m of a part of a block whose codes l run from 0, so that
/// the weighted error of s l + m is small.
/// </summary>
internal static class MinimumScale
{
    // The most numbers of a part.
    private const int MaxLength = 32;

    /// <summary>
    /// Tries scales around the one that maps the range of the numbers onto the codes, each with its
    /// minimum fitted by least squares.
    /// </summary>
    /// <param name="most">The largest code.</param>
    /// <param name="x">The numbers, 32 at most.</param>
    /// <param name="weights">The weight of each number's error.</param>
    /// <param name="search">The scales to try.</param>
    /// <param name="codes">Receives the codes.</param>
    /// <param name="depth">Receives the minimum with its sign reversed; never negative.</param>
    public static float Search(int most, ReadOnlySpan<float> x, ReadOnlySpan<float> weights, MinimumSearch search,
        Span<byte> codes, out float depth)
    {
        float min = x[0], max = x[0], sumW = weights[0], sumX = sumW * x[0];
        for (int i = 1; i < x.Length; i++)
        {
            if (x[i] < min)
                min = x[i];
            if (x[i] > max)
                max = x[i];
            sumW += weights[i];
            sumX += weights[i] * x[i];
        }
        if (min > 0)
            min = 0;
        float inverse = most / (max - min);
        if (float.IsInfinity(inverse)) // the numbers are equal, or differ by less than a normal number
        {
            codes.Clear();
            depth = -min;
            return 0;
        }
        Span<byte> tried = stackalloc byte[MaxLength];
        tried = tried[..x.Length];
        float scale = 1 / inverse;
        for (int i = 0; i < x.Length; i++)
            codes[i] = (byte)Rounding.Near(inverse * (x[i] - min), 0, most);
        float least = Error(x, weights, codes, scale, min, search.IsAbsolute);
        for (int step = 0; step <= search.Steps; step++)
        {
            // The minimum of the best try so far bounds the range.
            inverse = (search.First + (search.Step * step) + most) / (max - min);
            if (!Fit(most, x, weights, inverse, (sumW, sumX, min), tried, out float fitScale, out float fitMin))
                continue;
            float error = Error(x, weights, tried, fitScale, fitMin, search.IsAbsolute);
            if (error < least)
            {
                tried.CopyTo(codes);
                (least, scale, min) = (error, fitScale, fitMin);
            }
        }
        depth = -min;
        return scale;
    }

    /// <summary>
    /// The codes under an inverse scale, and the scale and minimum, at most 0, that suit these
    /// codes best; false if no equation determines them.
    /// </summary>
    private static bool Fit(int most, ReadOnlySpan<float> x, ReadOnlySpan<float> weights, float inverse,
        (float W, float X, float Min) sums, Span<byte> codes, out float scale, out float min)
    {
        float sumL = 0, sumL2 = 0, sumXL = 0;
        for (int i = 0; i < x.Length; i++)
        {
            int l = Rounding.Near(inverse * (x[i] - sums.Min), 0, most);
            codes[i] = (byte)l;
            float w = weights[i];
            sumL += w * l;
            sumL2 += w * l * l;
            sumXL += w * l * x[i];
        }
        float determinant = (sums.W * sumL2) - (sumL * sumL);
        (scale, min) = (0, 0);
        if (!(determinant > 0) || !float.IsFinite(inverse))
            return false;
        scale = ((sums.W * sumXL) - (sums.X * sumL)) / determinant;
        min = ((sumL2 * sums.X) - (sumL * sumXL)) / determinant;
        if (min > 0)
            (scale, min) = (sumXL / sumL2, 0);
        return true;
    }

    private static float Error(ReadOnlySpan<float> x, ReadOnlySpan<float> weights, ReadOnlySpan<byte> codes,
        float scale, float min, bool isAbsolute)
    {
        float sum = 0;
        for (int i = 0; i < x.Length; i++)
        {
            float difference = (scale * codes[i]) + min - x[i];
            sum += weights[i] * (isAbsolute ? MathF.Abs(difference) : difference * difference);
        }
        return sum;
    }
}
