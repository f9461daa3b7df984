using Nano.Tests;

namespace Nano.Cli.Tests;

/// <summary>What nano info says of devices that cannot be used.</summary>
public class DeviceInfoTests
{
    private static CliResult Info(params (string Name, string Value)[] environment) =>
        Cli.Run(["info", "--threads", "1", "--json"], null,
            environment.ToDictionary(variable => variable.Name, variable => variable.Value)).Succeeds();

    [Fact]
    public void A_library_that_is_none_is_named_and_the_rest_is_shown()
    {
        using var folder = new TempFolder();
        string library = folder.File("libonnxruntime.so.1");
        File.WriteAllText(library, "no library");
        var broken = Info((OrtLibrary.Variable, library));
        Assert.Contains($"ONNX Runtime at '{library}' cannot be loaded", broken.Error, StringComparison.Ordinal);
        Assert.Empty(broken.Json.GetProperty("devices").EnumerateArray());
        var missing = Info((OrtLibrary.Variable, folder.File("none.so")));
        Assert.Contains($"ONNX Runtime is not here; looked for {folder.File("none.so")}", missing.Error,
            StringComparison.Ordinal);
        Assert.Contains("make ort", missing.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_device_that_the_library_lacks_says_how_to_get_it()
    {
        var result = Info((OrtLibrary.Variable, ""));
        Assert.Equal("onnx-cpu", Assert.Single(result.Json.GetProperty("devices").EnumerateArray()).GetString());
        string? problem = result.Json.GetProperty("device_problems").GetProperty("webgpu").GetString();
        Assert.Contains("beside the program was built without 'webgpu'; it needs the "
            + "library of npm's onnxruntime-node", problem, StringComparison.Ordinal);
    }

    [Fact]
    public void A_device_without_its_driver_says_what_it_needs()
    {
        using var folder = new TempFolder();
        string driver = folder.File("none.json");
        var result = Info(("VK_ICD_FILENAMES", driver), ("VK_DRIVER_FILES", driver));
        Assert.Contains("onnx-cpu", result.Json.GetProperty("devices").EnumerateArray()
            .Select(device => device.GetString()));
        bool fails = result.Json.GetProperty("device_problems").TryGetProperty("webgpu", out var problem);
        Assert.SkipWhen(!fails || problem.GetString()!.Contains("built without", StringComparison.Ordinal),
            "this ONNX Runtime was built without webgpu, or does not use Vulkan");
        Assert.Contains("device       webgpu: does not work here: " + problem.GetString(), result.Error,
            StringComparison.Ordinal);
        Assert.StartsWith("ONNX Runtime: Failed to get a WebGPU adapter", problem.GetString(),
            StringComparison.Ordinal);
        Assert.EndsWith("'make lavapipe' (Linux, x64)", problem.GetString(), StringComparison.Ordinal);
    }
}
