using System.Globalization;
using System.Text;

namespace Nano;

/// <summary>
/// One pass over the cases with one number of threads: its ceilings and what was measured beside
/// them.
/// </summary>
public sealed record BenchPass(int Threads, SimdWidth Width, Machine Machine, IReadOnlyList<BenchResult> Results);

/// <summary>The measured figures of a machine as Markdown: ceilings, targets at a glance, every case.</summary>
public static class BenchReport
{
    private static readonly CultureInfo Invariant = CultureInfo.InvariantCulture;

    /// <summary>A file name for a processor's name: lower case, dashes.</summary>
    public static string FileName(string cpu) =>
        string.Join('-', new string([.. cpu.ToLowerInvariant().Select(c => char.IsAsciiLetterOrDigit(c) ? c : ' ')])
            .Split(' ', StringSplitOptions.RemoveEmptyEntries));

    /// <summary>The page.</summary>
    /// <param name="cpu">The processor's name.</param>
    /// <param name="figure">File name of the roofline.</param>
    /// <param name="peers">A line about each peer, measured or absent.</param>
    /// <param name="passes">The measurements.</param>
    public static string Markdown(string cpu, string figure, IEnumerable<string> peers, IReadOnlyList<BenchPass> passes)
    {
        var page = new StringBuilder();
        page.Append(Invariant, $"# {cpu}, .NET {Environment.Version}\n\n");
        page.Append("Written by `make bench-report`. Medians; ceilings measured in the same process. With one "
            + "thread the time is processor time, which other load on the machine\n");
        page.Append("does not distort; with more it is wall time. Bytes are compulsory traffic (each operand and "
            + "result once). Every case was first checked against scalar code, bit by bit,\n");
        page.Append("and against double precision. `x` columns: the peer's time over Nano's, higher is better.\n\n");
        page.Append("| threads | SIMD | peak GFLOP/s | read GB/s | triad GB/s |\n|---|---|---|---|---|\n");
        foreach (var pass in passes)
            page.Append(Invariant,
                $"| {pass.Threads} | {pass.Width} | {pass.Machine.PeakGflops:F0} | "
                + $"{pass.Machine.ReadGigabytesPerSecond:F0} | {pass.Machine.TriadGigabytesPerSecond:F0} |\n");
        page.Append('\n');
        foreach (string peer in peers)
            page.Append(Invariant, $"- {peer}\n");
        page.Append(Invariant, $"\n![Roofline]({figure})\n");
        foreach (var pass in passes)
        {
            page.Append(Invariant, $"\n## {pass.Threads} thread{(pass.Threads == 1 ? "" : "s")}\n\n");
            foreach (string line in BenchResult.Summary(pass.Results))
                page.Append(Invariant, $"- {line}\n");
            foreach (var group in pass.Results.GroupBy(result => result.Group))
                Table(page, group.Key, [.. group]);
        }
        return page.ToString();
    }

    private static void Table(StringBuilder page, string group, BenchResult[] results)
    {
        string[] peers = [.. results.SelectMany(result => result.Peers).Select(peer => peer.Name).Distinct()];
        page.Append(Invariant,
            $"\n### {group}\n\n| from | what | shape | ms | GFLOP/s | GB/s | % of ceiling | of "
            + $"|{string.Concat(peers.Select(peer => $" x {peer} |"))} |\n");
        page.Append(Invariant, $"|---|---|---|---|---|---|---|---|{string.Concat(peers.Select(_ => "---|"))}---|\n");
        foreach (var r in results)
        {
            page.Append(Invariant,
                $"| {r.Family} | {r.Name} | {r.Shape} | {r.MedianMs:F3} | {r.Gflops:F1} | {r.Gbps:F1} | "
                + $"{r.PercentOfCeiling():F1} | {(r.PercentOfBandwidth is null ? "peak" : "bandwidth")} |");
            foreach (string name in peers)
                page.Append(Invariant,
                    $" {r.Peers.FirstOrDefault(peer => peer.Name == name)?.MedianMs / r.MedianMs:F2} |");
            page.Append(Invariant, $" {r.Note} |\n");
        }
    }
}
