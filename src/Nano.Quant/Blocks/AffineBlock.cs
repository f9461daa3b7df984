using System.Runtime.Intrinsics;

namespace Nano;

/// <summary>The constants in which Q2_K, Q4_K and Q5_K differ.</summary>
/// <param name="Part">Weights that share a scale and a minimum.</param>
/// <param name="Most">The largest code.</param>
/// <param name="MostScale">The largest code of a scale or minimum.</param>
/// <param name="Search">The search without importance.</param>
internal readonly record struct AffineRules(int Part, int Most, int MostScale, MinimumSearch Search)
{
    /// <summary>Parts of a block.</summary>
    public int Parts => AffineBlock.Weights / Part;
}

/// <summary>
/// The quantiser of blocks of 256 weights in parts that have a scale and a minimum each, which are
/// coded themselves relative to two scales in float16.
/// </summary>
internal static class AffineBlock
{
    /// <summary>Weights in a block.</summary>
    public const int Weights = 256;

    /// <summary>Quantises a block.</summary>
    /// <param name="rules">The constants of the format.</param>
    /// <param name="x">The weights.</param>
    /// <param name="importance">Their importance.</param>
    /// <param name="codes">Receives 256 codes.</param>
    /// <param name="scaleCodes">Receives a code per part.</param>
    /// <param name="minCodes">Receives a code per part.</param>
    /// <param name="scales">Receives the scale of the scales and that of the minima, both in float16.</param>
    /// <returns>False if one of these is beyond float16.</returns>
    public static bool Quantise(AffineRules rules, ReadOnlySpan<float> x, Importance importance, Span<byte> codes,
        Span<byte> scaleCodes, Span<byte> minCodes, Span<byte> scales)
    {
        Span<float> factors = stackalloc float[rules.Parts], depths = stackalloc float[rules.Parts],
            partWeights = stackalloc float[rules.Parts];
        SearchParts(rules, x, importance, codes, factors, depths, partWeights);
        float d, min;
        if (importance.IsNone)
        {
            d = ScaleOf(rules.MostScale, factors, scaleCodes);
            min = ScaleOf(rules.MostScale, depths, minCodes);
        }
        else
        {
            d = ScaleOfScales.Search(rules.MostScale, factors, partWeights, scaleCodes);
            min = ScaleOfScales.Search(rules.MostScale, depths, partWeights, minCodes);
        }
        bool isInRange = Rounding.WriteScale(scales, d) & Rounding.WriteScale(scales[2..], min);
        Recode(rules, x, (Rounding.ReadScale(scales), Rounding.ReadScale(scales[2..])), codes, scaleCodes, minCodes);
        return isInRange;
    }

    /// <summary>
    /// The scale of each part and its minimum with the sign reversed, and the sum of its weights of
    /// errors.
    /// </summary>
    private static void SearchParts(AffineRules rules, ReadOnlySpan<float> x, Importance importance, Span<byte> codes,
        Span<float> factors, Span<float> depths, Span<float> partWeights)
    {
        Span<float> weights = stackalloc float[Weights];
        WeighErrors(rules, x, importance, weights);
        for (int part = 0; part < rules.Parts; part++)
            foreach (float weight in weights.Slice(part * rules.Part, rules.Part))
                partWeights[part] += weight;
        Span<Vector256<float>> numbers = stackalloc Vector256<float>[rules.Part],
            errorWeights = stackalloc Vector256<float>[rules.Part];
        Span<Vector256<int>> found = stackalloc Vector256<int>[rules.Part];
        for (int part = 0; part < rules.Parts; part += PartLanes.Count)
        {
            int start = part * rules.Part, count = PartLanes.Count * rules.Part;
            PartLanes.Gather(x.Slice(start, count), rules.Part, numbers);
            PartLanes.Gather(weights.Slice(start, count), rules.Part, errorWeights);
            (Vector256<float> scale, Vector256<float> min) = new MinimumScale(rules.Most, numbers, errorWeights).Search(
                importance.IsNone ? rules.Search : MinimumSearch.WithImportance, found);
            scale.CopyTo(factors[part..]);
            (-min).CopyTo(depths[part..]);
            PartLanes.Scatter(found, codes.Slice(start, count));
        }
    }

    private static void WeighErrors(AffineRules rules, ReadOnlySpan<float> x, Importance importance,
        Span<float> weights)
    {
        // Q2_K weights errors by the size of the number alone, and adds the plain mean of squares.
        bool isPlain = rules.Search.IsAbsolute;
        if (!importance.IsNone)
        {
            importance.ErrorWeights(x, 0, (isPlain ? 1 : 2) * SumOfSquares(x) / Weights, weights);
            return;
        }
        for (int start = 0; start < Weights; start += rules.Part)
        {
            float mean = isPlain ? 0 : MathF.Sqrt(SumOfSquares(x.Slice(start, rules.Part)) / rules.Part);
            for (int i = start; i < start + rules.Part; i++)
                weights[i] = mean + MathF.Abs(x[i]);
        }
    }

    private static float SumOfSquares(ReadOnlySpan<float> x)
    {
        float sum = 0;
        foreach (float value in x)
            sum += value * value;
        return sum;
    }

    /// <summary>Codes numbers relative to the largest; returns the scale.</summary>
    private static float ScaleOf(int most, ReadOnlySpan<float> x, Span<byte> codes)
    {
        float max = MathF.Max(0, Rounding.Largest(x)), inverse = most / max;
        codes.Clear();
        if (float.IsInfinity(inverse))
            return 0;
        for (int i = 0; i < x.Length; i++)
            codes[i] = (byte)Rounding.Near(inverse * x[i], 0, most);
        return max / most;
    }

    /// <summary>
    /// The codes again, for scales and minima as they are stored; parts whose scale is 0 keep
    /// theirs.
    /// </summary>
    private static void Recode(AffineRules rules, ReadOnlySpan<float> x, (float Factor, float Min) scales,
        Span<byte> codes, ReadOnlySpan<byte> scaleCodes, ReadOnlySpan<byte> minCodes)
    {
        for (int part = 0; part < rules.Parts; part++)
        {
            float d = scales.Factor * scaleCodes[part], min = scales.Min * minCodes[part];
            if (d == 0)
                continue;
            for (int i = part * rules.Part; i < (part + 1) * rules.Part; i++)
                codes[i] = (byte)Rounding.Near((x[i] + min) / d, 0, rules.Most);
        }
    }
}
