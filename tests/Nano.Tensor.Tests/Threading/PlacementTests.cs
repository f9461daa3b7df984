using System.Runtime.InteropServices;

namespace Nano.Tests;

public sealed unsafe class PlacementTests
{
    private const int MaskBytes = 128;

    [Fact]
    public void A_worker_on_the_callers_processor_moves_to_another_and_is_not_pinned_there()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && Environment.ProcessorCount > 1,
            "the system is told with Linux calls, and there must be two processors to choose from");
        byte[] before = Mask();
        var placement = new Placement(2);
        placement.Note(0);
        int callers = CurrentProcessor();
        Pin(callers); // as a worker that was woken there
        placement.Note(1);
        byte[] whilePinned = Mask();
        Assert.Equal(callers, CurrentProcessor()); // it may go nowhere else, so it stays
        Set(before);
        Thread.Sleep(2); // at most one move in a millisecond
        for (int tries = 0; tries < 100; tries++)
        {
            placement.Note(0);
            callers = CurrentProcessor();
            placement.Note(1);
            if (CurrentProcessor() != callers)
                break;
            Thread.Sleep(2); // the system may have moved the thread between the two notes
        }
        Assert.NotEqual(callers, CurrentProcessor());
        Assert.Equal(before, Mask());
        Assert.NotEqual(before, whilePinned);
    }

    [Fact]
    public void A_team_larger_than_the_machine_is_left_to_the_system()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "the system is asked with a Linux call");
        var placement = new Placement(Environment.ProcessorCount + 1);
        byte[] before = Mask();
        for (int thread = 0; thread <= Environment.ProcessorCount; thread++)
            placement.Note(thread);
        Assert.Equal(before, Mask());
    }

    private static byte[] Mask()
    {
        var mask = new byte[MaskBytes];
        fixed (byte* p = mask)
            Assert.True(GetAffinity(0, MaskBytes, p) >= 0);
        return mask;
    }

    private static void Pin(int processor)
    {
        var mask = new byte[MaskBytes];
        mask[processor / 8] = (byte)(1 << (processor % 8));
        Set(mask);
    }

    private static void Set(byte[] mask)
    {
        fixed (byte* p = mask)
            Assert.Equal(0, SetAffinity(0, MaskBytes, p));
    }

    [DllImport("libc", EntryPoint = "sched_getcpu")]
    private static extern int CurrentProcessor();

    [DllImport("libc", EntryPoint = "sched_getaffinity")]
    private static extern int GetAffinity(int thread, nint bytes, byte* mask);

    [DllImport("libc", EntryPoint = "sched_setaffinity")]
    private static extern int SetAffinity(int thread, nint bytes, byte* mask);
}
