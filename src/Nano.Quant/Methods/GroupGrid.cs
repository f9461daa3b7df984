namespace Nano;

/// <summary>
/// The numbers that the codes of a group stand for: scale (code - zero), with codes from 0 to
/// <paramref name="Most"/>.
/// </summary>
/// <param name="Scale">The distance of neighbours, not 0.</param>
/// <param name="Zero">The code of 0, a whole number unless a method moves it.</param>
/// <param name="Most">The largest code.</param>
internal readonly record struct GroupGrid(double Scale, double Zero, int Most)
{
    /// <summary>The smallest scale that is stored as float16.</summary>
    private const double Least = 1.0 / (1 << 24);

    /// <summary>The largest code of a number of bits.</summary>
    public static int MostOf(int bits) => (1 << bits) - 1;

    /// <summary>The grid from the smallest to the largest of some weights and 0, which it holds.</summary>
    /// <param name="weights">The weights.</param>
    /// <param name="most">The largest code.</param>
    /// <param name="isHalf">True for a scale that float16 holds.</param>
    /// <exception cref="QuantisationException">A weight is NaN or infinite, or the scale beyond
    /// float16.</exception>
    public static GroupGrid Of(ReadOnlySpan<double> weights, int most, bool isHalf)
    {
        double low = 0, high = 0;
        for (int i = 0; i < weights.Length; i++)
        {
            if (!double.IsFinite(weights[i]))
                throw new QuantisationException(
                    FormattableString.Invariant($"the weight is {weights[i]}; codes stand for finite numbers"), i);
            low = Math.Min(low, weights[i]);
            high = Math.Max(high, weights[i]);
        }
        double scale = (high - low) / most;
        if (scale == 0)
            scale = 1;
        if (isHalf)
            scale = ToHalf(scale);
        return new GroupGrid(scale, Math.Clamp(Math.Round(-low / scale), 0, most), most);
    }

    /// <summary>A scale rounded to float16, but never to 0.</summary>
    /// <exception cref="QuantisationException">It is beyond float16.</exception>
    public static double ToHalf(double scale)
    {
        var half = (Half)scale;
        return Half.IsFinite(half) ? Math.Max((double)half, Least)
            : throw new QuantisationException("the group needs a scale beyond float16", 0);
    }

    /// <summary>The code of the nearest number, ties to even, that the grid has.</summary>
    public int Code(double weight) => (int)Math.Clamp(Math.Round(weight / Scale) + Zero, 0, Most);

    /// <summary>The number of a code.</summary>
    public double Value(int code) => (code - Zero) * Scale;
}
