using System.Globalization;
using System.Text;
using static System.FormattableString;

namespace Nano;

/// <summary>The part of a report that lists the spikes of a run.</summary>
internal static class SpikeSection
{
    /// <summary>Appends one line for each spike; nothing if there was none.</summary>
    public static void Append(StringBuilder page, RunHistory history)
    {
        if (history.SpikeCount == 0)
            return;
        page.Append("<h2>Spikes</h2>\n<div class=\"tall\">\n<table class=\"settings\">\n<tr><th>what "
            + "happened</th><th>what was seen</th></tr>\n");
        foreach (var spike in history.Spikes)
            page.Append(CultureInfo.InvariantCulture,
                $"<tr><td>{What(spike)}</td><td>{Html.Escape(spike.Reason)}</td></tr>\n");
        page.Append("</table>\n</div>\n");
        if (history.Spikes.Count < history.SpikeCount)
            page.Append(CultureInfo.InvariantCulture,
                $"<p class=\"caption\">the first {history.Spikes.Count:N0} of {history.SpikeCount:N0}; the log has "
                + $"all</p>\n");
    }

    private static string What(SpikeEntry spike) => spike.Action switch
    {
        "rollback" => Invariant(
            $"step {spike.Step:N0}: back to step {spike.BackTo:N0}, skipping the batches in between"),
        "skip" => Invariant($"step {spike.Step:N0}: update skipped"),
        _ => Invariant($"step {spike.Step:N0}: noticed"),
    };
}
