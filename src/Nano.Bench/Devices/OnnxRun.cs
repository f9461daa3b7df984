namespace Nano;

/// <summary>A graph of a case, with its operands on a device.</summary>
internal sealed class OnnxRun : IDisposable
{
    private readonly OrtDevice device;
    private readonly Resources all = new();
    private readonly OrtSession session;
    private readonly OrtBinding binding;
    private readonly List<(OrtTensor Host, OrtTensor Device)> inputs = [];
    private readonly List<(OnnxResult Of, OrtTensor Host, OrtTensor Device)> outputs = [];

    /// <summary>Makes a graph ready and brings its operands up.</summary>
    /// <exception cref="NanoException">The device lacks an op, or has no room.</exception>
    public OnnxRun(OrtDevice device, OnnxGraph graph, OnnxCase of)
    {
        this.device = device;
        try
        {
            session = all.Add(device.Open(graph));
            binding = all.Add(new OrtBinding(session));
            foreach (var (name, values) in of.Inputs.Where(input => session.Inputs.Contains(input.Name)))
            {
                var host = all.Add(OrtTensor.Over(values));
                inputs.Add((host, all.Add(device.New(host.Type, host.Shape))));
                device.Copy(host, inputs[^1].Device);
                binding.Input(name, inputs[^1].Device);
            }
            foreach (var result in of.Outputs.Where(output => session.Outputs.Contains(output.Name)))
            {
                outputs.Add((result, all.Add(OrtTensor.OfFloats(result.Shape)),
                    all.Add(device.New(OnnxType.Float32, result.Shape))));
                binding.Output(result.Name, outputs[^1].Device);
            }
        }
        catch
        {
            all.Dispose();
            throw;
        }
    }

    /// <summary>Bytes of operands and results.</summary>
    public long TransferBytes => inputs.Sum(input => input.Host.Bytes) + outputs.Sum(output => output.Host.Bytes);

    public void Run() => binding.Run();

    /// <summary>All operands up, all results down.</summary>
    public void Transfer()
    {
        foreach (var (host, there) in inputs)
            device.Copy(host, there);
        foreach (var (_, host, there) in outputs)
            device.Copy(there, host);
    }

    /// <summary>The peer's outputs of the last run, each beside Nano's.</summary>
    public IReadOnlyList<PeerOutput> Outputs()
    {
        foreach (var (_, host, there) in outputs)
            device.Copy(there, host);
        return [.. outputs.Select(output => new PeerOutput(output.Of.Name, output.Host.Floats.ToArray(),
            output.Of.Own))];
    }

    public void Dispose() => all.Dispose();
}
