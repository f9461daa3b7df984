namespace Nano;

/// <summary>
/// Numbers as vectors of sines and cosines of the number times f_i, i from 0 to C/2; the
/// frequencies fall from 1 to about 1 / 10000.
/// </summary>
public static class Sinusoids
{
    /// <summary>
    /// Positions 0, 1 and so on (Vaswani et al., "Attention Is All You Need", 2017): sines at even
    /// channels, cosines at odd ones, f_i = 10000^(-2i/C). Values [count, C].
    /// </summary>
    /// <exception cref="ArgumentException">The number of channels is odd.</exception>
    public static float[] Interleaved(int count, int channels)
    {
        var values = new float[count * channels];
        Interleaved(0, channels, values);
        return values;
    }

    /// <summary>Positions from one on, as many as there is room for, [.., C].</summary>
    /// <exception cref="ArgumentException">The number of channels is odd.</exception>
    public static void Interleaved(int first, int channels, Span<float> values)
    {
        CheckEven(channels);
        for (int i = 0; i < values.Length; i++)
        {
            double angle = Angle(first + (i / channels), i % channels / 2, channels / 2);
            values[i] = (float)(i % 2 == 0 ? Math.Sin(angle) : Math.Cos(angle));
        }
    }

    /// <summary>
    /// Positions 0, 1 and so on as Whisper has them (Radford et al., 2022): all sines, then all
    /// cosines, f_i = 10000^(-i/(C/2-1)). Values [count, C].
    /// </summary>
    /// <exception cref="ArgumentException">The number of channels is odd.</exception>
    public static float[] SinesFirst(int count, int channels)
    {
        CheckEven(channels);
        int half = channels / 2;
        var values = new float[count * channels];
        for (int i = 0; i < values.Length; i++)
        {
            double angle = Angle(i / channels, i % half, Math.Max(1, half - 1));
            values[i] = (float)(i % channels < half ? Math.Sin(angle) : Math.Cos(angle));
        }
        return values;
    }

    /// <summary>
    /// Steps of diffusion (Ho et al., 2020): all cosines, then all sines, f_i = 10000^(-i/(C/2)).
    /// </summary>
    /// <param name="steps">[N].</param>
    /// <param name="channels">C.</param>
    /// <param name="values">[N, C].</param>
    /// <exception cref="ArgumentException">The number of channels is odd.</exception>
    public static void CosinesFirst(ReadOnlySpan<int> steps, int channels, Span<float> values)
    {
        CheckEven(channels);
        int half = channels / 2;
        for (int i = 0; i < values.Length; i++)
        {
            double angle = Angle(steps[i / channels], i % half, half);
            values[i] = (float)(i % channels < half ? Math.Cos(angle) : Math.Sin(angle));
        }
    }

    private static double Angle(int number, int i, int divisor) => number * Math.Pow(10000, -(double)i / divisor);

    private static void CheckEven(int channels)
    {
        if (channels < 2 || channels % 2 != 0)
            throw new ArgumentException($"sines and cosines come in pairs; got {channels} channels");
    }
}
