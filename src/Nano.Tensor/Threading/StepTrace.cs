using System.Diagnostics;

namespace Nano;

/// <summary>One chunk that a worker ran. Times are ticks of <see cref="Stopwatch"/>.</summary>
/// <param name="Job">The job's number in the trace.</param>
/// <param name="Begin">The first item.</param>
/// <param name="End">The end of the items.</param>
/// <param name="Started">The time at which the kernel was called.</param>
/// <param name="Ended">The time at which it returned.</param>
public readonly record struct TracedChunk(int Job, long Begin, long End, long Started, long Ended);

/// <summary>One job of the team, from the call of its dispatch to the end of its last chunk.</summary>
/// <param name="Kernel">The kernel's name.</param>
/// <param name="Items">The number of items.</param>
/// <param name="Chunks">The number of chunks; one chunk runs on the calling thread alone.</param>
/// <param name="Started">The time of the call.</param>
/// <param name="Ended">The time of the return; 0 if a chunk failed.</param>
public readonly record struct TracedJob(string Kernel, long Items, long Chunks, long Started, long Ended);

/// <summary>An op that has ended, or "other": the time that belongs to no op.</summary>
/// <param name="Name">The op and the direction: "linear forward".</param>
/// <param name="Product">Sizes (M, N, K) of a matrix product; zero for anything else.</param>
/// <param name="Started">The end of the op before it.</param>
/// <param name="Ended">The time at which it ended.</param>
public readonly record struct TracedOp(string Name, (int M, int N, int K) Product, long Started, long Ended);

/// <summary>
/// The record of what each worker did during training steps: every chunk, every job and every op,
/// with times. Its memory is allocated once; a job that finds no room ends the record, which then
/// says so. A record that has all its steps starts anew with the next one, so that a trace of one
/// step holds the last one.
/// </summary>
public sealed class StepTrace
{
    private const int Padding = 32; // ints between two workers' counters: a cache line and the one fetched with it
    private readonly TracedChunk[][] chunks;
    private readonly int[] counts;
    private readonly TracedJob[] jobs;
    private readonly TracedOp[] ops;
    private readonly (long Started, long Ended)[] steps;
    private int jobCount, opCount;
    private bool running;

    /// <summary>An empty record.</summary>
    /// <param name="workers">Threads of the team.</param>
    /// <param name="steps">Steps that the record holds.</param>
    /// <param name="chunksPerWorker">Chunks that it holds for each worker, 40 bytes each.</param>
    public StepTrace(int workers, int steps = 1, int chunksPerWorker = 1 << 17)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(workers, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(steps, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(chunksPerWorker, 1);
        chunks = new TracedChunk[workers][];
        for (int i = 0; i < workers; i++)
            chunks[i] = new TracedChunk[chunksPerWorker];
        counts = new int[(workers + 1) * Padding];
        jobs = new TracedJob[chunksPerWorker];
        ops = new TracedOp[chunksPerWorker];
        this.steps = new (long, long)[steps];
    }

    /// <summary>Threads of the team.</summary>
    public int Workers => chunks.Length;

    /// <summary>Steps that have begun.</summary>
    public int Steps { get; private set; }

    /// <summary>True if the room did not suffice: the record ends before the last step does.</summary>
    public bool IsCut { get; private set; }

    /// <summary>The chunks of a worker, in the order in which they ran.</summary>
    public ReadOnlySpan<TracedChunk> ChunksOf(int worker) => chunks[worker].AsSpan(0, Count(worker));

    /// <summary>The jobs, in the order in which they ran.</summary>
    public ReadOnlySpan<TracedJob> Jobs => jobs.AsSpan(0, jobCount);

    /// <summary>The ops; each begins where the one before it ended.</summary>
    public ReadOnlySpan<TracedOp> Ops => ops.AsSpan(0, opCount);

    /// <summary>
    /// The beginning and the end of each step; a step that did not come to its end lasts to its last op.
    /// </summary>
    public ReadOnlySpan<(long Started, long Ended)> StepTimes => steps.AsSpan(0, Steps);

    private ref int Count(int worker) => ref counts[(worker + 1) * Padding];

    /// <summary>Begins a step; a full record forgets all before it.</summary>
    internal void StartStep(long now)
    {
        if (Steps == steps.Length)
        {
            (Steps, jobCount, opCount, IsCut) = (0, 0, 0, false);
            for (int i = 0; i < Workers; i++)
                Count(i) = 0;
        }
        steps[Steps++] = (now, now);
        running = !IsCut;
    }

    /// <summary>Adds an op that has just ended.</summary>
    internal void AddOp(string name, (int M, int N, int K) product, long started, long ended)
    {
        if (!running)
            return;
        if (opCount == ops.Length)
        {
            Cut();
            return;
        }
        ops[opCount++] = new TracedOp(name, product, started, ended);
        steps[Steps - 1].Ended = ended;
    }

    /// <summary>Ends a step.</summary>
    internal void EndStep(long started, long now)
    {
        AddOp("other", default, started, now);
        running = false;
    }

    /// <summary>
    /// Begins a job; false if it is not to be recorded. All workers have ended the job before.
    /// </summary>
    internal bool StartJob(string kernel, long items, long parts)
    {
        if (!running)
            return false;
        long most = 0;
        for (int i = 0; i < Workers; i++)
            most = Math.Max(most, Count(i));
        if (jobCount == jobs.Length || most + parts > chunks[0].Length)
        {
            Cut();
            return false;
        }
        jobs[jobCount++] = new TracedJob(kernel, items, parts, Stopwatch.GetTimestamp(), 0);
        return true;
    }

    /// <summary>Adds a chunk of the current job that the worker has just ended.</summary>
    internal void AddChunk(int worker, long begin, long end, long started)
    {
        ref int count = ref Count(worker);
        chunks[worker][count] = new TracedChunk(jobCount - 1, begin, end, started, Stopwatch.GetTimestamp());
        count++;
    }

    /// <summary>Ends the current job.</summary>
    internal void EndJob() => jobs[jobCount - 1] = jobs[jobCount - 1] with { Ended = Stopwatch.GetTimestamp() };

    private void Cut() => (IsCut, running) = (true, false);
}
