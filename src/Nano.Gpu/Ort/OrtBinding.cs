namespace Nano;

/// <summary>A session's inputs and outputs, each given a tensor: prepared once, run often. Must be disposed before its session.</summary>
public sealed class OrtBinding(OrtSession session) : IDisposable
{
    private readonly OrtApi api = OrtApi.Default;
    private readonly Dictionary<string, long> down = new(StringComparer.Ordinal); // bytes of each output that is copied
    private nint binding = OrtApi.Default.CreateBinding(session.Handle);

    /// <summary>Says where an input comes from. A device copies one that lies on the host now: after its elements have changed this is needed again.</summary>
    /// <exception cref="OrtException">The graph has no such input.</exception>
    public void Input(string name, OrtTensor tensor)
    {
        api.BindInput(binding, name, tensor.Value);
        if (tensor.IsCopied)
            session.Traffic.Up += tensor.Bytes;
    }

    /// <summary>Says where an output goes, a tensor of its exact shape.</summary>
    /// <exception cref="OrtException">The graph has no such output.</exception>
    public void Output(string name, OrtTensor tensor)
    {
        api.BindOutput(binding, name, tensor.Value);
        down[name] = tensor.IsCopied ? tensor.Bytes : 0;
    }

    /// <summary>Runs the graph. Outputs on the host are there when it returns; a device may still be at work on those it keeps.</summary>
    /// <exception cref="OrtException">A type or shape does not fit, or the run failed.</exception>
    /// <exception cref="NanoException">The device has no room for what is in between.</exception>
    public void Run()
    {
        try
        {
            api.Run(session.Handle, binding);
        }
        catch (OrtException e) when (e.Message.Contains("allocate memory", StringComparison.Ordinal) || e.Message.Contains("out of memory", StringComparison.OrdinalIgnoreCase))
        {
            throw new NanoException($"'{session.Provider.Name}' has no room for what the graph computes on the way: {e.Message}", "a smaller --batch (with --accumulate for as many rows) or --seq takes less", e);
        }
        session.Traffic.Down += down.Values.Sum();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (binding != 0)
            api.ReleaseBinding(binding);
        binding = 0;
    }
}
