using System.Text;

namespace Nano;

/// <summary>A text and its class.</summary>
public sealed record LabelledText(string Label, string Text);

/// <summary>
/// Files of texts: a text per line, or JSON lines with a field "text". With classes: JSON lines with "label" and
/// "text", or CSV (RFC 4180) with a label and a text in each row, in this order unless a first row names them.
/// </summary>
public static class TextRows
{
    private const int MaxBytes = 1 << 30;
    private const string Hint = "give a file of texts: .jsonl, or .csv with classes, or plain lines without";

    private static bool IsJson(string path) => path.EndsWith(".jsonl", StringComparison.OrdinalIgnoreCase)
        || path.EndsWith(".jsonl.gz", StringComparison.OrdinalIgnoreCase);

    /// <summary>Reads texts; empty lines of a plain file are left out.</summary>
    /// <exception cref="NanoException">The file is missing.</exception>
    /// <exception cref="BadFileException">It is malformed, or has no text.</exception>
    public static IReadOnlyList<string> Read(string path)
    {
        if (IsJson(path))
            return JsonLines.Read(path, line => line.Text("text"));
        string[] lines = [.. Utf8Text(path).Split('\n').Select(line => line.TrimEnd('\r'))
            .Where(line => line.Length > 0)];
        return lines.Length > 0 ? lines : throw new BadFileException(path, "the file has no lines");
    }

    /// <summary>Reads texts and their classes.</summary>
    /// <exception cref="NanoException">The file is missing.</exception>
    /// <exception cref="BadFileException">It is malformed, or has no row.</exception>
    public static IReadOnlyList<LabelledText> ReadLabelled(string path)
    {
        if (IsJson(path))
            return JsonLines.Read(path, line => new LabelledText(line.Text("label"), line.Text("text")));
        var rows = new List<LabelledText>();
        int label = 0;
        bool isFirst = true;
        foreach (var (row, number) in Csv(Utf8Text(path), path))
        {
            if (row.Count != 2)
                throw new BadFileException(path, $"line {number}: {row.Count} fields; expected a label and a text "
                    + "(a text with commas stands in double quotes)");
            string first = row[0].Trim(), second = row[1].Trim();
            if (isFirst && (first, second) is ("label", "text") or ("text", "label"))
                label = first == "label" ? 0 : 1;
            else
                rows.Add(new LabelledText(row[label].Trim(), row[1 - label]));
            isFirst = false;
        }
        return rows.Count > 0 ? rows : throw new BadFileException(path, "the file has no rows");
    }

    private static string Utf8Text(string path)
    {
        string text = Encoding.UTF8.GetString(InputFile.ReadUtf8(path, MaxBytes, Hint));
        return text.StartsWith('\uFEFF') ? text[1..] : text;
    }

    /// <summary>Rows of fields and the lines that they begin on; empty lines are left out.</summary>
    private static IEnumerable<(List<string> Row, int Line)> Csv(string text, string path)
    {
        var field = new StringBuilder();
        List<string> row = [];
        int line = 1, first = 1;
        bool isQuoted = false, wasQuoted = false;
        for (int i = 0; i <= text.Length; i++)
        {
            char c = i < text.Length ? text[i] : '\n';
            if (isQuoted && i == text.Length)
                throw new BadFileException(path, $"line {first}: a double quote is never closed");
            line += c == '\n' ? 1 : 0;
            if (isQuoted)
            {
                if (c != '"')
                    field.Append(c);
                else if (i + 1 < text.Length && text[i + 1] == '"')
                    field.Append(text[++i]);
                else
                    isQuoted = false;
            }
            else if (c == '"' && field.Length == 0 && !wasQuoted)
                isQuoted = wasQuoted = true;
            else if (c is ',' or '\n')
            {
                row.Add(field.ToString().TrimEnd('\r'));
                field.Clear();
                wasQuoted = false;
                if (c == ',')
                    continue;
                if (row.Count > 1 || row[0].Length > 0)
                    yield return (row, first);
                (row, first) = ([], line);
            }
            else
                field.Append(c);
        }
    }
}
