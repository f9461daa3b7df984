using System.Globalization;

namespace Nano.Cli;

/// <summary>Prints the progress of a download, a line per tenth.</summary>
internal sealed class DownloadLine(TextWriter human) : IProgress<DownloadProgress>
{
    private (string File, long Tenth) last = ("", -1);

    public void Report(DownloadProgress value)
    {
        var now = (value.File, value.Bytes * 10 / Math.Max(1, value.TotalBytes));
        if (now == last)
            return;
        last = now;
        human.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"download {value.File}: {value.Bytes:N0} of {value.TotalBytes:N0} bytes"));
    }
}
