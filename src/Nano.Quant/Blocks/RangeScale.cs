using System.Runtime.Intrinsics;

namespace Nano;

/// <summary>The scale and minimum of blocks whose codes span the range of their weights.</summary>
internal static class RangeScale
{
    /// <summary>Finds scale and minimum, and with importance searches them.</summary>
    /// <param name="most">The largest code.</param>
    /// <param name="weights">The weights of a block.</param>
    /// <param name="importance">Their importance.</param>
    /// <param name="codes">Receives the codes.</param>
    public static (float Scale, float Minimum) Find(int most, ReadOnlySpan<float> weights, Importance importance,
        Span<byte> codes)
    {
        if (!importance.IsNone)
        {
            Span<float> errorWeights = stackalloc float[weights.Length];
            importance.ErrorWeights(weights, 0, importance.MeanSquare, errorWeights);
            Span<Vector256<float>> x = stackalloc Vector256<float>[weights.Length],
                w = stackalloc Vector256<float>[weights.Length];
            Span<Vector256<int>> found = stackalloc Vector256<int>[weights.Length];
            PartLanes.Gather(weights, weights.Length, x);
            PartLanes.Gather(errorWeights, weights.Length, w);
            (Vector256<float> scale, Vector256<float> minimum) =
                new MinimumScale(most, x, w).Search(MinimumSearch.WithImportance, found);
            PartLanes.Scatter(found, codes);
            return (scale[0], minimum[0]);
        }
        float min = weights[0], max = weights[0];
        foreach (float x in weights)
        {
            if (x < min)
                min = x;
            if (x > max)
                max = x;
        }
        float d = (max - min) / most, inverse = Rounding.Reciprocal(d);
        for (int i = 0; i < codes.Length; i++)
            codes[i] = (byte)Math.Min(most, (int)(((weights[i] - min) * inverse) + 0.5f));
        return (d, min);
    }
}
