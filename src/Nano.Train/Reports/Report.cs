using System.Globalization;
using System.Text;
using static System.FormattableString;

namespace Nano;

/// <summary>
/// A training run on one page: a single HTML file with its own style and SVG charts, no script and
/// nothing to fetch.
/// </summary>
public static partial class Report
{
    private static readonly CultureInfo Culture = CultureInfo.InvariantCulture;

    /// <summary>
    /// Writes the report of a run's log, whole or not at all (temporary file, then rename). The
    /// same entries give the same bytes; a log that is empty or still growing gives a report of
    /// what there is.
    /// </summary>
    /// <param name="htmlPath">The file to write; its folder must exist.</param>
    /// <param name="history">The log.</param>
    public static void Write(string htmlPath, RunHistory history) =>
        AtomicFile.Write(htmlPath, stream => stream.Write(Encoding.UTF8.GetBytes(Render(history))));

    /// <summary>Writes the report of the entries of a log.</summary>
    public static void Write(string htmlPath, IReadOnlyList<RunLogEntry> entries) =>
        Write(htmlPath, RunHistory.Of(entries));

    internal static string Render(IReadOnlyList<RunLogEntry> entries) => Render(RunHistory.Of(entries));

    internal static string Render(RunHistory history)
    {
        RunEntry? run = history.Run;
        string title = Html.Escape(run?.Preset ?? "Training run");
        string? started = run?.Started.ToString(" · d MMMM yyyy, HH:mm zzz", Culture);
        var page = new StringBuilder();
        page.Append(Culture, $"""
            <p class="over">Nano training run{started}</p>
            <h1>{title}</h1>
            <p class="lede">{Summary(history, run)}</p>

            """);
        Warning(page, history);
        if (run is not null) Verdict(page, RunVerdict.Of(history));
        Charts(page, history);
        SpikeSection.Append(page, history);
        page.Append("<div class=\"pair\">\n<div>\n");
        if (history.Evaluations.Count > 0) Evaluations(page, history);
        if (run is not null) Machine(page, run.Machine, history.Sessions);
        page.Append("</div>\n<div>\n");
        if (run is not null) Configuration(page, run);
        page.Append("</div>\n</div>\n");
        if (history.Profile is { } profile) Profile(page, profile);
        Samples(page, [.. history.Evaluations.Where(e => e.Sample.Length > 0)]);
        if (run is not null) page.Append(Culture, $"<h2>Reproduce</h2>\n<pre>\n{Html.Escape(run.Command)}</pre>\n");
        return Html.Page(title, page);
    }

    private static string Summary(RunHistory history, RunEntry? run)
    {
        EndEntry? end = history.End;
        EvalEntry? eval = history.LastEvaluation;
        int done = end?.Step ?? Math.Max(history.Loss.Count > 0 ? history.Loss.LastStep : 0, eval?.Step ?? 0);
        if (done == 0) return run is null ? "The log holds no entries yet."
            : Invariant($"<b>{run.Parameters:N0}</b> parameters, {Html.Escape(CorpusName(run.Corpus))}. ")
            + "No step is logged yet.";

        var text = new StringBuilder(run is null ? "Trained"
            : Invariant($"<b>{run.Parameters:N0}</b> parameters trained on {Html.Escape(CorpusName(run.Corpus))}"));
        text.Append(Culture, $" for <b>{done:N0}</b> {(done == 1 ? "step" : "steps")}");
        if (end is not null) text.Append(Culture, $" ({end.Tokens:N0} tokens) in <b>{Duration(end.Seconds)}</b>");
        double loss = end?.ValLoss ?? eval?.ValLoss ?? double.NaN;
        if (double.IsFinite(loss))
            text.Append(Culture, $", reaching a validation loss of <b>{loss:0.0000}</b> nats per token");
        text.Append('.');
        double speed = ChartData.Median(history.Speed.Sample), share = ChartData.Median(history.ShareOfPeak.Sample);
        if (double.IsFinite(speed)) text.Append(Culture, $" The median step ran at <b>{speed:N0}</b>\u00a0tokens/s");
        if (double.IsFinite(speed) && double.IsFinite(share))
            text.Append(Culture, $", <b>{share:0.#}\u00a0%</b> of the machine’s measured peak");
        if (double.IsFinite(speed)) text.Append('.');
        return text.ToString();
    }

    private static void Warning(StringBuilder page, RunHistory history)
    {
        if (history.BadLines > 0)
            page.Append(Culture,
                $"<p class=\"warn\">{history.BadLines:N0} {(history.BadLines == 1 ? "line" : "lines")} of the log "
                + $"could not be read and {(history.BadLines == 1 ? "is" : "are")} missing here.</p>\n");
        if (history.BrokenStep is { } broken)
            page.Append(Culture,
                $"<p class=\"warn\">The training loss was not a finite number at step {broken:N0}.</p>\n");
        EndEntry? end = history.End;
        if (end is null && !history.IsEmpty)
            page.Append("<p class=\"warn\">The log has no end: the run is still going, or it was killed.</p>\n");
        if (end is not null && end.Reason != "done")
            page.Append(Culture,
                $"<p class=\"warn\">The run ended early at step {end.Step:N0}: {Html.Escape(end.Reason)}.</p>\n");
    }

    private static void Evaluations(StringBuilder page, RunHistory history)
    {
        var (evals, end) = (history.Evaluations, history.End);
        double best = evals.Select(e => e.ValLoss).Where(double.IsFinite).DefaultIfEmpty(double.NaN).Min();
        page.Append("<h2>Evaluations</h2>\n");
        if (evals.Count < history.EvaluationCount)
            page.Append(Culture,
                $"<p class=\"caption\">{evals.Count:N0} of {history.EvaluationCount:N0}; the log has all</p>\n");
        page.Append("<div class=\"tall\">\n<table>\n<tr><th>step</th><th>training loss</th><th>validation "
            + "loss</th><th>gap</th></tr>\n");
        foreach (EvalEntry e in evals)
            page.Append(Culture,
                $"<tr{(e.ValLoss == best ? " class=\"best\"" : "")}>"
                + $"<td>{e.Step:N0}{(e.ValLoss == best ? ", lowest" : "")}</td><td>{Loss(e.TrainLoss)}</td>"
                + $"<td>{Loss(e.ValLoss)}</td><td>{Loss(e.ValLoss - e.TrainLoss)}</td></tr>\n");
        if (end is not null)
            page.Append(Culture,
                $"<tr><td>{end.Step:N0}, whole validation "
                + $"split</td><td></td><td>{Loss(end.ValLoss)}</td><td></td></tr>\n");
        page.Append("</table>\n</div>\n");
    }

    /// <summary>The word, the numbers behind it and what may be wrong.</summary>
    private static void Verdict(StringBuilder page, RunVerdict verdict)
    {
        string kind = verdict.Outcome switch
        {
            RunOutcome.NoBand => "verdict",
            RunOutcome.AsExpected => "verdict good",
            _ => "verdict bad"
        };
        page.Append(Culture,
            $"<div class=\"{kind}\"><b>{char.ToUpperInvariant(verdict.Word[0])}{verdict.Word[1..]}</b>: "
            + $"{Html.Escape(verdict.Reason)}.");
        if (verdict.Causes.Count > 0)
            page.Append(Culture,
                $" What may be wrong, the likeliest first:\n<ul>\n"
                + $"{string.Concat(verdict.Causes.Select(cause => $"<li>{Html.Escape(cause)}</li>\n"))}</ul>");
        page.Append("</div>\n");
    }

    private static void Profile(StringBuilder page, ProfileEntry profile)
    {
        page.Append(Culture,
            $"<h2>Where the time goes</h2>\n<p class=\"caption\">{profile.Steps:N0} steps of "
            + $"{profile.MsPerStep:0.00} ms; calls and milliseconds per step; bytes count each operand and result "
            + $"once</p>\n");
        page.Append("<div class=\"wide tall\">\n<table>\n<tr><th>op</th><th>M x N x "
            + "K</th><th>calls</th><th>ms</th><th>% of step</th><th>GFLOP/s</th><th>GB/s</th><th>% of "
            + "ceiling</th></tr>\n");
        foreach (var row in profile.Rows)
        {
            string ceiling = row.PercentOfCeiling is { } share ? Invariant($"{share:0} {Html.Escape(row.Bound)}") : "";
            page.Append(Culture,
                $"<tr><td>{Html.Escape(row.Name)}</td><td>{Html.Escape(row.Shape)}</td><td>{row.Calls:0.#}</td>"
                + $"<td>{row.Ms:0.000}</td><td>{row.Percent:0.0}</td><td>{row.Gflops:0.0}</td>"
                + $"<td>{row.Gbps:0.0}</td><td>{ceiling}</td></tr>\n");
        }
        page.Append("</table>\n</div>\n");
    }

    private static void Machine(StringBuilder page, RunMachine machine, int sessions)
    {
        page.Append("<h2>Machine</h2>\n<table class=\"settings\">\n");
        Row(page, "processor", machine.Cpu);
        Row(page, "threads", machine.Threads.ToString("N0", Culture));
        Row(page, "instruction set", machine.Simd);
        if (machine.Device is not null)
            Row(page, "device", machine.Device);
        if (double.IsFinite(machine.PeakGflops))
            Row(page, "measured peak", Invariant($"{machine.PeakGflops:N1} GFLOP/s"));
        if (sessions > 1) Row(page, "sessions", Invariant($"{sessions:N0} (resumed {sessions - 1:N0} ×)"));
        page.Append("</table>\n");
    }

    private static void Configuration(StringBuilder page, RunEntry run)
    {
        page.Append("<h2>Configuration</h2>\n<table class=\"settings\">\n");
        foreach ((string name, string value) in run.Config) Row(page, name, Readable(name, value));
        page.Append("</table>\n");
    }

    /// <summary>The corpus without the folder that it lay in on the machine that trained on it.</summary>
    private static string CorpusName(string origin)
    {
        if (!Path.IsPathRooted(origin))
            return origin;
        int end = origin.IndexOf(", downloaded from ", StringComparison.Ordinal);
        return end < 0 ? Path.GetFileName(origin) : Path.GetFileName(origin[..end]) + origin[end..];
    }

    /// <summary>A setting as people write it: 1e-8 for 1E-08, and the form of GELU in words.</summary>
    private static string Readable(string name, string value) => (name, value) switch
    {
        ("gelu", "Erf") => "exact (erf)",
        ("gelu", "Tanh") => "tanh approximation",
        _ when double.TryParse(value, NumberStyles.Float, Culture, out _) =>
            value.Replace("E-0", "e-", StringComparison.Ordinal).Replace("E-", "e-", StringComparison.Ordinal)
                .Replace("E+", "e", StringComparison.Ordinal),
        _ => value,
    };

    private static void Row(StringBuilder page, string name, string value) =>
        page.Append(Culture, $"<tr><td>{Html.Escape(name)}</td><td>{Html.Escape(value)}</td></tr>\n");

    private static void Samples(StringBuilder page, EvalEntry[] evals)
    {
        if (evals.Length == 0) return;
        page.Append("<h2>Samples over time</h2>\n");
        foreach (EvalEntry e in evals[..^1])
            page.Append(Culture,
                $"<details>\n<summary>{SampleTitle(e)}</summary>\n<pre>\n{Html.Escape(e.Sample)}</pre>\n</details>\n");
        page.Append(Culture,
            $"<p class=\"caption\">{SampleTitle(evals[^1])}</p>\n<pre>\n{Html.Escape(evals[^1].Sample)}</pre>\n");
    }

    private static string SampleTitle(EvalEntry e) =>
        Invariant($"step {e.Step:N0} · validation loss {Loss(e.ValLoss)}");

    private static string Loss(double value) => double.IsFinite(value) ? value.ToString("0.0000", Culture) : "–";

    private static string Duration(double seconds)
    {
        if (!(seconds >= 0 && seconds < 1e9)) return "an unknown time";
        var time = TimeSpan.FromSeconds(Math.Round(seconds));
        if (seconds < 60) return Invariant($"{seconds:0.0}\u00a0s");
        return time.TotalHours < 1 ? Invariant($"{time.Minutes}\u00a0min\u00a0{time.Seconds}\u00a0s")
            : Invariant($"{(int)time.TotalHours}\u00a0h {time.Minutes}\u00a0min");
    }
}
