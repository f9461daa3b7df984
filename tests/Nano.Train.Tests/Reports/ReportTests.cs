using System.Globalization;
using System.Xml;
using System.Xml.Linq;
using static Nano.Tests.SampleLog;

namespace Nano.Tests;

public sealed class ReportTests : IDisposable
{
    readonly string folder = Directory.CreateTempSubdirectory("nano-report-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void Shows_the_numbers_it_was_given()
    {
        XElement page = Parse(Report.Render(Whole(2000)));
        string summary = ByClass(page, "lede").Single().Value;
        foreach (string part in new[] { "804,096", "2,000", "1,536,000", "1\u00a0min\u00a039\u00a0s", "1.8765",
            "18,000", "60\u00a0%", "tinyshakespeare.txt" })
            Assert.Contains(part, summary, StringComparison.Ordinal);

        string[] rows = [.. page.Descendants("tr").Select(r => string.Join('|', r.Elements().Select(c => c.Value)))];
        Assert.Contains("250|2.0625|2.8750|0.8125", rows);
        Assert.Contains("2,000, lowest|2.0625|2.0000|-0.0625", rows);
        Assert.Contains("2,000, whole validation split||1.8765|", rows);
        Assert.Contains("channels|128", rows);
        Assert.Contains("processor|Example CPU", rows);
        Assert.Contains("measured peak|1,000.0 GFLOP/s", rows);
        Assert.Equal(["layers|4", "channels|128", "batch|12"], rows[^3..]);
        Assert.Equal("\nnano train shakespeare-char --seed 7", page.Descendants("pre").Last().Value);
        Assert.Equal(7, page.Descendants("details").Count());
        Assert.Equal(["Loss", "Learning rate", "Gradient norm", "Throughput"],
            page.Descendants("svg").Select(s => s.Attribute("aria-label")!.Value));
    }

    /// <summary>
    /// A report is passed on: folders of the machine that trained, and .NET's way to write numbers
    /// and enums, are not for readers.
    /// </summary>
    [Theory]
    [InlineData("data/tinyshakespeare.txt", "data/tinyshakespeare.txt")]
    [InlineData("/home/someone/data/tinyshakespeare.txt", "tinyshakespeare.txt")]
    [InlineData("/home/someone/a.txt, downloaded from https://example.org/a.txt",
        "a.txt, downloaded from https://example.org/a.txt")]
    public void Names_the_corpus_without_an_absolute_path_and_values_as_people_write_them(string origin, string shown)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "the paths are those of other systems");
        var config = new OrderedDictionary<string, string>
        {
            ["gelu"] = "Erf",
            ["epsilon"] = "1E-08",
            ["lr"] = "0.001",
            ["z"] = "1E-10",
            ["on_spike"] = "off",
        };
        XElement page = Parse(Report.Render([SampleLog.Run() with { Corpus = origin, Config = config }]));
        Assert.Contains($"parameters, {shown}. No step", ByClass(page, "lede").Single().Value,
            StringComparison.Ordinal);
        string[] rows = [.. page.Descendants("tr").Select(r => string.Join('|', r.Elements().Select(c => c.Value)))];
        Assert.Equal(["gelu|exact (erf)", "epsilon|1e-8", "lr|0.001", "z|1e-10", "on_spike|off"], rows[^5..]);
    }

    [Fact]
    public void Validation_points_lie_where_the_axis_says()
    {
        XElement chart = Parse(Report.Render(Whole(2000))).Descendants("svg").First();
        XElement[] circles = [.. chart.Descendants("circle")];
        Assert.Equal(8, circles.Length);
        Assert.Equal("step 250: 2.8750 (validation)", circles[0].Value);
        Assert.Equal("step 2,000: 1.8765 (validation)", circles[^1].Value);
        Assert.Contains(chart.Descendants("text"), t => t.Value == "2.8750");

        (double Value, double Y)[] grid = [.. ByClass(chart, "axes").Single().Elements("text")
            .Where(t => t.Attribute("text-anchor")!.Value == "end")
            .Select(t => (Number(t.Value), Number(t.Attribute("y")!.Value) - 4))];
        double slope = (grid[^1].Y - grid[0].Y) / (grid[^1].Value - grid[0].Value);
        Assert.Equal(grid[0].Y + slope * (2.875 - grid[0].Value), Number(circles[0].Attribute("cy")!.Value), 0.2);
        Assert.Equal(Number(circles[3].Attribute("cx")!.Value) - Number(circles[1].Attribute("cx")!.Value),
            Number(circles[7].Attribute("cx")!.Value) - Number(circles[5].Attribute("cx")!.Value), 0.2);
    }

    [Fact]
    public void No_line_joins_the_loss_before_the_first_step_to_the_next_evaluation()
    {
        XElement chart = Parse(Report.Render([SampleLog.Run(), Eval(0, 4), Step(250), Eval(250, 2), Eval(500, 1.5)]))
            .Descendants("svg").First();
        string line = chart.Descendants("path").Single(path => path.Attribute("class")?.Value == "points")
            .Attribute("d")!.Value;
        Assert.Equal((2, 1), (line.Count(c => c == 'M'), line.Count(c => c == 'L')));
        Assert.Equal(3, chart.Descendants("circle").Count());
    }

    /// <summary>A run of the measured recipe whose validation losses lie where the bands say, times a factor.</summary>
    static RunLogEntry[] Measured(double factor)
    {
        var recipe = RecipeBands.Known
            .First(known => known is { Preset: "shakespeare-char", Corpus: "tinyshakespeare" });
        return
        [
            SampleLog.Run() with { Config = recipe.Config },
            .. recipe.Signals[RunSignals.Validation]
                .Select(band => new EvalEntry(band.Step, 2, band.Mean * factor, "",
                    new RunHealth(20, 30 + (band.Step / 1000.0), 123_000_000))),
            .. Enumerable.Range(1, 20).Select(step => new StepEntry(step * 100, double.NaN, 1e-3, double.NaN, 1, 1, 1,
                new() { ["embed"] = 1, ["block0"] = 2, ["block1"] = step })),
            new EndEntry(2000, recipe.Find(RunSignals.Whole, 2000)!.Mean * factor, 1, 1, "done"),
            new ProfileEntry(20, 3.25, [new ProfileRow("linear forward", "8 x 4 x 2", 3, 1.5, 46.2, 99.5, 12,
                "arithmetic", 55), new ProfileRow("other", "", 1, 0.5, 15, null, null, "", null)]),
        ];
    }

    [Fact]
    public void Shows_the_band_the_blocks_the_memory_and_the_profile()
    {
        XElement page = Parse(Report.Render(Measured(1)));
        Assert.Equal(["Loss", "Learning rate", "Gradient norm", "Throughput", "Gradient norm by block",
            "Norm of the weights", "Validation minus training loss", "Resident memory"],
            page.Descendants("svg").Select(svg => svg.Attribute("aria-label")!.Value));
        XElement area = ByClass(page, "area").First(e => e.Name == "path");
        Assert.Equal("expected validation, 5 seeds", area.Value);
        // eight evaluations after the start, there and back
        Assert.Equal(16, area.Attribute("d")!.Value.Count(c => c == ','));
        XElement blocks = page.Descendants("svg")
            .First(svg => svg.Attribute("aria-label")!.Value == "Gradient norm by block");
        Assert.Equal(["embed", "block0", "block1"], blocks.Elements("path").Select(path => path.Value));
        Assert.Contains("step 250: 123 (memory)", page.Descendants("svg").Last().Descendants("title")
            .Select(title => title.Value));
        Assert.Contains("linear forward|8 x 4 x 2|3|1.500|46.2|99.5|12.0|55 arithmetic",
            page.Descendants("tr").Select(r => string.Join('|', r.Elements().Select(c => c.Value))));
        Assert.Contains("other||1|0.500|15.0|||",
            page.Descendants("tr").Select(r => string.Join('|', r.Elements().Select(c => c.Value))));
    }

    [Fact]
    public void Shows_the_verdict_and_its_causes()
    {
        Assert.StartsWith("No band: shakespeare-char was not measured with these options: another text",
            ByClass(Parse(Report.Render(Whole(500))), "verdict").Single().Value, StringComparison.Ordinal);
        XElement bad = ByClass(Parse(Report.Render(Measured(0.5))), "verdict bad").Single();
        Assert.StartsWith("Low: the loss over the whole validation split is", bad.Value, StringComparison.Ordinal);
        Assert.NotEmpty(bad.Descendants("li"));
    }

    [Fact]
    public void Fetches_nothing_and_runs_nothing()
    {
        string html = Report.Render(Whole(500));
        foreach (string forbidden in new[] { "<script", "http", "url(", "@import", "<link", "<img", "src=" })
            Assert.DoesNotContain(forbidden, html, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("prefers-color-scheme: dark", html, StringComparison.Ordinal);
    }

    [Fact]
    public void Text_is_escaped_everywhere()
    {
        const string Evil = "<script>alert('x')</script> & \"q\" ]]> \0\u001b\u0085\uFFFE\uD800 é🦉";
        const string Shown = "<script>alert('x')</script> & \"q\" ]]> ␀␛\uFFFD\uFFFD\uFFFD é🦉";
        RunEntry run = Run(Evil) with
        {
            Command = Evil,
            Corpus = Evil,
            Config = new OrderedDictionary<string, string> { [Evil] = Evil },
            Machine = new RunMachine(Evil, 1, Evil, 10),
        };
        string html = Report.Render([run, Step(1), Eval(1, sample: Evil), Eval(2, sample: Evil),
            new EndEntry(2, 1, 1, 1, Evil)]);
        Assert.DoesNotContain("<script", html, StringComparison.OrdinalIgnoreCase);

        XElement page = Parse(html);
        Assert.Equal(Shown, page.Descendants("h1").Single().Value);
        Assert.Equal(["\n" + Shown, "\n" + Shown, "\n" + Shown], page.Descendants("pre").Select(p => p.Value));
        Assert.Equal(4, page.Descendants("td").Count(c => c.Value == Shown));
        Assert.Contains(Shown, ByClass(page, "lede").Single().Value, StringComparison.Ordinal);
        Assert.Contains(Shown, ByClass(page, "warn").Single().Value, StringComparison.Ordinal);
    }

    [Fact]
    public void Logs_that_stop_early_give_a_report()
    {
        Assert.Contains("no entries", Parse(Report.Render([])).Value, StringComparison.Ordinal);
        Assert.Contains("No step is logged", Parse(Report.Render([Run()])).Value, StringComparison.Ordinal);

        XElement one = Parse(Report.Render([Run(), Step(1), new EndEntry(1, double.NaN, 0.25, 768, "interrupted")]));
        Assert.Equal(4, one.Descendants("svg").Count());
        Assert.Contains("ended early at step 1: interrupted", ByClass(one, "warn").Single().Value,
            StringComparison.Ordinal);
        Assert.DoesNotContain("NaN", one.Value, StringComparison.Ordinal);

        Assert.Equal(4, Parse(Report.Render([Step(1)])).Descendants("svg").Count());
        Assert.Single(Parse(Report.Render([Eval(1)])).Descendants("svg"));
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(0)]
#pragma warning disable xUnit1025 // 0 and -0 are two numbers
    [InlineData(-0.0)]
#pragma warning restore xUnit1025
    [InlineData(5e-324)]
    [InlineData(1e-12)]
    [InlineData(double.MaxValue)]
    [InlineData(double.MinValue)]
    public void Any_number_can_be_drawn(double value)
    {
        StepEntry strange = new(3, value, value, value, value, value, value);
        string html = Report.Render([Run(), strange, strange with { Step = int.MaxValue }, Step(-5, -value),
            Eval(int.MinValue, value), new EndEntry(4, value, value, -1, "done")]);
        foreach (XElement path in Parse(html).Descendants("path"))
        {
            Assert.DoesNotContain("NaN", path.Attribute("d")!.Value, StringComparison.Ordinal);
            Assert.DoesNotContain("∞", path.Attribute("d")!.Value, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_loss_that_is_not_a_number_is_told_and_leaves_a_gap()
    {
        XElement page = Parse(Report.Render([Run(), Step(1), Step(2), Step(3, double.NaN), Step(4), Step(5),
            new EndEntry(5, 2, 1, 1, "done")]));
        Assert.Contains("not a finite number at step 3", ByClass(page, "warn").Single().Value,
            StringComparison.Ordinal);
        string line = ByClass(page.Descendants("svg").First(), "line").First(e => e.Name == "path")
            .Attribute("d")!.Value;
        Assert.Equal((2, 2), (line.Count(c => c == 'M'), line.Count(c => c == 'L')));
    }

    [Fact]
    public void Twenty_thousand_steps_stay_small()
    {
        string path = Path.Combine(folder, "report.html");
        Report.Write(path, Whole(20_000));
        Assert.InRange(new FileInfo(path).Length, 50_000, 400_000);
        XElement page = Parse(File.ReadAllText(path));
        Assert.All(page.Descendants("path"),
            p => Assert.InRange(p.Attribute("d")!.Value.Count(c => c is 'L' or 'M'), 1, 1000));
        Assert.Equal([path], Directory.GetFiles(folder));
    }

    [Fact]
    public void The_same_entries_give_the_same_bytes() =>
        Assert.Equal(Report.Render(Whole(300)), Report.Render(Whole(300)));

    static XElement Parse(string html)
    {
        using var reader = XmlReader.Create(new StringReader(html),
            new XmlReaderSettings { DtdProcessing = DtdProcessing.Ignore });
        return XDocument.Load(reader, LoadOptions.PreserveWhitespace).Root!;
    }

    static IEnumerable<XElement> ByClass(XElement page, string name) =>
        page.Descendants().Where(e => e.Attribute("class")?.Value == name);

    static double Number(string text) =>
        double.Parse(text, NumberStyles.Float | NumberStyles.AllowThousands, CultureInfo.InvariantCulture);
}
