using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace Nano;

/// <summary>Reads the documents of a file with a JSON object per line; each is the string in one of its fields.</summary>
/// <param name="path">The file.</param>
/// <param name="field">The field's name.</param>
/// <param name="skipped">Is told why a line is left out; null makes that an error.</param>
internal sealed class JsonLinesReader(string path, string field, Action<string>? skipped)
{
    private const int FirstBytes = 1 << 18, LongestLine = 1 << 26;

    private readonly byte[] fieldName = Encoding.UTF8.GetBytes(field);
    private char[] text = new char[FirstBytes];

    /// <summary>All documents in order.</summary>
    /// <exception cref="NanoException">A line is no JSON object with the field, unless such lines are left out; the message gives its number.</exception>
    public IEnumerable<DocumentText> Read(SourceStream stream)
    {
        byte[] bytes = new byte[FirstBytes];
        int kept = 0, searched = 0;
        long number = 0;
        bool first = true;
        for (bool last = false; !last;)
        {
            int wanted = bytes.Length - kept, count = stream.Read(bytes.AsSpan(kept)), found;
            last = count < wanted;
            int length = kept + count, start = first && bytes.AsSpan(0, length).StartsWith(Encoding.UTF8.Preamble) ? Encoding.UTF8.Preamble.Length : 0;
            first = false;
            searched = Math.Max(searched, start);
            while ((found = bytes.AsSpan(searched, length - searched).IndexOf((byte)'\n')) >= 0 || (last && start < length))
            {
                int end = searched = found < 0 ? length : searched + found;
                number++;
                if (Parse(bytes.AsSpan(start, end - start), number) is { } document)
                    yield return document;
                start = searched = Math.Min(length, end + 1);
            }
            kept = length - start;
            bytes.AsSpan(start, kept).CopyTo(bytes);
            searched = kept;
            if (kept == bytes.Length)
            {
                if (kept >= LongestLine)
                    throw Bad(number + 1, FormattableString.Invariant($"is longer than {LongestLine:N0} bytes"));
                Array.Resize(ref bytes, 2 * bytes.Length);
            }
        }
    }

    private DocumentText? Parse(ReadOnlySpan<byte> line, long number)
    {
        string? problem;
        try
        {
            problem = Find(line, out int length);
            if (problem is null)
                return new DocumentText(text.AsMemory(0, length), true, true, Where(number));
        }
        catch (JsonException e)
        {
            problem = $"is not JSON: {e.Message}";
        }
        catch (InvalidOperationException e) // an escaped half of a surrogate pair
        {
            problem = $"has a string that is not valid Unicode: {e.Message}";
        }
        if (skipped is null)
            throw Bad(number, problem);
        skipped(Where(number) + " " + problem);
        return null;
    }

    /// <summary>Copies the field's string into <see cref="text"/>, or says what is wrong.</summary>
    private string? Find(ReadOnlySpan<byte> line, out int length)
    {
        length = -1;
        if (!Utf8.IsValid(line))
            return "is not UTF-8";
        var json = new Utf8JsonReader(line);
        if (!json.Read())
            return "is empty";
        if (json.TokenType != JsonTokenType.StartObject)
            return $"is not a JSON object but begins with {json.TokenType}";
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            bool wanted = json.ValueTextEquals(fieldName);
            json.Read();
            if (!wanted)
            {
                json.Skip();
                continue;
            }
            if (length >= 0)
                return $"has the field '{field}' twice";
            if (json.TokenType != JsonTokenType.String)
                return $"has a field '{field}' that is not a string but {json.TokenType}";
            if (text.Length < json.ValueSpan.Length)
                text = new char[Math.Max(json.ValueSpan.Length, 2 * text.Length)];
            length = json.CopyString(text);
        }
        json.Read(); // nothing may follow
        return length < 0 ? $"has no field '{field}'" : null;
    }

    private string Where(long number) => FormattableString.Invariant($"{path}, line {number}");

    private NanoException Bad(long number, string problem) => new($"{Where(number)} {problem}", "correct the file, name the field with --field, or leave such lines out with --skip-bad, which counts them");
}
