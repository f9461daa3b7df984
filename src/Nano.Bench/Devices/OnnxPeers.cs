namespace Nano;

/// <summary>
/// ONNX Runtime's providers as peers in the benchmarks. Kernels: they run the graph that
/// <see cref="RecordedCase"/> makes of a case, on operands that lie on the device already, and what
/// it takes to bring operands up and results down is timed apart. Training steps and texts: as
/// <c>--device</c> makes them, transfers included. Threads are as many as Nano's.
/// </summary>
public sealed class OnnxPeers : IDisposable
{
    /// <summary>The largest cases for a software device: one second of work, or three.</summary>
    private const double SoftwareFlops = 2.6e8, SoftwareBytes = 3.1e8, SoftwareModelFlops = 5e9;

    private readonly Compute compute;
    private readonly OrtProvider[] providers;
    private readonly Dictionary<OrtProvider, OrtDevice> devices = [];
    private readonly Dictionary<OrtProvider, OrtTensor> marks = []; // for those with memory of their own
    private readonly List<(BenchCase Of, string Reason)> leftOut = [];

    /// <summary>Opens devices.</summary>
    /// <param name="compute">The context in which Nano's code runs while a case is
    /// recorded.</param>
    /// <param name="providers">The providers.</param>
    /// <exception cref="NanoException">One of them cannot be used here.</exception>
    public OnnxPeers(Compute compute, IEnumerable<OrtProvider> providers)
    {
        (this.compute, this.providers) = (compute, [.. providers]);
        try
        {
            foreach (var provider in this.providers)
            {
                devices[provider] = new OrtDevice(provider, compute.Threads);
                if (provider.MemoryName is not null)
                    marks[provider] = OrtTensor.OfFloats(1);
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>A line for each reason why a provider was not asked for a case or cannot run it.</summary>
    public IReadOnlyList<string> LeftOut =>
        [.. leftOut.GroupBy(one => one.Reason, one => one.Of)
            .Select(cases => $"{cases.Key}: "
            + $"{(cases.Count() > 3 ? $"{cases.Count()} cases" : string.Join("; ", cases))}")];

    /// <summary>A line about each provider.</summary>
    public IEnumerable<string> Descriptions => providers.Select(provider =>
        $"{NameOf(provider)}: ONNX Runtime {OrtLibrary.Version}, {provider.LibraryName}"
        + (provider == OrtProvider.Cpu
            ? $", {compute.Threads} thread{(compute.Threads == 1 ? "" : "s")} that do not spin"
            : VulkanDevice.Described(provider)));

    /// <summary>The name of a provider in figures.</summary>
    private static string NameOf(OrtProvider provider) =>
        VulkanDevice.IsSoftware(provider) ? provider.Name + " (software)" : provider.Name;

    /// <summary>The peers of a case: those providers that can run it.</summary>
    public IEnumerable<BenchPeer> Of(BenchCase of, BenchWork work)
    {
        OrtProvider[] asked = [.. providers.Where(provider => IsWorthIt(of, provider))];
        if (asked.Length == 0)
            yield break;
        bool isModel = IsModel(of);
        var turns = isModel ? [] : Turns(of, work);
        foreach (var provider in isModel || turns.Count > 0 ? asked : [])
            if (Try(of, provider, isModel ? () => Model(of, work, provider)
                : () => Kernel(work, provider, turns)) is { } peer)
                yield return peer;
    }

    private IReadOnlyList<OnnxCase> Turns(BenchCase of, BenchWork work)
    {
        try
        {
            return work.AdamW is { } start ? [OnnxCase.Of(start, work, compute)] : RecordedCase.Of(of, work, compute);
        }
        catch (NotSupportedException e)
        {
            leftOut.Add((of, e.Message));
            return [];
        }
    }

    private static bool IsModel(BenchCase of) => of.Training is not null || of.Decoding is not null;

    private bool IsWorthIt(BenchCase of, OrtProvider provider)
    {
        bool small = !VulkanDevice.IsSoftware(provider)
            || (of.Bytes <= SoftwareBytes && of.Flops <= (IsModel(of) ? SoftwareModelFlops : SoftwareFlops));
        if (!small)
            leftOut.Add((of, $"too large for {NameOf(provider)}"));
        return small;
    }

    /// <summary>A peer, or null and a line if the device cannot run the case.</summary>
    private BenchPeer? Try(BenchCase of, OrtProvider provider, Func<BenchPeer> make)
    {
        BenchPeer? peer = null;
        try
        {
            peer = make();
            peer.Prepare?.Invoke();
            peer.Run();
            return peer;
        }
        catch (NanoException e)
        {
            peer?.Dispose();
            leftOut.Add((of, $"{NameOf(provider)}: {e.Message}"));
            return null;
        }
    }

    private BenchPeer Kernel(BenchWork work, OrtProvider provider, IReadOnlyList<OnnxCase> turns)
    {
        var device = devices[provider];
        var all = new Resources();
        try
        {
            OnnxRun[] runs = [.. turns.Select(turn => all.Add(new OnnxRun(device, turn.Whole(), turn)))];
            var besides = turns[0].Besides is { } graph ? all.Add(new OnnxRun(device, graph(), turns[0])) : null;
            int next = 0;
            return new BenchPeer(NameOf(provider), () => runs[next = (next + 1) % runs.Length].Run(),
                () => runs[next].Outputs())
            {
                Tolerance = work.PeerTolerance,
                Besides = besides is null ? null : besides.Run,
                Finish = Finish(provider),
                Transfer = provider.MemoryName is null ? null : runs[0].Transfer,
                TransferBytes = runs[0].TransferBytes,
                Release = all.Dispose,
            };
        }
        catch
        {
            all.Dispose();
            throw;
        }
    }

    /// <summary>The case's own work with another training step or decoder in it.</summary>
    private BenchPeer Model(BenchCase of, BenchWork work, OrtProvider provider)
    {
        var device = devices[provider];
        var theirs = of.Training is not null ? of.Training((setup, c) => Step(setup, c, device))
            : of.Decoding!((model, _) => new OnnxDecoder(model, device));
        try
        {
            if (of.Training is not null)
                theirs.Twin!(compute);
            return new BenchPeer(NameOf(provider), () => theirs.Run(compute),
                () => [.. theirs.Outputs().Zip(work.Outputs(),
                (their, our) => new PeerOutput(our.Name, their.Values.Data.ToArray(), our.Values.Data.ToArray()))])
            {
                Prepare = theirs.Prepare is null ? null : () => theirs.Prepare(compute),
                Finish = Finish(provider),
                Release = theirs.Dispose,
            };
        }
        catch
        {
            theirs.Dispose();
            throw;
        }
    }

    private static OnnxTrainStep Step(TrainStepSetup setup, Compute compute, OrtDevice device)
    {
        var step = new OnnxTrainStep(setup.Model, compute, setup.Loader, setup.Options, device);
        step.FromHost();
        return step;
    }

    /// <summary>
    /// Waits for a device that only takes orders: a copy comes back when everything before it is
    /// done.
    /// </summary>
    private Action? Finish(OrtProvider provider) =>
        marks.TryGetValue(provider, out var mark) ? () => devices[provider].Copy(mark, mark) : null;

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var mark in marks.Values)
            mark.Dispose();
        foreach (var device in devices.Values)
            device.Dispose();
    }
}
