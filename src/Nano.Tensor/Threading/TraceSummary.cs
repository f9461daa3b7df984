using System.Diagnostics;

namespace Nano;

/// <summary>
/// The time of workers, in milliseconds per step. Of one worker the six parts are its wall time;
/// of an op they are sums over all workers.
/// </summary>
/// <param name="Busy">Within chunks.</param>
/// <param name="AtDispatch">From the call of a job to the worker's first chunk.</param>
/// <param name="BetweenChunks">From a chunk to the next one of the same job.</param>
/// <param name="AtEnd">From the worker's last chunk to the end of the job.</param>
/// <param name="WithoutChunk">All of a job of which the worker ran no chunk.</param>
/// <param name="OutsideJobs">All that is not a job: code of the calling thread.</param>
public readonly record struct WorkerTime(double Busy, double AtDispatch, double BetweenChunks, double AtEnd,
    double WithoutChunk, double OutsideJobs)
{
    /// <summary>All parts together.</summary>
    public double Wall => Busy + AtDispatch + BetweenChunks + AtEnd + WithoutChunk + OutsideJobs;
}

/// <summary>The time of all ops of one name and, for matrix products, one size.</summary>
/// <param name="Name">The op and the direction.</param>
/// <param name="Shape">M x N x K of a matrix product, else empty.</param>
/// <param name="Calls">Ops per step.</param>
/// <param name="Jobs">Jobs per step.</param>
/// <param name="Chunks">Chunks per step.</param>
/// <param name="Ms">Milliseconds per step.</param>
/// <param name="BusyMs">Of each worker, milliseconds per step within chunks.</param>
/// <param name="Time">The time of all workers together.</param>
public sealed record TracedOpRow(string Name, string Shape, double Calls, double Jobs, double Chunks, double Ms,
    IReadOnlyList<double> BusyMs, WorkerTime Time);

/// <summary>
/// The time of each worker and of each op of a trace: shows where workers wait, and for what.
/// </summary>
public sealed class TraceSummary
{
    private enum Part { Busy, AtDispatch, BetweenChunks, AtEnd, WithoutChunk }

    private sealed class Sum(TracedOp first, int workers)
    {
        public readonly TracedOp First = first;
        public readonly long[,] Parts = new long[workers, Enum.GetValues<Part>().Length];
        public long Calls, Jobs, Chunks, Ticks;
    }

    private readonly StepTrace trace;
    private readonly Dictionary<(string, (int, int, int)), Sum> sums = [];

    /// <summary>Adds a trace up.</summary>
    public TraceSummary(StepTrace trace)
    {
        this.trace = trace;
        Steps = trace.Steps;
        IsCut = trace.IsCut;
        Add();
        Workers = [.. Enumerable.Range(0, trace.Workers).Select(w =>
            TimeOf(part => sums.Values.Sum(sum => sum.Parts[w, (int)part]), sums.Values.Sum(sum => sum.Ticks)))];
        Ops = [.. sums.Values.OrderByDescending(sum => sum.Ticks).Select(Row)];
        MillisecondsPerStep = Milliseconds(sums.Values.Sum(sum => sum.Ticks));
    }

    /// <summary>Steps in the trace.</summary>
    public int Steps { get; }

    /// <summary>True if the trace ends before its last step does; the figures are of what it holds.</summary>
    public bool IsCut { get; }

    /// <summary>Mean time of a step.</summary>
    public double MillisecondsPerStep { get; }

    /// <summary>The time of each worker; worker 0 is the calling thread.</summary>
    public IReadOnlyList<WorkerTime> Workers { get; }

    /// <summary>The ops, those that take longest first.</summary>
    public IReadOnlyList<TracedOpRow> Ops { get; }

    /// <summary>The share of the workers' time that is within chunks, in percent.</summary>
    public double PercentBusy => 100 * Workers.Sum(worker => worker.Busy) / Workers.Sum(worker => worker.Wall);

    /// <summary>Attributes every op, and every job within one, to its name.</summary>
    private void Add()
    {
        var next = new int[trace.Workers];
        int job = 0;
        foreach (var op in trace.Ops)
        {
            if (!sums.TryGetValue((op.Name, op.Product), out var sum))
                sums.Add((op.Name, op.Product), sum = new Sum(op, trace.Workers));
            sum.Calls++;
            sum.Ticks += op.Ended - op.Started;
            for (; job < trace.Jobs.Length && trace.Jobs[job].Ended <= op.Ended; job++)
                if (trace.Jobs[job].Ended > 0)
                    AddJob(sum, job, next);
        }
    }

    private void AddJob(Sum sum, int number, int[] next)
    {
        var job = trace.Jobs[number];
        sum.Jobs++;
        sum.Chunks += job.Chunks;
        for (int w = 0; w < trace.Workers; w++)
        {
            var chunks = trace.ChunksOf(w);
            long busy = 0, first = 0, last = 0;
            for (; next[w] < chunks.Length && chunks[next[w]].Job <= number; next[w]++)
            {
                var chunk = chunks[next[w]];
                if (chunk.Job < number) // of a job that failed
                    continue;
                first = first == 0 ? chunk.Started : first;
                last = chunk.Ended;
                busy += chunk.Ended - chunk.Started;
            }
            if (first == 0)
            {
                sum.Parts[w, (int)Part.WithoutChunk] += job.Ended - job.Started;
                continue;
            }
            sum.Parts[w, (int)Part.Busy] += busy;
            sum.Parts[w, (int)Part.AtDispatch] += first - job.Started;
            sum.Parts[w, (int)Part.BetweenChunks] += last - first - busy;
            sum.Parts[w, (int)Part.AtEnd] += job.Ended - last;
        }
    }

    private TracedOpRow Row(Sum sum)
    {
        var (m, n, k) = sum.First.Product;
        var workers = Enumerable.Range(0, trace.Workers);
        return new TracedOpRow(sum.First.Name, sum.First.Product == default ? "" : $"{m} x {n} x {k}",
            (double)sum.Calls / Steps, (double)sum.Jobs / Steps, (double)sum.Chunks / Steps, Milliseconds(sum.Ticks),
            [.. workers.Select(w => Milliseconds(sum.Parts[w, (int)Part.Busy]))],
            TimeOf(part => workers.Sum(w => sum.Parts[w, (int)part]), sum.Ticks * trace.Workers));
    }

    private WorkerTime TimeOf(Func<Part, long> ticks, long wall)
    {
        double Of(Part part) => Milliseconds(ticks(part));
        long inJobs = Enum.GetValues<Part>().Sum(ticks);
        return new WorkerTime(Of(Part.Busy), Of(Part.AtDispatch), Of(Part.BetweenChunks), Of(Part.AtEnd),
            Of(Part.WithoutChunk), Milliseconds(wall - inJobs));
    }

    private double Milliseconds(long ticks) => 1000.0 * ticks / Stopwatch.Frequency / Math.Max(1, Steps);
}
