using System.Text;
using static System.FormattableString;

namespace Nano;

/// <summary>The charts of the page: which numbers of the log they show, and how.</summary>
public static partial class Report
{
    private const int WideChart = 984, SmallChart = 308, SmallHeight = 230, NamedBlocks = 6;

    private static void Charts(StringBuilder page, RunHistory history)
    {
        var recipe = history.Run is null ? null : history.Recipe.Found;
        ChartSeries[] loss = [.. Expected(recipe, history), .. Noisy("training", history.Loss), .. Validation(history)];
        if (loss.Length > 0)
            page.Append(new SvgChart("Loss", "nats per token", "0.0000", WideChart, 430, false, loss).RenderWide());
        if (history.Speed.Count == 0) return;
        double median = ChartData.Median(history.Speed.Sample);
        var points = history.Speed.Points;
        ChartSeries[] speed =
        [
            new(Interval(history.Speed), ChartMark.Thin, points),
            new(Invariant($"median {median:N0}"), ChartMark.Reference,
                [new(points[0].X, median), new(points[^1].X, median)]),
        ];
        ChartSeries rate = new("learning rate", ChartMark.Line, history.LearningRate.Points);
        page.Append("<div class=\"trio\">\n")
            .Append(Small("Learning rate", "", "G4", rate))
            .Append(Small("Gradient norm", "", "G4", [.. Noisy("", history.GradNorm)]))
            .Append(Small("Throughput", "tokens/s", "N0", speed))
            .Append("</div>\n");
        Blocks(page, history.GroupNorms);
        Loads(page, history.Loads);
        Health(page, [.. history.Evaluations.Where(e => e.Health is not null)]);
    }

    private static string Small(string title, string unit, string format, params ChartSeries[] series) =>
        new SvgChart(title, unit, format, SmallChart, SmallHeight, true, series).Render();

    /// <summary>
    /// The band of the validation loss, up to the last step of this run; it begins at the first
    /// evaluation, since a straight edge from the start would be no band.
    /// </summary>
    private static IEnumerable<ChartSeries> Expected(RecipeBands? recipe, RunHistory history)
    {
        int last = Math.Max(history.Loss.Count > 0 ? history.Loss.LastStep : 0, history.LastEvaluation?.Step ?? 0);
        Band[] bands = [.. (recipe?.Signals.GetValueOrDefault(RunSignals.Validation) ?? [])
            .Where(band => band.Step > 0 && band.Step <= last && band.Low > 0)];
        if (bands.Length < 2) yield break;
        yield return new(Invariant($"expected validation, {recipe!.Seeds.Count} seeds"), ChartMark.Area,
            [.. bands.Select(band => new ChartPoint(band.Step, band.High))],
            [.. bands.Select(band => new ChartPoint(band.Step, band.Low))]);
    }

    /// <summary>The norm of the gradient of each part of the model: the first to vanish or explode shows.</summary>
    private static void Blocks(StringBuilder page, OrderedDictionary<string, Curve> norms)
    {
        if (norms.Values.All(curve => curve.Count == 0)) return;
        string[] groups = [.. norms.Keys];
        string[] blocks = [.. groups.Where(name => name.StartsWith("block", StringComparison.Ordinal))];
        ChartSeries[] series =
            [.. groups.Select(name => new ChartSeries(IsNamed(name) ? name : "", ChartMark.Line, norms[name].Points,
                Color: Color(name)))];
        page.Append(new SvgChart("Gradient norm by block", "", "G4", WideChart, 260, true, series)
            .RenderWide(" style=\"margin-top:30px\""));

        bool IsNamed(string name) => !blocks.Contains(name) || blocks.Length <= NamedBlocks || name == blocks[0]
            || name == blocks[^1];

        // Blocks from blue to violet in their order; the rest in colours of their own. Middle lightness reads
        // on light and on dark.
        string Color(string name) => Array.IndexOf(blocks, name) is >= 0 and int block
            ? Invariant($"hsl({205 + (110 * block / Math.Max(1, blocks.Length - 1))} 62% 52%)")
            : name switch { "embed" => "hsl(30 85% 45%)", "final_norm" => "hsl(160 60% 38%)", _ => "hsl(0 60% 50%)" };
    }

    /// <summary>The least and the most used expert of the first and the last mixture; 1 is even use.</summary>
    private static void Loads(StringBuilder page, LoadCurves loads)
    {
        if (loads.All.All(curve => curve.Count == 0)) return;
        List<ChartSeries> series = [];
        foreach (var (name, (least, most)) in loads.Layers.Where((_, i) => i == 0 || i == loads.Layers.Count - 1))
        {
            series.Add(new($"{name}, least used", ChartMark.Line, least.Points));
            series.Add(new($"{name}, most used", ChartMark.Line, most.Points));
        }
        page.Append(new SvgChart("Load of experts", "of even", "0.00", WideChart, 260, true, [.. series])
            .RenderWide(" style=\"margin-top:30px\""));
    }

    /// <summary>Adds the charts of what each evaluation measures besides the losses.</summary>
    private static void Health(StringBuilder page, EvalEntry[] evals)
    {
        if (evals.Length == 0) return;
        ChartSeries[] weights = [At("with weight decay", e => e.Health!.MatrixNorm) with { Color = "hsl(205 62% 52%)" },
            At("without", e => e.Health!.VectorNorm) with { Color = "hsl(30 85% 45%)" }];
        page.Append("<div class=\"trio\">\n")
            .Append(Small("Norm of the weights", "", "G4", weights))
            .Append(Small("Validation minus training loss", "nats", "0.0000", At("gap", e => e.ValLoss - e.TrainLoss)))
            .Append(Small("Resident memory", "MB", "N0", At("memory", e => e.Health!.ResidentBytes / 1e6)))
            .Append("</div>\n");

        ChartSeries At(string name, Func<EvalEntry, double> value) =>
            new(name, ChartMark.Line, [.. evals.Select(e => new ChartPoint(e.Step, value(e)))]);
    }

    private static string Interval(Curve curve)
    {
        double every = Math.Round((curve.LastStep - (double)curve.FirstStep) / Math.Max(1, curve.Count - 1));
        return every <= 1 ? "each step" : Invariant($"every {every:N0} steps");
    }

    /// <summary>The values as a thin line under their running mean; few values, as one line.</summary>
    private static IEnumerable<ChartSeries> Noisy(string name, Curve curve)
    {
        if (curve.Count == 0) yield break;
        int reach = curve.Reach;
        string prefix = name.Length == 0 ? "" : name + ", ";
        yield return new(prefix + Interval(curve), reach == 0 ? ChartMark.Line : ChartMark.Thin, curve.Points);
        if (reach > 0) yield return new(Invariant($"{prefix}mean of {2 * reach + 1}"), ChartMark.Line, curve.Means);
    }

    /// <summary>Evaluations, and the loss over the whole split at the end in place of one at the same step.</summary>
    private static IEnumerable<ChartSeries> Validation(RunHistory history)
    {
        var (evals, end) = (history.Evaluations, history.End);
        List<ChartPoint> points = [.. evals.Where(e => !(end?.Step == e.Step && double.IsFinite(end.ValLoss)))
            .Select(e => new ChartPoint(e.Step, e.ValLoss))];
        if (end is not null && double.IsFinite(end.ValLoss)) points.Add(new(end.Step, end.ValLoss));
        if (points is [{ X: 0 }, _, ..])
            // a gap: losses fall steeply at first, and a straight line would be no curve
            points.Insert(1, new(0, double.NaN));
        if (points.Count > 0) yield return new("validation", ChartMark.Points, points);
    }
}
