using System.Globalization;
using System.Xml.Linq;

namespace Nano.Tests.Benchmarks;

/// <summary>The page and the figure that set devices beside each other.</summary>
public class DeviceReportTests
{
    private static readonly XNamespace Svg = "http://www.w3.org/2000/svg";

    private static BenchResult Result(string group, string name, double ms, params PeerResult[] peers) =>
        new(name, "2 x 3", ms, 10, 5, 25) { Group = group, Family = "gpt2", Peers = peers };

    private static readonly BenchResult[] Results =
    [
        Result("gemm", "forward", 2, new PeerResult("onnx-cpu", 1),
            new PeerResult("a <gpu>", 8) { TransferMs = 3, TransferGbps = 0.5 }),
        Result("gemm", "forward", 1, new PeerResult("onnx-cpu", 2)),
        Result("decode", "decode", 4, new PeerResult("onnx-cpu", 8)),
        Result("ops", "lion", 4),
    ];

    [Fact]
    public void The_page_has_every_case_with_ratios_and_transfers_apart()
    {
        var pass = new BenchPass(2, SimdWidth.W512, new Machine(400, 40, 50), Results);
        string page = DeviceReport.Markdown("CPU X", "x.svg", ["load 3.5"], pass, ["ops big: too large for a <gpu>"]);
        string[] lines = page.Split('\n');
        Assert.Contains("| group | from | what | shape | Nano ms | % of ceiling | onnx-cpu ms | x | a <gpu> ms | x "
            + "| transfers ms | GB/s |", lines);
        Assert.Contains("| gemm | gpt2 | forward | 2 x 3 | 2.000 | 25 | 1.000 | 0.50 | 8.000 | 4.00 | 3.000 | 0.5 |",
            lines);
        Assert.Contains("| gemm | gpt2 | forward | 2 x 3 | 1.000 | 25 | 2.000 | 2.00 |  |  |  |  |", lines);
        Assert.Contains("| ops | gpt2 | lion | 2 x 3 | 4.000 | 25 |  |  |  |  |  |  |", lines);
        // sqrt(1/2 x 2)
        Assert.Contains("- gemm: onnx-cpu takes 1.00 x Nano's time over 2 cases, 1 of them faster", lines);
        Assert.Contains("- gemm: a <gpu> takes 4.00 x Nano's time over 1 cases, 0 of them faster", lines);
        Assert.Contains("- load 3.5", lines);
        Assert.Contains("- ops big: too large for a <gpu>", lines);
        Assert.Contains("![Times over Nano's](x.svg)", lines);
        int columns = lines.Single(line => line.StartsWith("| group", StringComparison.Ordinal)).Count(c => c == '|');
        Assert.All(lines.Where(line => line.StartsWith('|')), line => Assert.Equal(columns, line.Count(c => c == '|')));
    }

    [Fact]
    public void The_figure_has_a_row_per_kind_and_dots_on_a_logarithmic_axis()
    {
        var figure = XDocument.Parse(DeviceChart.Render("m & n", Results)).Root!;
        var dots = figure.Elements(Svg + "circle")
            .Where(circle => (string?)circle.Attribute("class") == "point").ToArray();
        double X(int dot) => double.Parse(dots[dot].Attribute("cx")!.Value, CultureInfo.InvariantCulture);
        Assert.Equal(["gpt2 forward 2 x 3, onnx-cpu: 0.50 x", "gpt2 forward 2 x 3, onnx-cpu: 2.00 x",
            "gpt2 forward 2 x 3, a <gpu>: 4.00 x", "gpt2 decode 2 x 3, onnx-cpu: 2.00 x"],
            dots.Select(dot => dot.Element(Svg + "title")!.Value));
        string equal = figure.Elements(Svg + "path").Single(path => (string?)path.Attribute("class") == "equal")
            .Attribute("d")!.Value;
        double one = double.Parse(equal[1..equal.IndexOf(',', StringComparison.Ordinal)], CultureInfo.InvariantCulture);
        Assert.Equal(one - X(0), X(1) - one, 0.2); // 1/2 and 2 are equally far from 1
        Assert.Equal(X(1) - one, X(2) - X(1), 0.2); // and 4 twice as far
        Assert.Equal(dots[0].Attribute("cy")!.Value, dots[2].Attribute("cy")!.Value);
        Assert.NotEqual(dots[0].Attribute("cy")!.Value, dots[3].Attribute("cy")!.Value);
        string[] texts = [.. figure.Elements(Svg + "text").Select(text => text.Value)];
        Assert.Contains("gemm forward", texts);
        Assert.Contains("decode", texts);
        Assert.DoesNotContain("ops lion", texts); // nobody to compare with
        Assert.Equal(["1.00", "4.00", "2.00"], figure.Elements(Svg + "text")
            .Where(text => (string?)text.Attribute("class") == "mean").Select(text => text.Value));
    }
}
