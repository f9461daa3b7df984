using System.Diagnostics;
using System.Globalization;

namespace Nano;

/// <summary>
/// Quick figures without a benchmark framework: every case is proved right, then medians of
/// repeated runs after a warm-up.
/// </summary>
public static class QuickBench
{
    /// <summary>
    /// Checks and measures cases one after another. With one thread, processor time is counted:
    /// other processes do not distort it.
    /// </summary>
    /// <param name="compute">The context to run in.</param>
    /// <param name="machine">The ceilings.</param>
    /// <param name="cases">The cases to measure.</param>
    /// <param name="peers">Others that can do a case, or null.</param>
    /// <exception cref="NanoException">A result is wrong.</exception>
    public static IEnumerable<BenchResult> Run(Compute compute, Machine machine, IEnumerable<BenchCase> cases,
        Func<BenchCase, BenchWork, IEnumerable<BenchPeer>>? peers = null)
    {
        foreach (var of in cases)
            yield return Measure(compute, machine, of, peers);
    }

    private static BenchResult Measure(Compute compute, Machine machine, BenchCase of,
        Func<BenchCase, BenchWork, IEnumerable<BenchPeer>>? peers)
    {
        using var work = of.Create();
        BenchCheck.Verify(of, work, compute);
        using var others = new BenchPeers(compute, of, work, peers);
        var nano = new Contender(work.Prepare is null ? null : () => work.Prepare(compute), () => work.Run(compute));
        bool processorTime = compute.Threads == 1 && !others.WaitsForDevice;
        try
        {
            var (seconds, results) = others.Times(nano, processorTime, minSeconds: 0.2);
            return BenchResult.Of(of, machine, seconds, processorTime) with { Peers = results };
        }
        finally
        {
            compute.NextStep();
            compute.Tape = null;
        }
    }

    /// <summary>Steps that a profiler sees.</summary>
    public const int ProfiledSteps = 10;

    /// <summary>
    /// Measures a whole training step (forward, backward, clipping, AdamW) of a named model with
    /// random weights and tokens; a profiler sees ten more. With other products than float32's, the
    /// step in float32 takes turns with it as a peer.
    /// </summary>
    /// <exception cref="NanoException">No such model or preset, or a result is wrong.</exception>
    public static BenchResult TrainStep(Compute compute, Machine machine, string name, int batch, int time,
        Profiler? profiler = null, Func<BenchCase, BenchWork, IEnumerable<BenchPeer>>? peers = null,
        Precision precision = Precision.Float32)
    {
        var of = BenchCases.TrainStep(name, batch, time, precision);
        using var work = of.Create();
        if (peers is not null)
            BenchCheck.Verify(of, work, compute);
        using var others = new BenchPeers(compute, of, work, (benchCase, benchWork) =>
            [.. peers?.Invoke(benchCase, benchWork) ?? [], .. precision == Precision.Float32 ? []
                : (BenchPeer[])[Float32Step(compute, name, batch, time)]]);
        var result = MeasureSteps(of, compute, machine, new TrainStepSetup(compute, name, batch, time, precision),
            others, profiler);
        if (peers is null)
            // afterwards: its models would leave memory behind that the system still counts for
            // this process
            BenchCheck.Verify(of, work, compute);
        return result;
    }

    private static BenchPeer Float32Step(Compute compute, string name, int batch, int time)
    {
        var setup = new TrainStepSetup(compute, name, batch, time);
        long number = 0;
        return new BenchPeer("float32", () => setup.Run(number++), () => []) { Release = setup.Dispose };
    }

    private static BenchResult MeasureSteps(BenchCase of, Compute compute, Machine machine, TrainStepSetup setup,
        BenchPeers others, Profiler? profiler)
    {
        using var _ = setup;
        long number = 0;
        var (seconds, results) = others.Times(new Contender(null, () => setup.Run(number++)), processorTime: false,
            minSeconds: 3);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 10; i++)
            setup.Run(number++);
        long allocated = (GC.GetAllocatedBytesForCurrentThread() - before) / 10;
        if (profiler is not null)
        {
            // one step that does not count: a profiler's code is compiled when it is first used
            compute.Profiler = new Profiler { Trace = profiler.Trace is null ? null : new(compute.Threads) };
            setup.Run(number++);
            compute.Profiler = profiler;
            for (int i = 0; i < ProfiledSteps; i++)
                setup.Run(number++);
            compute.Profiler = null;
        }
        using var process = Process.GetCurrentProcess();
        var result = BenchResult.Of(of, machine, seconds, processorTime: false);
        return result with
        {
            Peers = results,
            Note = string.Create(CultureInfo.InvariantCulture,
                $"{result.Note}, {process.WorkingSet64 / 1e9:F3} GB "
                + $"resident{(results.Count > 0 ? " with all peers" : "")}, {allocated:N0} managed bytes per step"),
        };
    }
}
