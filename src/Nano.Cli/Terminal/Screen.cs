using System.Globalization;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Nano.Cli;

/// <summary>
/// Stdin, stdout and stderr. Of a stream that was closed when the program was started, the system may have
/// given the number to another file, so nothing is read from or written to it. On a terminal control
/// characters are shown, elsewhere text is left as it is.
/// </summary>
internal static class Screen
{
    private const int BrokenPipe = 32, Full = 28; // errno of Linux and macOS
    private const long CloseOnExec = 0x80000;

    private static readonly Lock Losing = new();
    private static Action? askToStop;

    /// <summary>Text for people and results.</summary>
    public static TextWriter Out { get; private set; } = TextWriter.Null;

    /// <summary>Errors and notes; where it can be written no more, it is silent.</summary>
    public static TextWriter Error { get; private set; } = TextWriter.Null;

    /// <summary>The reason why stdout accepts no more output; null while it does.</summary>
    public static OutputLostException? Lost { get; private set; }

    /// <summary>True if stdin is open.</summary>
    public static bool HasInput { get; private set; }

    /// <summary>True if a person types the input.</summary>
    public static bool IsTypedInto => HasInput && !Console.IsInputRedirected;

    /// <summary>
    /// Finds out which streams there are. Console.Out and Console.Error, which libraries write to, are the
    /// same without the filter.
    /// </summary>
    public static void Open()
    {
        HasInput = IsOpen(0);
        Console.SetOut(Writer(IsOpen(1) ? Stdout() : null, Lose));
        Console.SetError(IsOpen(2) ? Writer(Console.OpenStandardError(), _ => { }) : TextWriter.Null);
        Out = Console.IsOutputRedirected ? Console.Out : TextWriter.Synchronized(new TerminalText(Console.Out));
        Error = Console.IsErrorRedirected ? Console.Error : TextWriter.Synchronized(new TerminalText(Console.Error));
    }

    /// <summary>Stdin; empty where it is closed, which is said on stderr.</summary>
    public static Stream OpenInput()
    {
        if (HasInput)
            return Console.OpenStandardInput();
        Error.WriteLine("stdin is closed: there is nothing to read");
        return Stream.Null;
    }

    /// <summary>
    /// Calls something, once, instead of throwing an <see cref="OutputLostException"/> where stdout takes no
    /// more: the work that asks stops by itself.
    /// </summary>
    public static void StopInsteadOfThrowing(Action? stop)
    {
        lock (Losing)
            askToStop = stop;
        if (Lost is not null)
            stop?.Invoke();
    }

    private static StreamWriter Writer(Stream? stream, Action<Exception> lost) =>
        new(new GuardedStream(stream, lost), WithoutMark(Console.OutputEncoding)) { AutoFlush = true };

    /// <summary>The encoding without a byte order mark.</summary>
    private static Encoding WithoutMark(Encoding encoding) =>
        encoding is UTF8Encoding ? new UTF8Encoding(false) : encoding;

    /// <summary>
    /// Stdout. The runtime's own stream ignores a broken pipe, so a program before one would keep
    /// running for nobody.
    /// </summary>
    private static Stream Stdout()
    {
        if (OperatingSystem.IsWindows())
            return Console.OpenStandardOutput();
        var handle = new SafeFileHandle(1, ownsHandle: false);
        if (handle.IsAsync)
            return Console.OpenStandardOutput(); // which knows how to wait for one that does not block
        var stream = new FileStream(handle, FileAccess.Write, bufferSize: 0);
        // In a file that several programs write to, FileStream would write at a position of its own.
        return stream.CanSeek ? Console.OpenStandardOutput() : stream;
    }

    private static void Lose(Exception e)
    {
        string reason = e.HResult switch
        {
            BrokenPipe => "its reader has closed the pipe",
            Full => "no space left on the disk",
            _ => e.Message.TrimEnd('.'),
        };
        Action? stop;
        lock (Losing)
        {
            Lost = new OutputLostException(reason, isPipe: e.HResult == BrokenPipe, e);
            stop = askToStop;
        }
        if (stop is null)
            throw Lost;
        stop();
    }

    /// <summary>
    /// True if a stream was open when the program was started. Files that the runtime opened since
    /// carry a flag (close-on-exec) that no inherited file can have; only Linux shows it, and on
    /// other systems all streams count as open.
    /// </summary>
    private static bool IsOpen(int descriptor)
    {
        const string folder = "/proc/self/fdinfo", label = "flags:";
        if (!OperatingSystem.IsLinux() || !Directory.Exists(folder))
            return true;
        try
        {
            string? flags = File.ReadLines(string.Create(CultureInfo.InvariantCulture, $"{folder}/{descriptor}"))
                .FirstOrDefault(line => line.StartsWith(label, StringComparison.Ordinal));
            return flags is null || (Convert.ToInt64(flags[label.Length..].Trim(), 8) & CloseOnExec) == 0;
        }
        catch (FileNotFoundException)
        {
            return false;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException)
        {
            return true;
        }
    }
}
