using System.Globalization;

namespace Nano;

/// <summary>
/// The ceilings of a run, measured at its start and again at its end: beside another program, either
/// measurement may find a part of the machine only.
/// </summary>
/// <param name="Machine">The better of both.</param>
/// <param name="Results">The results with percentages of these.</param>
/// <param name="Notes">Sentences about ceilings that rose, and about results beyond them.</param>
public sealed record BenchCeilings(Machine Machine, IReadOnlyList<BenchResult> Results, IReadOnlyList<string> Notes)
{
    private const double Rise = 1.05;

    /// <summary>
    /// The ceilings of some cases: those of whole numbers are measured where a case has such
    /// products.
    /// </summary>
    public static Machine Measure(Compute compute, IEnumerable<BenchCase> cases) =>
        cases.Any(of => of.Codes != default) ? Machine.Measure(compute).WithCodes(compute) : Machine.Measure(compute);

    /// <summary>The machine and its ceilings in a line for people.</summary>
    public static string Describe(Compute compute, Machine machine) => string.Create(CultureInfo.InvariantCulture,
        $"{Machine.CpuName()}, {compute.Threads} threads, {SimdWidths.NameOf(compute.Width)}: {Figures(machine)}");

    /// <summary>Measures the ceilings again and holds the results against the better of both.</summary>
    public static BenchCeilings MeasureAgain(Compute compute, Machine before, IReadOnlyList<BenchResult> results) =>
        Of(before, double.IsNaN(before.NarrowCodeGops) ? Machine.Measure(compute)
            : Machine.Measure(compute).WithCodes(compute), results);

    /// <summary>The results against the better of two measurements.</summary>
    public static BenchCeilings Of(Machine before, Machine after, IReadOnlyList<BenchResult> results)
    {
        var best = before.Best(after);
        List<BenchResult> against = [.. results.Select(result => result.Against(best))];
        var notes = new List<string>();
        if (best.PeakGflops > Rise * before.PeakGflops || best.BFloat16Gflops > Rise * before.BFloat16Gflops
            || best.NarrowCodeGops > Rise * before.NarrowCodeGops || best.WideCodeGops > Rise * before.WideCodeGops
            || best.ReadGigabytesPerSecond > Rise * before.ReadGigabytesPerSecond
            || best.TriadGigabytesPerSecond > Rise * before.TriadGigabytesPerSecond)
        {
            notes.Add($"higher ceilings at the end: {Figures(best)}; percentages of these:");
            notes.AddRange(against.Select(result => result.Line()));
        }
        notes.AddRange(against.Where(result => result.PercentOfCeiling() > 100).Select(Warning));
        return new BenchCeilings(best, against, notes);
    }

    private static string Warning(BenchResult result) => string.Create(CultureInfo.InvariantCulture,
        $"warning: {result.Family} {result.Name} {result.Shape} is at {result.PercentOfCeiling():F1} % of the measured "
        + $"{(result.PercentOfBandwidth is null ? "peak" : "bandwidth")}: another program ran while that was "
        + $"measured, or data came from a cache");

    /// <summary>The peaks of other arithmetic than float32's, as far as they were measured.</summary>
    private static string OtherPeaks(Machine machine)
    {
        string[] peaks =
        [
            .. Peak(machine.BFloat16Gflops, "with bfloat16 operands"),
            .. Peak(machine.NarrowCodeGops, "with codes of up to 6 bits"),
            .. Peak(machine.WideCodeGops, "with codes of 8 bits"),
        ];
        return peaks.Length == 0 ? "" : $" ({string.Join(", ", peaks)})";

        static string[] Peak(double figure, string of) => double.IsNaN(figure) ? []
            : [string.Create(CultureInfo.InvariantCulture, $"{figure:F0} {of}")];
    }

    private static string Figures(Machine machine)
    {
        string figures = string.Create(CultureInfo.InvariantCulture,
            $"peak {machine.PeakGflops:F0} GFLOP/s{OtherPeaks(machine)}, read "
            + $"{machine.ReadGigabytesPerSecond:F0} GB/s, triad {machine.TriadGigabytesPerSecond:F0} GB/s");
        return double.IsNaN(machine.CacheLineNanoseconds) ? figures : figures + string.Create(
            CultureInfo.InvariantCulture, $", cache line {machine.CacheLineNanoseconds:F0} ns from thread to thread");
    }
}
