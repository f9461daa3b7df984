namespace Nano.Tests;

/// <summary>What steps that repeat allocate.</summary>
static class Allocations
{
    /// <summary>
    /// Bytes that <paramref name="steps"/> allocates on this thread, the least of three runs: what a step allocates
    /// shows in each of them, a table that the runtime enlarges once (8 KB, while other tests load classes) does not.
    /// </summary>
    public static long Of(Action steps)
    {
        long least = long.MaxValue;
        for (int i = 0; i < 3; i++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            steps();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }
        return least;
    }
}
