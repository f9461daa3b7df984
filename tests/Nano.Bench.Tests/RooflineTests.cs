using System.Globalization;
using System.Xml.Linq;

namespace Nano.Tests.Benchmarks;

/// <summary>The figure and the page that show measured cases.</summary>
public class RooflineTests
{
    private static readonly XNamespace Svg = "http://www.w3.org/2000/svg";
    private static readonly Machine Ceilings = new(PeakGflops: 400, ReadGigabytesPerSecond: 40,
        TriadGigabytesPerSecond: 50);

    private static BenchResult Result(string family, string name, double gflops, double gbps, double percent) =>
        new(name, "2 x 3", 1, gflops, gbps, percent) { Group = "gemm", Family = family };

    private static double Number(XElement element, string attribute) =>
        double.Parse(element.Attribute(attribute)!.Value, CultureInfo.InvariantCulture);

    [Fact]
    public void The_figure_is_well_formed_with_a_titled_point_for_every_case_and_safe_names()
    {
        BenchResult[] results =
            [.. Enumerable.Range(1, 30).Select(i => Result("gpt2", $"case <{i}> & \"co\"", 10 * i, 5, 2))];
        var figure = XDocument.Parse(Roofline.Render(Ceilings, "a <machine> & more", results)).Root!;
        var circles = figure.Elements(Svg + "circle")
            .Where(circle => (string?)circle.Attribute("class") == "point").ToArray();
        Assert.Equal(30, circles.Length);
        Assert.All(circles, (circle, i) => Assert.StartsWith($"gpt2 case <{i + 1}> & \"co\" 2 x 3: ",
            circle.Element(Svg + "title")!.Value, StringComparison.Ordinal));
        Assert.Equal(2, figure.Elements(Svg + "path").Count(path => (string?)path.Attribute("class") == "roof"));
        Assert.Contains("a <machine> & more", figure.Value, StringComparison.Ordinal);
    }

    [Fact]
    public void Points_on_the_roof_lie_on_its_line()
    {
        // At 8 flops a byte triad's roof of 50 GB/s meets the peak of 400; at 1/2 it is at 25 GFLOP/s.
        var figure = XDocument.Parse(Roofline.Render(Ceilings, "m",
            [Result("f", "ridge", 400, 50, 100), Result("f", "slope", 25, 50, 6.25)])).Root!;
        var points = figure.Elements(Svg + "circle")
            .Where(circle => (string?)circle.Attribute("class") == "point").ToArray();
        string triad = figure.Elements(Svg + "path").Last(path => (string?)path.Attribute("class") == "roof")
            .Attribute("d")!.Value;
        // x0, y0, ridge x, ridge y, right end
        double[] line = [.. triad.Split('M', 'L', 'H', ',').Where(part => part.Length > 0)
            .Select(part => double.Parse(part, CultureInfo.InvariantCulture))];
        Assert.Equal(line[2], Number(points[0], "cx"), 0.2);
        Assert.Equal(line[3], Number(points[0], "cy"), 0.2);
        double along = (Number(points[1], "cx") - line[0]) / (line[2] - line[0]);
        Assert.InRange(along, 0.01, 0.99);
        Assert.Equal(line[1] + (along * (line[3] - line[1])), Number(points[1], "cy"), 0.5);
    }

    [Fact]
    public void Labels_do_not_cover_each_other_and_stay_inside()
    {
        // a crowd
        BenchResult[] results = [.. Enumerable.Range(0, 40).Select(i => Result("f", $"case {i}", 100 + i, 5, 2))];
        var labels = XDocument.Parse(Roofline.Render(Ceilings, "m", results)).Root!.Elements(Svg + "text")
            .Where(text => (string?)text.Attribute("class") == "label")
            .Select(text => (X: Number(text, "x"), Y: Number(text, "y"), Width: text.Value.Length * 5.6)).ToArray();
        Assert.InRange(labels.Length, 1, 39);
        for (int i = 0; i < labels.Length; i++)
            for (int j = 0; j < i; j++)
                Assert.True(Math.Abs(labels[i].Y - labels[j].Y) >= 10 || labels[i].X + labels[i].Width <= labels[j].X
                    || labels[j].X + labels[j].Width <= labels[i].X);
        Assert.All(labels, label => Assert.InRange(label.X + label.Width, 0, 1000));
    }

    [Fact]
    public void Summaries_give_geometric_means_the_worst_case_and_peers()
    {
        BenchResult[] results =
        [
            Result("gpt2", "forward", 1, 1, 90) with { Peers = [new PeerResult("OpenBLAS", 2)] },
            Result("gpt2", "dX", 1, 1, 40) with { Peers = [new PeerResult("OpenBLAS", 0.5)] },
            Result("llama", "dW", 1, 1, 60),
        ];
        string[] lines = [.. BenchResult.Summary(results)];
        Assert.Equal(2, lines.Length); // a family of one case needs no summary
        // sqrt(90 x 40), sqrt(2 x 1/2)
        Assert.Equal("gemm gpt2: geometric mean 60.0 % of peak over 2 cases, least 40.0 % (dX 2 x 3); OpenBLAS "
            + "takes 1.00 x Nano's time, 1 of 2 faster", lines[0]);
        // (90 x 40 x 60)^(1/3)
        Assert.StartsWith("gemm gpt2 + llama: geometric mean 60.0 % of peak over 3 cases", lines[1],
            StringComparison.Ordinal);
    }

    [Fact]
    public void Figures_follow_from_the_time()
    {
        var product = BenchCases.Gemm("f", new(GemmProduct.Forward, 100, 100, 100)); // 2e6 flops, 120,000 bytes
        var result = BenchResult.Of(product, Ceilings, seconds: 1e-5, processorTime: true);
        Assert.Equal((0.01, 200, 12, 50),
            (Math.Round(result.MedianMs, 9), Math.Round(result.Gflops, 6), Math.Round(result.Gbps!.Value, 6),
                Math.Round(result.PercentOfPeak, 6)));
        Assert.Null(result.PercentOfBandwidth);
        Assert.Equal("processor", result.Clock);
        // 120,000 bytes at 12 GB/s of 50
        var add = BenchResult.Of(BenchCases.Ops(100, 100, 100, 100).First(), Ceilings, seconds: 1e-5,
            processorTime: false);
        Assert.Equal(24, add.PercentOfBandwidth!.Value, 1e-9);
        Assert.Equal(24, add.PercentOfCeiling(), 1e-9);
        Assert.Equal("wall", add.Clock);
    }

    [Fact]
    public void Results_are_held_against_the_better_ceilings_of_start_and_end()
    {
        var product = BenchCases.Gemm("f", new(GemmProduct.Forward, 100, 100, 100)); // 2e6 flops, 120,000 bytes
        var add = BenchCases.Ops(100, 100, 100, 100).First();
        Machine half = new(100, 40, 25), whole = new(250, 40, 25);
        BenchResult[] results = [BenchResult.Of(product, half, 1e-5, false), BenchResult.Of(add, half, 1e-5, false)];
        var final = BenchCeilings.Of(half, whole, results);
        Assert.Equal(whole, final.Machine);
        Assert.Equal([80, 48], final.Results.Select(result => Math.Round(result.PercentOfCeiling(), 9)));
        Assert.Equal(3, final.Notes.Count);
        Assert.StartsWith("higher ceilings at the end: peak 250 GFLOP/s", final.Notes[0], StringComparison.Ordinal);
        Assert.Equal(final.Results.Select(result => result.Line()), final.Notes.Skip(1));

        var beyond = BenchCeilings.Of(half, half, results);
        Assert.Equal(200, beyond.Results[0].PercentOfPeak, 1e-9);
        Assert.StartsWith("warning: f forward 100 x 100 x 100 is at 200.0 % of the measured peak",
            Assert.Single(beyond.Notes), StringComparison.Ordinal);
        Assert.Empty(BenchCeilings.Of(whole, half, [BenchResult.Of(add, half, 1e-5, false)]).Notes);
    }

    [Fact]
    public void Products_of_bfloat16_operands_are_held_against_the_peak_of_these()
    {
        var step = BenchCases.Gemm("f", new(GemmProduct.Forward, 100, 100, 100)) with { RoundsProducts = true };
        Machine without = new(100, 40, 25), with = without with { BFloat16Gflops = 250 };
        var result = BenchResult.Of(step, with, 1e-5, false); // 2e6 flops, 200 GFLOP/s
        Assert.Equal(80, result.PercentOfPeak, 1e-9);
        Assert.Equal(200, result.Against(without).PercentOfPeak, 1e-9);
        var final = BenchCeilings.Of(with, with with { BFloat16Gflops = 400 }, [result]);
        Assert.Equal(50, Assert.Single(final.Results).PercentOfPeak, 1e-9);
        Assert.StartsWith("higher ceilings at the end: peak 100 GFLOP/s (400 with bfloat16 operands), read",
            final.Notes[0], StringComparison.Ordinal);
    }

    [Fact]
    public void The_page_has_every_case_the_ceilings_and_the_peers()
    {
        var pass = new BenchPass(1, SimdWidth.W512, Ceilings,
            [Result("gpt2", "forward", 123.4, 5, 30.9) with { Peers = [new PeerResult("OpenBLAS", 1.5)] }]);
        string page = BenchReport.Markdown("CPU X", "cpu-x.svg", ["OpenBLAS 9.9"], [pass]);
        Assert.Contains("| 1 | W512 | 400 | 40 | 50 |", page, StringComparison.Ordinal);
        Assert.Contains("| gpt2 | forward | 2 x 3 | 1.000 | 123.4 | 5.0 | 30.9 | peak | 1.50 |", page,
            StringComparison.Ordinal);
        Assert.Contains("- OpenBLAS 9.9\n", page, StringComparison.Ordinal);
        Assert.Contains("![Roofline](cpu-x.svg)", page, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("AMD EPYC", "amd-epyc")]
    [InlineData("Intel(R) Xeon(R) @ 2.20GHz", "intel-r-xeon-r-2-20ghz")]
    public void File_names_are_plain(string cpu, string name) => Assert.Equal(name, BenchReport.FileName(cpu));
}
