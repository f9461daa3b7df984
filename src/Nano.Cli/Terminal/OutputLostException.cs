namespace Nano.Cli;

/// <summary>
/// Nothing more can be written to stdout: its reader has closed it, it is closed, or its disk is
/// full.
/// </summary>
/// <param name="reason">The reason, in half a sentence.</param>
/// <param name="isPipe">Whether the reader has closed the pipe, as in 'nano ... | head'.</param>
/// <param name="inner">The error of the system.</param>
internal sealed class OutputLostException(string reason, bool isPipe, Exception? inner = null)
    : NanoException($"cannot write to stdout: {reason}", null, inner)
{
    /// <summary>
    /// True if the reader has closed the pipe, which is not a failure of the program.
    /// </summary>
    public bool IsPipe { get; } = isPipe;
}
