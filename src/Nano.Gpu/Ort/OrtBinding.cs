using Microsoft.ML.OnnxRuntime;

namespace Nano;

/// <summary>
/// A session's inputs and outputs, each given a tensor: prepared once, run often. Must be disposed before its session.
/// </summary>
public sealed class OrtBinding(OrtSession session) : IDisposable
{
    private readonly Dictionary<string, long> down = new(StringComparer.Ordinal); // bytes of each output that is copied
    private readonly OrtIoBinding binding = session.Opened.CreateIoBinding();

    /// <summary>
    /// Gives an input its tensor. A device copies one that lies on the host now: after its elements
    /// have changed this is needed again.
    /// </summary>
    /// <exception cref="OrtException">The graph has no such input.</exception>
    public void Input(string name, OrtTensor tensor)
    {
        try
        {
            binding.BindInput(name, tensor.Value);
        }
        catch (OnnxRuntimeException e)
        {
            throw new OrtException(e.Message, e);
        }
        if (tensor.IsCopied)
            session.Traffic.Up += tensor.Bytes;
    }

    /// <summary>Gives an output its tensor, a tensor of its exact shape.</summary>
    /// <exception cref="OrtException">The graph has no such output.</exception>
    public void Output(string name, OrtTensor tensor)
    {
        try
        {
            binding.BindOutput(name, tensor.Value);
        }
        catch (OnnxRuntimeException e)
        {
            throw new OrtException(e.Message, e);
        }
        down[name] = tensor.IsCopied ? tensor.Bytes : 0;
    }

    /// <summary>
    /// Runs the graph. Outputs on the host are there when it returns; a device may still be at work on those it keeps.
    /// </summary>
    /// <exception cref="OrtException">A type or shape does not fit, or the run failed.</exception>
    /// <exception cref="NanoException">The device has no memory for intermediate
    /// values.</exception>
    public void Run()
    {
        try
        {
            session.Opened.RunWithBinding(OrtSession.RunOptions, binding);
            binding.SynchronizeBoundOutputs(); // those on the host are there when this returns
        }
        catch (OnnxRuntimeException e)
        {
            var said = new OrtException(e.Message, e);
            if (!said.Message.Contains("allocate memory", StringComparison.Ordinal)
                && !said.Message.Contains("out of memory", StringComparison.OrdinalIgnoreCase))
                throw said;
            throw new NanoException(
                $"'{session.Provider.Name}' has no memory for the intermediate values of the graph: {said.Message}",
                "a smaller `batch` (with `accumulate` for as many rows) or `seq` takes less", said);
        }
        foreach (long bytes in down.Values)
            session.Traffic.Down += bytes;
    }

    /// <inheritdoc/>
    public void Dispose() => binding.Dispose();
}
