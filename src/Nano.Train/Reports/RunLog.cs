using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Nano;

/// <summary>
/// The log of a training run: a file of JSON lines that only grows, so that a kill loses one line at most.
/// A resumed run first drops what was logged after its checkpoint, then goes on in the same file.
/// </summary>
public sealed class RunLog : IDisposable
{
    // Samples stay readable in the file: only what JSON itself demands is escaped.
    private static readonly JsonTypeInfo<RunLogEntry> Json = (JsonTypeInfo<RunLogEntry>)new JsonSerializerOptions(RunLogJson.Default.Options)
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    }.GetTypeInfo(typeof(RunLogEntry));

    private readonly FileStream file;

    private RunLog(FileStream file) => this.file = file;

    /// <summary>Opens the log at <paramref name="path"/> for appending.</summary>
    /// <param name="path">The file, usually <c>log.jsonl</c> in the run folder, which must exist.</param>
    /// <param name="resumeAtStep">
    /// Null starts a new file in place of an old one. A number keeps the lines up to and including that step and drops later steps and
    /// evaluations, any end and a torn last line; if there is no file, one is started.
    /// </param>
    /// <param name="rollbacks">Returns to an earlier step that lie behind the run to be resumed: what was logged before the last of them stays, later ones go.</param>
    /// <exception cref="FormatException">The log to be resumed holds a malformed line.</exception>
    public static RunLog Open(string path, int? resumeAtStep, int rollbacks = 0)
    {
        if (resumeAtStep is int last && File.Exists(path))
        {
            var kept = Behind(Read(path), last, rollbacks);
            AtomicFile.Write(path, stream =>
            {
                foreach (RunLogEntry entry in kept)
                    stream.Write(Line(entry));
            });
        }
        FileMode mode = resumeAtStep is null ? FileMode.Create : FileMode.Append;
        return new RunLog(new FileStream(path, mode, FileAccess.Write, FileShare.Read, bufferSize: 0));
    }

    /// <summary>Appends one whole line and hands it to the operating system before returning.</summary>
    public void Write(RunLogEntry entry) => file.Write(Line(entry));

    /// <summary>All entries of a log, in file order. A last line without its newline that cannot be read is what a kill leaves, and is left out.</summary>
    /// <exception cref="FormatException">A complete line is malformed; the message names its number.</exception>
    public static IReadOnlyList<RunLogEntry> Read(string path)
    {
        byte[] bytes = File.ReadAllBytes(path);
        var entries = new List<RunLogEntry>();
        for (int start = 0, number = 1; start < bytes.Length; number++)
        {
            int length = bytes.AsSpan(start).IndexOf((byte)'\n');
            bool torn = length < 0;
            ReadOnlySpan<byte> line = torn ? bytes.AsSpan(start) : bytes.AsSpan(start, length);
            start += line.Length + 1;
            try
            {
                entries.Add(JsonSerializer.Deserialize(line, Json) ?? throw new JsonException("null is not an entry."));
            }
            catch (Exception e) when (e is JsonException or NotSupportedException)
            {
                if (torn) break;
                throw new FormatException($"Line {number} of the run log '{path}' is not an entry. Mend or delete that line. ({e.Message})", e);
            }
        }
        return entries;
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => file.Dispose();

    /// <summary>What lies behind a run after that many steps and rollbacks.</summary>
    private static IEnumerable<RunLogEntry> Behind(IReadOnlyList<RunLogEntry> entries, int step, int rollbacks)
    {
        int seen = 0;
        foreach (var entry in entries)
        {
            if (SpikeLog.IsRollback(entry) && ++seen > rollbacks)
                yield break;
            if (entry is not (EndEntry or ProfileEntry) && (seen < rollbacks || SpikeLog.IsRollback(entry) || StepOf(entry) <= step))
                yield return entry;
        }
    }

    private static int StepOf(RunLogEntry entry) => entry switch
    {
        StepEntry step => step.Step,
        EvalEntry eval => eval.Step,
        SpikeEntry spike => spike.Step,
        _ => 0,
    };

    private static byte[] Line(RunLogEntry entry) => [.. JsonSerializer.SerializeToUtf8Bytes(entry, Json), (byte)'\n'];
}
