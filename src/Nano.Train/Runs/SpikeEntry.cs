namespace Nano;

/// <summary>A spike, behind the entry of its step.</summary>
/// <param name="Step">Steps done, the spike included.</param>
/// <param name="LossScore">Standard deviations of its loss above the mean.</param>
/// <param name="NormScore">The same of its gradient norm.</param>
/// <param name="Action"><c>warn</c>, <c>skip</c> or <c>rollback</c>.</param>
/// <param name="BackTo">Where a rollback returned to; otherwise equal to the step.</param>
/// <param name="Reason">What was seen, in words.</param>
public sealed record SpikeEntry(int Step, double LossScore, double NormScore, string Action, int BackTo, string Reason) : RunLogEntry;

/// <summary>Spikes in a run's log.</summary>
internal static class SpikeLog
{
    /// <summary>Whether an entry tells of a return to an earlier step.</summary>
    public static bool IsRollback(RunLogEntry entry) => entry is SpikeEntry { Action: "rollback" };
}
