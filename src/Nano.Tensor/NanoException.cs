namespace Nano;

/// <summary>An error meant for the person at the keyboard: what went wrong and, where there is one, how to mend it.</summary>
public class NanoException(string message, string? hint = null, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>What to do about it, or null.</summary>
    public string? Hint { get; } = hint;
}
