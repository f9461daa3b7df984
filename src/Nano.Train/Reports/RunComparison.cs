using System.Globalization;
using System.Text;

namespace Nano;

/// <summary>
/// Several runs beside each other: where their options differ, how they ended, and their curves in
/// one chart.
/// </summary>
public sealed class RunComparison
{
    private static readonly CultureInfo Culture = CultureInfo.InvariantCulture;

    private readonly IReadOnlyList<RunHistory> logs;

    /// <summary>Reads the runs.</summary>
    /// <param name="folders">Their folders, two or more.</param>
    /// <exception cref="NanoException">Fewer than two, one twice, or no run there.</exception>
    /// <exception cref="BadFileException">A log that cannot be read.</exception>
    public RunComparison(IReadOnlyList<string> folders)
    {
        if (folders.Count < 2)
            throw new NanoException("comparing takes two runs or more", "nano runs compare RUN RUN");
        if (folders.GroupBy(folder => Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)))
            .FirstOrDefault(same => same.Count() > 1) is { } twice)
            throw new NanoException($"{Quoted.Of(twice.First())} is named twice");
        logs = [.. folders.Select(RunSummary.ReadLog)];
        Runs = [.. folders.Zip(logs, RunSummary.Of)];
    }

    /// <summary>The runs, in the order in which they were named.</summary>
    public IReadOnlyList<RunSummary> Runs { get; }

    /// <summary>
    /// The options that are not the same everywhere, with the value of each run; "unset" where a
    /// run does not know the option.
    /// </summary>
    public IReadOnlyList<(string Option, IReadOnlyList<string> Values)> Differences =>
        [.. logs.SelectMany(log => Config(log).Keys).Distinct().Order(StringComparer.Ordinal)
            .Select(option => (Option: option,
                Values: (IReadOnlyList<string>)[.. logs.Select(log => Config(log).GetValueOrDefault(option, "unset"))]))
            .Where(row => row.Values.Distinct().Count() > 1)];

    /// <summary>
    /// The validation loss of each run at every step at which one was evaluated; NaN where another
    /// was.
    /// </summary>
    public IReadOnlyList<(int Step, IReadOnlyList<double> Losses)> Evaluations =>
        [.. logs.SelectMany(log => log.Evaluations).Select(eval => eval.Step).Distinct().Order()
            .Select(step => (step, (IReadOnlyList<double>)[
                .. logs.Select(log => log.Evaluations.LastOrDefault(eval => eval.Step == step)?.ValLoss
                    ?? double.NaN)]))];

    /// <summary>Writes the comparison as one self-contained page, whole or not at all.</summary>
    public void Write(string htmlPath) =>
        AtomicFile.Write(htmlPath, stream => stream.Write(Encoding.UTF8.GetBytes(Render())));

    internal string Render()
    {
        var page = new StringBuilder();
        page.Append(Culture, $"""
            <p class="over">Nano training runs</p>
            <h1>{Runs.Count} runs compared</h1>

            """);
        Chart(page, "Validation loss",
            [.. Runs.Select((run, i) => new ChartSeries(Name(i), ChartMark.Line,
                [.. logs[i].Evaluations.Select(eval => new ChartPoint(eval.Step, eval.ValLoss))], Color: Color(i)))]);
        Chart(page, "Training loss, running mean",
            [.. Runs.Select((run, i) => new ChartSeries(Name(i), ChartMark.Line, logs[i].Loss.Means,
                Color: Color(i)))]);
        Chart(page, "Gradient norm, running mean",
            [.. Runs.Select((run, i) => new ChartSeries(Name(i), ChartMark.Line, logs[i].GradNorm.Means,
                Color: Color(i)))]);
        Table(page, "Runs", ["run", "recipe", "state", "steps", "validation loss", "lowest",
            "time in steps", "verdict"],
            Runs.Select((run, i) => (string[])[Name(i), run.Preset, run.Progress.ToString().ToLowerInvariant(),
                run.Step.ToString("N0", Culture), Loss(run.ValLoss), Loss(run.BestValLoss),
                string.Create(Culture, $"{run.Seconds:N0} s"), run.Verdict.Word]));
        var differences = Differences;
        if (differences.Count > 0)
            Table(page, "Options that differ", ["option", .. Runs.Select((_, i) => Name(i))],
                differences.Select(row => (string[])[row.Option, .. row.Values]));
        return Html.Page($"{Runs.Count} runs",
            page.Append(differences.Count == 0 ? "<p class=\"caption\">No option differs.</p>\n" : ""));
    }

    private static OrderedDictionary<string, string> Config(RunHistory log) => log.Run!.Config;

    /// <summary>The folder's own name, or the whole path where two would be called the same.</summary>
    private string Name(int run)
    {
        string[] names = [.. Runs.Select(one => Path.GetFileName(Path.TrimEndingDirectorySeparator(one.Folder)))];
        return names.Count(name => name == names[run]) == 1 ? names[run] : Runs[run].Folder;
    }

    /// <summary>
    /// Hues as far from each other as the golden angle keeps them; middle lightness reads on light
    /// and on dark.
    /// </summary>
    private static string Color(int run) => string.Create(Culture, $"hsl({(205 + (run * 137.5)) % 360:0} 65% 48%)");

    private static void Chart(StringBuilder page, string title, ChartSeries[] series)
    {
        if (!series.Any(one => one.Points.Count > 0))
            return;
        bool isNorm = title.StartsWith('G') && title.EndsWith("mean", StringComparison.Ordinal);
        string unit = isNorm ? "" : "nats per token";
        page.Append(new SvgChart(title, unit, "0.0000", 984, 340, false, series).RenderWide());
    }

    private static void Table(StringBuilder page, string title, string[] head, IEnumerable<string[]> rows)
    {
        page.Append(Culture,
            $"<h2>{title}</h2>\n<div class=\"wide\">\n<table>\n"
            + $"<tr>{string.Concat(head.Select(cell => $"<th>{Html.Escape(cell)}</th>"))}</tr>\n");
        foreach (string[] row in rows)
            page.Append(Culture, $"<tr>{string.Concat(row.Select(cell => $"<td>{Html.Escape(cell)}</td>"))}</tr>\n");
        page.Append("</table>\n</div>\n");
    }

    private static string Loss(double value) => double.IsFinite(value) ? value.ToString("0.0000", Culture) : "–";
}
