namespace Nano;

/// <summary>
/// An error meant for the person at the keyboard: what went wrong and, where there is one, how to mend it.
/// Both are one line of visible text, whatever they quote (see <see cref="Quoted.Line"/>).
/// </summary>
public class NanoException(string message, string? hint = null, Exception? inner = null)
    : Exception(Quoted.Line(message), inner)
{
    /// <summary>Advice on what to do about the error, or null.</summary>
    public string? Hint { get; } = hint is null ? null : Quoted.Line(hint);
}
