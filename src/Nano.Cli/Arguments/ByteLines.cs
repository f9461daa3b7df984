using System.Globalization;

namespace Nano.Cli;

/// <summary>
/// Prints the progress of reading a large model, a line per tenth, and ends the reading when that is asked for.
/// Several threads may report.
/// </summary>
/// <param name="name">The work.</param>
/// <param name="large">Bytes below which nothing is printed.</param>
/// <param name="writer">The lines go here.</param>
/// <param name="stop">Asks for the end.</param>
internal sealed class ByteLines(string name, long large, TextWriter writer, CancellationToken stop = default)
    : IProgress<ConversionProgress>
{
    private readonly Lock gate = new();
    private long tenth;

    public void Report(ConversionProgress value)
    {
        stop.ThrowIfCancellationRequested();
        long now = value.Bytes * 10 / Math.Max(1, value.TotalBytes);
        if (value.TotalBytes < large)
            return;
        lock (gate)
        {
            if (now <= tenth)
                return;
            tenth = now;
            writer.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{name}: {value.Bytes:N0} of {value.TotalBytes:N0} bytes"));
        }
    }
}
