namespace Nano;

/// <summary>Passes text on piece by piece and ends before a stop string, also one that arrives in parts. Holds back what might be its beginning.</summary>
public sealed class StopFilter(string? stop)
{
    private string held = "";

    /// <summary>Whether the stop string has been met.</summary>
    public bool Stopped { get; private set; }

    /// <summary>Takes a piece and returns the text that is now certain to come before any stop string.</summary>
    public string Push(string piece)
    {
        if (string.IsNullOrEmpty(stop) || Stopped)
            return Stopped ? "" : piece;
        held += piece;
        int at = held.IndexOf(stop, StringComparison.Ordinal);
        Stopped = at >= 0;
        int pass = Stopped ? at : held.Length - BeginningAtEnd(held, stop);
        string passed = held[..pass];
        held = Stopped ? "" : held[pass..];
        return passed;
    }

    /// <summary>What is still held back when no more text comes.</summary>
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
