using System.Runtime.InteropServices;

namespace Nano.Cli;

/// <summary>The first signal asks the work to stop where it can; the second one ends the program at once.</summary>
internal sealed class GentleStop : IDisposable
{
    private readonly CancellationTokenSource stop = new();
    private readonly IDisposable registration;
    private volatile bool isSignalled;

    /// <param name="asked">Called at the first signal; null for nothing.</param>
    /// <param name="signals">The signals to handle.</param>
    public GentleStop(Action? asked, params PosixSignal[] signals)
    {
        Screen.StopInsteadOfThrowing(stop.Cancel); // work that nobody watches any more is stopped as gently
        registration = Signals.Handle(signal =>
        {
            if (isSignalled || !signals.Contains(signal))
                return false;
            (isSignalled, ExitCode) = (true, Signals.ExitCode(signal));
            stop.Cancel(); // first: a terminal that has hung up takes no words
            asked?.Invoke();
            return true;
        });
    }

    public CancellationToken Token => stop.Token;

    public bool IsAsked => stop.IsCancellationRequested;

    /// <summary>The exit code of a program that the signal ended; that of SIGINT before there was one.</summary>
    public int ExitCode { get; private set; } = Failure.Interrupted;

    public void Dispose()
    {
        registration.Dispose();
        Screen.StopInsteadOfThrowing(null);
        stop.Dispose();
    }
}
