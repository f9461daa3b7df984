namespace Nano;

/// <summary>A number of training is not finite: a loss, a gradient or a weight. The message names the step and the first such tensor.</summary>
public sealed class DivergedException(string message, string? hint) : NanoException(message, hint);
