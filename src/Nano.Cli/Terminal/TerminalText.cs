using System.Globalization;
using System.Text;

namespace Nano.Cli;

/// <summary>
/// A writer to a terminal that shows control characters instead of sending them: text from models, files and
/// servers moves no cursor, changes no colours and rings no bell. Line ends and tabs pass; C0 controls and
/// DEL appear as their pictures (␛), C1 controls and characters that reorder text as an escape (\u202E). It
/// needs no knowledge of escape sequences, so one that is split is harmless too.
/// </summary>
internal sealed class TerminalText(TextWriter terminal) : TextWriter(CultureInfo.InvariantCulture)
{
    private const char Delete = '\x7f', FirstPicture = '\u2400', DeletePicture = '\u2421';
    private readonly StringBuilder piece = new();
    private bool returns; // a carriage return was written: part of a line end, or not

    public override Encoding Encoding => terminal.Encoding;

    /// <summary>The text as it is shown; carriage returns count as controls.</summary>
    public static string Clean(string text)
    {
        var clean = new StringBuilder(text.Length);
        foreach (char c in text)
            Append(clean, c);
        return clean.ToString();
    }

    public override void Write(char value) => Write([value]);

    public override void Write(string? value) => Write(value.AsSpan());

    public override void Write(char[] buffer, int index, int count) => Write(buffer.AsSpan(index, count));

    public override void Write(ReadOnlySpan<char> buffer)
    {
        foreach (char c in buffer)
        {
            if (returns && c != '\n')
                Append(piece, '\r');
            returns = c == '\r';
            if (!returns)
                Append(piece, c);
        }
        terminal.Write(piece);
        piece.Clear();
    }

    public override void WriteLine(string? value) => Write(value + "\n");

    public override void Flush() => terminal.Flush();

    private static void Append(StringBuilder text, char c)
    {
        if (c is '\n' or '\t')
            text.Append(c);
        else if (c < ' ')
            text.Append((char)(FirstPicture + c));
        else if (c == Delete)
            text.Append(DeletePicture);
        else if (IsHidden(c))
            text.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:X4}");
        else
            text.Append(c);
    }

    /// <summary>
    /// True for a C1 control, or an embedding, override or isolate of the bidirectional algorithm
    /// (Unicode annex 9).
    /// </summary>
    private static bool IsHidden(char c) => c is >= '\u0080' and <= '\u009f' or >= '\u202a' and <= '\u202e'
        or >= '\u2066' and <= '\u2069';
}
