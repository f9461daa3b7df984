using System.Globalization;
using System.Text;
using static System.FormattableString;

namespace Nano;

/// <summary>A spike, behind the entry of its step.</summary>
/// <param name="Step">Steps done, the spike included.</param>
/// <param name="LossScore">Standard deviations of its loss above the mean.</param>
/// <param name="NormScore">The same of its gradient norm.</param>
/// <param name="Action"><c>warn</c>, <c>skip</c> or <c>rollback</c>.</param>
/// <param name="BackTo">Where a rollback returned to; otherwise equal to the step.</param>
/// <param name="Reason">What was seen, in words.</param>
public sealed record SpikeEntry(int Step, double LossScore, double NormScore, string Action, int BackTo, string Reason) : RunLogEntry;

/// <summary>Spikes in a run's log and in its report.</summary>
internal static class SpikeLog
{
    /// <summary>Whether an entry tells of a return to an earlier step.</summary>
    public static bool IsRollback(RunLogEntry entry) => entry is SpikeEntry { Action: "rollback" };

    /// <summary>The entries without the steps that a rollback has undone.</summary>
    public static IReadOnlyList<RunLogEntry> Standing(IReadOnlyList<RunLogEntry> entries)
    {
        if (!entries.Any(IsRollback))
            return entries;
        var standing = new List<RunLogEntry>();
        foreach (var entry in entries)
        {
            if (entry is SpikeEntry spike && IsRollback(entry))
                standing.RemoveAll(earlier => earlier is StepEntry step && step.Step > spike.BackTo);
            standing.Add(entry);
        }
        return standing;
    }

    /// <summary>The section of the report: one line for each spike; nothing if there was none.</summary>
    public static void Section(StringBuilder page, IReadOnlyList<RunLogEntry> entries)
    {
        SpikeEntry[] spikes = [.. entries.OfType<SpikeEntry>()];
        if (spikes.Length == 0)
            return;
        page.Append("<h2>Spikes</h2>\n<div class=\"tall\">\n<table class=\"settings\">\n<tr><th>what happened</th><th>what was seen</th></tr>\n");
        foreach (var spike in spikes)
            page.Append(CultureInfo.InvariantCulture, $"<tr><td>{What(spike)}</td><td>{Html.Escape(spike.Reason)}</td></tr>\n");
        page.Append("</table>\n</div>\n");
    }

    private static string What(SpikeEntry spike) => spike.Action switch
    {
        "rollback" => Invariant($"step {spike.Step:N0}: back to step {spike.BackTo:N0}, passing over the data between"),
        "skip" => Invariant($"step {spike.Step:N0}: update skipped"),
        _ => Invariant($"step {spike.Step:N0}: noticed"),
    };
}
