using System.Globalization;
using System.Text;

namespace Nano;

/// <summary>
/// Nano's kernels beside other runtimes and devices on the same cases, as one table of Markdown;
/// <see cref="DeviceChart"/> is its figure.
/// </summary>
public static class DeviceReport
{
    private static readonly CultureInfo Invariant = CultureInfo.InvariantCulture;

    /// <summary>The page.</summary>
    /// <param name="cpu">The processor's name.</param>
    /// <param name="figure">File name of the figure.</param>
    /// <param name="notes">Lines about each device, and about the machine while it was measured.</param>
    /// <param name="pass">The measurements.</param>
    /// <param name="leftOut">The cases that were left out, with the reasons.</param>
    public static string Markdown(string cpu, string figure, IEnumerable<string> notes, BenchPass pass,
        IReadOnlyList<string> leftOut)
    {
        var page = new StringBuilder();
        var machine = pass.Machine;
        page.Append(Invariant, $"# {cpu}: Nano beside ONNX Runtime\n\n");
        page.Append(Invariant,
            $"Written by `make bench-devices`; {pass.Threads} thread{(pass.Threads == 1 ? "" : "s")}, {pass.Width}, "
            + $".NET {Environment.Version}. Ceilings measured in the same process: {machine.PeakGflops:F0} GFLOP/s, "
            + $"read {machine.ReadGigabytesPerSecond:F0} GB/s, triad {machine.TriadGigabytesPerSecond:F0} GB/s.\n\n");
        foreach (string note in notes)
            page.Append(Invariant, $"- {note}\n");
        page.Append("""

            How to read it:

            - Median times, all contenders taking turns; every result was compared with Nano's first, and
              Nano's with scalar code and double precision. `x`: their time over Nano's, more is better for
              Nano.
            - ONNX Runtime runs the graphs that Nano makes of the recorded ops, not the fastest that
              somebody could write for it by hand.
            - Operands lie on the device already. `transfers` is what it would take to bring all operands
              up and all results down, and is not in the time; a processor has none. Training steps and
              texts are whole: tokens up, loss or logits down included.
            - Backward: the time of both passes less that of the forward pass, each as one graph. Nano's
              backward pass is timed alone.
            - Operands are inputs of the graph; only the weight of a product for 16 tokens or fewer, and
              of text, is in the graph, where a runtime may prepare it.


            """);
        page.Append(Invariant, $"![Times over Nano's]({figure})\n");
        string[] names = [.. Names(pass.Results)];
        Table(page, pass.Results, names);
        page.Append('\n');
        foreach (string line in Summary(pass.Results))
            page.Append(Invariant, $"- {line}\n");
        if (leftOut.Count > 0)
            page.Append(Invariant,
                $"\n## Left out, empty in the "
                + $"table\n\n{string.Concat(leftOut.Select(line => $"- {line.ReplaceLineEndings(" ")}\n"))}");
        return page.ToString();
    }

    /// <summary>The names of the peers, in the order in which they first appear.</summary>
    internal static IEnumerable<string> Names(IEnumerable<BenchResult> results) =>
        results.SelectMany(result => result.Peers).Select(peer => peer.Name).Distinct();

    /// <summary>
    /// One line per group and device: the geometric mean of their times over Nano's.
    /// </summary>
    private static IEnumerable<string> Summary(IReadOnlyList<BenchResult> results) =>
        from result in results
        from peer in result.Peers
        group peer.MedianMs / result.MedianMs by (result.Group, peer.Name) into ratios
        select string.Create(Invariant,
            $"{ratios.Key.Group}: {ratios.Key.Name} takes {BenchResult.GeometricMean(ratios):F2} x Nano's time over "
            + $"{ratios.Count()} cases, {ratios.Count(ratio => ratio < 1)} of them faster");

    private static void Table(StringBuilder page, IReadOnlyList<BenchResult> results, string[] names)
    {
        bool[] moves = [.. names.Select(name =>
            results.Any(result => result.Peers.Any(peer => peer.Name == name && peer.TransferMs is not null)))];
        page.Append("\n| group | from | what | shape | Nano ms | % of ceiling |");
        foreach (var (name, move) in names.Zip(moves))
            page.Append(Invariant, $" {name} ms | x |{(move ? " transfers ms | GB/s |" : "")}");
        page.Append(Invariant, $"\n|{string.Concat(Enumerable.Repeat("---|", 6 + moves.Sum(move => move ? 4 : 2)))}\n");
        foreach (var r in results)
        {
            page.Append(Invariant,
                $"| {r.Group} | {r.Family} | {r.Name} | {r.Shape} | {r.MedianMs:F3} | {r.PercentOfCeiling():F0} |");
            foreach (var (name, move) in names.Zip(moves))
            {
                var peer = r.Peers.FirstOrDefault(peer => peer.Name == name);
                page.Append(Invariant, $" {peer?.MedianMs:F3} | {peer?.MedianMs / r.MedianMs:F2} |");
                if (move)
                    page.Append(Invariant, $" {peer?.TransferMs:F3} | {peer?.TransferGbps:F1} |");
            }
            page.Append('\n');
        }
    }
}
