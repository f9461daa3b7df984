using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.NoEmit;

namespace Nano.Bench;

/// <summary>
/// What all BenchmarkDotNet runs of one process share: threads, ceilings, peers and the chosen
/// cases.
/// </summary>
internal static class Session
{
    private static Machine? ceilings;

    public static Compute Compute { get; private set; } = null!;

    public static Machine Machine { get; private set; } = null!;

    /// <summary>The better of the ceilings at the start and after the first run, when figures are asked for.</summary>
    public static Machine Ceilings => ceilings ??= Machine.Best(BenchCeilings.Measure(Compute, Cases));

    public static Peers Peers { get; private set; } = null!;

    public static IReadOnlyList<BenchCase> Cases { get; private set; } = [];

    public static void Start(int threads, IReadOnlyList<BenchCase> cases)
    {
        Compute = new Compute(threads);
        Machine = BenchCeilings.Measure(Compute, cases);
        Peers = new Peers(Compute.Threads);
        Cases = cases;
    }
}

/// <summary>A case, and who does it: null for Nano, else the name of a peer.</summary>
public sealed record Entry(BenchCase Case, string? Peer)
{
    public override string ToString() => $"{Case}{(Peer is null ? "" : " " + Peer)}";
}

/// <summary>Cases without preparation: BenchmarkDotNet repeats short ones by itself.</summary>
public class Cases : CaseBenchmarks
{
    public static IEnumerable<Entry> Entries => WithPeers(prepared: false);

    [ParamsSource(nameof(Entries))]
    public Entry Entry { get; set; } = null!;

    protected override Entry Current => Entry;
}

/// <summary>Cases that need an untimed preparation before each run: one run per iteration.</summary>
public class PreparedCases : CaseBenchmarks
{
    public static IEnumerable<Entry> Entries => WithPeers(prepared: true);

    [ParamsSource(nameof(Entries))]
    public Entry Entry { get; set; } = null!;

    protected override Entry Current => Entry;

    [IterationSetup]
    public void Prepare() => Work.Prepare?.Invoke(Session.Compute);
}

/// <summary>One case at a time: made, proved right, then timed.</summary>
public abstract class CaseBenchmarks
{
    private Action run = () => { };

    protected BenchWork Work { get; private set; } = null!;

    protected abstract Entry Current { get; }

    /// <summary>A case is backward, or decoding, if it needs preparation; peers exist for the others only.</summary>
    protected static IEnumerable<Entry> WithPeers(bool prepared)
    {
        foreach (var of in Session.Cases
            .Where(of => (of.Name.Contains("backward", StringComparison.Ordinal) || of.Group is "decode" or "attention")
                == prepared))
        {
            yield return new Entry(of, null);
            foreach (string peer in prepared ? [] : Session.Peers.Names(of))
                yield return new Entry(of, peer);
        }
    }

    [GlobalSetup]
    public void Setup()
    {
        Work = Current.Case.Create();
        BenchCheck.Verify(Current.Case, Work, Session.Compute);
        run = Current.Peer is null ? () => Work.Run(Session.Compute)
            : Session.Peers.Of(Current.Case, Work).Single(peer => peer.Name == Current.Peer).Run;
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        Work.Dispose();
        Session.Compute.NextStep();
        Session.Compute.Tape = null;
        GC.Collect();
    }

    [Benchmark]
    public void Run() => run();
}

/// <summary>A short job in this process, which holds the ceilings, with columns for speed beside them.</summary>
internal sealed class CaseConfig : ManualConfig
{
    public CaseConfig()
    {
        AddJob(Job.ShortRun.WithToolchain(InProcessNoEmitToolchain.DontLogOutput));
        AddLogger(DefaultConfig.Instance.GetLoggers().ToArray());
        AddExporter(DefaultConfig.Instance.GetExporters().ToArray());
        AddColumnProvider(DefaultColumnProviders.Instance);
        AddColumn(
            new FigureColumn("GFLOP/s", "Arithmetic of the formula over the median", result => result.Gflops),
            new FigureColumn("GB/s", "Compulsory traffic over the median", result => result.Gbps),
            new FigureColumn("% of peak", "Of the fused multiply-adds measured in this process",
                result => result.PercentOfPeak),
            new FigureColumn("% of bandwidth", "Of the read or triad bandwidth measured in this process",
                result => result.PercentOfBandwidth));
        WithSummaryStyle(SummaryStyle.Default.WithMaxParameterColumnWidth(80));
        WithOptions(ConfigOptions.DisableOptimizationsValidator);
    }
}

/// <summary>One figure of <see cref="BenchResult"/> as a column.</summary>
internal sealed class FigureColumn(string name, string legend, Func<BenchResult, double?> figure) : IColumn
{
    public string Id => name;

    public string ColumnName => name;

    public string Legend => legend;

    public bool AlwaysShow => true;

    public bool IsNumeric => true;

    public ColumnCategory Category => ColumnCategory.Custom;

    public int PriorityInCategory => 0;

    public UnitType UnitType => UnitType.Dimensionless;

    public string GetValue(Summary summary, BenchmarkCase benchmarkCase)
    {
        if (summary[benchmarkCase]?.ResultStatistics is not { } statistics
            || benchmarkCase.Parameters["Entry"] is not Entry entry)
            return "-";
        var value = figure(BenchResult.Of(entry.Case, Session.Ceilings, statistics.Median / 1e9, processorTime: false));
        return value?.ToString("F1", System.Globalization.CultureInfo.InvariantCulture) ?? "-";
    }

    public string GetValue(Summary summary, BenchmarkCase benchmarkCase, SummaryStyle style) =>
        GetValue(summary, benchmarkCase);

    public bool IsAvailable(Summary summary) => true;

    public bool IsDefault(Summary summary, BenchmarkCase benchmarkCase) => false;
}
