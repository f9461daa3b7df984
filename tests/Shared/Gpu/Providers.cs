// The WebGPU provider's sessions share one device context per process, which threads must not enter together.
[assembly: Xunit.v3.Parallelization(Mode = Xunit.Sdk.ParallelMode.None)]

namespace Nano.Tests;

/// <summary>Where the tests run graphs: the providers that need no GPU.</summary>
internal static class Providers
{
    /// <summary>What each provider says to a graph of one node, asked once per process; null where it runs.</summary>
    private static readonly Lazy<Dictionary<string, string?>> Tried =
        new(() => ProviderProbe.Try().ToDictionary(one => one.Provider.Name, one => one.Problem));

    /// <summary>Their names.</summary>
    public static TheoryData<string> Names => ["onnx-cpu", "webgpu"];

    /// <summary>Cases times providers.</summary>
    public static TheoryData<string, string> With(IEnumerable<string> cases)
    {
        var data = new TheoryData<string, string>();
        foreach (string one in cases)
            foreach (string provider in (string[])["onnx-cpu", "webgpu"])
                data.Add(one, provider);
        return data;
    }

    /// <summary>
    /// A provider by name; skips the test, saying what to do, where it cannot be used. The processor's comes with the
    /// build and is there always.
    /// </summary>
    public static OrtProvider Needs(string name)
    {
        string? problem = Tried.Value[name];
        Assert.False(problem is not null && name == "onnx-cpu", problem);
        Assert.SkipWhen(problem is not null, $"{name}: {problem}");
        return OrtProvider.Find(name);
    }
}
