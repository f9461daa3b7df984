namespace Nano;

/// <summary>
/// ONNX Runtime's providers as peers in the benchmarks: they run the graph that <see cref="RecordedCase"/> makes of a case, on operands that lie on the device already. What it
/// takes to bring operands up and results down is timed apart. Threads are as many as ours.
/// </summary>
/// <param name="compute">Where our own code runs when a case is recorded.</param>
/// <param name="providers">Whom to ask.</param>
public sealed class OnnxPeers(Compute compute, IReadOnlyList<OrtProvider> providers) : IDisposable
{
    /// <summary>What a graph on a software device is given at most: seconds of it.</summary>
    private const double SoftwareFlops = 2e9, SoftwareBytes = 4e8;

    private readonly Dictionary<OrtProvider, OrtDevice> devices = providers.ToDictionary(provider => provider, provider => new OrtDevice(provider, compute.Threads));
    private readonly OrtTensor mark = OrtTensor.OfFloats(1);
    private readonly List<string> leftOut = [];

    /// <summary>Cases that a provider was not asked for or cannot run, and why.</summary>
    public IReadOnlyList<string> LeftOut => leftOut;

    /// <summary>A line about each provider.</summary>
    public IEnumerable<string> Descriptions => providers.Select(provider => $"{NameOf(provider)}: ONNX Runtime {OrtApi.Default.LibraryVersion}, {provider.LibraryName}"
        + (provider == OrtProvider.Cpu ? $", {compute.Threads} thread{(compute.Threads == 1 ? "" : "s")}, spinning off" : VulkanDevice.Described(provider)));

    /// <summary>What the figures call a provider.</summary>
    public static string NameOf(OrtProvider provider) => VulkanDevice.IsSoftware(provider) ? provider.Name + " (software)" : provider.Name;

    /// <summary>The peers of a case: those providers that can run it.</summary>
    public IEnumerable<BenchPeer> Of(BenchCase of, BenchWork work)
    {
        if (of.Group is not ("gemm" or "attention" or "ops"))
            yield break;
        OrtProvider[] asked = [.. providers.Where(provider => IsWorthIt(of, provider))];
        if (asked.Length == 0)
            yield break;
        var turns = RecordedCase.Of(of, work, compute);
        foreach (var provider in turns.Count > 0 ? asked : [])
            if (Peer(of, work, provider, turns) is { } peer)
                yield return peer;
    }

    private bool IsWorthIt(BenchCase of, OrtProvider provider)
    {
        bool small = !VulkanDevice.IsSoftware(provider) || (of.Flops <= SoftwareFlops && of.Bytes <= SoftwareBytes);
        if (!small)
            leftOut.Add($"{of}: too large for {NameOf(provider)}");
        return small;
    }

    private BenchPeer? Peer(BenchCase of, BenchWork work, OrtProvider provider, IReadOnlyList<RecordedCase> turns)
    {
        OnnxRun[] runs = [];
        OnnxRun? besides = null;
        try
        {
            foreach (var turn in turns)
                runs = [.. runs, new OnnxRun(devices[provider], turn)];
            besides = turns[0].IsBackward ? new OnnxRun(devices[provider], turns[0], forwardOnly: true) : null;
            besides?.Run();
            runs[0].Run();
        }
        catch (NanoException e)
        {
            Release();
            leftOut.Add($"{of}: {NameOf(provider)} cannot: {e.Message}");
            return null;
        }
        int next = 0;
        return new BenchPeer(NameOf(provider), () => runs[next = (next + 1) % runs.Length].Run(), () => runs[next].Outputs())
        {
            Tolerance = work.PeerTolerance,
            Besides = besides is null ? null : besides.Run,
            Finish = provider.MemoryName is null ? null : () => devices[provider].Copy(mark, mark),
            Transfer = provider.MemoryName is null ? null : runs[0].Transfer,
            TransferBytes = runs[0].TransferBytes,
            Release = Release,
        };

        void Release()
        {
            besides?.Dispose();
            foreach (var run in runs)
                run.Dispose();
        }
    }

    public void Dispose()
    {
        mark.Dispose();
        foreach (var device in devices.Values)
            device.Dispose();
    }
}

/// <summary>A graph of a case with its operands on a device.</summary>
internal sealed class OnnxRun : IDisposable
{
    private readonly OrtDevice device;
    private readonly OrtSession session;
    private readonly OrtBinding binding;
    private readonly List<(OrtTensor Host, OrtTensor Device)> inputs = [];
    private readonly List<(string Name, OrtTensor Host, OrtTensor Device, float[] Ours)> outputs = [];

    public OnnxRun(OrtDevice device, RecordedCase of, bool forwardOnly = false)
    {
        this.device = device;
        session = device.Open(of.Graph(forwardOnly));
        binding = new OrtBinding(session);
        try
        {
            foreach (var (name, values) in of.Inputs.Where(input => session.Inputs.Contains(input.Name)))
                Bind(name, values);
            foreach (var (name, shape, ours) in of.Outputs.Where(output => session.Outputs.Contains(output.Name)))
            {
                outputs.Add((name, OrtTensor.OfFloats(shape), device.New(OnnxType.Float32, shape), ours));
                binding.Output(name, outputs[^1].Device);
            }
        }
        catch
        {
            Dispose();
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
        foreach (var (_, host, there, _) in outputs)
            device.Copy(there, host);
    }

    /// <summary>What the last run made, beside ours.</summary>
    public IReadOnlyList<PeerOutput> Outputs()
    {
        foreach (var (_, host, there, _) in outputs)
            device.Copy(there, host);
        return [.. outputs.Select(output => new PeerOutput(output.Name, output.Host.Floats.ToArray(), output.Ours))];
    }

    private void Bind(string name, Tensor values)
    {
        long[] shape = [.. Enumerable.Range(0, values.Shape.Rank).Select(i => (long)values.Shape[i])];
        var host = values.Type == DType.Int32 ? OrtTensor.OfInts(values.Ids, shape) : OrtTensor.OfFloats(shape);
        if (values.Type == DType.Float32)
            values.Data.CopyTo(host.Floats);
        inputs.Add((host, device.New(host.Type, shape)));
        device.Copy(host, inputs[^1].Device);
        binding.Input(name, inputs[^1].Device);
    }

    public void Dispose()
    {
        binding.Dispose();
        session.Dispose();
        foreach (var (host, there) in inputs)
        {
            host.Dispose();
            there.Dispose();
        }
        foreach (var (_, host, there, _) in outputs)
        {
            host.Dispose();
            there.Dispose();
        }
    }
}
