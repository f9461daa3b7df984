using System.Runtime.Intrinsics;

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
/// Searches the scale s and the minimum m of eight parts at a time, whose codes l run from 0, so
/// that the weighted error of s l + m is small.
/// </summary>
/// <param name="most">The largest code.</param>
/// <param name="x">The numbers of the parts, side by side.</param>
/// <param name="weights">The weight of each number's error.</param>
internal readonly ref struct MinimumScale(int most, ReadOnlySpan<Vector256<float>> x,
    ReadOnlySpan<Vector256<float>> weights)
{
    private readonly ReadOnlySpan<Vector256<float>> x = x, weights = weights;

    /// <summary>
    /// Tries scales around the one that maps the range of the numbers onto the codes, each with its
    /// minimum fitted by least squares.
    /// </summary>
    /// <param name="search">The scales to try.</param>
    /// <param name="codes">Receives the codes.</param>
    /// <returns>The scales, and the minima, which are never positive.</returns>
    public (Vector256<float> Scale, Vector256<float> Min) Search(MinimumSearch search, Span<Vector256<int>> codes)
    {
        Vector256<float> min = x[0], max = x[0], sumW = weights[0], sumX = sumW * x[0];
        for (int i = 1; i < x.Length; i++)
        {
            min = Vector256.ConditionalSelect(Vector256.LessThan(x[i], min), x[i], min);
            max = Vector256.ConditionalSelect(Vector256.GreaterThan(x[i], max), x[i], max);
            sumW += weights[i];
            sumX += weights[i] * x[i];
        }
        min = Vector256.AndNot(min, Vector256.GreaterThan(min, Vector256<float>.Zero));
        Vector256<float> inverse = Vector256.Create((float)most) / (max - min),
            isFlat = PartLanes.IsInfinite(inverse), // equal numbers, or they differ by less than a normal number
            scale = Vector256.AndNot(Vector256.Create(1f) / inverse, isFlat);
        for (int i = 0; i < x.Length; i++)
            codes[i] = Vector256.AndNot(PartLanes.Near(inverse * (x[i] - min), 0, most), isFlat.AsInt32());
        Vector256<float> least = Error(codes, scale, min, search.IsAbsolute);
        Span<Vector256<int>> tried = stackalloc Vector256<int>[PartLanes.MaxLength];
        tried = tried[..x.Length];
        for (int step = 0; step <= search.Steps; step++)
        {
            // The minimum of the best try so far bounds the range.
            inverse = Vector256.Create(search.First + (search.Step * step) + most) / (max - min);
            Vector256<float> better = Fit(inverse, (sumW, sumX, min), tried, out var fitScale, out var fitMin),
                error = Error(tried, fitScale, fitMin, search.IsAbsolute);
            better = Vector256.AndNot(better & Vector256.LessThan(error, least), isFlat);
            if (better == Vector256<float>.Zero)
                continue;
            for (int i = 0; i < x.Length; i++)
                codes[i] = Vector256.ConditionalSelect(better.AsInt32(), tried[i], codes[i]);
            least = Vector256.ConditionalSelect(better, error, least);
            scale = Vector256.ConditionalSelect(better, fitScale, scale);
            min = Vector256.ConditionalSelect(better, fitMin, min);
        }
        return (scale, min);
    }

    /// <summary>
    /// The codes under inverse scales, and the scales and minima, at most 0, that suit these codes
    /// best.
    /// </summary>
    /// <returns>All bits of the lanes in which equations determine these.</returns>
    private Vector256<float> Fit(Vector256<float> inverse, (Vector256<float> W, Vector256<float> X,
        Vector256<float> Min) sums, Span<Vector256<int>> codes, out Vector256<float> scale, out Vector256<float> min)
    {
        Vector256<float> sumL = default, sumL2 = default, sumXL = default;
        for (int i = 0; i < x.Length; i++)
        {
            codes[i] = PartLanes.Near(inverse * (x[i] - sums.Min), 0, most);
            Vector256<float> l = Vector256.ConvertToSingle(codes[i]), weighted = weights[i] * l;
            sumL += weighted;
            sumL2 += weighted * l;
            sumXL += weighted * x[i];
        }
        Vector256<float> determinant = (sums.W * sumL2) - (sumL * sumL);
        scale = ((sums.W * sumXL) - (sums.X * sumL)) / determinant;
        min = ((sumL2 * sums.X) - (sumL * sumXL)) / determinant;
        Vector256<float> isPositive = Vector256.GreaterThan(min, Vector256<float>.Zero);
        scale = Vector256.ConditionalSelect(isPositive, sumXL / sumL2, scale);
        min = Vector256.AndNot(min, isPositive);
        return Vector256.AndNot(Vector256.GreaterThan(determinant, Vector256<float>.Zero),
            PartLanes.IsInfinite(inverse));
    }

    private Vector256<float> Error(ReadOnlySpan<Vector256<int>> codes, Vector256<float> scale, Vector256<float> min,
        bool isAbsolute)
    {
        Vector256<float> sum = default;
        for (int i = 0; i < x.Length; i++)
        {
            Vector256<float> difference = (scale * Vector256.ConvertToSingle(codes[i])) + min - x[i];
            sum += weights[i] * (isAbsolute ? Vector256.Abs(difference) : difference * difference);
        }
        return sum;
    }
}
