using System.Text.RegularExpressions;
using Microsoft.ML.OnnxRuntime;

namespace Nano;

/// <summary>
/// Says which nodes a device cannot compute when a session fails for that reason. ONNX Runtime
/// names such a node where it is its processor kernels that lack it; for the other devices the
/// session is begun once more with a full log, in which a device says of each node that it leaves
/// to the processor.
/// </summary>
internal static partial class OrtMissing
{
    private static readonly Lock OneAtATime = new();
    private static List<string>? lines; // null where nobody listens

    /// <summary>Takes the lines of the environment's log. Sessions write none unless asked to.</summary>
    public static DOrtLoggingFunction Listener { get; } = (_, _, _, _, _, message) =>
    {
        if (lines is { } list)
            lock (list)
                list.Add(message);
    };

    /// <summary>The error, with the nodes by name where it is about ops that a device lacks.</summary>
    /// <param name="error">The error of creating the session.</param>
    /// <param name="provider">The provider of the session.</param>
    /// <param name="openAgain">Makes the session once more, saying everything that it does.</param>
    public static NanoException Explain(OrtException error, OrtProvider provider, Action openAgain)
    {
        var named = NotImplemented().Match(error.Message);
        string[] nodes = named.Success ? [named.Groups[1].Value]
            : error.Message.Contains("fallback to CPU EP has been explicitly disabled", StringComparison.Ordinal)
                ? LeftToProcessor(Log(openAgain)) : [];
        if (nodes.Length == 0)
            return error;
        var kinds = nodes.GroupBy(Op).Select(alike =>
            $"{alike.Key} in {Place(alike.First())}" + (alike.Count() > 1 ? $" and {alike.Count() - 1} more" : ""));
        return new NanoException(
            $"'{provider.Name}' cannot compute {string.Join("; ", kinds)}: the op is missing there, or exists for "
            + "other types only", "'nano info' says which devices there are", error);
    }

    /// <summary>The type of a node that <see cref="OnnxGraph"/> has named: layer/op/type_number.</summary>
    private static string Op(string node) => node[(node.LastIndexOf('/') + 1)..].Split('_')[0];

    private static string Place(string node) => node.Split('/') is [var layer, var op, var rest]
        ? $"{op} of '{layer}' (node {rest})" : $"node '{node}'";

    private static string[] LeftToProcessor(IEnumerable<string> log) =>
        [.. log.Select(line => Left().Match(line)).Where(match => match.Success).Select(match => match.Groups[1].Value)
            .Distinct().OrderBy(Number)];

    /// <summary>The number of a node in the graph.</summary>
    private static int Number(string node) => int.TryParse(node[(node.LastIndexOf('_') + 1)..], out int number) ? number
        : int.MaxValue;

    /// <summary>The log lines of creating a session.</summary>
    private static List<string> Log(Action open)
    {
        lock (OneAtATime)
        {
            List<string> logged = lines = [];
            try
            {
                open();
            }
            catch (OnnxRuntimeException)
            {
                return logged; // it fails as before
            }
            finally
            {
                lines = null;
            }
            return logged;
        }
    }

    [GeneratedRegex(@"(?:implementation|Provider type) for \w+(?:\(\d+\))? node with name '([^']*)'")]
    private static partial Regex NotImplemented();

    [GeneratedRegex(@"(?:not found in registries for Op type: \w+ node name"
        + @"|Force fallback to CPU execution for node): (\S+)")]
    private static partial Regex Left();
}
