namespace Nano;

/// <summary>
/// Training has gone astray: a loss, a gradient or a weight is not finite, or there are more spikes
/// than can be helped. The message names the step and the first such tensor.
/// </summary>
public sealed class DivergedException(string message, string? hint) : NanoException(message, hint);
