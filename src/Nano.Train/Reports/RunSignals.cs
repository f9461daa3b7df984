namespace Nano;

/// <summary>A number of a run that runs of the same recipe have in common but for the seed.</summary>
/// <param name="Name">One of the names of <see cref="RunSignals"/>.</param>
/// <param name="Step">The step it belongs to; of a mean over steps, the last one.</param>
/// <param name="Value">Finite.</param>
public sealed record RunSignal(string Name, int Step, double Value);

/// <summary>The signals of a run's log that are compared with those of other runs.</summary>
public static class RunSignals
{
    /// <summary>Loss on random batches of validation text, at each evaluation.</summary>
    public const string Validation = "validation_loss";

    /// <summary>Loss over the whole validation split, at the end.</summary>
    public const string Whole = "whole_validation_loss";

    /// <summary>Loss of the training batches, the mean over the steps since the window before.</summary>
    public const string Training = "training_loss";

    /// <summary>
    /// Norm of the gradient, the median over the same steps: single batches stand out too far for a
    /// mean.
    /// </summary>
    public const string GradNorm = "grad_norm";

    /// <summary>Norm of the weights that decay, at each evaluation.</summary>
    public const string MatrixNorm = "matrix_norm";

    /// <summary>Norm of the weights that do not decay, at each evaluation.</summary>
    public const string VectorNorm = "vector_norm";

    private const int LongWindow = 250;
    private static readonly int[] FirstWindows = [1, 10, 25, 50, 100]; // while losses fall steeply

    /// <summary>
    /// The signals of a log, in the order of its entries. What is missing or not finite is left
    /// out; so is a window whose steps are not all there, and what a rollback has undone.
    /// </summary>
    public static IReadOnlyList<RunSignal> Of(IReadOnlyList<RunLogEntry> entries)
    {
        var signals = new List<RunSignal>();
        var windows = new SignalWindows();
        foreach (var entry in entries)
        {
            if (entry is SpikeEntry spike && SpikeLog.IsRollback(spike))
                signals.RemoveAll(signal => IsUndone(signal, spike.BackTo));
            signals.AddRange(windows.Add(entry));
        }
        return signals;
    }

    /// <summary>True if a signal is made of steps that a rollback undoes.</summary>
    internal static bool IsUndone(RunSignal signal, int backTo) =>
        signal.Name is Training or GradNorm && signal.Step > backTo;

    /// <summary>The first step of the window that ends with a step.</summary>
    public static int WindowStart(int end) => end > LongWindow ? end - LongWindow + 1
        : FirstWindows.Where(first => first < end).DefaultIfEmpty(0).Max() + 1;

    /// <summary>True if a window ends with this step.</summary>
    internal static bool EndsWindow(int step) => step % LongWindow == 0 || FirstWindows.Contains(step);
}
