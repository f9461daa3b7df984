namespace Nano;

/// <summary>The numbers that a file holds of a grid.</summary>
internal enum GridForm
{
    /// <summary>All of them, in double precision.</summary>
    Exact,

    /// <summary>The scale in float16 and the zero as a code from 1 on, which GPTQ's files need.</summary>
    WholeZero,

    /// <summary>The scale, and the number of code 0, in float16.</summary>
    Minimum,
}

/// <summary>
/// The numbers that the codes of a group stand for: scale (code - zero), with codes from 0 to
/// <paramref name="Most"/>.
/// </summary>
/// <param name="Scale">The distance of neighbours, not 0.</param>
/// <param name="Zero">The code of 0, a whole number unless a method moves it.</param>
/// <param name="Most">The largest code.</param>
internal readonly record struct GroupGrid(double Scale, double Zero, int Most)
{
    /// <summary>The smallest scale that float16 holds.</summary>
    private const double Least = 1.0 / (1 << 24);

    /// <summary>The largest code of a number of bits.</summary>
    public static int MostOf(int bits) => (1 << bits) - 1;

    /// <summary>The grid from the smallest to the largest of some weights and 0, which it holds.</summary>
    /// <param name="weights">The weights.</param>
    /// <param name="most">The largest code.</param>
    /// <param name="form">The numbers that it may have.</param>
    /// <exception cref="QuantisationException">A weight is NaN or infinite, or the scale beyond
    /// float16.</exception>
    public static GroupGrid Of(ReadOnlySpan<double> weights, int most, GridForm form)
    {
        var (low, high) = Range(weights);
        (low, high) = (Math.Min(0, low), Math.Max(0, high));
        // With a zero from 1 on, weights without a sign leave one code without use.
        double scale = (high - low) / (form == GridForm.WholeZero && low == 0 ? most - 1 : most);
        if (scale == 0)
            scale = 1;
        if (form != GridForm.Exact)
            scale = ToHalf(scale);
        double zero = form == GridForm.Minimum ? -(double)(Half)low / scale : Math.Round(-low / scale);
        return new GroupGrid(scale, Math.Clamp(zero, form == GridForm.WholeZero ? 1 : 0, most), most);
    }

    /// <summary>The smallest and the largest weight.</summary>
    /// <exception cref="QuantisationException">A weight is NaN or infinite.</exception>
    public static (double Low, double High) Range(ReadOnlySpan<double> weights)
    {
        double low = double.PositiveInfinity, high = double.NegativeInfinity;
        for (int i = 0; i < weights.Length; i++)
        {
            if (!double.IsFinite(weights[i]))
                throw new QuantisationException(
                    FormattableString.Invariant($"the weight is {weights[i]}; codes stand for finite numbers"), i);
            low = Math.Min(low, weights[i]);
            high = Math.Max(high, weights[i]);
        }
        return (low, high);
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
    public int Code(double weight) => (int)Math.Clamp(
        Zero == Math.Floor(Zero) ? Math.Round(weight / Scale) + Zero : Math.Round((weight / Scale) + Zero), 0, Most);

    /// <summary>The number of a code.</summary>
    public double Value(int code) => (code - Zero) * Scale;
}
