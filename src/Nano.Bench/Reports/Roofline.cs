using System.Globalization;
using System.Text;

namespace Nano;

/// <summary>
/// The roofline figure (Williams, Waterman, Patterson, 2009) as one SVG file: GFLOP/s over
/// FLOP/byte, both axes logarithmic. The roof is what the machine can do at best: bandwidth times
/// intensity, up to the arithmetic peak. Each case is a point with a hover title; labels are
/// written where they do not cover each other.
/// </summary>
public sealed class Roofline
{
    private const int Width = 1000, Height = 620, Left = 64, Right = 24, Top = 48, Bottom = 52;
    private const double CharWidth = 5.6, LineHeight = 12, Room = 1.6;

    private readonly Figure figure;
    private readonly StringBuilder svg;
    private readonly List<(double X0, double Y0, double X1, double Y1)> taken = [];
    private readonly Machine machine;
    private readonly (BenchResult Result, double Intensity)[] points;
    private readonly LogAxis intensities, speeds;

    private Roofline(Machine machine, string title, IEnumerable<BenchResult> results)
    {
        this.machine = machine;
        figure = new Figure(Width, Height, "Roofline", title, Left);
        svg = figure.Svg;
        points = [.. results.Where(result => result.Gbps > 0 && result.Gflops > 0)
            .Select(result => (result, result.Gflops / result.Gbps!.Value))];
        intensities = LogAxis.Around(points.Select(point => point.Intensity).Append(1)
            .Append(machine.PeakGflops / machine.ReadGigabytesPerSecond), Room, Left, Width - Right);
        speeds = LogAxis.Around(points.Select(point => point.Result.Gflops).Append(machine.PeakGflops), Room,
            Height - Bottom, Top);
    }

    /// <summary>The figure for cases that have both operations and bytes.</summary>
    /// <param name="machine">The roofs.</param>
    /// <param name="title">Machine and threads, for the heading.</param>
    /// <param name="results">The points.</param>
    public static string Render(Machine machine, string title, IEnumerable<BenchResult> results) =>
        new Roofline(machine, title, results).Render();

    private string Render()
    {
        svg.Append(CultureInfo.InvariantCulture,
            $"<text x=\"{Width - Right}\" y=\"20\" text-anchor=\"end\" fill=\"#1d2126\">peak "
            + $"{machine.PeakGflops:F0} GFLOP/s; memory: triad {machine.TriadGigabytesPerSecond:F0} GB/s, read "
            + $"{machine.ReadGigabytesPerSecond:F0} GB/s (dashed)</text>\n");
        Axes();
        Roof("read", machine.ReadGigabytesPerSecond, "4 3");
        Roof("triad", machine.TriadGigabytesPerSecond, "none");
        string[] groups = [.. points.Select(point => point.Result.Group).Distinct()];
        figure.AddLegend(groups, Left + 6, 35, 110);
        foreach (var (result, intensity) in points)
            taken.Add((X(intensity) - 3, Y(result.Gflops) - 3, X(intensity) + 3, Y(result.Gflops) + 3));
        foreach (var (result, intensity) in points)
            Point(result, intensity, Figure.Colour(Array.IndexOf(groups, result.Group)));
        return figure.Render();
    }

    private void Axes()
    {
        const string grid = "stroke=\"#e4e3de\"", text = "fill=\"#646a73\"";
        foreach (double x in intensities.Ticks())
            svg.Append(CultureInfo.InvariantCulture,
                $"<path d=\"M{X(x):0.#},{Top}V{Height - Bottom}\" {grid}/><text x=\"{X(x):0.#}\" "
                + $"y=\"{Height - Bottom + 16}\" text-anchor=\"middle\" {text}>{x:0.####}</text>\n");
        foreach (double y in speeds.Ticks())
            svg.Append(CultureInfo.InvariantCulture,
                $"<path d=\"M{Left},{Y(y):0.#}H{Width - Right}\" {grid}/><text x=\"{Left - 8}\" "
                + $"y=\"{Y(y) + 4:0.#}\" text-anchor=\"end\" {text}>{y:0.####}</text>\n");
        svg.Append(CultureInfo.InvariantCulture,
            $"<text x=\"{Width - Right}\" y=\"{Height - 14}\" text-anchor=\"end\" {text}>FLOP per byte of "
            + $"compulsory traffic</text><text x=\"{Left - 50}\" y=\"{Top - 8}\" {text}>GFLOP/s</text>\n");
    }

    private void Roof(string name, double bandwidth, string dashes)
    {
        double ridge = machine.PeakGflops / bandwidth, start = Math.Max(intensities.Low, speeds.Low / bandwidth);
        svg.Append(CultureInfo.InvariantCulture,
            $"<path class=\"roof\" "
            + $"d=\"M{X(start):0.#},{Y(start * bandwidth):0.#}L{X(ridge):0.#},{Y(machine.PeakGflops):0.#}"
            + $"H{Width - Right}\" fill=\"none\" stroke=\"#1d2126\" stroke-width=\"1.5\" "
            + $"stroke-dasharray=\"{dashes}\">"
            + $"<title>{name} {bandwidth:F0} GB/s, peak {machine.PeakGflops:F0} GFLOP/s</title></path>\n");
    }

    private void Point(BenchResult result, double intensity, string colour)
    {
        double x = X(intensity), y = Y(result.Gflops);
        svg.Append(CultureInfo.InvariantCulture,
            $"<circle class=\"point\" cx=\"{x:0.#}\" cy=\"{y:0.#}\" r=\"3\" "
            + $"fill=\"{colour}\"><title>{Html.Escape($"{result.Family} {result.Name} {result.Shape}")}: "
            + $"{result.Gflops:F1} GFLOP/s, {result.PercentOfCeiling():F0} % of its ceiling</title></circle>\n");
        string label = result.Group == "ops" ? result.Name : $"{result.Name} {result.Shape}";
        double width = label.Length * CharWidth;
        foreach (var (dx, dy) in ((double, double)[])[(6, 4), (-6 - width, 4), (6, -7), (6, 14), (-6 - width, -7),
            (-6 - width, 14)])
        {
            var box = (X0: x + dx, Y0: y + dy - LineHeight + 3, X1: x + dx + width, Y1: y + dy + 2);
            if (box.X0 < Left || box.X1 > Width - Right || box.Y0 < Top || box.Y1 > Height - Bottom
                || taken.Any(other => other.X0 < box.X1 && box.X0 < other.X1 && other.Y0 < box.Y1 && box.Y0 < other.Y1))
                continue;
            taken.Add(box);
            svg.Append(CultureInfo.InvariantCulture,
                $"<text class=\"label\" x=\"{box.X0:0.#}\" y=\"{y + dy:0.#}\" font-size=\"10\" "
                + $"fill=\"{colour}\">{Html.Escape(label)}</text>\n");
            return;
        }
    }

    private double X(double intensity) => intensities.At(intensity);

    private double Y(double gflops) => speeds.At(gflops);
}
