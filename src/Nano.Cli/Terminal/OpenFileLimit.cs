using System.Globalization;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Nano.Cli;

/// <summary>
/// The system's limit on open files ('ulimit -n'). The runtime holds two for every library of the program,
/// and fails without a word of sense where it may not. So this is looked at first, with nothing that needs
/// another library.
/// </summary>
internal static class OpenFileLimit
{
    /// <summary>The number of open files that suffices for every verb.</summary>
    private const int Enough = 160;

    /// <summary>Checks whether enough files may be open; if not, prints so to stderr.</summary>
    public static bool IsEnough()
    {
        if (Read() is not { } limit || limit >= Enough)
            return true;
        string message = $"error: only {limit} files may be open at a time, and nano needs {Enough}\n"
            + "hint: raise the limit of the shell: ulimit -n 1024\n";
        try
        {
            using var error = new FileStream(new SafeFileHandle(2, ownsHandle: false), FileAccess.Write, bufferSize: 0);
            error.Write(Encoding.UTF8.GetBytes(message));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            // Nobody can be told; the exit code tells.
        }
        return false;
    }

    /// <summary>The limit; null where there is none, or it cannot be found out.</summary>
    private static int? Read()
    {
        const string file = "/proc/self/limits", label = "Max open files";
        if (!OperatingSystem.IsLinux())
            return null;
        try
        {
            foreach (string line in File.ReadAllLines(file))
                if (line.StartsWith(label, StringComparison.Ordinal))
                    return int.TryParse(line[label.Length..].TrimStart().Split(' ')[0], CultureInfo.InvariantCulture,
                        out int limit) ? limit : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // No such file system here.
        }
        return null;
    }
}
