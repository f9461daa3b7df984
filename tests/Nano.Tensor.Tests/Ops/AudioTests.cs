namespace Nano.Tests;

/// <summary>Fourier transforms, mel filters and log-mel spectrograms against their formulas in plain loops.</summary>
public class AudioTests
{
    private static float[] Sound(int samples)
    {
        var random = new Random(5);
        return [.. Enumerable.Range(0, samples)
            .Select(i => (float)((0.4 * Math.Sin(0.2 * i)) + (0.05 * (random.NextDouble() - 0.5))))];
    }

    [Theory, InlineData(1), InlineData(2), InlineData(7), InlineData(12), InlineData(49), InlineData(400)]
    public unsafe void Fourier_transforms_of_any_length_agree_with_the_sum(int n)
    {
        var random = new Random(n);
        double[] x = [.. Enumerable.Range(0, 2 * n).Select(_ => random.NextDouble() - 0.5)],
            other = new double[2 * n], turns = Fourier.Turns(n), sums = new double[2 * n];
        for (int f = 0; f < n; f++)
            for (int i = 0; i < n; i++)
            {
                var (sine, cosine) = Math.SinCos(-2 * Math.PI * (f * i % n) / n);
                sums[2 * f] += (x[2 * i] * cosine) - (x[(2 * i) + 1] * sine);
                sums[(2 * f) + 1] += (x[2 * i] * sine) + (x[(2 * i) + 1] * cosine);
            }
        fixed (double* px = x, pother = other, pturns = turns)
        {
            double* y = new Fourier(n, pturns).Transform(px, pother);
            for (int i = 0; i < 2 * n; i++)
                Assert.Equal(sums[i], y[i], 1e-12);
        }
    }

    // The weight of the first filter's second bin is a constant of Whisper's own file of filters.
    [Fact]
    public void Filters_are_those_of_Whisper()
    {
        var filters = MelFilters.Slaney(16000, 400, 80);
        Assert.Equal(new Shape(80, 201), filters.Shape);
        Assert.Equal(0, filters.Data[0]);
        Assert.Equal(0.02486259f, filters.Data[1], 1e-8f);
        Assert.Equal(0.04166f, MelFilters.Slaney(16000, 400, 128).Data.ToArray().Max(), 1e-4f);
    }

    [Fact]
    public void A_spectrogram_has_the_same_bits_for_any_threads_and_width()
    {
        var sound = Sound(5000);
        byte[]? first = null;
        foreach (var width in SimdWidths.All)
            foreach (int threads in new[] { 1, 2, 5 })
            {
                using var compute = new Compute(threads, width);
                byte[] bits = System.Runtime.InteropServices.MemoryMarshal.AsBytes(
                    new LogMel().Of(compute, sound, 16000).Data).ToArray();
                Assert.Equal(first ??= bits, bits);
            }
    }

    // A frame for each whole hop; of an odd window the reflected sound is a sample shorter.
    [Theory, InlineData(400, 160, 201, 1), InlineData(400, 160, 480, 3), InlineData(15, 4, 64, 15)]
    public void The_number_of_frames_follows_from_the_hops(int size, int hop, int samples, int frames)
    {
        using var compute = new Compute(1);
        var y = new LogMel(6, 16000, size, hop).Of(compute, Sound(samples), 16000);
        Assert.Equal(new Shape(6, frames), y.Shape);
        Assert.All(y.Data.ToArray(), value => Assert.True(float.IsFinite(value)));
    }

    [Fact]
    public void Silence_is_the_least_number_everywhere()
    {
        using var compute = new Compute(2);
        Assert.All(new LogMel().Of(compute, new float[1600], 16000).Data.ToArray(),
            value => Assert.Equal(-1.5f, value)); // (log10(1e-10) + 4) / 4
    }

    [Fact]
    public void Sounds_that_cannot_be_read_are_refused()
    {
        using var compute = new Compute(1);
        string Refusal(float[] sound, int rate) =>
            Assert.Throws<NanoException>(() => new LogMel().Of(compute, sound, rate)).Message;
        Assert.Equal("the sound has 44100 samples per second; 16000 are needed", Refusal(Sound(1000), 44100));
        Assert.Equal("the sound has 200 samples; more than 200 are needed", Refusal(Sound(200), 16000));
        var broken = Sound(1000);
        broken[7] = float.NaN;
        Assert.Equal("sample 7 of the sound is NaN", Refusal(broken, 16000));
        Assert.Throws<ArgumentOutOfRangeException>(() => new LogMel(mels: 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new LogMel(hop: 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => MelFilters.Slaney(0, 400, 80));
    }
}
