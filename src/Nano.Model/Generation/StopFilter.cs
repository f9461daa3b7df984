namespace Nano;

/// <summary>
/// Passes text on piece by piece and ends before a stop string, also one that arrives in parts.
/// Holds back what might be the beginning of one. Of several, the one that is complete first
/// counts, so it does not matter how the text is cut into pieces.
/// </summary>
public sealed class StopFilter(params IReadOnlyList<string?> stops)
{
    private readonly string[] stops = [.. stops.OfType<string>().Where(stop => stop.Length > 0)];
    private string held = "";

    /// <summary>True once a stop string has been found.</summary>
    public bool Stopped { get; private set; }

    /// <summary>Takes a piece and returns the text that is now certain to come before any stop string.</summary>
    public string Push(string piece)
    {
        if (stops.Length == 0 || Stopped)
            return Stopped ? "" : piece;
        held += piece;
        var (at, end) = (-1, int.MaxValue);
        foreach (string stop in stops)
        {
            int found = held.IndexOf(stop, StringComparison.Ordinal);
            if (found >= 0 && (found + stop.Length < end || (found + stop.Length == end && found < at)))
                (at, end) = (found, found + stop.Length);
        }
        Stopped = at >= 0;
        int pass = Stopped ? at : held.Length - stops.Max(stop => BeginningAtEnd(held, stop));
        string passed = held[..pass];
        held = Stopped ? "" : held[pass..];
        return passed;
    }

    /// <summary>Ends the text: returns the characters that are still held back.</summary>
    public string Flush()
    {
        string rest = held;
        held = "";
        return rest;
    }

    /// <summary>The length of the longest beginning of stop with which text ends.</summary>
    private static int BeginningAtEnd(string text, string stop)
    {
        for (int length = Math.Min(stop.Length - 1, text.Length); length > 0; length--)
            if (text.EndsWith(stop[..length], StringComparison.Ordinal))
                return length;
        return 0;
    }
}
