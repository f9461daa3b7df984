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
    private const double CharWidth = 5.6, LineHeight = 12;

    /// <summary>Those of Okabe and Ito: told apart by colour-blind readers too.</summary>
    internal static IReadOnlyList<string> Colours { get; } = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00"];

    private readonly StringBuilder svg = new();
    private readonly List<(double X0, double Y0, double X1, double Y1)> taken = [];
    private readonly Machine machine;
    private readonly (BenchResult Result, double Intensity)[] points;
    private readonly double xLow, xHigh, yLow, yHigh;

    private Roofline(Machine machine, IEnumerable<BenchResult> results)
    {
        this.machine = machine;
        points = [.. results.Where(result => result.Gbps > 0 && result.Gflops > 0)
            .Select(result => (result, result.Gflops / result.Gbps!.Value))];
        (xLow, xHigh) = Around(points.Select(point => point.Intensity).Append(1)
            .Append(machine.PeakGflops / machine.ReadGigabytesPerSecond));
        (yLow, yHigh) = Around(points.Select(point => point.Result.Gflops).Append(machine.PeakGflops));
    }

    /// <summary>The figure for cases that have both operations and bytes.</summary>
    /// <param name="machine">The roofs.</param>
    /// <param name="title">Machine and threads, for the heading.</param>
    /// <param name="results">The points.</param>
    public static string Render(Machine machine, string title, IEnumerable<BenchResult> results) =>
        new Roofline(machine, results).Render(title);

    private string Render(string title)
    {
        svg.Append(CultureInfo.InvariantCulture,
            $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {Width} {Height}\" font-family=\"sans-serif\" "
            + $"font-size=\"11\" role=\"img\" aria-label=\"Roofline\">\n");
        svg.Append(CultureInfo.InvariantCulture, $"<rect width=\"{Width}\" height=\"{Height}\" fill=\"#fffefb\"/>\n");
        svg.Append(CultureInfo.InvariantCulture,
            $"<text x=\"{Left}\" y=\"20\" font-size=\"15\" fill=\"#1d2126\">{Html.Escape(title)}</text>\n");
        svg.Append(CultureInfo.InvariantCulture,
            $"<text x=\"{Width - Right}\" y=\"20\" text-anchor=\"end\" fill=\"#1d2126\">peak "
            + $"{machine.PeakGflops:F0} GFLOP/s; memory: triad {machine.TriadGigabytesPerSecond:F0} GB/s, read "
            + $"{machine.ReadGigabytesPerSecond:F0} GB/s (dashed)</text>\n");
        Axes();
        Roof("read", machine.ReadGigabytesPerSecond, "4 3");
        Roof("triad", machine.TriadGigabytesPerSecond, "none");
        string[] groups = [.. points.Select(point => point.Result.Group).Distinct()];
        for (int i = 0; i < groups.Length; i++)
            svg.Append(CultureInfo.InvariantCulture,
                $"<circle cx=\"{Left + 6 + (110 * i)}\" cy=\"35\" r=\"4\" "
                + $"fill=\"{Colours[i % Colours.Count]}\"/><text x=\"{Left + 14 + (110 * i)}\" y=\"39\" "
                + $"fill=\"#1d2126\">{Html.Escape(groups[i])}</text>\n");
        foreach (var (result, intensity) in points)
            taken.Add((X(intensity) - 3, Y(result.Gflops) - 3, X(intensity) + 3, Y(result.Gflops) + 3));
        foreach (var (result, intensity) in points)
            Point(result, intensity, Colours[Array.IndexOf(groups, result.Group) % Colours.Count]);
        return svg.Append("</svg>\n").ToString();
    }

    private void Axes()
    {
        const string grid = "stroke=\"#e4e3de\"", text = "fill=\"#646a73\"";
        foreach (double x in Ticks(xLow, xHigh))
            svg.Append(CultureInfo.InvariantCulture,
                $"<path d=\"M{X(x):0.#},{Top}V{Height - Bottom}\" {grid}/><text x=\"{X(x):0.#}\" "
                + $"y=\"{Height - Bottom + 16}\" text-anchor=\"middle\" {text}>{x:0.####}</text>\n");
        foreach (double y in Ticks(yLow, yHigh))
            svg.Append(CultureInfo.InvariantCulture,
                $"<path d=\"M{Left},{Y(y):0.#}H{Width - Right}\" {grid}/><text x=\"{Left - 8}\" "
                + $"y=\"{Y(y) + 4:0.#}\" text-anchor=\"end\" {text}>{y:0.####}</text>\n");
        svg.Append(CultureInfo.InvariantCulture,
            $"<text x=\"{Width - Right}\" y=\"{Height - 14}\" text-anchor=\"end\" {text}>FLOP per byte of "
            + $"compulsory traffic</text><text x=\"{Left - 50}\" y=\"{Top - 8}\" {text}>GFLOP/s</text>\n");
    }

    private void Roof(string name, double bandwidth, string dashes)
    {
        double ridge = machine.PeakGflops / bandwidth, start = Math.Max(xLow, yLow / bandwidth);
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

    private double X(double intensity) =>
        Left + (Math.Log(intensity / xLow) / Math.Log(xHigh / xLow) * (Width - Left - Right));

    private double Y(double gflops) =>
        Height - Bottom - (Math.Log(gflops / yLow) / Math.Log(yHigh / yLow) * (Height - Top - Bottom));

    /// <summary>A range that leaves some room around all values.</summary>
    private static (double Low, double High) Around(IEnumerable<double> values)
    {
        double[] all = [.. values];
        return (all.Min() / 1.6, all.Max() * 1.6);
    }

    /// <summary>1, 2 and 5 times powers of ten within a range.</summary>
    internal static IEnumerable<double> Ticks(double low, double high)
    {
        for (double power = Math.Pow(10, Math.Floor(Math.Log10(low))); power <= high; power *= 10)
            foreach (int digit in (int[])[1, 2, 5])
                if (power * digit >= low && power * digit <= high)
                    yield return power * digit;
    }
}
