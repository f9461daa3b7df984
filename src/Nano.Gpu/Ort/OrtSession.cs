namespace Nano;

/// <summary>A graph, made ready for one device. Nothing falls back to another device silently: a node that the device lacks is an error.</summary>
public sealed class OrtSession : IDisposable
{
    private static readonly Lazy<nint> Environment = new(() => OrtApi.Default.CreateEnv()); // one per process, as the library wants it

    private readonly OrtApi api = OrtApi.Default;
    private nint session;

    /// <summary>Opens a graph.</summary>
    /// <param name="model">The bytes of an .onnx file without external data.</param>
    /// <param name="provider">Where to run.</param>
    /// <param name="threads">Threads of the processor; 0 for all.</param>
    /// <exception cref="NanoException">No library, a provider that cannot be used here, or a graph that it cannot run, in its own words.</exception>
    public OrtSession(ReadOnlySpan<byte> model, OrtProvider provider, int threads = 0) : this(model, null, provider, threads)
    {
    }

    /// <summary>Opens a graph in a file that may have external data beside it; both must stay there as long as the session.</summary>
    /// <param name="path">The .onnx file.</param>
    /// <param name="provider">Where to run.</param>
    /// <param name="threads">Threads of the processor; 0 for all.</param>
    /// <exception cref="NanoException">As above.</exception>
    public OrtSession(string path, OrtProvider provider, int threads = 0) : this([], path, provider, threads)
    {
    }

    private OrtSession(ReadOnlySpan<byte> model, string? path, OrtProvider provider, int threads)
    {
        Provider = provider;
        nint env = Environment.Value, options = NewOptions(provider, threads); // in this order: providers log to the environment
        try
        {
            session = api.CreateSession(env, model, path, options);
        }
        catch (OrtException e)
        {
            throw OrtMissing.Explain(e, provider, env, model, path, () => NewOptions(provider, threads));
        }
        finally
        {
            api.ReleaseSessionOptions(options);
        }
        (Inputs, Outputs) = (api.Names(session, outputs: false), api.Names(session, outputs: true));
    }

    internal nint Handle => session;

    /// <summary>Where what crosses between host and device is counted.</summary>
    internal OrtTraffic Traffic { get; init; } = new();

    /// <summary>Where it runs.</summary>
    public OrtProvider Provider { get; }

    /// <summary>Names of the inputs.</summary>
    public IReadOnlyList<string> Inputs { get; }

    /// <summary>Names of the outputs.</summary>
    public IReadOnlyList<string> Outputs { get; }

    /// <summary>Runs the graph.</summary>
    /// <param name="inputs">By name.</param>
    /// <param name="outputs">Where each output goes, of its exact shape.</param>
    /// <exception cref="OrtException">A name, type or shape does not fit, or the run failed.</exception>
    public void Run(IEnumerable<(string Name, OrtTensor Tensor)> inputs, IEnumerable<(string Name, OrtTensor Tensor)> outputs)
    {
        using var binding = new OrtBinding(this);
        foreach (var (name, tensor) in inputs)
            binding.Input(name, tensor);
        foreach (var (name, tensor) in outputs)
            binding.Output(name, tensor);
        binding.Run();
    }

    private nint NewOptions(OrtProvider provider, int threads)
    {
        if (!api.AvailableProviders().Contains(provider.LibraryName))
            throw new NanoException($"ONNX Runtime {api.LibraryVersion} at '{api.Path}' was built without '{provider.Name}'",
                "it has " + string.Join(", ", OrtProvider.All.Where(known => api.AvailableProviders().Contains(known.LibraryName)).Select(known => known.Name)));
        nint options = api.CreateSessionOptions();
        try
        {
            api.SetIntraOpThreads(options, threads);
            api.AddSessionConfigEntry(options, "session.intra_op.allow_spinning", "0");
            if (provider == OrtProvider.Cpu)
                return options;
            api.AddSessionConfigEntry(options, "session.disable_cpu_ep_fallback", "1");
            if (provider.Short == "WebGPU")
                api.AddSessionConfigEntry(options, "ep.webgpuexecutionprovider.enableInt64", "1"); // the ids of files for others; off unless asked for
            if (provider.Short == "CUDA")
                api.AppendCuda(options);
            else
                api.AppendProvider(options, provider.Short);
            return options;
        }
        catch (OrtException e)
        {
            api.ReleaseSessionOptions(options);
            throw new NanoException($"'{provider.Name}' cannot be used here: {e.Message}", $"{provider.Needs}; 'nano info' says what can be used", e);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (session != 0)
            api.ReleaseSession(session);
        session = 0;
    }
}
