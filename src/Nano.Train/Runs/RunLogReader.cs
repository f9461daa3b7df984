using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Nano;

/// <summary>A line of a log's file, or a piece of one that is too long to be an entry.</summary>
/// <param name="Entry">The entry, or null if the bytes are none.</param>
/// <param name="Bytes">The line without its line feed; valid until the next line is read.</param>
/// <param name="IsWhole">Whether this is the end of its line, with its line feed.</param>
/// <param name="Problem">The reason why it is not an entry; empty for an entry.</param>
internal readonly record struct RunLogLine(RunLogEntry? Entry, ReadOnlyMemory<byte> Bytes, bool IsWhole, string Problem)
{
    /// <summary>
    /// True if the line is what a process leaves at the end of a file when it is killed while
    /// writing: the beginning of an object.
    /// </summary>
    public bool IsTorn => !IsWhole && Entry is null && Problem != RunLogReader.TooLong
        && IsBeginningOfObject(Bytes.Span);

    private static bool IsBeginningOfObject(ReadOnlySpan<byte> bytes)
    {
        var reader = new Utf8JsonReader(bytes, isFinalBlock: false, default);
        try
        {
            while (reader.Read())
            {
                // On to the last token that is there.
            }
        }
        catch (JsonException)
        {
            return false;
        }
        return bytes.StartsWith("{"u8) && reader is not { TokenType: JsonTokenType.EndObject, CurrentDepth: 0 };
    }
}

/// <summary>Reads logs line by line in bounded memory, and knows entries from other bytes.</summary>
internal static class RunLogReader
{
    /// <summary>Bytes of the longest line that is parsed.</summary>
    public const int MaxLine = 1 << 22;

    /// <summary>The problem of a line that comes in pieces.</summary>
    public const string TooLong = "the line is too long";

    private const int FirstBuffer = 1 << 16;

    // Samples stay readable in the file: only what JSON itself demands is escaped.
    private static readonly JsonTypeInfo<RunLogEntry> Json =
        (JsonTypeInfo<RunLogEntry>)new JsonSerializerOptions(RunLogJson.Default.Options)
        {
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        }.GetTypeInfo(typeof(RunLogEntry));

    /// <summary>An entry as a line of the file.</summary>
    public static byte[] Line(RunLogEntry entry) => [.. JsonSerializer.SerializeToUtf8Bytes(entry, Json), (byte)'\n'];

    /// <summary>
    /// The lines of a file, in order; a line longer than <see cref="MaxLine"/> comes in pieces,
    /// none of which is an entry.
    /// </summary>
    public static IEnumerable<RunLogLine> Lines(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete,
            bufferSize: 0);
        byte[] buffer = new byte[FirstBuffer];
        int start = 0, end = 0, searched = 0; // the bytes not yet given, and how many of them hold no line feed
        bool inPieces = false;
        while (true)
        {
            int length = buffer.AsSpan(start + searched, end - start - searched).IndexOf((byte)'\n');
            if (length >= 0)
            {
                length += searched;
                yield return Piece(buffer.AsMemory(start, length), isWhole: true, inPieces);
                (start, searched, inPieces) = (start + length + 1, 0, false);
                continue;
            }
            searched = end - start;
            if (searched == MaxLine)
            {
                yield return Piece(buffer.AsMemory(start, searched), isWhole: false, inPieces: true);
                (start, end, searched, inPieces) = (0, 0, 0, true);
            }
            buffer.AsSpan(start, searched).CopyTo(buffer);
            (start, end) = (0, searched);
            if (end == buffer.Length)
                Array.Resize(ref buffer, Math.Min(2 * buffer.Length, MaxLine));
            int read = file.Read(buffer.AsSpan(end));
            if (read == 0)
                break;
            end += read;
        }
        if (end > 0)
            yield return Piece(buffer.AsMemory(0, end), isWhole: false, inPieces);
    }

    private static RunLogLine Piece(ReadOnlyMemory<byte> bytes, bool isWhole, bool inPieces)
    {
        string problem = TooLong;
        var entry = inPieces ? null : Parse(bytes.Span, out problem);
        return new RunLogLine(entry, bytes, isWhole, problem);
    }

    private static RunLogEntry? Parse(ReadOnlySpan<byte> line, out string problem)
    {
        try
        {
            var entry = JsonSerializer.Deserialize(line, Json);
            problem = entry is null ? "null is not an entry." : NullIn(entry) is { } name ? $"null in '{name}'." : "";
            return problem.Length == 0 ? entry : null;
        }
        catch (Exception e) when (e is JsonException or NotSupportedException or InvalidOperationException)
        {
            problem = e.Message;
            return null;
        }
    }

    /// <summary>The list or dictionary of an entry that holds a null, which the serializer lets pass there.</summary>
    private static string? NullIn(RunLogEntry entry) => entry switch
    {
        RunEntry run when run.Config.ContainsValue(null!) => "config",
        StepEntry { ExpertLoads: { } loads } when loads.ContainsValue(null!) => "expert_loads",
        ProfileEntry profile when profile.Rows.Contains(null!) => "rows",
        _ => null,
    };
}
