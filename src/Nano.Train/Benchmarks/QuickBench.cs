using System.Diagnostics;
using System.Globalization;

namespace Nano;

/// <summary>Quick figures without a benchmark framework: every case is proved right, then medians of repeated runs after a warm-up.</summary>
public static class QuickBench
{
    /// <summary>Checks and measures cases one after another. With one thread, processor time is counted: other processes do not distort it.</summary>
    /// <param name="compute">Where to run.</param>
    /// <param name="machine">The ceilings.</param>
    /// <param name="cases">What to measure.</param>
    /// <param name="peers">Others that can do a case, or null.</param>
    /// <exception cref="NanoException">A result is wrong.</exception>
    public static IEnumerable<BenchResult> Run(Compute compute, Machine machine, IEnumerable<BenchCase> cases, Func<BenchCase, BenchWork, IEnumerable<BenchPeer>>? peers = null)
    {
        foreach (var of in cases)
            yield return Measure(compute, machine, of, peers);
    }

    private static BenchResult Measure(Compute compute, Machine machine, BenchCase of, Func<BenchCase, BenchWork, IEnumerable<BenchPeer>>? peers)
    {
        using var work = of.Create();
        BenchCheck.Verify(of, work, compute);
        BenchPeer[] others = peers is null ? [] : [.. peers(of, work)];
        try
        {
            if (others.Length > 0)
            {
                work.Prepare?.Invoke(compute);
                work.Run(compute);
            }
            foreach (var other in others)
            {
                other.Run();
                BenchCheck.Compare(of, other);
            }
            var ours = new Contender(work.Prepare is null ? null : () => work.Prepare(compute), () => work.Run(compute));
            // A device works while the processor waits: its time is seen on the wall only.
            bool processorTime = compute.Threads == 1 && others.All(other => other.Transfer is null);
            var (seconds, results) = Times(ours, others, processorTime, minSeconds: 0.2);
            return BenchResult.Of(of, machine, seconds, processorTime) with { Peers = results };
        }
        finally
        {
            compute.NextStep();
            compute.Tape = null;
            foreach (var other in others)
                other.Dispose();
        }
    }

    /// <summary>Our median and that of each peer, all taking turns. A peer whose time is lost in the noise of what it does besides is left out.</summary>
    private static (double Seconds, IReadOnlyList<PeerResult> Peers) Times(Contender ours, BenchPeer[] others, bool processorTime, double minSeconds)
    {
        var contenders = others.SelectMany(other => ((Action?[])[other.Run, other.Besides, other.Transfer]).OfType<Action>().Select(action => new Contender(null, action, other.Finish)));
        double[] seconds = BenchTimer.Medians(processorTime, minSeconds, [ours, .. contenders]);
        var results = new List<PeerResult>();
        int next = 1;
        foreach (var other in others)
        {
            double whole = seconds[next++], besides = other.Besides is null ? 0 : seconds[next++];
            double? transfer = other.Transfer is null ? null : seconds[next++];
            if (whole > besides)
                results.Add(new PeerResult(other.Name, (whole - besides) * 1000) { TransferMs = transfer * 1000, TransferGbps = other.TransferBytes / transfer / 1e9 });
        }
        return (seconds[0], results);
    }

    /// <summary>Measures a whole training step (forward, backward, clipping, AdamW) of a named model with random weights and tokens; a profiler sees ten more.</summary>
    /// <exception cref="NanoException">No such model or preset.</exception>
    public static BenchResult TrainStep(Compute compute, Machine machine, string name, int batch, int time, Profiler? profiler = null)
    {
        var of = BenchCases.TrainStep(name, batch, time);
        var result = MeasureSteps(of, compute, machine, new TrainStepSetup(compute, name, batch, time), profiler);
        using var work = of.Create();
        BenchCheck.Verify(of, work, compute); // afterwards: its models would leave memory behind that the system still counts as ours
        return result;
    }

    private static BenchResult MeasureSteps(BenchCase of, Compute compute, Machine machine, TrainStepSetup setup, Profiler? profiler)
    {
        using var _ = setup;
        var step = setup.Step;
        long number = 0;
        double seconds = BenchTimer.Medians(processorTime: false, minSeconds: 3, new Contender(null, () => step.Run(number++, 1e-4)))[0];
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 10; i++)
            step.Run(number++, 1e-4);
        long allocated = (GC.GetAllocatedBytesForCurrentThread() - before) / 10;
        if (profiler is not null)
        {
            compute.Profiler = new Profiler(); // one step that does not count: a profiler's code is compiled when it is first used
            step.Run(number++, 1e-4);
            compute.Profiler = profiler;
            for (int i = 0; i < 10; i++)
                step.Run(number++, 1e-4);
            compute.Profiler = null;
        }
        using var process = Process.GetCurrentProcess();
        var result = BenchResult.Of(of, machine, seconds, processorTime: false);
        return result with
        {
            Note = string.Create(CultureInfo.InvariantCulture, $"{result.Note}, {process.WorkingSet64 / 1e9:F3} GB resident, {allocated:N0} managed bytes per step"),
        };
    }
}
