using System.Text;

namespace Nano;

/// <summary>
/// The page of results of one family of processors. It has two parts, each written by a command of its own, which
/// leaves the other part as it is.
/// </summary>
public static class ResultsPage
{
    /// <summary>The part with every case and its ceilings.</summary>
    public const string Cases = "cases";

    /// <summary>The part about other libraries at the same work.</summary>
    public const string Peers = "peers";

    private static readonly string[] Parts = [Peers, Cases];

    /// <summary>A page with one of its parts replaced.</summary>
    /// <param name="page">The page so far; empty for a new one.</param>
    /// <param name="part">The name of the part.</param>
    /// <param name="text">The new text.</param>
    public static string With(string page, string part, string text)
    {
        var all = new StringBuilder();
        foreach (string name in Parts)
            if ((name == part ? text : Part(page, name)) is { Length: > 0 } content)
                all.Append(Marker(name)).Append(content.Trim('\n')).Append('\n');
        return all.ToString();
    }

    /// <summary>Replaces one part of a file, which need not exist yet: whole, or not at all.</summary>
    /// <exception cref="NanoException">The file cannot be written.</exception>
    public static void Write(string path, string part, string text)
    {
        string page = With(File.Exists(path) ? File.ReadAllText(path) : "", part, text);
        AtomicFile.Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(page)));
    }

    private static string Marker(string part) => $"<!-- part: {part} -->\n";

    private static string Part(string page, string part)
    {
        int start = page.IndexOf(Marker(part), StringComparison.Ordinal);
        if (start < 0)
            return "";
        start += Marker(part).Length;
        int[] ends = [.. Parts.Select(other => page.IndexOf(Marker(other), start, StringComparison.Ordinal))
            .Where(end => end >= 0)];
        return ends.Length > 0 ? page[start..ends.Min()] : page[start..];
    }
}
