namespace Nano;

/// <summary>What ONNX Runtime says is wrong, in its own words.</summary>
public sealed class OrtException(string message) : NanoException("ONNX Runtime: " + message.TrimEnd());
