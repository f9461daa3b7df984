using System.Diagnostics;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace Nano;

/// <summary>
/// A team of threads that splits ranges. A job is a function over [0, count) cut into chunks of one
/// fixed size. Each thread, the caller included, has a range of neighbouring chunks and takes a share
/// of those that are left at a time, the last ones singly; then it helps with the ranges of others.
/// So a thread works on the same part of the data from kernel to kernel, where its caches hold it.
/// The result of a chunk never depends on the thread that took it, so results are the same for any
/// team.
/// </summary>
/// <remarks>
/// A range has a 64-bit ticket of (job number, next chunk). Taking chunks is a compare-and-swap of
/// the whole ticket, so a late worker can never touch a finished job: its swap fails because the job
/// number has moved on. Idle threads spin for about half a millisecond, longer than the usual gap
/// between two kernels, then sleep. While spinning they offer their processor to others: on a busy
/// machine a thread that has yielded is not stopped in the middle of its next chunk, for which the
/// whole team would have to wait.
/// </remarks>
public sealed unsafe class WorkerTeam : IDisposable
{
    private const int SpinRounds = 2000, YieldEvery = 32, ShareOfRange = 4;
    private const int TicketStride = 16; // longs: a cache line and the one that is fetched with it
    private const long Closed = int.MaxValue;

    /// <summary>The counters that several threads write, each on a cache line of its own.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 192)]
    private struct Shared
    {
        [FieldOffset(64)] public int Unfinished;
        [FieldOffset(128)] public int Sleeping;
    }

    private readonly Thread[] threads;
    private readonly Scratch[] scratch;
    private readonly long[] tickets;
    private readonly Placement placement;
    private readonly Lock busy = new();
    private readonly object gate = new();
    private Shared shared;
    private delegate*<void*, nint, nint, Scratch, void> run;
    private void* context;
    private nint count;
    private nint chunkSize;
    private int chunks;
    private StepTrace? traced; // the trace that records the current job
    private volatile bool stopping;
    private volatile Exception? failure;

    /// <summary>A team of this many threads in all; the calling thread is one of them.</summary>
    public WorkerTeam(int size)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 1);
        scratch = new Scratch[size];
        placement = new Placement(size);
        tickets = new long[(size + 1) * TicketStride];
        for (int i = 0; i < size; i++)
            scratch[i] = new Scratch();
        threads = new Thread[size - 1];
        for (int i = 0; i < threads.Length; i++)
        {
            int worker = i + 1;
            threads[i] = new Thread(() => Work(worker)) { IsBackground = true, Name = $"nano worker {worker}" };
            threads[i].Start();
        }
    }

    /// <summary>Threads in the team, the caller included.</summary>
    public int Size => threads.Length + 1;

    /// <summary>
    /// The default team size: NANO_THREADS if set, else the processors this process may use (the
    /// runtime counts a container's quota).
    /// </summary>
    /// <exception cref="NanoException">NANO_THREADS is not a positive number.</exception>
    public static int DefaultSize()
    {
        string? wish = Environment.GetEnvironmentVariable("NANO_THREADS");
        if (string.IsNullOrEmpty(wish))
            return Environment.ProcessorCount;
        return int.TryParse(wish, out int n) && n is >= 1 and <= 1024 ? n
            : throw new NanoException($"NANO_THREADS is {Quoted.Of(wish)}",
                "set it to a number of threads from 1 to 1024, or leave it unset");
    }

    /// <summary>Records jobs and chunks while set; changed only between jobs.</summary>
    internal StepTrace? Trace
    {
        get;
        set
        {
            if (value is not null && value.Workers < Size)
                throw new ArgumentException($"a trace of {value.Workers} workers cannot record a team of {Size}");
            field = value;
        }
    }

    /// <summary>
    /// Calls function(context, begin, end, scratch) for chunks of chunkSize that cover [0, count);
    /// returns when all are done. A trace shows the job by its name.
    /// </summary>
    /// <exception cref="Exception">The first exception of any chunk, rethrown here once every chunk
    /// has ended.</exception>
    public void Run(delegate*<void*, nint, nint, Scratch, void> function, void* arguments, nint total, nint chunk,
        string? name = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(chunk, 1);
        ObjectDisposedException.ThrowIf(stopping, this);
        if (busy.IsHeldByCurrentThread)
            throw new InvalidOperationException("a chunk of a job cannot start another job on the same team");
        if (total <= 0)
            return;
        lock (busy)
        {
            nint parts = (total + chunk - 1) / chunk;
            bool alone = parts == 1 || Size == 1;
            var recorder = Trace is { } trace && trace.StartJob(name ?? "job", total, alone ? 1 : parts) ? trace : null;
            if (alone)
            {
                long started = recorder is null ? 0 : Stopwatch.GetTimestamp();
                function(arguments, 0, total, scratch[0]);
                recorder?.AddChunk(0, 0, total, started);
                recorder?.EndJob();
                return;
            }
            // Close the old job before its fields change: a swap against any older ticket fails from here on.
            long job = Ticket(0) >> 32;
            for (int i = 0; i < Size; i++)
                Volatile.Write(ref Ticket(i), ((job + 1) << 32) | Closed);
            Interlocked.MemoryBarrier();
            run = function;
            context = arguments;
            count = total;
            chunkSize = chunk;
            chunks = checked((int)parts);
            traced = recorder;
            failure = null;
            shared.Unfinished = chunks;
            for (int i = Size - 1; i >= 0; i--)
                Volatile.Write(ref Ticket(i), ((job + 2) << 32) | (uint)RangeStart(i, chunks));
            Interlocked.MemoryBarrier();
            if (Volatile.Read(ref shared.Sleeping) > 0)
                lock (gate)
                    Monitor.PulseAll(gate);
            TakeChunks(0);
            var wait = new SpinWait();
            while (Volatile.Read(ref shared.Unfinished) > 0)
            {
                placement.Note(0);
                wait.SpinOnce(sleep1Threshold: -1);
            }
            if (failure is { } e)
                ExceptionDispatchInfo.Throw(e);
            recorder?.EndJob();
        }
    }

    /// <summary>The ticket of a worker's range, on cache lines of its own.</summary>
    private ref long Ticket(int worker) => ref tickets[(worker + 1) * TicketStride];

    /// <summary>The first chunk of a worker's range, and the end of the range before it.</summary>
    private int RangeStart(int worker, int all) => (int)((long)all * worker / Size);

    /// <summary>Takes the remaining chunks of a worker's own range, then of those after it.</summary>
    private void TakeChunks(int worker)
    {
        for (int i = 0; i < Size; i++)
            while (TakeFrom((worker + i) % Size, worker))
            {
            }
    }

    /// <summary>Takes chunks of a range; false if none are left.</summary>
    private bool TakeFrom(int range, int worker)
    {
        ref long shared = ref Ticket(range);
        long ticket = Volatile.Read(ref shared);
        var function = run;
        void* arguments = context;
        nint total = count, size = chunkSize;
        int index = (int)(ticket & 0xffffffff), end = RangeStart(range + 1, chunks);
        var recorder = traced;
        if (index >= end)
            return false;
        int next = index + Math.Max(1, (end - index) / ShareOfRange);
        if (Interlocked.CompareExchange(ref shared, ticket + (next - index), ticket) != ticket)
            return true;
        placement.Note(worker);
        long started = recorder is null ? 0 : Stopwatch.GetTimestamp();
        for (int i = index; i < next; i++)
            try
            {
                nint begin = i * size;
                function(arguments, begin, nint.Min(begin + size, total), scratch[worker]);
            }
            catch (Exception e) when (Store(e))
            {
            }
        recorder?.AddChunk(worker, index * size, nint.Min(next * size, total), started);
        Interlocked.Add(ref this.shared.Unfinished, index - next);
        return true;
    }

    private bool Store(Exception e)
    {
        failure ??= e;
        return true;
    }

    private void Work(int worker)
    {
        long seen = 0;
        while (!stopping)
        {
            if (Volatile.Read(ref Ticket(worker)) >> 32 == seen && !SpinUntilNew(worker, seen))
                Sleep(worker, seen);
            seen = Volatile.Read(ref Ticket(worker)) >> 32;
            if (!stopping && seen != 0)
                TakeChunks(worker);
        }
    }

    private bool SpinUntilNew(int worker, long seen)
    {
        for (int i = 0; i < SpinRounds; i++)
        {
            if (Volatile.Read(ref Ticket(worker)) >> 32 != seen || stopping)
                return true;
            Thread.SpinWait(8);
            if (i % YieldEvery == YieldEvery - 1)
            {
                placement.Note(worker);
                Thread.Yield();
            }
        }
        return false;
    }

    private void Sleep(int worker, long seen)
    {
        lock (gate)
        {
            Interlocked.Increment(ref shared.Sleeping);
            while (Volatile.Read(ref Ticket(worker)) >> 32 == seen && !stopping)
                Monitor.Wait(gate);
            Interlocked.Decrement(ref shared.Sleeping);
        }
    }

    /// <summary>Ends the threads.</summary>
    public void Dispose()
    {
        lock (gate)
        {
            stopping = true;
            Monitor.PulseAll(gate);
        }
        foreach (var thread in threads)
            thread.Join();
        foreach (var part in scratch)
            part.Dispose();
    }
}
