using System.Text;

namespace Nano.Cli;

/// <summary>
/// The lines of a text that somebody else sends, as TextReader.ReadLine would give them, but of bounded
/// length.
/// </summary>
/// <param name="input">The text.</param>
/// <param name="longest">Characters that a line may have.</param>
internal sealed class InputLines(TextReader input, int longest = 1 << 26)
{
    private readonly StringBuilder line = new();

    /// <summary>The next line without its end; null when there is no more.</summary>
    /// <exception cref="NanoException">It is longer than a line may be.</exception>
    public string? Read()
    {
        line.Clear();
        for (int c; (c = input.Read()) >= 0;)
        {
            if (c == '\r' && input.Peek() == '\n')
                input.Read();
            if (c is '\n' or '\r')
                return line.ToString();
            if (line.Length == longest)
                throw new NanoException($"the line has more than {longest:N0} characters",
                    "lines end with a line feed");
            line.Append((char)c);
        }
        return line.Length > 0 ? line.ToString() : null;
    }
}
