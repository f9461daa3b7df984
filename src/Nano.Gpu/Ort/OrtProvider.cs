namespace Nano;

/// <summary>A kind of device that ONNX Runtime may run a graph on.</summary>
/// <param name="Name">The name for users.</param>
/// <param name="LibraryName">The name in ONNX Runtime's list of compiled providers.</param>
/// <param name="Short">The name by which ONNX Runtime creates it.</param>
/// <param name="Needs">The requirements besides the library.</param>
/// <param name="MemoryName">The name of its memory in ONNX Runtime; null if tensors lie in the
/// host's.</param>
public sealed record OrtProvider(string Name, string LibraryName, string Short, string Needs, string? MemoryName = null)
{
    /// <summary>The processor.</summary>
    public static OrtProvider Cpu { get; } = new("onnx-cpu", "CPUExecutionProvider", "CPU", "nothing more");

    /// <summary>All that Nano knows. Tried so far: onnx-cpu, and webgpu on Vulkan in software.</summary>
    public static IReadOnlyList<OrtProvider> All { get; } =
    [
        Cpu,
        new("webgpu", "WebGpuExecutionProvider", "WebGPU", "it needs the library of npm's onnxruntime-node in NANO_ORT "
            + "('make ort': Linux, x64) and a driver for Vulkan (Windows: Direct3D 12; macOS: Metal); one in software "
            + "comes with 'make lavapipe' (Linux, x64)", "WebGPU_Buf"),
        new("cuda", "CUDAExecutionProvider", "CUDA",
            "it needs a build with -p:OnnxRuntime=Gpu (Linux or Windows, x64), CUDA 13 and cuDNN 9", "Cuda"),
        new("directml", "DmlExecutionProvider", "DML",
            "it needs Windows and the library of npm's onnxruntime-node in NANO_ORT, with DirectML.dll beside it"),
        new("coreml", "CoreMLExecutionProvider", "CoreML", "it needs macOS"),
    ];

    /// <summary>" on " and the hardware behind it, where that is known; nothing elsewhere.</summary>
    public string Hardware => VulkanDevice.Described(this);

    /// <summary>The provider of a name.</summary>
    /// <exception cref="NanoException">There is none.</exception>
    public static OrtProvider Find(string name) => All.FirstOrDefault(provider => provider.Name == name)
        ?? throw new NanoException($"there is no device {Quoted.Of(name)}",
            NearestMatch.Hint(name, ["cpu", .. All.Select(provider => provider.Name)], "devices"));

    /// <summary>
    /// The providers of a list of names, separated by commas; "cpu" means Nano's own kernels and
    /// needs none.
    /// </summary>
    /// <exception cref="NanoException">There is none of a name.</exception>
    public static IReadOnlyList<OrtProvider> Named(string names) =>
        [.. names.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Distinct()
            .Where(name => name != "cpu").Select(Find)];
}
