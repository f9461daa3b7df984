namespace Nano;

/// <summary>
/// Filters from frequencies to mels: triangles that overlap by half, whose corners lie evenly on Slaney's scale
/// ("Auditory Toolbox", 1998), linear up to 1000 Hz and logarithmic above:
/// <code>
/// mel = hz / (200 / 3) below 1000 Hz, 15 + 27 ln(hz / 1000) / ln 6.4 above
/// </code>
/// A triangle has area 1 in Hz.
/// </summary>
public static class MelFilters
{
    private const double Step = 200.0 / 3, Knee = 15, KneeHz = 1000;
    private static readonly double Ratio = Math.Log(6.4) / 27;

    /// <summary>The weight of each frequency in each mel, [mels, fftSize / 2 + 1].</summary>
    /// <param name="sampleRate">Samples per second.</param>
    /// <param name="fftSize">Samples of a Fourier transform, whose frequencies are read.</param>
    /// <param name="mels">The number of filters.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is not positive or very large.</exception>
    public static Tensor Slaney(int sampleRate, int fftSize, int mels) =>
        Tensor.From(new Shape(mels, (fftSize / 2) + 1),
            Array.ConvertAll(Weights(sampleRate, fftSize, mels), weight => (float)weight));

    internal static double[] Weights(int sampleRate, int fftSize, int mels)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(sampleRate, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(fftSize, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(fftSize, 1 << 16);
        ArgumentOutOfRangeException.ThrowIfLessThan(mels, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(mels, 1 << 12);
        int frequencies = (fftSize / 2) + 1;
        double top = Mel(sampleRate / 2.0);
        var weights = new double[mels * frequencies];
        for (int m = 0; m < mels; m++)
        {
            double Corner(int i) => Hertz(top * (m + i) / (mels + 1));
            var (left, middle, right) = (Corner(0), Corner(1), Corner(2));
            for (int f = 0; f < frequencies; f++)
            {
                double hz = (double)f * sampleRate / fftSize;
                double height = Math.Min((hz - left) / (middle - left), (right - hz) / (right - middle));
                weights[(m * frequencies) + f] = Math.Max(0, height) * 2 / (right - left);
            }
        }
        return weights;
    }

    private static double Mel(double hz) => hz < KneeHz ? hz / Step : Knee + (Math.Log(hz / KneeHz) / Ratio);

    private static double Hertz(double mel) => mel < Knee ? mel * Step : KneeHz * Math.Exp(Ratio * (mel - Knee));
}
