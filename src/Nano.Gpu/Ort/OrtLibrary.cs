using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;

namespace Nano;

/// <summary>
/// Loads ONNX Runtime's native library: the one beside the program, which a package brings, or another one that the
/// environment names. Nothing here is needed until a device is asked for.
/// </summary>
public static class OrtLibrary
{
    /// <summary>The environment variable that names another library, or the folder it lies in.</summary>
    public const string Variable = "NANO_ORT";

    private const string Hint = "'dotnet build' puts it beside the program (with -p:OnnxRuntime=Gpu the one for CUDA); "
        + "or set " + Variable + " to another one, such as that of 'make ort' or of npm's onnxruntime-node";

    // The version that Microsoft.ML.OnnxRuntime.Managed asks of the C API. It does not look whether it gets it.
    private const uint ApiVersion = 30;

    private static readonly string FileName = OperatingSystem.IsWindows() ? "onnxruntime.dll"
        : OperatingSystem.IsMacOS() ? "libonnxruntime.dylib" : "libonnxruntime.so";

    private static readonly Lazy<OrtEnv> Opened = new(Open);

    /// <summary>The environment, one per process, of the library that is loaded first.</summary>
    /// <exception cref="NanoException">There is none, or it cannot be used.</exception>
    internal static OrtEnv Env => Opened.Value;

    /// <summary>The library's own version, such as 1.30.0.</summary>
    /// <exception cref="NanoException">There is none, or it cannot be used.</exception>
    public static string Version => Env.GetVersionString();

    /// <summary>The library's place, as part of a sentence.</summary>
    internal static string Place => Named is null ? "beside the program" : $"at '{Named}'";

    /// <summary>
    /// The file or folder that the variable names, or null. What is named is meant: nothing else is
    /// tried.
    /// </summary>
    private static string? Named => Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } given
        ? given : null;

    private static OrtEnv Open()
    {
        nint library = Load();
        Check(library);
        OrtEnv.DisableDllImportResolver = true; // it would look for a file of that name first
        NativeLibrary.SetDllImportResolver(typeof(OrtEnv).Assembly,
            (name, _, _) => name.Contains("onnxruntime", StringComparison.Ordinal) ? library : 0);
        var options = new EnvironmentCreationOptions
        {
            logId = "nano",
            logLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL, // errors come back as exceptions
            loggingFunction = OrtMissing.Listener,
        };
        return OrtEnv.CreateInstanceWithOptions(ref options);
    }

    private static nint Load()
    {
        string? path = Named is { } named && Directory.Exists(named)
            ? new[] { FileName, FileName + ".1" }.Select(name => Path.Combine(named, name)).FirstOrDefault(File.Exists)
                ?? throw new NanoException($"ONNX Runtime is not here; looked for {FileName} in '{named}'", Hint)
            : Named;
        if (path is not null && !File.Exists(path))
            throw new NanoException($"ONNX Runtime is not here; looked for {path}", Hint);
        try
        {
            // Windows has an old one of its own, which is never meant.
            return path is not null ? NativeLibrary.Load(Path.GetFullPath(path))
                : NativeLibrary.Load("onnxruntime", typeof(OrtEnv).Assembly, DllImportSearchPath.AssemblyDirectory);
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException)
        {
            throw new NanoException(path is null ? $"ONNX Runtime is not here: {e.Message}"
                : $"ONNX Runtime at '{path}' cannot be loaded: {e.Message}", Hint, e);
        }
    }

    /// <summary>Refuses a library that the managed API would call blindly.</summary>
    private static unsafe void Check(nint library)
    {
        if (!NativeLibrary.TryGetExport(library, "OrtGetApiBase", out nint entry))
            throw new NanoException($"the library {Place} is not ONNX Runtime: it has no OrtGetApiBase", Hint);
        var getters = ((delegate* unmanaged<void**>)entry)(); // GetApi, GetVersionString
        if (((delegate* unmanaged<uint, void*>)getters[0])(ApiVersion) is null)
        {
            string? version = Marshal.PtrToStringUTF8(((delegate* unmanaged<nint>)getters[1])());
            throw new NanoException($"ONNX Runtime {version} {Place} is too old: its C API has no version {ApiVersion}",
                $"1.{ApiVersion} and newer will do");
        }
    }
}
