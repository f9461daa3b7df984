using static Nano.Tests.SampleLog;

namespace Nano.Tests;

public sealed class RunLogTests : IDisposable
{
    readonly string folder = Directory.CreateTempSubdirectory("nano-runlog-").FullName;

    string LogPath => Path.Combine(folder, "log.jsonl");

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void Lines_have_the_documented_keys_in_order()
    {
        Write(null, Run(), Step(10), Eval(250, sample: "a \"é\"\n<b>"), new EndEntry(2000, 1.5, 99.5, 1536000, "done"));
        Assert.Equal(
            """
            {"kind":"run","preset":"shakespeare-char","command":"nano train shakespeare-char --seed 7","started":"2025-11-04T09:30:00+01:00","config":{"layers":"4","channels":"128","batch":"12"},"machine":{"cpu":"Example CPU","threads":8,"simd":"AVX-512","peak_gflops":1000},"corpus":"tinyshakespeare.txt","parameters":804096}
            {"kind":"step","step":10,"train_loss":2.5,"learning_rate":0.001,"grad_norm":0.75,"milliseconds":42.5,"tokens_per_second":18000,"gflops":600}
            {"kind":"eval","step":250,"train_loss":2.0625,"val_loss":2.125,"sample":"a \"é\"\n<b>"}
            {"kind":"end","step":2000,"val_loss":1.5,"seconds":99.5,"tokens":1536000,"reason":"done"}

            """,
            File.ReadAllText(LogPath));
    }

    [Fact]
    public void Entries_come_back_as_written()
    {
        RunEntry run = Run();
        RunLogEntry[] others = [Step(1, 0.1 + 0.2), Eval(1, sample: "tab\t nul\0 line\r\n \u2028 emoji 🦉"),
            new EndEntry(1, 1 / 3.0, 1e-300, long.MaxValue, "interrupted")];
        Write(null, [run, .. others]);

        IReadOnlyList<RunLogEntry> read = RunLog.Read(LogPath);
        var readRun = Assert.IsType<RunEntry>(read[0]);
        Assert.Equal(run.Config, readRun.Config);
        Assert.Equal(run, readRun with { Config = run.Config });
        Assert.Equal(others, read.Skip(1));
    }

    [Fact]
    public void What_later_versions_added_is_optional_and_comes_back_as_written()
    {
        var row = new ProfileRow("linear forward", "8 x 4 x 2", 3.5, 1.25, 40, 2.5, null, "arithmetic", 12.5);
        Write(null, Step(10) with { GradNorms = new() { ["embed"] = 0.5, ["block0"] = double.NaN } },
            Eval(10, sample: "") with { Health = new RunHealth(14.5, 33.75, 1L << 40) },
            new EndEntry(10, 1, 1, 1, "done"),
            new ProfileEntry(10, 3, [row]));
        string[] lines = File.ReadAllLines(LogPath);
        Assert.EndsWith(",\"gflops\":600,\"grad_norms\":{\"embed\":0.5,\"block0\":null}}", lines[0],
            StringComparison.Ordinal);
        Assert.EndsWith(",\"sample\":\"\",\"health\":{\"matrix_norm\":14.5,\"vector_norm\":33.75,\"resident_bytes\":1099511627776}}", lines[1], StringComparison.Ordinal);
        Assert.StartsWith("{\"kind\":\"profile\",\"steps\":10,\"ms_per_step\":3,\"rows\":[{\"name\":\"linear "
            + "forward\",", lines[3], StringComparison.Ordinal);

        var read = RunLog.Read(LogPath);
        Assert.Equal([("embed", 0.5), ("block0", double.NaN)],
            Assert.IsType<StepEntry>(read[0]).GradNorms!.Select(norm => (norm.Key, norm.Value)));
        Assert.Equal(new RunHealth(14.5, 33.75, 1L << 40), Assert.IsType<EvalEntry>(read[1]).Health);
        Assert.Equal([row], Assert.IsType<ProfileEntry>(read[3]).Rows);

        Write(10); // resuming drops the end, and the profile with it
        Assert.Equal(lines[..2], File.ReadAllLines(LogPath));
    }

    [Fact]
    public void Numbers_that_are_not_finite_are_null_and_come_back_as_NaN()
    {
        Write(null, Step(1, double.NaN) with { GradNorm = double.PositiveInfinity });
        Assert.Contains("\"train_loss\":null", File.ReadAllText(LogPath), StringComparison.Ordinal);
        var step = Assert.IsType<StepEntry>(Assert.Single(RunLog.Read(LogPath)));
        Assert.True(double.IsNaN(step.TrainLoss) && double.IsNaN(step.GradNorm));
        Assert.Equal(0.001, step.LearningRate);
    }

    [Fact]
    public void Each_line_can_be_read_while_the_log_is_open()
    {
        using RunLog log = RunLog.Open(LogPath, null);
        log.Write(Step(1));
        log.Write(Step(2));
        using var reader = new StreamReader(new FileStream(LogPath, FileMode.Open, FileAccess.Read,
            FileShare.ReadWrite));
        Assert.Equal(2, reader.ReadToEnd().Count(c => c == '\n'));
    }

    [Fact]
    public void A_new_run_replaces_an_old_log()
    {
        Write(null, Step(1), Step(2));
        Write(null, Step(7));
        Assert.Equal([Step(7)], RunLog.Read(LogPath));
    }

    [Fact]
    public void Resuming_drops_what_came_after_the_checkpoint_and_goes_on()
    {
        Write(null, Step(1), Step(2), Eval(2), Step(3), Eval(4), new EndEntry(3, 1, 1, 1, "interrupted"));
        File.AppendAllText(LogPath, "{\"kind\":\"step\",\"step\":2,\"train_lo");
        Write(2, Step(3, 9));
        Assert.Equal([Step(1), Step(2), Eval(2), Step(3, 9)], RunLog.Read(LogPath));
        Assert.Equal([LogPath], Directory.GetFiles(folder));
    }

    [Fact]
    public void Resuming_at_the_last_step_still_drops_the_end()
    {
        Write(null, Step(1), new EndEntry(1, 1, 1, 1, "done"));
        Write(1, Step(2));
        Assert.Equal([Step(1), Step(2)], RunLog.Read(LogPath));
    }

    [Fact]
    public void Resuming_without_a_log_starts_one()
    {
        Write(100, Step(101));
        Assert.Equal([Step(101)], RunLog.Read(LogPath));
    }

    [Fact]
    public void A_whole_last_line_that_lacks_only_its_newline_is_kept()
    {
        Write(null, Step(1), Step(2));
        File.WriteAllText(LogPath, File.ReadAllText(LogPath).TrimEnd('\n'));
        Write(2, Step(3));
        Assert.Equal([Step(1), Step(2), Step(3)], RunLog.Read(LogPath));
    }

    [Fact]
    public void A_log_torn_at_any_byte_gives_its_whole_lines()
    {
        Write(null, Step(1), Eval(2, sample: "é🦉"));
        byte[] bytes = File.ReadAllBytes(LogPath);
        int first = Array.IndexOf(bytes, (byte)'\n');
        for (int length = 0; length <= bytes.Length; length++)
        {
            File.WriteAllBytes(LogPath, bytes[..length]);
            int whole = (length >= first ? 1 : 0) + (length >= bytes.Length - 1 ? 1 : 0);
            Assert.Equal(whole, RunLog.Read(LogPath).Count);
        }
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("""{"kind":"other","step":1}""")]
    [InlineData("""{"kind":"end","step":1,"val_loss":1,"seconds":1,"tokens":1}""")]
    [InlineData("""{"kind":"end","step":1,"val_loss":1,"seconds":1,"tokens":1,"reason":null}""")]
    [InlineData("""{"kind":"end","step":1,"val_loss":1,"seconds":1,"tokens":1,"reason":"done","more":1}""")]
    [InlineData("""{"kind":"end","step":99999999999,"val_loss":1,"seconds":1,"tokens":1,"reason":"done"}""")]
    public void A_malformed_line_is_named(string line)
    {
        Write(null, Step(1));
        File.AppendAllText(LogPath, line + "\n" + File.ReadAllText(LogPath));
        var error = Assert.Throws<FormatException>(() => RunLog.Read(LogPath));
        Assert.Contains("Line 2 ", error.Message, StringComparison.Ordinal);
        Assert.Contains(LogPath, error.Message, StringComparison.Ordinal);
    }

    /// <summary>A line that a resumed run must put aside as it is.</summary>
    public static TheoryData<string, byte[]> BadLines => new()
    {
        { "NULs, as a power cut leaves them", new byte[4096] },
        { "garbage", [1, 2, 255, 254, 13, 0, 27, .. "[2J"u8] },
        { "half a line", "{\"kind\":\"step\",\"step\":2,\"train_lo"u8.ToArray() },
        { "half a line and a whole one",
            "{\"kind\":\"st{\"kind\":\"end\",\"step\":1,\"val_loss\":1,\"seconds\":1,\"tokens\":1,\"reason\":\"done\"}"u8.ToArray() },
        { "not UTF-8", [.. "{\"kind\":\"eval\",\"step\":2,\"train_loss\":1,\"val_loss\":1,\"sample\":\""u8, 0xC3,
            .. "\"}"u8] },
        { "half a surrogate pair",
            "{\"kind\":\"eval\",\"step\":2,\"train_loss\":1,\"val_loss\":1,\"sample\":\"\\ud800\"}"u8.ToArray() },
        { "half a surrogate pair as a key", "{\"kind\":\"step\",\"\\udc00\":2}"u8.ToArray() },
        { "an unknown kind", "{\"kind\":\"other\",\"step\":1}"u8.ToArray() },
        { "no kind", "{\"step\":1}"u8.ToArray() },
        { "another value", "[1]"u8.ToArray() },
        { "nothing", [] },
        { "null", "null"u8.ToArray() },
        { "a null among the options",
            "{\"kind\":\"run\",\"preset\":\"a\",\"command\":\"b\",\"started\":\"2025-11-04T09:30:00+01:00\",\"config\":{\"lr\":null},\"machine\":{\"cpu\":\"c\",\"threads\":8,\"simd\":\"d\",\"peak_gflops\":1},\"corpus\":\"e\",\"parameters\":1}"u8.ToArray() },
        { "a null among the rows", "{\"kind\":\"profile\",\"steps\":1,\"ms_per_step\":1,\"rows\":[null]}"u8.ToArray() },
        { "deep nesting", [.. Enumerable.Repeat((byte)'[', 100_000)] },
        { "a line longer than any entry", [.. "{\"kind\":\""u8,
            .. Enumerable.Repeat((byte)'x', RunLogReader.MaxLine + 100_000)] },
    };

    [Theory]
    [MemberData(nameof(BadLines))]
    public void Resuming_puts_bad_lines_aside_as_they_are_and_goes_on(string kind, byte[] line)
    {
        Write(null, Step(1), Eval(1), Step(2));
        byte[][] lines = [.. File.ReadAllLines(LogPath).Select(System.Text.Encoding.UTF8.GetBytes)];
        foreach (int at in new[] { 0, 2, 3 })
            foreach (bool hasEnd in new[] { true, false })
            {
                byte[] whole = [.. lines[..at].Append(line).Concat(lines[at..])
                    .SelectMany(part => part.Append((byte)'\n'))];
                File.WriteAllBytes(LogPath, hasEnd ? whole : whole[..^1]);
                File.Delete(RunLog.AsideOf(LogPath));
                bool isTorn = !hasEnd && at == 3 && kind is ("half a line" or "nothing"); // as every kill leaves it
                using (var log = RunLog.Open(LogPath, 2))
                {
                    Assert.Equal(isTorn ? 0 : 1, log.PutAside);
                    log.Write(Step(3));
                }
                Assert.Equal([Step(1), Eval(1), Step(2), Step(3)], RunLog.Read(LogPath));
                Assert.Equal(!isTorn, File.Exists(RunLog.AsideOf(LogPath)));
                if (!isTorn)
                    Assert.Equal([.. line, (byte)'\n'], File.ReadAllBytes(RunLog.AsideOf(LogPath)));
            }
    }

    [Fact]
    public void Lines_that_were_put_aside_before_stay_there()
    {
        File.WriteAllText(RunLog.AsideOf(LogPath), "earlier\n");
        Write(null, Step(1));
        File.AppendAllText(LogPath, "one\ntwo\n");
        using (var log = RunLog.Open(LogPath, 1))
            Assert.Equal(2, log.PutAside);
        Assert.Equal("earlier\none\ntwo\n", File.ReadAllText(RunLog.AsideOf(LogPath)));
        Assert.Equal([Step(1)], RunLog.Read(LogPath));
    }

    [Fact]
    public void Rollbacks_whose_lines_are_lost_do_not_let_later_steps_stay()
    {
        var spike = new SpikeEntry(3, 9, 9, "rollback", 2, "seen");
        Write(null, Step(1), Step(2), Step(3), spike, Step(3, 7), Step(4), Step(5));
        File.WriteAllText(LogPath,
            File.ReadAllText(LogPath).Replace("\"rollback\"", "\"rollback", StringComparison.Ordinal));
        RunLog.Open(LogPath, 4, rollbacks: 1).Dispose();
        Assert.DoesNotContain(Step(5), RunLog.Read(LogPath));
        Assert.Contains(Step(4), RunLog.Read(LogPath));
    }

    [Fact]
    public void Bytes_of_lines_that_stay_are_not_touched()
    {
        Write(null, Step(1), Step(2));
        string spaced = File.ReadAllText(LogPath).Replace(":", " : ", StringComparison.Ordinal);
        File.WriteAllText(LogPath, spaced);
        RunLog.Open(LogPath, 2).Dispose();
        Assert.Equal(spaced, File.ReadAllText(LogPath));
    }

    [Fact]
    public void Bytes_that_are_not_UTF8_are_malformed()
    {
        Write(null, Eval(1, sample: "abc"), Step(2));
        byte[] bytes = File.ReadAllBytes(LogPath);
        bytes[bytes.AsSpan().IndexOf("abc"u8)] = 0xFF;
        File.WriteAllBytes(LogPath, bytes);
        Assert.Contains("Line 1 ", Assert.Throws<FormatException>(() => RunLog.Read(LogPath)).Message,
            StringComparison.Ordinal);
    }

    void Write(int? resumeAtStep, params RunLogEntry[] entries)
    {
        using RunLog log = RunLog.Open(LogPath, resumeAtStep);
        foreach (RunLogEntry entry in entries) log.Write(entry);
    }
}
