using System.Diagnostics;
using System.Text.Json;

namespace Nano;

/// <summary>
/// The last step of a trace as a file in the Trace Event Format, which Perfetto and chrome://tracing
/// open: a row of ops, and for each worker a row of its chunks and of its waiting between them.
/// </summary>
public static class TraceFile
{
    private const int Process = 1, OpRow = 1, FirstWorkerRow = 2;

    /// <summary>Writes the last step of a trace to a stream.</summary>
    public static void Write(Stream stream, StepTrace trace)
    {
        using var json = new Utf8JsonWriter(stream);
        json.WriteStartObject();
        json.WriteString("displayTimeUnit", "ms");
        json.WriteStartObject("otherData");
        json.WriteNumber("workers", trace.Workers);
        json.WriteBoolean("cut", trace.IsCut);
        json.WriteEndObject();
        json.WriteStartArray("traceEvents");
        WriteRowNames(json, trace.Workers);
        if (trace.Steps > 0)
        {
            var events = new Events(json, trace.StepTimes[^1].Started);
            WriteOps(events, trace);
            for (int worker = 0; worker < trace.Workers; worker++)
                WriteWorker(events, trace, worker);
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteRowNames(Utf8JsonWriter json, int workers)
    {
        Write("process_name", "name", 0, "nano");
        Write("thread_name", "name", OpRow, "ops");
        for (int i = 0; i < workers; i++)
            Write("thread_name", "name", FirstWorkerRow + i, i == 0 ? "worker 0, the calling thread" : $"worker {i}");

        void Write(string kind, string key, int row, string value)
        {
            json.WriteStartObject();
            json.WriteString("ph", "M");
            json.WriteNumber("pid", Process);
            json.WriteNumber("tid", row);
            json.WriteString("name", kind);
            json.WriteStartObject("args");
            json.WriteString(key, value);
            json.WriteEndObject();
            json.WriteEndObject();
        }
    }

    private static void WriteOps(Events events, StepTrace trace)
    {
        foreach (var op in trace.Ops)
        {
            if (op.Started < events.Origin)
                continue;
            var (m, n, k) = op.Product;
            string name = op.Product == default ? op.Name : $"{op.Name} {m} x {n} x {k}";
            events.Write(OpRow, "op", name, op.Started, op.Ended);
        }
    }

    private static void WriteWorker(Events events, StepTrace trace, int worker)
    {
        int row = FirstWorkerRow + worker, next = 0, op = 0;
        var chunks = trace.ChunksOf(worker);
        for (int number = 0; number < trace.Jobs.Length; number++)
        {
            var job = trace.Jobs[number];
            if (job.Started < events.Origin)
                continue;
            while (next < chunks.Length && chunks[next].Job < number)
                next++;
            while (op < trace.Ops.Length && trace.Ops[op].Ended < job.Ended)
                op++;
            string name = $"{(op < trace.Ops.Length ? trace.Ops[op].Name : "?")} / {job.Kernel}";
            long at = job.Started;
            bool ran = false;
            for (; next < chunks.Length && chunks[next].Job == number; next++)
            {
                var chunk = chunks[next];
                if (!ran)
                    events.Write(row, "wait", "wait at dispatch", at, chunk.Started, number);
                events.Write(row, "chunk", name, chunk.Started, chunk.Ended, number, (chunk.Begin, chunk.End));
                (at, ran) = (chunk.Ended, true);
            }
            if (job.Ended > 0) // else a chunk failed
            {
                string wait = ran ? "wait at end" : job.Chunks == 1 ? "wait: one chunk" : "wait: no chunk left";
                events.Write(row, "wait", wait, at, job.Ended, number);
            }
        }
    }

    /// <summary>Writes complete events, in microseconds since the step began.</summary>
    private readonly struct Events(Utf8JsonWriter json, long origin)
    {
        public long Origin => origin;

        public void Write(int row, string category, string name, long started, long ended, int job = -1,
            (long Begin, long End)? items = null)
        {
            decimal from = Microseconds(started);
            json.WriteStartObject();
            json.WriteString("ph", "X");
            json.WriteNumber("pid", Process);
            json.WriteNumber("tid", row);
            json.WriteString("cat", category);
            json.WriteString("name", name);
            json.WriteNumber("ts", from);
            json.WriteNumber("dur", Microseconds(ended) - from);
            if (job >= 0)
            {
                json.WriteStartObject("args");
                json.WriteNumber("job", job);
                if (items is { } range)
                {
                    json.WriteNumber("begin", range.Begin);
                    json.WriteNumber("end", range.End);
                }
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }

        /// <summary>Whole nanoseconds as a decimal, so that rounding makes no slices overlap.</summary>
        private decimal Microseconds(long ticks) =>
            decimal.Truncate((ticks - origin) * 1_000_000_000m / Stopwatch.Frequency) / 1000m;
    }
}
