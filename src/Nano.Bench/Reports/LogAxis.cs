namespace Nano;

/// <summary>A logarithmic axis: values onto places in a figure.</summary>
/// <param name="Low">The value at its beginning.</param>
/// <param name="High">The value at its end.</param>
/// <param name="From">The place of its beginning.</param>
/// <param name="To">The place of its end.</param>
internal readonly record struct LogAxis(double Low, double High, int From, int To)
{
    /// <summary>An axis that leaves some room around all values.</summary>
    /// <param name="values">The values.</param>
    /// <param name="room">The factor between the outermost values and the ends.</param>
    /// <param name="from">The place of its beginning.</param>
    /// <param name="to">The place of its end.</param>
    public static LogAxis Around(IEnumerable<double> values, double room, int from, int to)
    {
        double[] all = [.. values];
        return new(all.Min() / room, all.Max() * room, from, to);
    }

    /// <summary>The place of a value.</summary>
    public double At(double value) => From + (Math.Log(value / Low) / Math.Log(High / Low) * (To - From));

    /// <summary>1, 2 and 5 times powers of ten on the axis.</summary>
    public IEnumerable<double> Ticks()
    {
        for (double power = Math.Pow(10, Math.Floor(Math.Log10(Low))); power <= High; power *= 10)
            foreach (int digit in (int[])[1, 2, 5])
                if (power * digit >= Low && power * digit <= High)
                    yield return power * digit;
    }
}
