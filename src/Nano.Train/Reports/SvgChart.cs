using System.Globalization;
using System.Text;

namespace Nano;

/// <summary>The style of a series; the lower-case name is its CSS class.</summary>
internal enum ChartMark { Thin, Line, Points, Reference, Area }

/// <summary>A named series; points in the order of X.</summary>
/// <param name="Name">The name in the legend; none if it is empty.</param>
/// <param name="Mark">The style.</param>
/// <param name="Points">The points; of an area, its upper edge.</param>
/// <param name="Lower">The lower edge of an area, at the same X.</param>
/// <param name="Color">In place of the mark's own, as CSS has it.</param>
internal sealed record ChartSeries(string Name, ChartMark Mark, IReadOnlyList<ChartPoint> Points,
    IReadOnlyList<ChartPoint>? Lower = null, string? Color = null);

/// <summary>
/// A line chart over training steps as inline SVG: data in, text out. Colours and type come from
/// the page's style sheet, so that one chart serves light and dark. Values under 1e-30 count as
/// zero, those over 1e30 as gaps.
/// </summary>
/// <param name="Title">The title.</param>
/// <param name="Unit">Unit of Y; may be empty.</param>
/// <param name="Format">.NET format of the values in labels and hover titles.</param>
/// <param name="Width">Width of the view box.</param>
/// <param name="Height">Height of the view box.</param>
/// <param name="FromZero">Whether the Y axis must include zero.</param>
/// <param name="Series">The series, the backmost first.</param>
internal sealed record SvgChart(string Title, string Unit, string Format, int Width, int Height, bool FromZero,
    IReadOnlyList<ChartSeries> Series)
{
    private const int MaxPoints = 1000, Top = 52, Bottom = 30, Right = 24;
    private const string Ring = "m-2,0a2,2 0 1 0 4,0a2,2 0 1 0 -4,0"; // a lone point, which a line would not show
    private static readonly CultureInfo Invariant = CultureInfo.InvariantCulture;

    private readonly StringBuilder svg = new();
    private double[] yTicks = [];
    private double left, xLow, xHigh;
    private int exponent;

    /// <summary>The chart in a box that scrolls where the page is narrow.</summary>
    public string RenderWide(string attributes = "") => $"<div class=\"wide\"{attributes}>{Render()}</div>\n";

    /// <summary>The chart as one <c>svg</c> element.</summary>
    public string Render()
    {
        svg.Clear();
        Scale();
        svg.Append(Invariant,
            $"<svg viewBox=\"0 0 {Width} {Height}\" role=\"img\" aria-label=\"{Html.Escape(Title)}\">\n");
        Heading();
        Axes();
        foreach (ChartSeries series in Series)
            if (series.Mark == ChartMark.Area) Area(series);
            else if (series.Mark != ChartMark.Points) Path(series, Html.Escape(series.Name));
        HoverBands();
        foreach (ChartSeries series in Series)
            if (series.Mark == ChartMark.Points) Marks(series);
        return svg.Append("</svg>\n").ToString();
    }

    private void Scale()
    {
        double[] y = [.. Series.SelectMany(s => s.Points.Concat(s.Lower ?? [])).Select(p => p.Y).Where(IsDrawn)];
        double low = y.DefaultIfEmpty(0).Min(), high = y.DefaultIfEmpty(1).Max();
        if (FromZero) (low, high) = (Math.Min(0, low), Math.Max(0, high));
        yTicks = ChartData.Ticks(low, high, (Height - Top - Bottom) / 48);
        double[] x = [.. Series.SelectMany(s => s.Points).Select(p => p.X)];
        xLow = Math.Min(0, x.DefaultIfEmpty(0).Min());
        xHigh = Math.Max(1, x.DefaultIfEmpty(1).Max());
        double size = yTicks.Max(Math.Abs);
        exponent = size < 0.01 ? (int)Math.Floor(Math.Log10(size)) : 0;
        left = 12 + 6.6 * yTicks.Max(t => TickLabel(t, yTicks, exponent).Length);
    }

    private void Heading()
    {
        string unit = exponent == 0 ? Unit : $"{Unit} × 10{Superscript(exponent)}".Trim();
        svg.Append(Invariant,
            $"<text y=\"15\"><tspan class=\"title\">{Html.Escape(Title)}</tspan><tspan dx=\"8\" "
            + $"class=\"soft\">{Html.Escape(unit)}</tspan></text>\n");
        if (Series.Count < 2) return;
        svg.Append("<text y=\"34\" class=\"legend\">");
        foreach (ChartSeries series in Series.Where(s => s.Name.Length > 0))
        {
            string sign = series.Mark switch
            {
                ChartMark.Points => "●",
                ChartMark.Reference => "╌╌",
                ChartMark.Line =>
                "━━",
                ChartMark.Area => "■",
                _ => "──"
            };
            svg.Append(Invariant,
                $"<tspan class=\"{Css(series)}\"{Style("fill", series)}>{sign}</tspan><tspan "
                + $"dx=\"5\">{Html.Escape(series.Name)}</tspan><tspan dx=\"10\"> </tspan>");
        }
        svg.Append("</text>\n");
    }

    private void Axes()
    {
        svg.Append("<g class=\"axes\">\n");
        foreach (double tick in yTicks)
            svg.Append(Invariant,
                $"<path d=\"M{left:0.#},{Y(tick):0.#}H{Width - Right}\"/><text x=\"{left - 8:0.#}\" "
                + $"y=\"{Y(tick) + 4:0.#}\" text-anchor=\"end\">{TickLabel(tick, yTicks, exponent)}</text>\n");
        double[] xTicks = ChartData.Ticks(xLow, xHigh, Math.Max(2, Width / 110));
        double floor = Height - Bottom;
        svg.Append(Invariant, $"<path class=\"base\" d=\"M{left:0.#},{floor}H{Width - Right}\"/>\n");
        foreach (double tick in xTicks.Where(t => t >= xLow && t <= xHigh && t == Math.Round(t)))
            svg.Append(Invariant,
                $"<path class=\"base\" d=\"M{X(tick):0.#},{floor}v5\"/><text x=\"{X(tick):0.#}\" y=\"{floor + 19}\" "
                + $"text-anchor=\"middle\">{(tick == 0 ? "step 0" : TickLabel(tick, [0, 1], 0))}</text>\n");
        svg.Append("</g>\n");
    }

    private void Path(ChartSeries series, string title)
    {
        IReadOnlyList<ChartPoint> points = ChartData.Downsample(series.Points, MaxPoints);
        svg.Append(Invariant, $"<path class=\"{Css(series)}\"{Style("stroke", series)} d=\"");
        for (int i = 0; i < points.Count; i++)
        {
            if (!IsDrawn(points[i].Y)) continue;
            bool starts = i == 0 || !IsDrawn(points[i - 1].Y),
                alone = starts && (i + 1 == points.Count || !IsDrawn(points[i + 1].Y));
            svg.Append(Invariant,
                $"{(starts ? 'M' : 'L')}{X(points[i].X):0.#},{Y(points[i].Y):0.#}{(alone ? Ring : "")}");
        }
        svg.Append(Invariant, $"\"><title>{title}</title></path>\n");
    }

    /// <summary>A filled band: along the upper edge and back along the lower.</summary>
    private void Area(ChartSeries series)
    {
        var edge = series.Points.Concat((series.Lower ?? []).Reverse()).Where(p => IsDrawn(p.Y))
            .Select(p => string.Create(Invariant, $"{X(p.X):0.#},{Y(p.Y):0.#}"));
        svg.Append(Invariant,
            $"<path class=\"area\"{Style("fill", series)} "
            + $"d=\"M{string.Join('L', edge)}Z\"><title>{Html.Escape(series.Name)}</title></path>\n");
    }

    private static string Style(string property, ChartSeries series) =>
        series.Color is null ? "" : $" style=\"{property}:{Html.Escape(series.Color)}\"";

    private void Marks(ChartSeries series)
    {
        Path(series, Html.Escape(series.Name));
        svg.Append("<g class=\"points\">\n");
        int stride = 1 + (int)(series.Points.Count / ((Width - Right - left) / 60));
        for (int i = 0; i < series.Points.Count; i++)
        {
            ChartPoint p = series.Points[i];
            if (!IsDrawn(p.Y)) continue;
            svg.Append(Invariant,
                $"<circle cx=\"{X(p.X):0.#}\" cy=\"{Y(p.Y):0.#}\" "
                + $"r=\"{(stride == 1 ? 3.5 : 2.5)}\"><title>{Readout(p.X, series, p.Y)}</title></circle>\n");
            if ((series.Points.Count - 1 - i) % stride == 0)
                svg.Append(Invariant,
                    $"<text x=\"{X(p.X):0.#}\" y=\"{Y(p.Y) - 10:0.#}\" "
                    + $"text-anchor=\"middle\">{p.Y.ToString(Format, Invariant)}</text>\n");
        }
        svg.Append("</g>\n");
    }

    /// <summary>
    /// Invisible columns that light up under the pointer and tell the values there: hover without
    /// scripts.
    /// </summary>
    private void HoverBands()
    {
        ChartSeries? first = Series.FirstOrDefault(s => s.Mark is ChartMark.Thin or ChartMark.Line);
        if (first is null || first.Points.Count == 0) return;
        int bands = Math.Min(first.Points.Count, Width / 7);
        svg.Append("<g class=\"bands\">\n");
        for (int b = 0; b < bands; b++)
        {
            int index = (int)((b + 0.5) * first.Points.Count / bands);
            double x = X(first.Points[index].X), width = (Width - Right - left) / bands;
            IEnumerable<string> values = Series
                .Where(s => s.Mark is ChartMark.Thin or ChartMark.Line && index < s.Points.Count)
                .Select(s => Readout(s.Points[index].X, s, s.Points[index].Y));
            svg.Append(Invariant,
                $"<rect x=\"{x - width / 2:0.#}\" y=\"{Top - 8}\" width=\"{width:0.##}\" "
                + $"height=\"{Height - Top - Bottom + 8}\"><title>{string.Join('\n', values)}</title></rect>\n");
        }
        svg.Append("</g>\n");
    }

    private string Readout(double step, ChartSeries series, double value) =>
        string.Create(Invariant, $"step {step:N0}: {value.ToString(Format, Invariant)} ({Html.Escape(series.Name)})");

    private double X(double step) => left + (step - xLow) / (xHigh - xLow) * (Width - Right - left);

    private double Y(double value) =>
        Height - Bottom - (value - yTicks[0]) / (yTicks[^1] - yTicks[0]) * (Height - Top - Bottom);

    private static bool IsDrawn(double y) => Math.Abs(y) <= 1e30;

    private static string Css(ChartSeries series) => series.Mark switch
    {
        ChartMark.Thin => "thin",
        ChartMark.Line => "line",
        ChartMark.Points => "points",
        ChartMark.Area => "area",
        _ => "reference",
    };

    private static string TickLabel(double tick, double[] ticks, int exponent)
    {
        double scale = Math.Pow(10, exponent), step = (ticks[1] - ticks[0]) / scale, value = tick / scale;
        if (Math.Abs(value) >= 1e9) return value.ToString("G3", Invariant);
        int decimals = Math.Clamp((int)Math.Ceiling(-Math.Log10(step) - 1e-6), 0, 9);
        return value.ToString("N" + decimals.ToString(Invariant), Invariant);
    }

    private static string Superscript(int number) =>
        string.Concat(number.ToString(Invariant).Select(c => c == '-' ? '⁻' : "⁰¹²³⁴⁵⁶⁷⁸⁹"[c - '0']));
}
