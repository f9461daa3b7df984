namespace Nano;

/// <summary>A spike, behind the entry of its step.</summary>
/// <param name="Step">Steps done, the spike included.</param>
/// <param name="LossScore">Standard deviations of its loss above the mean.</param>
/// <param name="NormScore">The score of its gradient norm.</param>
/// <param name="Action"><c>warn</c>, <c>skip</c> or <c>rollback</c>.</param>
/// <param name="BackTo">The step to which a rollback returned; otherwise equal to the step.</param>
/// <param name="Reason">The observation, in words.</param>
public sealed record SpikeEntry(int Step, double LossScore, double NormScore, string Action, int BackTo, string Reason)
    : RunLogEntry;

/// <summary>Spikes in a run's log.</summary>
internal static class SpikeLog
{
    /// <summary>True if an entry records a rollback.</summary>
    public static bool IsRollback(RunLogEntry entry) => entry is SpikeEntry { Action: "rollback" };
}
