using System.Globalization;

namespace Nano.Cli;

/// <summary>A trace as a file, as tables for people and as an object for JSON.</summary>
internal static class TraceTable
{
    private const int MostWorkers = 8;

    /// <summary>Writes the file, prints the time of each worker and each op, and returns the object for JSON.</summary>
    public static object WriteAndPrint(TextWriter human, StepTrace trace, string path)
    {
        AtomicFile.Write(path, stream => TraceFile.Write(stream, trace));
        var summary = new TraceSummary(trace);
        Print(human, summary, path);
        return new JsonFields
        {
            ["file"] = path,
            ["steps"] = summary.Steps,
            ["cut"] = summary.IsCut,
            ["ms_per_step"] = summary.MillisecondsPerStep,
            ["percent_busy"] = Common.Finite(summary.PercentBusy),
            ["workers"] = summary.Workers,
            ["ops"] = summary.Ops
        };
    }

    private static void Print(TextWriter human, TraceSummary summary, string path)
    {
        human.WriteLine($"trace    {path}: open it at ui.perfetto.dev");
        if (summary.IsCut)
            human.WriteLine("         cut: the record was full before the last step ended");
        human.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"         {summary.Steps:N0} step{(summary.Steps == 1 ? "" : "s")} of {summary.MillisecondsPerStep:F2} "
            + $"ms, workers busy {summary.PercentBusy:F1} % of the time"));
        human.WriteLine("% of wall time      busy  dispatch  between   at end  no chunk  outside jobs");
        foreach (var (worker, time) in summary.Workers.Index())
            human.WriteLine($"worker {worker,-10} {Shares(time, time.Wall)}");
        bool each = summary.Workers.Count <= MostWorkers;
        human.WriteLine("op                        M x N x K   calls    jobs  chunks         ms     busy  dispatch  "
            + $"between   at end  no chunk  outside jobs{(each ? "   busy ms of each worker" : "")}");
        foreach (var row in summary.Ops)
            human.WriteLine($"{row.Name,-23} {row.Shape,17} {row.Calls,7:0.#} {row.Jobs,7:0.#} {row.Chunks,7:0.#} "
                + $"{row.Ms,10:F3} {Shares(row.Time, row.Time.Wall)}"
                + (each ? "  " + string.Concat(row.BusyMs.Select(ms => $" {ms,9:F3}")) : ""));
        human.WriteLine("dispatch: from the call of a job to a worker's first chunk; between: from chunk to chunk; at "
            + "end: from its last chunk to the end of the job; no chunk: jobs of which a worker ran none");
    }

    private static string Shares(WorkerTime time, double wall)
    {
        double Of(double part) => wall == 0 ? 0 : 100 * part / wall;
        return $"{Of(time.Busy),8:F1} {Of(time.AtDispatch),9:F1} {Of(time.BetweenChunks),8:F1} {Of(time.AtEnd),8:F1} "
            + $"{Of(time.WithoutChunk),9:F1} {Of(time.OutsideJobs),13:F1}";
    }
}
