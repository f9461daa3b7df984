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

    /// <summary>The section of the report: one line for each spike; nothing if there was none.</summary>
    public static void Section(StringBuilder page, RunHistory history)
    {
        if (history.SpikeCount == 0)
            return;
        page.Append("<h2>Spikes</h2>\n<div class=\"tall\">\n<table class=\"settings\">\n<tr><th>what happened</th><th>what was seen</th></tr>\n");
        foreach (var spike in history.Spikes)
            page.Append(CultureInfo.InvariantCulture, $"<tr><td>{What(spike)}</td><td>{Html.Escape(spike.Reason)}</td></tr>\n");
        page.Append("</table>\n</div>\n");
        if (history.Spikes.Count < history.SpikeCount)
            page.Append(CultureInfo.InvariantCulture, $"<p class=\"caption\">the first {history.Spikes.Count:N0} of {history.SpikeCount:N0}; the log has all</p>\n");
    }

    private static string What(SpikeEntry spike) => spike.Action switch
    {
        "rollback" => Invariant($"step {spike.Step:N0}: back to step {spike.BackTo:N0}, passing over the data between"),
        "skip" => Invariant($"step {spike.Step:N0}: update skipped"),
        _ => Invariant($"step {spike.Step:N0}: noticed"),
    };
}
