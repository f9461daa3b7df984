using System.Runtime.InteropServices;

namespace Nano;

/// <summary>Finds and loads ONNX Runtime's native library; nothing here needs it until a device is asked for.</summary>
public static class OrtLibrary
{
    /// <summary>The environment variable that names the library, or the folder it lies in.</summary>
    public const string Variable = "NANO_ORT";

    private const string Hint = "'make ort' puts it into .tools (Linux), 'dotnet build -p:OnnxRuntime=Gpu' (or DirectML, Cpu) beside the program, "
        + "'npm pack onnxruntime-node@1.30.0' has it in bin/napi-v6; or set " + Variable + " to the file";

    private static readonly string[] FileNames = OperatingSystem.IsWindows() ? ["onnxruntime.dll"]
        : OperatingSystem.IsMacOS() ? ["libonnxruntime.dylib", "libonnxruntime.1.30.0.dylib"] : ["libonnxruntime.so.1", "libonnxruntime.so"];

    /// <summary>The system and processor as npm's package names them.</summary>
    private static string NpmFolder => Path.Combine(OperatingSystem.IsWindows() ? "win32" : OperatingSystem.IsMacOS() ? "darwin" : "linux", RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? "arm64" : "x64");

    /// <summary>Loads the library.</summary>
    /// <returns>Its handle, and where it was found.</returns>
    /// <exception cref="NanoException">It is nowhere, or cannot be loaded; the message says where it was looked for.</exception>
    public static (nint Handle, string Path) Load()
    {
        foreach (string path in Candidates())
        {
            if (!File.Exists(path))
                continue;
            try
            {
                return (NativeLibrary.Load(Path.GetFullPath(path)), path);
            }
            catch (Exception e) when (e is DllNotFoundException or BadImageFormatException)
            {
                throw new NanoException($"ONNX Runtime at '{path}' cannot be loaded: {e.Message}", Hint, e);
            }
        }
        if (Named is null && !OperatingSystem.IsWindows() && NativeLibrary.TryLoad("onnxruntime", out nint system)) // Windows has an old one of its own
            return (system, "the system's");
        string where = Named is null ? $"{string.Join(" and ", FileNames)} beside the program, in .tools and node_modules of '{Directory.GetCurrentDirectory()}' and of every folder above it, and in the system's libraries"
            : string.Join(" and ", Candidates());
        throw new NanoException($"ONNX Runtime is not here; looked for {where}", Hint);
    }

    /// <summary>The files that are looked for, in this order.</summary>
    internal static IEnumerable<string> Candidates()
    {
        if (Named is { } file && !Directory.Exists(file))
            return [file];
        return Folders().SelectMany(folder => FileNames.Select(name => Path.Combine(folder, name)));
    }

    /// <summary>The file or folder that the variable names, or null. What is named is meant: nothing else is tried.</summary>
    private static string? Named => Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } given ? given : null;

    private static IEnumerable<string> Folders()
    {
        if (Named is { } named)
        {
            yield return named;
            yield break;
        }
        yield return AppContext.BaseDirectory;
        yield return Path.Combine(AppContext.BaseDirectory, "runtimes", RuntimeInformation.RuntimeIdentifier, "native");
        for (var folder = new DirectoryInfo(Directory.GetCurrentDirectory()); folder is not null; folder = folder.Parent)
        {
            yield return Path.Combine(folder.FullName, ".tools");
            yield return Path.Combine(folder.FullName, "node_modules", "onnxruntime-node", "bin", "napi-v6", NpmFolder);
        }
    }
}
