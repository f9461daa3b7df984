using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Nano;

/// <summary>
/// Keeps the threads of a team on processors of their own (Linux). The system often leaves a worker that it has
/// woken on its waker's processor for a long time while another idles; a worker that finds itself there moves away,
/// once: nothing is pinned. A team larger than the processors it may use is left to the system.
/// </summary>
internal sealed unsafe class Placement
{
    private const int MaskBytes = 128; // 1,024 processors
    private static readonly long Pause = Stopwatch.Frequency / 1000;

    private readonly int[] processors; // of each thread, when it was last seen; written only when it changes
    private readonly bool isUseful;
    private long notBefore;

    public Placement(int threads)
    {
        processors = new int[threads];
        processors.AsSpan().Fill(-1);
        isUseful = OperatingSystem.IsLinux() && threads > 1 && threads <= Environment.ProcessorCount;
    }

    /// <summary>Notes the processor of a thread, and moves it if one before it is there too.</summary>
    public void Note(int thread)
    {
        if (!isUseful)
            return;
        int processor = CurrentProcessor();
        if (processors[thread] != processor)
            Volatile.Write(ref processors[thread], processor);
        if (thread > 0 && processors.AsSpan(0, thread).Contains(processor))
            MoveAway(thread);
    }

    private void MoveAway(int thread)
    {
        long now = Stopwatch.GetTimestamp();
        if (now < Volatile.Read(ref notBefore))
            return;
        Volatile.Write(ref notBefore, now + Pause);
        byte* allowed = stackalloc byte[MaskBytes], others = stackalloc byte[MaskBytes];
        new Span<byte>(allowed, MaskBytes).Clear();
        if (GetAffinity(0, MaskBytes, allowed) < 0)
            return;
        new Span<byte>(allowed, MaskBytes).CopyTo(new Span<byte>(others, MaskBytes));
        foreach (int taken in processors.AsSpan(0, thread))
            if (taken is >= 0 and < 8 * MaskBytes)
                others[taken / 8] &= (byte)~(1 << (taken % 8));
        bool isRoom = new ReadOnlySpan<byte>(others, MaskBytes).ContainsAnyExcept((byte)0);
        if (isRoom && SetAffinity(0, MaskBytes, others) == 0)
        {
            _ = SetAffinity(0, MaskBytes, allowed);
            Volatile.Write(ref processors[thread], CurrentProcessor());
        }
    }

    // Linux: sched.h
    [DllImport("libc", EntryPoint = "sched_getcpu"), SuppressGCTransition]
    private static extern int CurrentProcessor();

    [DllImport("libc", EntryPoint = "sched_getaffinity")]
    private static extern int GetAffinity(int thread, nint bytes, byte* mask);

    [DllImport("libc", EntryPoint = "sched_setaffinity")]
    private static extern int SetAffinity(int thread, nint bytes, byte* mask);
}
