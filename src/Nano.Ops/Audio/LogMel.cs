namespace Nano;

/// <summary>
/// The log-mel spectrogram of a sound as Whisper reads it (Radford et al., "Robust Speech Recognition via Large-Scale
/// Weak Supervision", 2022). The sound is reflected by half a window at both ends and cut into windows, each a hop
/// after the one before and weighed by a periodic Hann window; the last is dropped, which leaves a frame for each whole
/// hop.
/// <code>
/// p = |Fourier transform of the window|^2;  y = log10(max(1e-10, filters p))
/// y = (max(y, largest y of the sound - 8) + 4) / 4
/// </code>
/// It is computed in double precision, a window by one thread.
/// </summary>
/// <param name="mels">Numbers of a frame: 80, of whisper-large-v3 128.</param>
/// <param name="sampleRate">Samples per second.</param>
/// <param name="fftSize">Samples of a window.</param>
/// <param name="hop">Samples from one window to the next.</param>
public sealed class LogMel(int mels = 80, int sampleRate = 16000, int fftSize = 400, int hop = 160)
{
    private const double Least = 1e-10, Range = 8;

    private readonly double[] filters = MelFilters.Weights(sampleRate, fftSize, mels); // [mels, fftSize / 2 + 1]
    private readonly double[] turns = Fourier.Turns(fftSize);

    /// <summary>Numbers of a frame.</summary>
    public int Mels => mels;

    /// <summary>Samples per second.</summary>
    public int SampleRate => sampleRate;

    /// <summary>Samples from one frame to the next.</summary>
    public int Hop { get; } = hop > 0 ? hop : throw new ArgumentOutOfRangeException(nameof(hop));

    /// <summary>The spectrogram of a sound.</summary>
    /// <param name="compute">The context whose threads compute it.</param>
    /// <param name="samples">The sound, a number from -1 to 1 for each sample.</param>
    /// <param name="rate">Its samples per second.</param>
    /// <returns>[mels, samples / hop], memory of its own.</returns>
    /// <exception cref="NanoException">The sound has another sample rate, is not longer than half a window, or holds
    /// a number that is none.</exception>
    public unsafe Tensor Of(Compute compute, ReadOnlySpan<float> samples, int rate)
    {
        Check(samples, rate);
        int frames = (samples.Length + (fftSize / 2 * 2) - fftSize) / Hop;
        var y = new Tensor(new Shape(mels, frames));
        var logs = new double[(long)mels * frames];
        fixed (double* filters = this.filters, turns = this.turns, to = logs)
        fixed (float* x = samples)
            compute.For(frames, 8, (8L * fftSize) + (2 * Frequencies) + 64, new Windows(x, samples.Length,
                new(fftSize, turns), turns, filters, fftSize, Hop, mels, frames, to));
        double largest = double.NegativeInfinity;
        foreach (double log in logs)
            largest = Math.Max(largest, log);
        for (int i = 0; i < logs.Length; i++)
            y.Data[i] = (float)((Math.Max(logs[i], largest - Range) + 4) / 4);
        return y;
    }

    private int Frequencies => (fftSize / 2) + 1;

    private void Check(ReadOnlySpan<float> samples, int rate)
    {
        if (rate != sampleRate)
            throw new NanoException($"the sound has {rate} samples per second; {sampleRate} are needed",
                $"convert it to {sampleRate} samples per second");
        if (samples.Length <= fftSize / 2)
            throw new NanoException($"the sound has {samples.Length} samples; more than {fftSize / 2} are needed",
                "append silence");
        for (int i = 0; i < samples.Length; i++)
            if (!float.IsFinite(samples[i]))
                throw new NanoException($"sample {i} of the sound is {samples[i]}");
    }

    /// <summary>The logs of the mels of each window, [mels, frames].</summary>
    private readonly unsafe struct Windows(float* samples, int length, Fourier fourier, double* turns, double* filters,
        int size, int hop, int mels, int frames, double* logs) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            double* window = (double*)scratch.Allocate(4 * size), other = (double*)scratch.Allocate(4 * size);
            double* powers = (double*)scratch.Allocate(2 * frequencies);
            for (nint frame = begin; frame < end; frame++)
            {
                for (int i = 0; i < size; i++)
                {
                    double hann = 0.5 * (1 - turns[2 * i]);
                    (window[2 * i], window[(2 * i) + 1]) = (samples[Reflected((frame * hop) + i)] * hann, 0);
                }
                double* z = fourier.Transform(window, other);
                for (int f = 0; f < frequencies; f++)
                    powers[f] = (z[2 * f] * z[2 * f]) + (z[(2 * f) + 1] * z[(2 * f) + 1]);
                for (int m = 0; m < mels; m++)
                {
                    double sum = 0;
                    for (int f = 0; f < frequencies; f++)
                        sum += filters[(m * frequencies) + f] * powers[f];
                    logs[(m * (nint)frames) + frame] = Math.Log10(Math.Max(Least, sum));
                }
            }
        }

        /// <summary>The sample at a place of the reflected sound.</summary>
        private nint Reflected(nint place)
        {
            nint i = nint.Abs(place - (size / 2));
            return i < length ? i : (2 * (nint)(length - 1)) - i;
        }

        private readonly int frequencies = (size / 2) + 1;
    }
}
