using System.Globalization;
using System.Text;
using static System.FormattableString;

namespace Nano;

/// <summary>
/// A sweep on one page: the curves of all runs in one chart each for validation and training, and
/// the ranking.
/// </summary>
internal static class SweepReport
{
    private static readonly CultureInfo Culture = CultureInfo.InvariantCulture;

    /// <summary>Writes the page of a sweep as it stands; runs that have no log yet have no curve.</summary>
    public static void Write(Sweep sweep, SweepGrid grid) =>
        AtomicFile.Write(sweep.ReportPath,
            stream => stream.Write(Encoding.UTF8
                .GetBytes(Render(grid, sweep.Ranked,
                    [.. sweep.Ranked.Select(run => Evaluations(sweep.FolderOf(run)))]))));

    private static EvalEntry[] Evaluations(string run)
    {
        string log = Path.Combine(run, RunSummary.LogName);
        try
        {
            return File.Exists(log) ? [.. RunHistory.Read(log).Evaluations] : [];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // a log that nobody can read is no reason to end a sweep; its run says what is wrong when it is
            // resumed
            return [];
        }
    }

    /// <param name="grid">The grid of the sweep.</param>
    /// <param name="ranked">The runs, the best first.</param>
    /// <param name="evaluations">Theirs, in the same order.</param>
    internal static string Render(SweepGrid grid, IReadOnlyList<SweepRun> ranked,
        IReadOnlyList<EvalEntry[]> evaluations)
    {
        string title = $"Sweep of {Html.Escape(grid.Preset ?? "the default preset")}";
        string options = string.Join(' ',
            grid.Options.Select(option => $"{option.Name} {string.Join(',', option.Values)}".Trim()));
        var page = new StringBuilder();
        page.Append(Culture, $"""
            <h1>{title}</h1>
            <p class="lede">{Summary(ranked)} Options of all: {Html.Escape(options)}.</p>

            """);
        Chart(page, "Validation loss", ranked, evaluations, eval => eval.ValLoss);
        Chart(page, "Training loss", ranked, evaluations, eval => eval.TrainLoss);
        Table(page, ranked);
        return Html.Page(title, page);
    }

    private static string Summary(IReadOnlyList<SweepRun> ranked)
    {
        int done = ranked.Count(run => run.Status == SweepStatus.Done),
            astray = ranked.Count(run => run.Status is SweepStatus.Diverged or SweepStatus.Failed);
        return string.Create(CultureInfo.InvariantCulture, $"<b>{done:N0}</b> of {ranked.Count:N0} runs are "
            + $"done{(astray > 0 ? Invariant($", {astray:N0} failed") : "")}.")
            + (done > 0 ? string.Create(CultureInfo.InvariantCulture,
                $" The lowest validation loss is <b>{ranked[0].ValLoss:0.0000}</b>, of "
                + $"{Html.Escape(ranked[0].Name)}; its curve stands out.") : "");
    }

    /// <summary>A curve for each run, named by its rank, the best in front.</summary>
    private static void Chart(StringBuilder page, string title, IReadOnlyList<SweepRun> ranked,
        IReadOnlyList<EvalEntry[]> evaluations, Func<EvalEntry, double> value)
    {
        var curves = Enumerable.Range(0, ranked.Count).Where(i => evaluations[i].Length > 0)
            .Select(i => new ChartSeries(Invariant($"{i + 1}"), i == 0 ? ChartMark.Line : ChartMark.Thin,
                [.. evaluations[i].Select(eval => new ChartPoint(eval.Step, value(eval)))])).Reverse().ToList();
        if (curves.Count > 0)
            page.Append(new SvgChart(title, "nats per token", "0.0000", 984, 430, false, curves).RenderWide());
    }

    private static void Table(StringBuilder page, IReadOnlyList<SweepRun> ranked)
    {
        string[] names = [.. ranked[0].Options.Keys];
        page.Append("<h2>Ranking</h2>\n<table>\n<tr><th>rank</th>");
        foreach (string name in names)
            page.Append(Culture, $"<th>{Html.Escape(name)}</th>");
        page.Append("<th>validation loss</th><th>steps</th><th>seconds</th><th>state</th></tr>\n");
        for (int i = 0; i < ranked.Count; i++)
        {
            var run = ranked[i];
            page.Append(Culture,
                $"<tr{(i == 0 && run.Status == SweepStatus.Done ? " class=\"best\"" : "")}><td>{i + 1}</td>");
            foreach (string name in names)
                page.Append(Culture, $"<td>{Html.Escape(run.Options.GetValueOrDefault(name, ""))}</td>");
            string loss = double.IsFinite(run.ValLoss) ? run.ValLoss.ToString("0.0000", Culture) : "–",
                state = run.Status.ToString().ToLowerInvariant();
            page.Append(Culture,
                $"<td>{loss}</td><td>{run.Steps:N0}</td><td>{run.Seconds:N1}</td><td>{state}</td></tr>\n");
        }
        page.Append("</table>\n");
        foreach (var run in ranked.Where(run => run.Error is not null))
            page.Append(Culture, $"<p class=\"caption\">{Html.Escape(run.Name)}: {Html.Escape(run.Error)}</p>\n");
    }
}
