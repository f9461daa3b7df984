using System.Diagnostics;

namespace Nano;

/// <summary>
/// The time in which a cache line goes from one worker to another: two threads take turns in writing
/// a number that the other waits for. About 25 ns where they have a cache in common, 150 ns and
/// more where they do not.
/// </summary>
internal static unsafe class CacheLineTime
{
    private const int Runs = 6, Turns = 1000, Line = 32; // ints: a cache line and the one fetched with it

    /// <summary>The shortest time of several runs in nanoseconds, one way; NaN if two threads never met.</summary>
    public static double Measure(Compute compute)
    {
        if (compute.Threads == 1 || Environment.ProcessorCount == 1)
            return double.NaN;
        using var memory = new NativeBuffer(2 * Line);
        int* number = (int*)memory.Pointer, ticks = number + Line;
        long best = long.MaxValue;
        for (int i = 0; i < Runs; i++)
        {
            (*number, *ticks) = (0, 0);
            compute.For(2, 1, 0, new TakeTurns(number, ticks));
            if (*ticks > 0)
                best = Math.Min(best, *ticks);
        }
        return best == long.MaxValue ? double.NaN : best * 1e9 / Stopwatch.Frequency / (2 * Turns);
    }

    /// <summary>
    /// Item 0 writes odd numbers and item 1 even ones. Each waits for a bounded time, since one thread may
    /// have got both or the other may not run; -1 says that a wait has ended so.
    /// </summary>
    private readonly struct TakeTurns(int* number, int* ticks) : IKernel
    {
        private const int GaveUp = -1;
        private static readonly long Patience = Stopwatch.Frequency / 200;

        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            if (end - begin == 1 && (begin == 0 ? Write() : Answer()))
                return;
            Volatile.Write(ref *number, GaveUp);
            *ticks = 0;
        }

        private bool Write()
        {
            Volatile.Write(ref *number, 1);
            if (!WaitFor(2)) // the other has come
                return false;
            long start = Stopwatch.GetTimestamp();
            for (int turn = 1; turn <= Turns; turn++)
            {
                Volatile.Write(ref *number, (2 * turn) + 1);
                if (!WaitFor((2 * turn) + 2))
                    return false;
            }
            *ticks = (int)(Stopwatch.GetTimestamp() - start);
            return true;
        }

        private bool Answer()
        {
            for (int turn = 0; turn <= Turns; turn++)
            {
                if (!WaitFor((2 * turn) + 1))
                    return false;
                Volatile.Write(ref *number, (2 * turn) + 2);
            }
            return true;
        }

        private bool WaitFor(int value)
        {
            long start = 0;
            for (int spins = 1; Volatile.Read(ref *number) is var now && now != value; spins++)
            {
                if (now == GaveUp)
                    return false;
                if (spins % 1024 != 0)
                    continue;
                long time = Stopwatch.GetTimestamp();
                start = start == 0 ? time : start;
                if (time - start > Patience)
                    return false;
            }
            return true;
        }
    }
}
