using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace Nano;

/// <summary>One line of a file of JSON lines: an object, and errors that name file and line.</summary>
internal sealed class JsonLine(string path, int number, JsonElement root)
{
    /// <summary>A required string.</summary>
    public string Text(string key) => Decode(key, Find(key, JsonValueKind.String, "a string"));

    /// <summary>A required list of strings, at least so many.</summary>
    public IReadOnlyList<string> Texts(string key, int atLeast)
    {
        var items = Find(key, JsonValueKind.Array, "a list of strings");
        if (items.GetArrayLength() < atLeast)
            throw Bad($"'{key}' has {items.GetArrayLength()} of at least {atLeast} strings");
        return [.. items.EnumerateArray().Select(item => item.ValueKind == JsonValueKind.String ? Decode(key, item) : throw Bad($"'{key}' must be a list of strings, not of {Name(item.ValueKind)}"))];
    }

    /// <summary>A required whole number from 0 to below a limit.</summary>
    public int Index(string key, int below) => Find(key, JsonValueKind.Number, "a whole number").TryGetInt32(out int value) && value >= 0 && value < below ? value
        : throw Bad($"'{key}' must be a whole number from 0 to {below - 1}, "
            + $"got {Quoted.Plain(root.GetProperty(key).GetRawText())}");

    /// <summary>An error about this line.</summary>
    public BadFileException Bad(string problem) => new(path, $"line {number}: {problem}");

    private JsonElement Find(string key, JsonValueKind kind, string expected) => !root.TryGetProperty(key, out var value) ? throw Bad($"there is no '{key}'")
        : value.ValueKind == kind ? value : throw Bad($"'{key}' must be {expected}, not {Name(value.ValueKind)}");

    private string Decode(string key, JsonElement value)
    {
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException e) // an escaped half of a surrogate pair
        {
            throw new BadFileException(path, $"line {number}: '{key}' is not valid Unicode", e);
        }
    }

    private static string Name(JsonValueKind kind) => kind switch
    {
        JsonValueKind.Null => "null",
        JsonValueKind.True or JsonValueKind.False => "true or false",
        JsonValueKind.Number => "a number",
        JsonValueKind.String => "a string",
        JsonValueKind.Array => "a list",
        _ => "an object",
    };
}

/// <summary>Reads files of JSON lines: UTF-8, one object per line, no line left out. A byte order mark and an end of line at the end of the file are no lines.</summary>
internal static class JsonLines
{
    /// <summary>The longest line and the largest file that are read; all examples of a file are held in memory.</summary>
    private const int LongestLine = 1 << 24, LongestFile = 1 << 30;

    /// <summary>Reads all lines, or the first ones.</summary>
    /// <param name="path">The file.</param>
    /// <param name="read">Makes an example of a line.</param>
    /// <param name="limit">How many lines to read at most; null for all.</param>
    /// <exception cref="NanoException">The file is missing or cannot be read.</exception>
    /// <exception cref="BadFileException">A line is not what it should be, or there is none.</exception>
    public static IReadOnlyList<T> Read<T>(string path, Func<JsonLine, T> read, int? limit = null)
    {
        if (limit is < 1)
            throw new NanoException($"the limit must be 1 or more, got {limit}");
        var examples = new List<T>();
        ReadOnlySpan<byte> rest = InputFile.ReadBytes(path, LongestFile, "check the path; it should hold one JSON object per line");
        if (rest.StartsWith(Encoding.UTF8.Preamble))
            rest = rest[Encoding.UTF8.Preamble.Length..];
        for (int number = 1; !rest.IsEmpty && examples.Count < (limit ?? int.MaxValue); number++)
        {
            int end = rest.IndexOf((byte)'\n');
            var line = end < 0 ? rest : rest[..end];
            rest = end < 0 ? [] : rest[(end + 1)..];
            using var document = Parse(line.TrimEnd((byte)'\r'), path, number);
            examples.Add(read(new JsonLine(path, number, document.RootElement)));
        }
        return examples.Count > 0 ? examples : throw new BadFileException(path, "the file has no lines");
    }

    private static JsonDocument Parse(ReadOnlySpan<byte> line, string path, int number)
    {
        string? problem = line.IsEmpty ? "the line is empty" : line.Length > LongestLine ? $"the line has {line.Length} bytes; at most {LongestLine} are read" : !Utf8.IsValid(line) ? "the line is not valid UTF-8" : null;
        if (problem is not null)
            throw new BadFileException(path, $"line {number}: {problem}");
        try
        {
            var document = JsonDocument.Parse(line.ToArray(), new JsonDocumentOptions { AllowDuplicateProperties = false });
            if (document.RootElement.ValueKind == JsonValueKind.Object)
                return document;
            document.Dispose();
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new BadFileException(path, $"line {number}: not valid JSON: {Quoted.Reason(e)}", e);
        }
        throw new BadFileException(path, $"line {number}: not a JSON object");
    }
}
