using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace Nano;

/// <summary>One line of a file of JSON lines: an object, and errors that name file and line.</summary>
internal sealed class JsonLine(string path, long number, ReadOnlyMemory<byte> line)
{
    /// <summary>A required string.</summary>
    public string Text(string key) => Decode(Find(key, JsonValueKind.String, "a string"));

    /// <summary>A required list of at least <paramref name="atLeast"/> strings.</summary>
    public IReadOnlyList<string> Texts(string key, int atLeast)
    {
        var items = JsonScanner.Elements(line.Span, Find(key, JsonValueKind.Array, "a list of strings"));
        if (items.Count < atLeast)
            throw Bad($"'{key}' has {items.Count} of at least {atLeast} strings");
        return [.. items.Select(item => item.Kind == JsonValueKind.String ? Decode(item)
            : throw Bad($"'{key}' must be a list of strings, not of {JsonScanner.Name(item.Kind)}"))];
    }

    /// <summary>A required whole number from 0 to below a limit.</summary>
    public int Index(string key, int below)
    {
        var digits = Find(key, JsonValueKind.Number, "a whole number");
        string text = Encoding.UTF8.GetString(line.Span.Slice(digits.Start, digits.Length));
        return int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value)
            && value >= 0 && value < below ? value
            : throw Bad($"'{key}' must be a whole number from 0 to {below - 1}, got {Quoted.Plain(text)}");
    }

    /// <summary>An error about this line.</summary>
    public BadFileException Bad(string problem) => new(path, $"line {number}: {problem}");

    private JsonSlice Find(string key, JsonValueKind kind, string expected)
    {
        JsonScanner.Find(line.Span, key, Encoding.UTF8.GetBytes(key), out var value);
        if (value.Kind == JsonValueKind.Undefined)
            throw Bad($"there is no '{key}'");
        return value.Kind == kind ? value
            : throw Bad($"'{key}' must be {expected}, not {JsonScanner.Name(value.Kind)}");
    }

    private string Decode(JsonSlice value)
    {
        char[] characters = new char[value.Length];
        return new string(characters, 0, JsonScanner.Decode(line.Span.Slice(value.Start, value.Length), characters));
    }
}

/// <summary>
/// Reads files of JSON lines, also packed as .gz: UTF-8, one object per line, as <see cref="JsonLineReader"/> cuts and
/// <see cref="JsonScanner"/> reads them; no
/// line but blank ones is left out.
/// </summary>
internal static class JsonLines
{
    /// <summary>Bytes of lines that are read; all examples of a file are held in memory.</summary>
    private const long LargestFile = 1 << 30;

    /// <summary>Reads all lines, or the first ones.</summary>
    /// <param name="path">The file.</param>
    /// <param name="read">Makes an example of a line.</param>
    /// <param name="limit">The most lines to read; null for all.</param>
    /// <exception cref="NanoException">The file is missing or cannot be read.</exception>
    /// <exception cref="BadFileException">A line is not what it should be, or there is none.</exception>
    public static IReadOnlyList<T> Read<T>(string path, Func<JsonLine, T> read, int? limit = null)
    {
        if (limit is < 1)
            throw new NanoException($"the limit must be 1 or more, got {limit}");
        using var stream = SourceStream.Open(path, "check the path; it should hold one JSON object per line");
        var lines = new JsonLineReader(stream);
        var examples = new List<T>();
        long bytes = 0;
        while (examples.Count < (limit ?? int.MaxValue) && lines.Next())
        {
            bytes += lines.Line.Length;
            if (bytes > LargestFile)
                throw new BadFileException(path,
                    $"line {lines.Number}: the lines so far have {bytes} bytes; at most {LargestFile} are read");
            byte[] line = lines.Line.ToArray();
            if (Problem(lines, line) is { } problem)
                throw new BadFileException(path, $"line {lines.Number}: {problem}");
            examples.Add(read(new JsonLine(path, lines.Number, line)));
        }
        return examples.Count > 0 ? examples : throw new BadFileException(path, "the file has no lines");
    }

    private static string? Problem(JsonLineReader lines, ReadOnlySpan<byte> line)
    {
        if (lines.IsTooLong)
            return $"the line has more than {JsonLineReader.LongestLine} bytes";
        if (!Utf8.IsValid(line))
            return "the line is not valid UTF-8";
        try
        {
            return JsonScanner.Find(line, "", default, out _) == JsonValueKind.Object ? null : "not a JSON object";
        }
        catch (JsonException e)
        {
            return $"not valid JSON: {e.Message}";
        }
    }
}
