using System.Globalization;
using System.Text;

namespace Nano;

/// <summary>
/// The ratio of others' time to Nano's, as one SVG file: a row per kind of case, a dot per case and
/// device on a logarithmic axis, and a line at 1 for equal speed. Each dot has a hover title;
/// geometric means stand at the end of the row.
/// </summary>
public sealed class DeviceChart
{
    private const int Width = 1000, Left = 210, Right = 150, Top = 64, Bottom = 44, RowHeight = 22;

    private readonly Figure figure;
    private readonly StringBuilder svg;
    private readonly (string Label, BenchResult[] Results)[] rows;
    private readonly string[] names;
    private readonly LogAxis axis;
    private readonly int height;

    private DeviceChart(string title, IEnumerable<BenchResult> results)
    {
        rows = [.. results.Where(result => result.Peers.Count > 0).GroupBy(Label)
            .Select(row => (row.Key, row.ToArray()))];
        names = [.. DeviceReport.Names(rows.SelectMany(row => row.Results))];
        axis = LogAxis.Around(rows.SelectMany(row => row.Results).SelectMany(Ratios).Select(dot => dot.Ratio).Append(1),
            1.3, Left, Width - Right);
        height = Top + (RowHeight * rows.Length) + Bottom;
        figure = new Figure(Width, height, "Times over Nano's", title, 16);
        svg = figure.Svg;
    }

    /// <summary>The figure for those cases that have peers.</summary>
    /// <param name="title">Machine and threads, for the heading.</param>
    /// <param name="results">The results.</param>
    public static string Render(string title, IEnumerable<BenchResult> results) =>
        new DeviceChart(title, results).Render();

    private static string Label(BenchResult result) =>
        (result.Group + " " + (result.Name == result.Group ? "" : result.Name)
            + (result.Family == "skinny" ? ", few tokens" : "")).TrimEnd();

    private static IEnumerable<(string Name, double Ratio)> Ratios(BenchResult result) =>
        result.Peers.Select(peer => (peer.Name, peer.MedianMs / result.MedianMs));

    private string Render()
    {
        figure.AddLegend(names, 22, 38, 170);
        svg.Append(CultureInfo.InvariantCulture,
            $"<text x=\"{Width - Right + 12}\" y=\"{Top - 8}\" fill=\"#646a73\">geometric mean</text>\n");
        Axis();
        for (int i = 0; i < rows.Length; i++)
            Row(rows[i].Label, rows[i].Results, Top + (RowHeight * i) + (RowHeight / 2));
        return figure.Render();
    }

    private void Axis()
    {
        foreach (double tick in axis.Ticks().Where(tick => axis.High / axis.Low < 100 || Math.Log10(tick) % 1 == 0))
            svg.Append(CultureInfo.InvariantCulture,
                $"<path d=\"M{X(tick):0.#},{Top}V{height - Bottom}\" stroke=\"#e4e3de\"/><text x=\"{X(tick):0.#}\" "
                + $"y=\"{height - Bottom + 16}\" text-anchor=\"middle\" fill=\"#646a73\">{tick:0.###}</text>\n");
        svg.Append(CultureInfo.InvariantCulture,
            $"<path class=\"equal\" d=\"M{X(1):0.#},{Top - 6}V{height - Bottom}\" stroke=\"#1d2126\" "
            + $"stroke-width=\"1.5\"><title>as fast as Nano</title></path>\n");
        svg.Append(CultureInfo.InvariantCulture,
            $"<text x=\"{X(1) + 6:0.#}\" y=\"{Top - 8}\" fill=\"#646a73\">Nano is faster &#8594;</text><text "
            + $"x=\"{Width - Right}\" y=\"{height - 12}\" text-anchor=\"end\" fill=\"#646a73\">their time over "
            + $"Nano's, without transfers</text>\n");
    }

    private void Row(string label, BenchResult[] results, int y)
    {
        svg.Append(CultureInfo.InvariantCulture,
            $"<text x=\"{Left - 12}\" y=\"{y + 4}\" text-anchor=\"end\" "
            + $"fill=\"#1d2126\">{Html.Escape(label)}</text><path d=\"M{Left},{y}H{Width - Right}\" "
            + $"stroke=\"#f0efea\"/>\n");
        double x = Width - Right + 12;
        for (int i = 0; i < names.Length; i++)
        {
            var dots = results.SelectMany(result =>
                Ratios(result).Where(dot => dot.Name == names[i]).Select(dot => (result, dot.Ratio))).ToArray();
            foreach (var (result, ratio) in dots)
                svg.Append(CultureInfo.InvariantCulture,
                    $"<circle class=\"point\" cx=\"{X(ratio):0.#}\" cy=\"{y}\" r=\"3.5\" fill=\"{Figure.Colour(i)}\" "
                    + $"fill-opacity=\"0.7\"><title>"
                    + $"{Html.Escape($"{result.Family} {result.Name} {result.Shape}, {names[i]}")}"
                    + $": {ratio:F2} x</title></circle>\n");
            if (dots.Length > 0)
                svg.Append(CultureInfo.InvariantCulture,
                    $"<text class=\"mean\" x=\"{x:0.#}\" y=\"{y + 4}\" fill=\"{Figure.Colour(i)}\">"
                    + $"{BenchResult.GeometricMean(dots.Select(dot => dot.Ratio)):0.00}</text>\n");
            x += 46;
        }
    }

    private double X(double ratio) => axis.At(ratio);
}
