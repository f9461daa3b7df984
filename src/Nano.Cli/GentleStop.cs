using System.Runtime.InteropServices;

namespace Nano.Cli;

/// <summary>The first signal asks the work to stop where it can; the second one ends the program at once.</summary>
internal sealed class GentleStop : IDisposable
{
    private readonly CancellationTokenSource stop = new();
    private readonly PosixSignalRegistration[] registrations;
    private volatile bool isSignalled;

    /// <param name="asked">What happens besides at the first signal; null for nothing.</param>
    /// <param name="signals">Which signals.</param>
    public GentleStop(Action? asked, params ReadOnlySpan<PosixSignal> signals)
    {
        Screen.StopInsteadOfThrowing(stop.Cancel); // work that nobody watches any more is stopped as gently
        registrations = new PosixSignalRegistration[signals.Length];
        for (int i = 0; i < signals.Length; i++)
            registrations[i] = PosixSignalRegistration.Create(signals[i], context =>
            {
                if (isSignalled)
                    return;
                isSignalled = true;
                context.Cancel = true;
                asked?.Invoke();
                stop.Cancel();
            });
    }

    public CancellationToken Token => stop.Token;

    public bool IsAsked => stop.IsCancellationRequested;

    public void Dispose()
    {
        foreach (var registration in registrations)
            registration.Dispose();
        Screen.StopInsteadOfThrowing(null);
        stop.Dispose();
    }
}
