using System.Globalization;
using System.Text.Json.Serialization;

namespace Nano;

/// <summary>One measured case.</summary>
/// <param name="Name">The name of the case.</param>
/// <param name="Shape">Its sizes.</param>
/// <param name="MedianMs">Median time of one run, in milliseconds.</param>
/// <param name="Gflops">Arithmetic done, in GFLOP/s.</param>
/// <param name="Gbps">Bytes of operands and result, each counted once, in GB/s; null where that says nothing.</param>
/// <param name="PercentOfPeak">Of the arithmetic peak measured in the same process: that of bfloat16 operands
/// or of whole numbers where products have such.</param>
/// <param name="Note">More, for people.</param>
public sealed record BenchResult(string Name, string Shape, double MedianMs, double Gflops, double? Gbps,
    double PercentOfPeak, string Note = "")
{
    /// <summary>The group of the case, as <c>nano bench</c> names it.</summary>
    public string Group { get; init; } = "train-step";

    /// <summary>The model or family of shapes that the case belongs to.</summary>
    public string Family { get; init; } = "";

    /// <summary>
    /// Of the memory bandwidth measured in the same process (of reading, or of reading two streams
    /// and writing one); null for cases bound by arithmetic.
    /// </summary>
    public double? PercentOfBandwidth { get; init; }

    /// <summary>The ceiling of memory that bounds the case, if one does.</summary>
    [JsonIgnore]
    public BenchBound Bound { get; init; }

    /// <summary>True if products have bfloat16 operands.</summary>
    [JsonIgnore]
    public bool RoundsProducts { get; init; }

    /// <summary>The shares of products of whole numbers.</summary>
    [JsonIgnore]
    public CodeShares Codes { get; init; }

    /// <summary>"processor" where the time is that which the process had a processor, else "wall".</summary>
    public string Clock { get; init; } = "wall";

    /// <summary>The results of peers on the same computation, in the same run.</summary>
    public IReadOnlyList<PeerResult> Peers { get; init; } = [];

    /// <summary>Percent of the ceiling that bounds the case.</summary>
    public double PercentOfCeiling() => PercentOfBandwidth ?? PercentOfPeak;

    /// <summary>The figures of a case that took so long.</summary>
    public static BenchResult Of(BenchCase of, Machine machine, double seconds, bool processorTime)
    {
        double gflops = of.Flops / seconds / 1e9, gbps = of.Bytes / seconds / 1e9;
        return new BenchResult(of.Name, of.Shape, seconds * 1000, gflops, of.Bytes > 0 ? gbps : null,
            100 * gflops / of.Codes.PeakOf(machine, of.RoundsProducts), Speed(of, seconds))
        {
            Group = of.Group,
            Family = of.Family,
            Clock = processorTime ? "processor" : "wall",
            Bound = of.Bound,
            RoundsProducts = of.RoundsProducts,
            Codes = of.Codes,
            PercentOfBandwidth = Bandwidth(of.Bound, machine) is { } bandwidth ? 100 * gbps / bandwidth : null,
        };
    }

    private static string Speed(BenchCase of, double seconds) => of.Tokens == 0 ? ""
        : string.Create(CultureInfo.InvariantCulture, $"{of.Tokens / seconds:N0} tokens/s")
            + (of.Bytes > 0 ? string.Create(CultureInfo.InvariantCulture,
                $", {of.Bytes / of.Tokens / 1e6:N1} MB read per token") : "");

    /// <summary>The result with percentages of other ceilings.</summary>
    public BenchResult Against(Machine machine) => this with
    {
        PercentOfPeak = 100 * Gflops / Codes.PeakOf(machine, RoundsProducts),
        PercentOfBandwidth = Bandwidth(Bound, machine) is { } bandwidth ? 100 * Gbps / bandwidth : null,
    };

    private static double? Bandwidth(BenchBound bound, Machine machine) => bound switch
    {
        BenchBound.Read => machine.ReadGigabytesPerSecond,
        BenchBound.Triad => machine.TriadGigabytesPerSecond,
        _ => null,
    };

    /// <summary>The row of a table for people.</summary>
    public string Line() => string.Create(CultureInfo.InvariantCulture,
        $"{Family,-8} {Name,-22} {Shape,-22} {MedianMs,10:F3} ms {Gflops,7:F1} GFLOP/s {Gbps,6:F1} GB/s "
        + $"{PercentOfCeiling(),5:F1} % of "
        + $"{(PercentOfBandwidth is null ? "peak     " : "bandwidth")}"
        + $"{string.Concat(Peers.Select(peer => "  " + peer.Line(MedianMs)))}{(Note.Length > 0 ? "  " : "")}{Note}");

    /// <summary>
    /// One line per family of a group: geometric mean and minimum of the percentages, and the
    /// geometric mean of the peers' times over Nano's.
    /// </summary>
    public static IEnumerable<string> Summary(IReadOnlyList<BenchResult> results)
    {
        foreach (var family in
            results.GroupBy(result => (result.Group, result.Family, Memory: result.PercentOfBandwidth is not null))
                .Where(family => family.Count() > 1))
            yield return Summarize($"{family.Key.Group} {family.Key.Family}", [.. family]);
        BenchResult[] layers =
            [.. results.Where(result => result.Group == "gemm" && result.Family is "gpt2" or "llama")];
        if (layers.Select(result => result.Family).Distinct().Count() == 2)
            yield return Summarize("gemm gpt2 + llama", layers);
    }

    private static string Summarize(string name, BenchResult[] results)
    {
        var worst = results.MinBy(result => result.PercentOfCeiling())!;
        string line = string.Create(CultureInfo.InvariantCulture,
            $"{name}: geometric mean {GeometricMean(results.Select(result => result.PercentOfCeiling())):F1} % of "
            + $"{(worst.PercentOfBandwidth is null ? "peak" : "bandwidth")} over {results.Length} cases, least "
            + $"{worst.PercentOfCeiling():F1} % ({worst.Name} {worst.Shape})");
        foreach (var peer in
            results.SelectMany(result => result.Peers
                .Select(peer => (peer.Name, Ratio: peer.MedianMs / result.MedianMs))).GroupBy(peer => peer.Name))
            line += string.Create(CultureInfo.InvariantCulture,
                $"; {peer.Key} takes {GeometricMean(peer.Select(p => p.Ratio)):F2} x Nano's time, "
                + $"{peer.Count(p => p.Ratio < 1)} of {peer.Count()} faster");
        return line;
    }

    /// <summary>exp of the mean of logarithms.</summary>
    internal static double GeometricMean(IEnumerable<double> values) => Math.Exp(values.Average(Math.Log));
}

/// <summary>The median time of a peer for the same case.</summary>
public sealed record PeerResult(string Name, double MedianMs)
{
    /// <summary>
    /// Beside that: the time to bring all operands to the device and all results back, in
    /// milliseconds; null where it computes in the host's memory.
    /// </summary>
    public double? TransferMs { get; init; }

    /// <summary>Operands and results over that time, in GB/s.</summary>
    public double? TransferGbps { get; init; }

    /// <summary>The line for people: name, time, and its ratio to Nano's.</summary>
    internal string Line(double nanoMs) => string.Create(CultureInfo.InvariantCulture,
        $"{Name} {MedianMs:F3} ms ({MedianMs / nanoMs:F2} x "
        + $"Nano){(TransferMs is { } transfer ? Transfers(transfer) : "")}");

    private static string Transfers(double ms) =>
        string.Create(CultureInfo.InvariantCulture, $" + {ms:F3} ms of transfers");
}
