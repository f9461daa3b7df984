using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;

namespace Nano;

/// <summary>
/// Says which nodes a device cannot compute when a session fails for that reason. ONNX Runtime names such a node where it is its processor kernels that lack it; for the other
/// devices the session is begun once more with a full log, in which a device says of each node that it leaves to the processor.
/// </summary>
internal static unsafe partial class OrtMissing
{
    /// <summary>The error, with the nodes by name where it is about ops that a device lacks.</summary>
    /// <param name="error">Why the session could not be made.</param>
    /// <param name="provider">Where it was to run.</param>
    /// <param name="env">The environment.</param>
    /// <param name="model">The model, if it is not in a file.</param>
    /// <param name="path">The file, or null.</param>
    /// <param name="newOptions">Makes the session's options once more: those of a session that has failed are used up.</param>
    public static NanoException Explain(OrtException error, OrtProvider provider, nint env, ReadOnlySpan<byte> model, string? path, Func<nint> newOptions)
    {
        var named = NotImplemented().Match(error.Message);
        string[] nodes = named.Success ? [named.Groups[1].Value]
            : error.Message.Contains("fallback to CPU EP has been explicitly disabled", StringComparison.Ordinal) ? LeftToProcessor(Log(env, model, path, newOptions())) : [];
        if (nodes.Length == 0)
            return error;
        var kinds = nodes.GroupBy(Op).Select(alike => $"{alike.Key} in {Place(alike.First())}" + (alike.Count() > 1 ? $" and {alike.Count() - 1} more" : ""));
        return new NanoException($"'{provider.Name}' cannot compute {string.Join("; ", kinds)}: it lacks the op, or has it for other types only", "'nano info' says which devices there are", error);
    }

    /// <summary>The type of a node that <see cref="OnnxGraph"/> has named: layer/op/type_number.</summary>
    private static string Op(string node) => node[(node.LastIndexOf('/') + 1)..].Split('_')[0];

    private static string Place(string node) => node.Split('/') is [var layer, var op, var rest] ? $"{op} of '{layer}' (node {rest})" : $"node '{node}'";

    private static string[] LeftToProcessor(IEnumerable<string> log) =>
        [.. log.Select(line => Left().Match(line)).Where(match => match.Success).Select(match => match.Groups[1].Value).Distinct().OrderBy(Number)];

    /// <summary>Where in the graph a node is.</summary>
    private static int Number(string node) => int.TryParse(node[(node.LastIndexOf('_') + 1)..], out int number) ? number : int.MaxValue;

    /// <summary>What is logged while a session is made.</summary>
    private static List<string> Log(nint env, ReadOnlySpan<byte> model, string? path, nint options)
    {
        var lines = new List<string>();
        var handle = GCHandle.Alloc(lines);
        try
        {
            OrtApi.Default.LogTo(options, &Line, GCHandle.ToIntPtr(handle));
            OrtApi.Default.ReleaseSession(OrtApi.Default.CreateSession(env, model, path, options));
        }
        catch (OrtException)
        {
            return lines; // it fails as before
        }
        finally
        {
            OrtApi.Default.ReleaseSessionOptions(options);
            handle.Free();
        }
        return lines;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Line(nint lines, int severity, byte* category, byte* id, byte* place, byte* message)
    {
        var list = (List<string>)GCHandle.FromIntPtr(lines).Target!;
        lock (list)
            list.Add(Marshal.PtrToStringUTF8((nint)message) ?? "");
    }

    [GeneratedRegex(@"(?:implementation|Provider type) for \w+(?:\(\d+\))? node with name '([^']*)'")]
    private static partial Regex NotImplemented();

    [GeneratedRegex(@"(?:not found in registries for Op type: \w+ node name|Force fallback to CPU execution for node): (\S+)")]
    private static partial Regex Left();
}
