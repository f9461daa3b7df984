namespace Nano;

/// <summary>
/// The least that a server must send, so that one that sends a byte now and then is given up: a whole window
/// of time with fewer bytes than the floor ends the download.
/// </summary>
/// <param name="window">The length of a window.</param>
internal sealed class RateFloor(TimeSpan window)
{
    /// <summary>Bytes per second.</summary>
    public const int BytesPerSecond = 1024;

    /// <summary>The default window of downloads.</summary>
    public static readonly TimeSpan Usual = TimeSpan.FromMinutes(1);

    private long start = Environment.TickCount64, bytes;

    /// <summary>Counts bytes that have come, or 0 for the end.</summary>
    /// <returns>The problem, in half a sentence, or null.</returns>
    public string? Count(int received)
    {
        bytes += received;
        double seconds = (Environment.TickCount64 - start) / 1000.0;
        if (received == 0 || seconds < window.TotalSeconds)
            return null;
        if (bytes < BytesPerSecond * seconds)
            return FormattableString.Invariant($"the server is too slow: {bytes:N0} bytes in {seconds:F1} s");
        (start, bytes) = (Environment.TickCount64, 0);
        return null;
    }
}
