using System.Runtime.InteropServices;

namespace Nano.Cli;

/// <summary>
/// SIGINT, SIGTERM and SIGHUP. A verb that can stop gently handles them; otherwise temporary files
/// are deleted and the signal ends the program as it would have, with exit code 130, 143 or 129. A
/// signal that the parent has told to be ignored, as nohup does with SIGHUP and a shell's script
/// with the SIGINT of what it runs in the background, stays ignored: the runtime leaves it alone.
/// </summary>
internal static class Signals
{
    /// <summary>The signals that ask a program to end.</summary>
    public static readonly PosixSignal[] All = [PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP];

    private static readonly Lock Gate = new();
    private static readonly List<Func<PosixSignal, bool>> Handlers = []; // the last one is asked first

    /// <summary>Watches until the end of the program.</summary>
    public static PosixSignalRegistration[] Watch() =>
        [.. All.Select(signal => PosixSignalRegistration.Create(signal, Dispatch))];

    /// <summary>Asks something, until the result is disposed of, whether it takes care of a signal.</summary>
    public static IDisposable Handle(Func<PosixSignal, bool> handler)
    {
        lock (Gate)
            Handlers.Add(handler);
        return new Registration(handler);
    }

    /// <summary>The exit code of a program that a signal has ended: 128 and its number.</summary>
    public static int ExitCode(PosixSignal signal) => 128 + signal switch
    {
        PosixSignal.SIGHUP => 1,
        PosixSignal.SIGTERM => 15,
        _ => 2,
    };

    private static void Dispatch(PosixSignalContext context)
    {
        Func<PosixSignal, bool>[] handlers;
        lock (Gate)
            handlers = [.. Handlers];
        context.Cancel = handlers.Reverse().Any(handles => handles(context.Signal));
        if (!context.Cancel)
            UnfinishedFiles.DeleteAllAndHold();
    }

    private sealed class Registration(Func<PosixSignal, bool> handler) : IDisposable
    {
        public void Dispose()
        {
            lock (Gate)
                Handlers.Remove(handler);
        }
    }
}
