using Microsoft.ML.OnnxRuntime;

namespace Nano;

/// <summary>
/// A graph, made ready for one device. Nothing falls back to another device silently: a node that
/// the device lacks is an error.
/// </summary>
public sealed class OrtSession : IDisposable
{
    /// <summary>Opens a graph.</summary>
    /// <param name="model">The bytes of an .onnx file without external data.</param>
    /// <param name="provider">The provider to run on.</param>
    /// <param name="threads">Threads of the processor; 0 for all.</param>
    /// <exception cref="NanoException">No library, a provider that cannot be used here, or a graph
    /// that it cannot run, in its own words.</exception>
    public OrtSession(ReadOnlySpan<byte> model, OrtProvider provider, int threads = 0)
        : this(model.ToArray(), null, provider, threads)
    {
    }

    /// <summary>
    /// Opens a graph in a file that may have external data beside it; both must stay there as long
    /// as the session.
    /// </summary>
    /// <param name="path">The .onnx file.</param>
    /// <param name="provider">The provider to run on.</param>
    /// <param name="threads">Threads of the processor; 0 for all.</param>
    /// <exception cref="NanoException">As above.</exception>
    public OrtSession(string path, OrtProvider provider, int threads = 0) : this([], path, provider, threads)
    {
    }

    private OrtSession(byte[] model, string? path, OrtProvider provider, int threads)
    {
        Provider = provider;
        try
        {
            Opened = Open();
        }
        catch (OnnxRuntimeException e)
        {
            throw OrtMissing.Explain(new OrtException(e.Message, e), provider, () => Open(log: true).Dispose());
        }

        InferenceSession Open(bool log = false)
        {
            using var options = NewOptions(provider, threads);
            if (log)
                options.LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_VERBOSE;
            return path is null ? new InferenceSession(model, options) : new InferenceSession(path, options);
        }
    }

    /// <summary>The default options of all runs.</summary>
    internal static RunOptions RunOptions { get; } = new();

    /// <summary>The session as the managed API holds it.</summary>
    internal InferenceSession Opened { get; }

    /// <summary>The counters of traffic between host and device.</summary>
    internal OrtTraffic Traffic { get; init; } = new();

    /// <summary>The provider that runs the session.</summary>
    public OrtProvider Provider { get; }

    /// <summary>Names of the inputs.</summary>
    public IReadOnlyList<string> Inputs => Opened.InputNames;

    /// <summary>Names of the outputs.</summary>
    public IReadOnlyList<string> Outputs => Opened.OutputNames;

    /// <summary>Runs the graph.</summary>
    /// <param name="inputs">By name.</param>
    /// <param name="outputs">The tensors for the outputs, of their exact shapes.</param>
    /// <exception cref="OrtException">A name, type or shape does not fit, or the run failed.</exception>
    public void Run(IEnumerable<(string Name, OrtTensor Tensor)> inputs,
        IEnumerable<(string Name, OrtTensor Tensor)> outputs)
    {
        using var binding = new OrtBinding(this);
        foreach (var (name, tensor) in inputs)
            binding.Input(name, tensor);
        foreach (var (name, tensor) in outputs)
            binding.Output(name, tensor);
        binding.Run();
    }

    private static SessionOptions NewOptions(OrtProvider provider, int threads)
    {
        string[] compiledIn = OrtLibrary.Env.GetAvailableProviders();
        if (!compiledIn.Contains(provider.LibraryName))
        {
            var known = OrtProvider.All.Where(one => compiledIn.Contains(one.LibraryName)).Select(one => one.Name);
            throw new NanoException(
                $"ONNX Runtime {OrtLibrary.Version} {OrtLibrary.Place} was built without '{provider.Name}'",
                $"it has {string.Join(", ", known)}; for '{provider.Name}' {provider.Needs}");
        }
        var options = new SessionOptions { IntraOpNumThreads = threads };
        options.AddSessionConfigEntry("session.intra_op.allow_spinning", "0");
        if (provider == OrtProvider.Cpu)
            return options;
        try
        {
            options.AddSessionConfigEntry("session.disable_cpu_ep_fallback", "1");
            if (provider.Short == "WebGPU")
                // the ids of files for others; off unless asked for
                options.AddSessionConfigEntry("ep.webgpuexecutionprovider.enableInt64", "1");
            if (provider.Short == "CUDA")
                AppendCuda(options);
            else
                options.AppendExecutionProvider(provider.Short);
            return options;
        }
        catch (OnnxRuntimeException e)
        {
            options.Dispose();
            var said = new OrtException(e.Message, e);
            throw new NanoException($"'{provider.Name}' cannot be used here: {said.Message}",
                $"{provider.Needs}; 'nano info' says what can be used", said);
        }
    }

    /// <summary>CUDA, computing in float32 (not TF32).</summary>
    private static void AppendCuda(SessionOptions options)
    {
        using var cuda = new OrtCUDAProviderOptions();
        cuda.UpdateOptions(new() { ["use_tf32"] = "0" });
        options.AppendExecutionProvider_CUDA(cuda);
    }

    /// <inheritdoc/>
    public void Dispose() => Opened.Dispose();
}
