namespace Nano.Cli;

/// <summary>Nothing more can be written to stdout: its reader is gone, it is closed, or its disk is full.</summary>
/// <param name="reason">Why, in half a sentence.</param>
/// <param name="isPipe">Whether a reader is gone, as behind 'nano ... | head'.</param>
/// <param name="inner">What the system said.</param>
internal sealed class OutputLostException(string reason, bool isPipe, Exception? inner = null)
    : NanoException($"cannot write to stdout: {reason}", null, inner)
{
    /// <summary>Whether a reader is gone, which is no failure of the program's.</summary>
    public bool IsPipe { get; } = isPipe;
}
