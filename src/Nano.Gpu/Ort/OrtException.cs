using System.Text.RegularExpressions;

namespace Nano;

/// <summary>
/// An error of ONNX Runtime, with its own message, stripped of the place in its source.
/// </summary>
public sealed partial class OrtException(string message, Exception? cause = null)
    : NanoException("ONNX Runtime: " + Words(message), null, cause)
{
    /// <summary>The message on one line; "with error:" would read like a second error line of the program.</summary>
    private static string Words(string message) => Spaces().Replace(Place().Replace(message, ""), " ").Trim()
        .Replace(" with error: ", ": ", StringComparison.Ordinal);

    /// <summary>
    /// "[ErrorCode:Fail] " of the managed API, then "file.cc:136 signature [ONNXRuntimeError] : 1 : FAIL : " or
    /// "file.cc:136 signature condition was false. ", before what is said.
    /// </summary>
    [GeneratedRegex(@"^\[ErrorCode:\w+\] (\S+:\d+ .*?(\[ONNXRuntimeError\] : \d+ : \w+ : | was false\. )(?=.))?",
        RegexOptions.Singleline)]
    private static partial Regex Place();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();
}
