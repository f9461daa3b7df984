using System.Globalization;
using System.Text;

namespace Nano;

/// <summary>A set of quantised models as one self-contained page: the distance from the original by size, and a
/// table.</summary>
internal static class QuantisationPage
{
    private const int Width = 984, Height = 420, Left = 78, Right = 60, Top = 34, Bottom = 44;
    private static readonly CultureInfo Culture = CultureInfo.InvariantCulture;

    /// <summary>Writes the page whole or not at all.</summary>
    public static void Write(string path, QuantisationSet set) =>
        AtomicFile.Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(Render(set))));

    internal static string Render(QuantisationSet set)
    {
        string title = $"{Html.Escape(Path.GetFileName(Path.TrimEndingDirectorySeparator(set.Source)))}, quantised";
        var page = new StringBuilder();
        page.Append(Culture, $"""
            <p class="over">Nano quantised models</p>
            <h1>{title}</h1>
            <p class="lede">{Lede(set)}</p>

            """);
        var points = set.Models.Where(model => model.File is not null && model.Difference?.Divergence is > 0 and < 1e9)
            .ToList();
        if (points.Count > 0)
            page.Append(Chart(points));
        Table(page, set);
        Notes(page, set);
        return Html.Page(title, page);
    }

    private static string Lede(QuantisationSet set)
    {
        QuantisedModel original = set.Models[0];
        string of = string.Create(Culture, $"<b>{set.Models.Count - 1}</b> files of a model whose weights take "
            + $"{original.BitsPerWeight:0.00} bits each.");
        return of + (original.Difference is { } difference
            ? string.Create(Culture, $" Compared on <b>{difference.Tokens:N0}</b> tokens of "
                + $"{Html.Escape(set.TextName)}, on which the original's loss is "
                + $"<b>{difference.ReferenceLoss:0.0000}</b> nats per token.")
            : " No text was given to compare them on.");
    }

    /// <summary>A dot for each file: bits per weight, and the divergence from the original on a logarithmic
    /// axis.</summary>
    private static string Chart(List<QuantisedModel> points)
    {
        double low = Math.Floor(Math.Log10(points.Min(model => model.Difference!.Divergence))),
            high = Math.Max(low + 1, Math.Ceiling(Math.Log10(points.Max(model => model.Difference!.Divergence)))),
            most = Math.Ceiling(points.Max(model => model.BitsPerWeight)),
            least = Math.Min(most - 1, Math.Floor(points.Min(model => model.BitsPerWeight)));
        var svg = new StringBuilder();
        svg.Append(Culture, $"<div class=\"wide\"><svg viewBox=\"0 0 {Width} {Height}\" role=\"img\" ")
            .Append("aria-label=\"Divergence by bits per weight\">\n")
            .Append("<text y=\"15\"><tspan class=\"title\">Divergence from the original</tspan><tspan dx=\"8\" ")
            .Append("class=\"soft\">nats per token, by bits per weight</tspan></text>\n<g class=\"axes\">\n");
        for (double power = low; power <= high; power++)
            svg.Append(Culture, $"<path d=\"M{Left},{Y(power):0.#}H{Width - Right}\"/><text x=\"{Left - 8}\" "
                + $"y=\"{Y(power) + 4:0.#}\" text-anchor=\"end\">{Math.Pow(10, power):G2}</text>\n");
        for (double bits = least; bits <= most; bits++)
            svg.Append(Culture, $"<path class=\"base\" d=\"M{X(bits):0.#},{Height - Bottom}v5\"/><text "
                + $"x=\"{X(bits):0.#}\" y=\"{Height - Bottom + 19}\" text-anchor=\"middle\">{bits:0}</text>\n");
        svg.Append("</g>\n<g class=\"points\">\n");
        foreach (QuantisedModel model in points)
        {
            double x = X(model.BitsPerWeight), y = Y(Math.Log10(model.Difference!.Divergence));
            svg.Append(Culture, $"<circle cx=\"{x:0.#}\" cy=\"{y:0.#}\" r=\"5\"><title>{Html.Escape(model.Type)}: "
                + $"{model.BitsPerWeight:0.00} bits, {model.Difference.Divergence:0.000000}</title></circle><text "
                + $"x=\"{x + 8:0.#}\" y=\"{y - 6:0.#}\">{Html.Escape(model.Type)}</text>\n");
        }
        return svg.Append("</g>\n</svg></div>\n").ToString();

        double X(double bits) => Left + ((bits - least) / (most - least) * (Width - Left - Right));
        double Y(double power) => Height - Bottom - ((power - low) / (high - low) * (Height - Top - Bottom));
    }

    private static void Table(StringBuilder page, QuantisationSet set)
    {
        page.Append("<h2>Models</h2>\n<div class=\"wide\">\n<table>\n<tr><th>type</th><th>bits per weight</th>"
            + "<th>weights, bytes</th><th>loss</th><th>loss, more</th><th>divergence</th><th>same top token</th>"
            + "<th>tokens/s</th><th>file</th></tr>\n");
        foreach (QuantisedModel model in set.Models)
        {
            ModelDifference? difference = model.Difference;
            string[] cells =
            [
                model.Type, Number(model.BitsPerWeight, "0.00"), model.Bytes.ToString("N0", Culture),
                Number(difference?.Loss, "0.0000"),
                Number(difference?.MoreLoss, "+0.0000;-0.0000;0.0000"),
                Number(difference?.Divergence, "0.000000"), Number(difference?.SameTop, "0.0 %"),
                Number(model.TokensPerSecond, "N1"), model.File ?? "the original",
            ];
            page.Append(Culture, $"<tr>{string.Concat(cells.Select(cell => $"<td>{Html.Escape(cell)}</td>"))}</tr>\n");
        }
        page.Append("</table>\n</div>\n<p class=\"caption\">Loss: nats per token. Divergence: of Kullback and Leibler, "
            + "from the original's distribution of the next token, nats per token. Speed: a text made token by token, "
            + "measured for a moment.</p>\n");
    }

    private static void Notes(StringBuilder page, QuantisationSet set)
    {
        var notes = set.Models.SelectMany(model => model.Notes.Select(note => (model.Type, Note: note))).ToList();
        if (notes.Count == 0)
            return;
        page.Append("<h2>Notes</h2>\n");
        foreach (var (type, note) in notes)
            page.Append(Culture, $"<p class=\"caption\">{Html.Escape(type)}: {Html.Escape(note)}</p>\n");
    }

    private static string Number(double? value, string format) =>
        value is { } number && double.IsFinite(number) ? number.ToString(format, Culture) : "–";
}
