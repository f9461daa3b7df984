using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace Nano.Tests;

public sealed unsafe class WorkerTeamTests
{
    private static readonly int[] Sizes = [1, 2, 3, 7];

    [Fact]
    public void Every_index_is_run_exactly_once()
    {
        foreach (int size in Sizes)
        {
            using var team = new WorkerTeam(size);
            foreach (int count in new[] { 0, 1, 2, 3, 5, 16, 64, 97, 1000 })
                foreach (int chunk in new[] { 1, 2, 3, 7, 16, 96, 97, 98, 5000 })
                {
                    var hits = new int[count + 1];
                    fixed (int* p = hits)
                    {
                        var job = new CountJob(p, count, chunk);
                        team.Run(&CountHits, &job, count, chunk);
                        Assert.Equal(0, job.Misfits);
                    }
                    Assert.All(hits[..count], hit => Assert.Equal(1, hit));
                    Assert.Equal(0, hits[count]);
                }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(7)]
    public void Two_hundred_thousand_tiny_jobs_are_each_done_right(int size)
    {
        using var team = new WorkerTeam(size);
        var sums = stackalloc long[61];
        long expected = 0;
        for (int i = 0; i < 200_000; i++)
        {
            // Even and odd jobs use different functions and arguments, so a worker that mixes two jobs up is noticed.
            int count = 1 + (i * 7 % 61), chunk = 1 + (i % 4);
            var job = new SumJob(sums, 1 + (i % 5), Odd: i % 2);
            team.Run(i % 2 == 0 ? &AddEven : &AddOdd, &job, count, chunk);
            expected += count * job.Value;
        }
        long total = 0;
        for (int i = 0; i < 61; i++)
            total += sums[i];
        Assert.Equal(expected, total);
    }

    [Fact]
    public void Jobs_after_a_sleep_are_done()
    {
        using var team = new WorkerTeam(3);
        var sums = stackalloc long[16];
        for (int i = 0; i < 60; i++)
        {
            // Around the length of the spin, so that workers are caught spinning, falling asleep and asleep.
            Thread.Sleep(i % 3);
            Thread.SpinWait(i * 1000);
            var job = new SumJob(sums, 1, Odd: 0);
            team.Run(&AddEven, &job, 16, 1);
        }
        for (int i = 0; i < 16; i++)
            Assert.Equal(60, sums[i]);
    }

    [Fact]
    public void Two_callers_take_turns()
    {
        using var team = new WorkerTeam(3);
        var sums = (long*)NativeMemory.AllocZeroed(2 * 32, sizeof(long));
        var callers = new Thread[2];
        for (int c = 0; c < 2; c++)
        {
            long* mine = sums + (c * 32);
            callers[c] = new Thread(() =>
            {
                for (int i = 0; i < 2000; i++)
                {
                    var job = new SumJob(mine, 1, Odd: 1);
                    team.Run(&AddOdd, &job, 32, 3);
                }
            });
            callers[c].Start();
        }
        foreach (var caller in callers)
            caller.Join();
        for (int i = 0; i < 64; i++)
            Assert.Equal(2000, sums[i]);
        NativeMemory.Free(sums);
    }

    [Fact]
    public void An_exception_of_any_chunk_reaches_the_caller_once_and_the_team_goes_on()
    {
        foreach (int size in Sizes)
        {
            using var team = new WorkerTeam(size);
            for (int round = 0; round < 200; round++)
            {
                var job = new ThrowJob(At: round % 20);
                var caught = Assert.Throws<InvalidDataException>(() => RunThrowing(team, ref job));
                Assert.Equal($"chunk {round % 20}", caught.Message);
                if (size > 1)
                    Assert.Equal(20, job.Chunks);
                job = new ThrowJob(At: -1);
                RunThrowing(team, ref job);
                Assert.Equal(size > 1 ? 20 : 1, job.Chunks);
            }
        }
    }

    [Fact]
    public void When_every_chunk_fails_one_exception_is_thrown()
    {
        using var team = new WorkerTeam(3);
        Assert.Throws<NotSupportedException>(() => team.Run(&Fail, null, 50, 1));
        Assert.Throws<NotSupportedException>(() => team.Run(&Fail, null, 1, 1));
        var sums = stackalloc long[50];
        var job = new SumJob(sums, 1, Odd: 0);
        team.Run(&AddEven, &job, 50, 1);
        for (int i = 0; i < 50; i++)
            Assert.Equal(1, sums[i]);
    }

    [Fact]
    public void A_chunk_cannot_start_a_job_on_its_own_team()
    {
        using var team = new WorkerTeam(1);
        var handle = GCHandle.Alloc(team);
        Assert.Throws<InvalidOperationException>(() => team.Run(&RunAgain, (void*)GCHandle.ToIntPtr(handle), 4, 1));
        handle.Free();
    }

    [Fact]
    public void Dispose_ends_the_threads_and_later_jobs_are_refused()
    {
        var seen = new ConcurrentDictionary<Thread, bool>();
        var handle = GCHandle.Alloc(seen);
        var team = new WorkerTeam(3);
        for (int i = 0; i < 1000 && seen.Count < 3; i++)
            team.Run(&NoteThread, (void*)GCHandle.ToIntPtr(handle), 8, 1);
        team.Dispose();
        handle.Free();
        Assert.Equal(3, seen.Count);
        Assert.All(seen.Keys, thread => Assert.True(thread == Thread.CurrentThread || !thread.IsAlive));
        Assert.Throws<ObjectDisposedException>(() => team.Run(&Fail, null, 8, 1));
        team.Dispose();
    }

    [Fact]
    public void A_team_or_a_chunk_of_nothing_is_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new WorkerTeam(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new WorkerTeam(-1));
        using var team = new WorkerTeam(2);
        Assert.Throws<ArgumentOutOfRangeException>(() => team.Run(&Fail, null, 8, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => team.Run(&Fail, null, 8, -3));
    }

    private struct CountJob(int* hits, int total, int chunk)
    {
        public readonly int* Hits = hits;
        public readonly int Total = total, Chunk = chunk;
        public int Misfits;
    }

    private static void CountHits(void* context, nint begin, nint end, Scratch scratch)
    {
        var job = (CountJob*)context;
        bool whole = begin == 0 && end == job->Total;
        if (!whole && (begin % job->Chunk != 0 || end != nint.Min(begin + job->Chunk, job->Total)))
            Interlocked.Increment(ref job->Misfits);
        for (nint i = begin; i < end; i++)
            Interlocked.Increment(ref job->Hits[i]);
    }

    private readonly record struct SumJob(nint SumsAddress, long Value, int Odd)
    {
        public SumJob(long* sums, long value, int Odd) : this((nint)sums, value, Odd)
        {
        }

        public void Add(nint begin, nint end, int expectedOdd)
        {
            for (nint i = begin; i < end; i++)
                ((long*)SumsAddress)[i] += Odd == expectedOdd ? Value : 1L << 40;
        }
    }

    private static void AddEven(void* context, nint begin, nint end, Scratch scratch) =>
        ((SumJob*)context)->Add(begin, end, 0);

    private static void AddOdd(void* context, nint begin, nint end, Scratch scratch) =>
        ((SumJob*)context)->Add(begin, end, 1);

    private record struct ThrowJob(int At)
    {
        public int Chunks;
    }

    private static void RunThrowing(WorkerTeam team, ref ThrowJob job)
    {
        fixed (ThrowJob* p = &job)
            team.Run(&ThrowAt, p, 100, 5);
    }

    private static void ThrowAt(void* context, nint begin, nint end, Scratch scratch)
    {
        var job = (ThrowJob*)context;
        Interlocked.Increment(ref job->Chunks);
        if (job->At >= 0 && begin <= job->At * 5 && job->At * 5 < end)
            throw new InvalidDataException($"chunk {job->At}");
    }

    private static void Fail(void* context, nint begin, nint end, Scratch scratch) => throw new NotSupportedException();

    private static void RunAgain(void* context, nint begin, nint end, Scratch scratch) =>
        ((WorkerTeam)GCHandle.FromIntPtr((nint)context).Target!).Run(&Fail, null, 2, 1);

    private static void NoteThread(void* context, nint begin, nint end, Scratch scratch)
    {
        ((ConcurrentDictionary<Thread, bool>)GCHandle.FromIntPtr((nint)context).Target!)[Thread.CurrentThread] = true;
        Thread.Sleep(1);
    }
}
