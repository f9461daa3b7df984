namespace Nano;

/// <summary>A piece of work and what it costs at least.</summary>
/// <param name="Name">The op and the direction: "linear forward".</param>
/// <param name="Flops">Additions, multiplications, divisions, roots; a fused multiply-add is two, a
/// function such as exp is one.</param>
/// <param name="Bytes">Operands and results, each moved once.</param>
/// <param name="Product">Sizes of a matrix product [M, K] [K, N]; zero for anything else.</param>
public readonly record struct Work(string Name, double Flops, double Bytes, (int M, int N, int K) Product = default)
{
    /// <summary>
    /// Work that reads or writes these tensors; a tensor also stands for its gradient, and is named
    /// once for each time it moves.
    /// </summary>
    public static Work Of(string name, double flops, params ReadOnlySpan<Tensor?> moved)
    {
        double elements = 0;
        foreach (var tensor in moved)
            elements += tensor?.Length ?? 0;
        return new Work(name, flops, sizeof(float) * elements);
    }

    /// <summary>A tensor that stands for its gradient; null if it wants none.</summary>
    internal static Tensor? GradientOf(Tensor tensor) => tensor.WantsGradient ? tensor : null;

    /// <summary>Matrix products of one size: 2 M N K operations each, two operands and a result moved.</summary>
    public static Work Of(string name, int m, int n, int k, int count = 1) =>
        new(name, 2.0 * m * n * k * count,
            sizeof(float) * (((double)m * k) + ((double)k * n) + ((double)m * n)) * count, (m, n, k));
}

/// <summary>One line of a profile: all laps of one name and, for matrix products, one size.</summary>
/// <param name="Name">The work's name, or "other" for the time that belongs to no work.</param>
/// <param name="Shape">M x N x K of a matrix product, else empty.</param>
/// <param name="Calls">Laps per step.</param>
/// <param name="Ms">Milliseconds per step.</param>
/// <param name="Percent">Share of the step.</param>
/// <param name="Gflops">Arithmetic, in GFLOP/s.</param>
/// <param name="Gbps">Operands and results, each counted once, in GB/s.</param>
/// <param name="Bound">The ceiling it is compared with: "arithmetic" (the measured peak) for more
/// than four operations per byte, else "memory" (the read bandwidth).</param>
/// <param name="PercentOfCeiling">Of that ceiling. Beyond 100 percent of memory, the data came from a cache.</param>
public sealed record ProfileRow(string Name, string Shape, double Calls, double Ms, double Percent, double? Gflops,
    double? Gbps, string Bound, double? PercentOfCeiling);

/// <summary>
/// Measures the time of a step in laps, like a stopwatch: the time since the previous lap belongs
/// to the work that has just ended. A kernel returns when all threads are done, so a lap on the
/// calling thread covers them. Laps outside a step (evaluation) do not count.
/// </summary>
public sealed class Profiler(TimeProvider? clock = null)
{
    private sealed class Sum(Work first)
    {
        public readonly Work First = first;
        public long Calls, Ticks;
        public double Flops, Bytes;
    }

    private readonly TimeProvider clock = clock ?? TimeProvider.System;
    private readonly Dictionary<(string, (int, int, int)), Sum> sums = [];
    private bool running;
    private long stepStart, lapStart, total;

    /// <summary>Records each lap, and what the workers do meanwhile, if set; for the system's clock.</summary>
    public StepTrace? Trace { get; init; }

    /// <summary>Steps measured.</summary>
    public int Steps { get; private set; }

    /// <summary>Mean time of a step.</summary>
    public double MillisecondsPerStep => Milliseconds(total);

    /// <summary>Begins a step.</summary>
    public void StartStep()
    {
        running = true;
        stepStart = lapStart = clock.GetTimestamp();
        Trace?.StartStep(stepStart);
    }

    /// <summary>
    /// Ends a lap: attributes the time since the previous one to <paramref name="ended"/>. Null if
    /// the work has recorded its laps itself.
    /// </summary>
    public void Lap(Work? ended)
    {
        if (!running || ended is not { } work)
            return;
        long now = clock.GetTimestamp();
        if (!sums.TryGetValue((work.Name, work.Product), out var sum))
            sums.Add((work.Name, work.Product), sum = new Sum(work));
        sum.Calls++;
        sum.Ticks += now - lapStart;
        sum.Flops += work.Flops;
        sum.Bytes += work.Bytes;
        Trace?.AddOp(work.Name, work.Product, lapStart, now);
        lapStart = now;
    }

    /// <summary>Starts a new lap; the time since the previous one counts as "other".</summary>
    public void Skip()
    {
        long now = clock.GetTimestamp();
        Trace?.AddOp("other", default, lapStart, now);
        lapStart = now;
    }

    /// <summary>Ends a step.</summary>
    public void EndStep()
    {
        running = false;
        long now = clock.GetTimestamp();
        Trace?.EndStep(lapStart, now);
        total += now - stepStart;
        Steps++;
    }

    /// <summary>
    /// The measured kinds of work, the longest first, and the remaining time as "other"; together
    /// 100 percent. Empty before the first step has ended.
    /// </summary>
    public IReadOnlyList<ProfileRow> Rows(Machine machine)
    {
        if (Steps == 0)
            return [];
        long rest = total - sums.Values.Sum(sum => sum.Ticks);
        return [.. sums.Values.OrderByDescending(sum => sum.Ticks).Select(sum => Row(sum, machine)),
            new ProfileRow("other", "", 1, Milliseconds(rest), 100.0 * rest / total, null, null, "", null)];
    }

    private ProfileRow Row(Sum sum, Machine machine)
    {
        double seconds = (double)sum.Ticks / clock.TimestampFrequency;
        double gflops = sum.Flops / seconds / 1e9, gbps = sum.Bytes / seconds / 1e9;
        bool arithmetic = sum.Flops > 4 * sum.Bytes;
        var (m, n, k) = sum.First.Product;
        return new ProfileRow(sum.First.Name, sum.First.Product == default ? "" : $"{m} x {n} x {k}",
            (double)sum.Calls / Steps, Milliseconds(sum.Ticks), 100.0 * sum.Ticks / total,
            gflops, gbps, arithmetic ? "arithmetic" : "memory",
            100 * (arithmetic ? gflops / machine.PeakGflops : gbps / machine.ReadGigabytesPerSecond));
    }

    private double Milliseconds(long ticks) => 1000.0 * ticks / clock.TimestampFrequency / Steps;
}
