using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace Nano;

/// <summary>Reads the documents of a file with a JSON object per line; each is the string in one of its fields.
/// <see cref="JsonScanner"/> says what JSON is.</summary>
/// <param name="path">The file.</param>
/// <param name="field">The field's name.</param>
/// <param name="skipped">Is told why a line is left out; null makes that an error.</param>
internal sealed class JsonLinesReader(string path, string field, Action<string>? skipped)
{
    private readonly byte[] fieldName = Encoding.UTF8.GetBytes(field);
    private char[] text = new char[1 << 18];

    /// <summary>All documents in order.</summary>
    /// <exception cref="NanoException">A line is not a JSON object with the field, unless such
    /// lines are skipped; the message gives its number. Or it is longer than
    /// <see cref="JsonLineReader.LongestLine"/>.</exception>
    public IEnumerable<DocumentText> Read(SourceStream stream)
    {
        var lines = new JsonLineReader(stream);
        while (lines.Next())
        {
            if (lines.IsTooLong)
                throw Bad(lines.Number,
                    FormattableString.Invariant($"is longer than {JsonLineReader.LongestLine:N0} bytes"));
            if (Find(lines.Line, out int length) is not { } problem)
                yield return new DocumentText(text.AsMemory(0, length), true, true, Where(lines.Number));
            else if (skipped is not null)
                skipped($"{Where(lines.Number)} {problem}");
            else
                throw Bad(lines.Number, problem);
        }
    }

    /// <summary>Copies the field's string into <see cref="text"/>, or says what is wrong.</summary>
    private string? Find(ReadOnlySpan<byte> line, out int length)
    {
        length = 0;
        if (!Utf8.IsValid(line))
            return "is not UTF-8";
        JsonValueKind kind;
        JsonSlice value;
        try
        {
            kind = JsonScanner.Find(line, field, fieldName, out value);
        }
        catch (JsonException e)
        {
            return $"is not JSON: {e.Message}";
        }
        if (kind != JsonValueKind.Object)
            return $"is not a JSON object but {JsonScanner.Name(kind)}";
        if (value.Kind == JsonValueKind.Undefined)
            return $"has no field {Quoted.Of(field)}";
        if (value.Kind != JsonValueKind.String)
            return $"has a field {Quoted.Of(field)} that is not a string but {JsonScanner.Name(value.Kind)}";
        if (text.Length < value.Length)
            text = new char[Math.Max(value.Length, 2 * text.Length)];
        length = JsonScanner.Decode(line.Slice(value.Start, value.Length), text);
        return null;
    }

    private string Where(long number) => FormattableString.Invariant($"{path}, line {number}");

    private NanoException Bad(long number, string problem) => new($"{Where(number)} {problem}",
        "correct the file, name the field as `field`, or leave such lines out with `skip_bad`, which counts them");
}
