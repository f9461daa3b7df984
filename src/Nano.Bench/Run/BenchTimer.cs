using System.Diagnostics;

namespace Nano;

/// <summary>
/// Something to time: an untimed preparation before each run, or none; runs; and what waits for
/// their end, where they only give orders.
/// </summary>
internal readonly record struct Contender(Action? Prepare, Action Run, Action? Finish = null);

/// <summary>
/// Medians of repeated runs after a warm-up. Contenders take turns, so that whatever else the
/// machine does meets all of them alike.
/// </summary>
internal static class BenchTimer
{
    // seconds; in the first tenth the runtime still compiles in the background
    private const double MinSample = 1e-3, WarmUp = 0.15;

    /// <summary>Median seconds of one run of each contender.</summary>
    /// <param name="processorTime">Counts the time that this process had a processor, which other
    /// processes do not distort: right for one thread only.</param>
    /// <param name="minSeconds">The least time for each contender, with at least five samples, or
    /// three of runs that take a second.</param>
    /// <param name="contenders">The contenders, timed in turns.</param>
    public static double[] Medians(bool processorTime, double minSeconds, params ReadOnlySpan<Contender> contenders)
    {
        var repeats = new int[contenders.Length];
        var samples = new List<double>[contenders.Length];
        var spent = new double[contenders.Length];
        for (int i = 0; i < contenders.Length; i++)
        {
            samples[i] = [];
            long start = Stopwatch.GetTimestamp();
            double once;
            do
                once = Sample(contenders[i], 1, false);
            while (Stopwatch.GetElapsedTime(start).TotalSeconds < WarmUp);
            // An untimed preparation allows only one run after it; otherwise short runs are repeated until a
            // clock can tell.
            repeats[i] = contenders[i].Prepare is null ? (int)Math.Clamp(Math.Ceiling(MinSample / once), 1, 1e5) : 1;
            Sample(contenders[i], repeats[i], processorTime);
        }
        bool HasEnough(int i) => spent[i] >= minSeconds && samples[i].Count >= (spent[i] > samples[i].Count ? 3 : 5);
        while (!Enumerable.Range(0, samples.Length).All(HasEnough))
            for (int i = 0; i < samples.Length; i++)
            {
                if (HasEnough(i) && spent[i] > 4 * minSeconds)
                    continue; // slow: it has had its share, and the quick ones need not wait for it every time
                long start = Stopwatch.GetTimestamp();
                samples[i].Add(Sample(contenders[i], repeats[i], processorTime));
                spent[i] += Stopwatch.GetElapsedTime(start).TotalSeconds;
            }
        return Array.ConvertAll(samples, Median);
    }

    private static double Sample(Contender contender, int repeats, bool processorTime)
    {
        contender.Prepare?.Invoke();
        var before = Environment.CpuUsage.TotalTime;
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < repeats; i++)
            contender.Run();
        contender.Finish?.Invoke();
        double wall = Stopwatch.GetElapsedTime(start).TotalSeconds;
        return (processorTime ? (Environment.CpuUsage.TotalTime - before).TotalSeconds : wall) / repeats;
    }

    private static double Median(List<double> values)
    {
        values.Sort();
        return values[values.Count / 2];
    }
}
