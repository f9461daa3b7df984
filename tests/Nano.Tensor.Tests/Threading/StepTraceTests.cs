using System.Text.Json;

namespace Nano.Tests;

/// <summary>A trace holds every chunk once, in slices that do not overlap; how long they take is no matter here.</summary>
[Collection(AloneCollection.Name)]
public sealed class StepTraceTests
{
    private const int OpRow = 1, FirstWorkerRow = 2;

    private sealed record Slice(int Row, string Category, string Name, decimal From, decimal To, int Job, long Begin,
        long End);

    /// <summary>A small training step: forward, backward and the length of the gradient.</summary>
    private sealed class Step : IDisposable
    {
        private readonly Tensor x = new Random(1).Normal(100, 60), first = new Random(2).Normal(90, 60),
            second = new Random(3).Normal(70, 90), bias = new Random(4).Normal(90);

        public Step(int threads, StepTrace? trace = null) => Compute = new Compute(threads)
        {
            Tape = new Tape(),
            Profiler = new Profiler { Trace = trace },
        };

        public Compute Compute { get; }

        public int[] Run()
        {
            foreach (var parameter in (Tensor[])[first, second, bias])
                parameter.ForgetGradient();
            Compute.NextStep();
            Compute.Profiler!.StartStep();
            var y = Compute.Linear(Compute.Activation(ActivationKind.Tanh, Compute.Linear(x, first, bias)), second, null);
            Compute.Tape!.Backward(Compute, y);
            Compute.Profiler.EndStep();
            return [.. first.Gradient.Data.ToArray().Concat(second.Gradient.Data.ToArray())
                .Select(BitConverter.SingleToInt32Bits)];
        }

        public void Dispose() => Compute.Dispose();
    }

    private static (List<Slice> Slices, JsonElement Root) Read(StepTrace trace)
    {
        using var stream = new MemoryStream();
        TraceFile.Write(stream, trace);
        var root = JsonDocument.Parse(stream.ToArray()).RootElement;
        var slices = new List<Slice>();
        foreach (var e in root.GetProperty("traceEvents").EnumerateArray())
        {
            if (e.GetProperty("ph").GetString() != "X")
                continue;
            decimal from = e.GetProperty("ts").GetDecimal(), length = e.GetProperty("dur").GetDecimal();
            Assert.True(from >= 0 && length >= 0, $"{from} {length}");
            long Of(string key) => e.TryGetProperty("args", out var args) && args.TryGetProperty(key, out var value)
                ? value.GetInt64() : -1;
            slices.Add(new Slice(e.GetProperty("tid").GetInt32(), e.GetProperty("cat").GetString()!,
                e.GetProperty("name").GetString()!, from, from + length, (int)Of("job"), Of("begin"), Of("end")));
        }
        return (slices, root);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    public void Every_item_of_every_job_is_in_one_slice_and_slices_of_a_row_do_not_overlap(int threads)
    {
        var trace = new StepTrace(threads);
        using var step = new Step(threads, trace);
        step.Run();
        step.Run();
        var (slices, root) = Read(trace);
        Assert.False(root.GetProperty("otherData").GetProperty("cut").GetBoolean());
        Assert.Equal(threads, root.GetProperty("otherData").GetProperty("workers").GetInt32());
        foreach (var row in slices.GroupBy(slice => slice.Row))
            foreach (var (one, next) in row.Zip(row.Skip(1)))
                Assert.True(one.To <= next.From, $"{one} {next}");
        for (int job = 0; job < trace.Jobs.Length; job++)
        {
            long at = 0;
            foreach (var chunk in slices.Where(slice => slice.Job == job && slice.Category == "chunk")
                .OrderBy(slice => slice.Begin))
            {
                Assert.Equal(at, chunk.Begin);
                at = chunk.End;
            }
            Assert.Equal(trace.Jobs[job].Items, at);
        }
        Assert.Equal(Enumerable.Range(FirstWorkerRow, threads).Append(OpRow).Order(),
            slices.Select(slice => slice.Row).Distinct().Order());
    }

    [Fact]
    public void A_slice_is_called_after_its_op_and_its_kernel()
    {
        var trace = new StepTrace(2);
        using var step = new Step(2, trace);
        step.Run();
        var (slices, _) = Read(trace);
        string[] chunks = [.. slices.Where(slice => slice.Category == "chunk").Select(slice => slice.Name).Distinct()];
        Assert.Contains("linear forward / GemmBlocks", chunks);
        Assert.Contains("linear dW / GemmBlocks", chunks);
        Assert.Contains("linear db / ColumnSums", chunks);
        string[] ops = [.. slices.Where(slice => slice.Row == OpRow).Select(slice => slice.Name)];
        Assert.Equal(["linear forward 100 x 90 x 60", "activation forward", "linear forward 100 x 70 x 90"], ops[..3]);
        Assert.All(slices.Where(slice => slice.Category == "wait"),
            slice => Assert.StartsWith("wait", slice.Name, StringComparison.Ordinal));
    }

    [Fact]
    public void Ops_follow_each_other_without_a_gap_and_every_worker_has_each_job_whole()
    {
        var trace = new StepTrace(7);
        using var step = new Step(7, trace);
        step.Run();
        long at = trace.StepTimes[0].Started;
        foreach (var op in trace.Ops)
        {
            Assert.Equal(at, op.Started);
            at = op.Ended;
        }
        Assert.Equal(trace.StepTimes[0].Ended, at);
        var (slices, _) = Read(trace);
        foreach (var job in slices.Where(slice => slice.Job >= 0).GroupBy(slice => slice.Job))
        {
            Assert.Single(job.GroupBy(slice => slice.Row).Select(row => (row.Min(slice => slice.From),
                row.Max(slice => slice.To))).Distinct());
            Assert.Equal(7, job.Select(slice => slice.Row).Distinct().Count());
        }
    }

    [Fact]
    public void A_summary_divides_the_time_of_each_worker()
    {
        var trace = new StepTrace(7, steps: 2);
        using var step = new Step(7, trace);
        step.Run();
        step.Run();
        var summary = new TraceSummary(trace);
        double Ms(long ticks) => 1000.0 * ticks / System.Diagnostics.Stopwatch.Frequency / 2;
        long wall = 0;
        foreach (var (started, ended) in trace.StepTimes)
            wall += ended - started;
        Assert.Equal(2, summary.Steps);
        Assert.Equal(Ms(wall), summary.MillisecondsPerStep, 1e-9);
        for (int worker = 0; worker < 7; worker++)
        {
            long busy = 0;
            foreach (var chunk in trace.ChunksOf(worker))
                busy += chunk.Ended - chunk.Started;
            Assert.Equal(Ms(busy), summary.Workers[worker].Busy, 1e-9);
            Assert.Equal(Ms(wall), summary.Workers[worker].Wall, 1e-9);
            Assert.Equal(Ms(busy), summary.Ops.Sum(op => op.BusyMs[worker]), 1e-9);
        }
        Assert.Equal(summary.MillisecondsPerStep, summary.Ops.Sum(op => op.Ms), 1e-9);
        Assert.Equal(trace.Jobs.Length / 2.0, summary.Ops.Sum(op => op.Jobs));
        foreach (var op in summary.Ops)
            Assert.Equal(7 * op.Ms, op.Time.Wall, 1e-9);
        Assert.Equal(2, summary.Ops.Single(op => op.Shape == "100 x 90 x 60").Calls + summary.Ops.Single(
            op => op.Shape == "100 x 70 x 90").Calls);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    public void A_traced_step_has_the_bits_of_any_other(int threads)
    {
        using Step plain = new(threads), traced = new(threads, new StepTrace(threads));
        Assert.Equal(plain.Run(), traced.Run());
    }

    [Fact]
    public void A_trace_without_room_says_that_it_is_cut_and_holds_whole_jobs()
    {
        var trace = new StepTrace(3, chunksPerWorker: 12);
        using var step = new Step(3, trace);
        for (int i = 0; i < 3; i++)
        {
            step.Run();
            Assert.True(trace.IsCut);
            Assert.InRange(trace.Jobs.Length, 1, 12);
            Assert.All(trace.Jobs.ToArray(), job => Assert.True(job.Ended > job.Started));
            Assert.True(Read(trace).Root.GetProperty("otherData").GetProperty("cut").GetBoolean());
        }
    }

    [Fact]
    public void A_full_trace_holds_the_last_step()
    {
        var trace = new StepTrace(2);
        using var step = new Step(2, trace);
        step.Run();
        var (jobs, ended) = (trace.Jobs.Length, trace.StepTimes[0].Ended);
        step.Run();
        Assert.Equal((1, jobs), (trace.Steps, trace.Jobs.Length));
        Assert.True(trace.StepTimes[0].Started >= ended);
        Assert.All(trace.Jobs.ToArray(), job => Assert.True(job.Started >= ended));
    }

    [Fact]
    public void Work_outside_a_step_is_not_traced()
    {
        var trace = new StepTrace(2);
        using var compute = new Compute(2) { Profiler = new Profiler { Trace = trace } };
        compute.Scale(new Tensor(new Shape(100_000)), 2);
        Assert.Equal(0, trace.Jobs.Length);
        var (slices, _) = Read(trace);
        Assert.Empty(slices);
        Assert.Throws<ArgumentException>(() => compute.Profiler = new Profiler { Trace = new StepTrace(1) });
    }

    [Fact]
    public unsafe void Tracing_allocates_nothing()
    {
        var trace = new StepTrace(3, chunksPerWorker: 1 << 12);
        using var team = new WorkerTeam(3) { Trace = trace };
        for (int step = 0; step < 4; step++)
        {
            long before = GC.GetTotalAllocatedBytes(precise: true);
            trace.StartStep(1);
            for (int i = 0; i < 100; i++)
            {
                team.Run(&Nothing, null, 20, 1, "nothing");
                trace.AddOp("op", default, 1, 2);
            }
            trace.EndStep(2, 3);
            if (step > 0)
                Assert.Equal(0, GC.GetTotalAllocatedBytes(precise: true) - before);
        }
        Assert.Equal(100, trace.Jobs.Length);
    }

    private static unsafe void Nothing(void* context, nint begin, nint end, Scratch scratch)
    {
        // The time is that of the team.
    }
}
