using System.Globalization;
using static Nano.Tests.SampleLog;

namespace Nano.Tests;

/// <summary>What is kept of a log: all of a run of ordinary length, and a bounded part of a longer one.</summary>
public sealed class RunHistoryTests
{
    static List<ChartPoint> Values(int count)
    {
        var random = new Random(4);
        return [.. Enumerable.Range(1, count).Select(step => new ChartPoint(step, random.NextDouble()))];
    }

    static Curve CurveOf(IEnumerable<ChartPoint> points, int capacity)
    {
        var curve = new Curve(capacity);
        foreach (var point in points)
            curve.Add((int)point.X, point.Y);
        return curve;
    }

    [Theory]
    [InlineData(1)]
    [InlineData(79)]
    [InlineData(500)]
    [InlineData(1024)]
    public void Up_to_the_capacity_a_curve_is_its_values_and_their_running_mean(int count)
    {
        var points = Values(count);
        if (count > 100)
            points[70] = points[70] with { Y = double.NaN };
        var curve = CurveOf(points, 1024);
        Assert.Equal(points, curve.Points);
        Assert.Equal(points.Select(point => point.Y), curve.Sample);
        Assert.Equal(count / 80, curve.Reach);
        Assert.Equal(ChartData.Smooth(points, count / 80), curve.Means);
        Assert.Equal((1, count, count), (curve.FirstStep, curve.LastStep, (int)curve.Count));
    }

    [Theory]
    [InlineData(1025)]
    [InlineData(5000)]
    [InlineData(100_000)]
    public void Beyond_it_a_curve_keeps_peaks_means_and_a_sample(int count)
    {
        var points = Values(count);
        points[count / 3] = points[count / 3] with { Y = 99 };
        points[count / 2] = points[count / 2] with { Y = double.NaN };
        var curve = CurveOf(points, 1024);
        Assert.InRange(curve.Points.Count, 512, 2048);
        Assert.Equal(new ChartPoint((count / 3) + 1, 99), curve.Points.MaxBy(point => point.Y));
        Assert.Equal(points.Where(point => point.Y >= 0).MinBy(point => point.Y),
            curve.Points.Where(point => point.Y >= 0).MinBy(point => point.Y));
        Assert.Equal(curve.Points.OrderBy(point => point.X), curve.Points);
        Assert.All(curve.Points, point => Assert.Equal(points[(int)point.X - 1], point));
        Assert.Equal(curve.Points.Select(point => point.X), curve.Means.Select(point => point.X));
        Assert.Equal((1, count, (long)count), (curve.FirstStep, curve.LastStep, curve.Count));
        Assert.InRange(curve.Reach, count / 160, count / 80); // the newest bucket may not be full
        var mean = curve.Means[^1];
        Assert.InRange(mean.Y, 0.3, 0.7); // of uniform numbers
        Assert.InRange(ChartData.Median(curve.Sample), 0.4, 0.6);
    }

    [Fact]
    public void Sums_of_merged_buckets_are_those_of_their_steps()
    {
        var curve = new Curve(160);
        for (int step = 1; step <= 640; step++)
            curve.Add(step, step % 4); // buckets of four: 1, 2, 3, 0
        Assert.Equal(8, curve.Reach); // two buckets of four steps
        Assert.All(curve.Means, mean => Assert.Equal(1.5, mean.Y));
        Assert.Equal(new[] { 3.0, 0, 3, 0 }, curve.Points.Take(4).Select(point => point.Y));
        Assert.Equal(new[] { 3.0, 4, 7, 8 }, curve.Points.Take(4).Select(point => point.X));
        curve.DropAfter(638); // the last bucket reaches beyond
        Assert.Equal((636, 636L), (curve.LastStep, curve.Count));
    }

    /// <summary>A long log with everything in it, rollbacks too, entry by entry.</summary>
    static IEnumerable<RunLogEntry> Long(int steps, int every)
    {
        var random = new Random(11);
        yield return Run();
        yield return Eval(0, 4);
        int undone = 0;
        for (int step = 1; step <= steps; step++)
        {
            yield return new StepEntry(step, 2 + random.NextDouble(), 1e-3, random.NextDouble(), 1 + (step % 3),
                1000 + (step % 7), 400,
                step % 10 == 0 ? new() { ["embed"] = random.NextDouble(), ["block0"] = random.NextDouble() } : null);
            if (step % every == 0)
                yield return Eval(step, 2 + (1000.0 / step) + random.NextDouble(), sample: "");
            else if (random.Next(steps / 8) == 0 && undone++ < 10)
            {
                int back = step / every * every;
                yield return new SpikeEntry(step, 9, 9, "rollback", back,
                    string.Create(CultureInfo.InvariantCulture, $"step {step}"));
                step = back;
            }
        }
    }

    [Fact]
    public void A_log_read_again_gives_the_report_of_one_that_was_followed()
    {
        using var folder = new TempFolder();
        string path = folder.File("log.jsonl");
        var followed = new RunHistory();
        using (var log = RunLog.Open(path, null))
            foreach (var entry in Long(60_000, 50))
            {
                log.Write(entry);
                followed.Add(entry);
            }
        var read = RunHistory.Read(path);
        Assert.Equal(Report.Render(followed), Report.Render(read));
        Assert.Equal(1201, read.EvaluationCount);
        Assert.Equal(Long(60_000, 50).Count(SpikeLog.IsRollback), read.SpikeCount);
        Assert.InRange(read.Evaluations.Count, 500, RunHistory.MostEvaluations);
        Assert.Equal(0, read.Evaluations[0].Step);
        Assert.Equal(60_000, read.LastEvaluation!.Step);
        Assert.Equal(Long(60_000, 50).OfType<EvalEntry>().Min(eval => eval.ValLoss),
            read.Evaluations.Min(eval => eval.ValLoss));
        Assert.Contains($"{read.Evaluations.Count:N0} of 1,201; the log has all", Report.Render(read),
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_million_steps_keep_no_more_than_a_hundred_thousand()
    {
        (int, int, int, int, int) Most(RunHistory of) =>
            (of.Loss.Points.Count, of.GroupNorms["block0"].Points.Count, of.Evaluations.Count, of.Spikes.Count,
                of.Signals.Count);
        var history = new RunHistory();
        var most = (0, 0, 0, 0, 0);
        foreach (var entry in Long(1_000_000, 100))
        {
            history.Add(entry);
            if (history.LastStep is 100_000 or 1_000_000)
                most = Most(history);
            if (history.LastStep >= 100_000 && history.LastStep % 50_000 == 0)
                Assert.True(most is ( <= 2 * RunHistory.MostSteps, <= 4096, <= RunHistory.MostEvaluations,
                    <= RunHistory.MostSpikes, 0), $"{most}");
        }
        Assert.InRange(Report.Render(history).Length, 100_000, 2_000_000);
        Assert.Equal(1_000_000, history.Loss.LastStep);
    }

    [Fact]
    public void Windows_of_a_run_that_was_rolled_back_are_those_of_the_steps_that_stand()
    {
        List<RunLogEntry> Standing(IEnumerable<RunLogEntry> log)
        {
            var standing = new List<RunLogEntry>();
            foreach (var entry in log)
            {
                if (entry is SpikeEntry spike)
                    standing.RemoveAll(earlier => earlier is StepEntry step && step.Step > spike.BackTo);
                else
                    standing.Add(entry);
            }
            return standing;
        }
        foreach (int every in new[] { 40, 100, 250, 333, 1000 })
        {
            List<RunLogEntry> log = [.. Long(3000, every)];
            Assert.Contains(log, SpikeLog.IsRollback);
            Assert.Equal(RunSignals.Of(Standing(log)).OrderBy(signal => signal.Name).ThenBy(signal => signal.Step),
                RunSignals.Of(log).OrderBy(signal => signal.Name).ThenBy(signal => signal.Step));
        }
    }
}
