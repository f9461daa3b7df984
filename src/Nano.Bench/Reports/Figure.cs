using System.Globalization;
using System.Text;

namespace Nano;

/// <summary>An SVG file with a heading, a legend and colours, into which the charts draw.</summary>
internal sealed class Figure
{
    /// <summary>The palette of Okabe and Ito: told apart by colour-blind readers too.</summary>
    private static readonly string[] Colours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00"];

    /// <summary>Begins a figure with its heading.</summary>
    /// <param name="width">Width of the view box.</param>
    /// <param name="height">Height of the view box.</param>
    /// <param name="label">The content, for readers who cannot see it.</param>
    /// <param name="title">The heading.</param>
    /// <param name="left">X of the heading.</param>
    public Figure(int width, int height, string label, string title, int left) =>
        Svg.Append(CultureInfo.InvariantCulture,
            $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" "
            + $"font-size=\"11\" role=\"img\" aria-label=\"{label}\">\n"
            + $"<rect width=\"{width}\" height=\"{height}\" fill=\"#fffefb\"/>\n"
            + $"<text x=\"{left}\" y=\"20\" font-size=\"15\" fill=\"#1d2126\">{Html.Escape(title)}</text>\n");

    /// <summary>The elements so far.</summary>
    public StringBuilder Svg { get; } = new();

    /// <summary>The colour of a group of points.</summary>
    public static string Colour(int group) => Colours[group % Colours.Length];

    /// <summary>Adds a dot and a name for each group of points.</summary>
    /// <param name="names">The groups.</param>
    /// <param name="left">X of the first dot.</param>
    /// <param name="top">Y of the dots.</param>
    /// <param name="step">Distance from one to the next.</param>
    public void AddLegend(IReadOnlyList<string> names, int left, int top, int step)
    {
        for (int i = 0; i < names.Count; i++)
            Svg.Append(CultureInfo.InvariantCulture,
                $"<circle cx=\"{left + (step * i)}\" cy=\"{top}\" r=\"4\" fill=\"{Colour(i)}\"/><text "
                + $"x=\"{left + 8 + (step * i)}\" y=\"{top + 4}\" fill=\"#1d2126\">{Html.Escape(names[i])}</text>\n");
    }

    /// <summary>The figure as text.</summary>
    public string Render() => Svg + "</svg>\n";
}
