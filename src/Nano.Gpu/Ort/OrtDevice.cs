using System.Numerics;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Nano;

/// <summary>
/// A device that has been opened: makes sessions and tensors in its memory, and copies between that
/// and the host's. All tensors of one device fit all its sessions. Everything made here must be
/// disposed before it.
/// </summary>
public sealed class OrtDevice : IDisposable
{
    private readonly Dictionary<OnnxType, OrtSession> copies = [];
    private readonly Dictionary<long, Stack<Tensor>> free = []; // of the host, by floats
    private readonly int threads;
    private readonly OrtAllocator? allocator; // null where memory is the host's

    /// <summary>Opens a device.</summary>
    /// <param name="provider">The provider.</param>
    /// <param name="threads">Threads, where it is the processor; 0 for all.</param>
    /// <exception cref="NanoException">No library, or a provider that cannot be used here.</exception>
    public OrtDevice(OrtProvider provider, int threads = 0)
    {
        (Provider, this.threads) = (provider, threads);
        if (provider.MemoryName is null)
            return;
        try
        {
            using var memory = new OrtMemoryInfo(
                provider.MemoryName, OrtAllocatorType.DeviceAllocator, 0, OrtMemType.Default);
            allocator = new OrtAllocator(CopySession(OnnxType.Float32).Opened, memory);
        }
        catch (OnnxRuntimeException e)
        {
            Dispose();
            throw new OrtException(e.Message, e);
        }
    }

    /// <summary>The provider of the device.</summary>
    public OrtProvider Provider { get; }

    /// <summary>The name and version of the runtime.</summary>
    public string Library { get; } = $"ONNX Runtime {OrtLibrary.Version}";

    /// <summary>Bytes of the tensors that are here now.</summary>
    public long ReservedBytes { get; private set; }

    /// <summary>
    /// Bytes that have gone from the host to the device and back, graph inputs and outputs
    /// included; counted alike where both share their memory.
    /// </summary>
    public OrtTraffic Traffic { get; } = new();

    /// <summary>Makes a graph ready.</summary>
    internal OrtSession Open(OnnxGraph graph) => new(graph.ToModel().Span, Provider, threads) { Traffic = Traffic };

    /// <summary>Makes a graph in a file ready.</summary>
    internal OrtSession Open(string path) => new(path, Provider, threads) { Traffic = Traffic };

    /// <summary>
    /// A tensor in the device's memory, or the host's where it has none of its own. What it holds
    /// at first is not known.
    /// </summary>
    /// <exception cref="NanoException">The device has no room.</exception>
    public OrtTensor New(OnnxType type, params ReadOnlySpan<long> shape)
    {
        long bytes = OrtTensor.SizeOf(type, shape);
        try
        {
            var host = allocator is null ? HostMemory(bytes) : null;
            var tensor = host is not null ? OrtTensor.OfDevice(type, shape, host, HandBack)
                : new OrtTensor(
                    OrtValue.CreateAllocatedTensorValue(allocator, (TensorElementType)type, shape.ToArray()),
                    type, shape, HandBack);
            ReservedBytes += bytes;
            return tensor;

            void HandBack()
            {
                ReservedBytes -= bytes;
                if (host is not null)
                    free[host.Length].Push(host);
            }
        }
        catch (Exception e) when (
            e is OrtException or OnnxRuntimeException or OutOfMemoryException or OverflowException)
        {
            string said = (e is OnnxRuntimeException ? new OrtException(e.Message, e) : e).Message;
            throw new NanoException(
                $"'{Provider.Name}' has no memory for {bytes:N0} more bytes, besides the {ReservedBytes:N0} of this "
                + $"run's tensors: {said}",
                "a smaller `batch`, `seq` or model takes less", e);
        }
    }

    /// <summary>
    /// Memory that has been handed back, or new. Sizes are powers of two, so that tensors which
    /// grow step by step find what others have left; of the rest of a new one the system finds no
    /// pages, for nobody touches it.
    /// </summary>
    private Tensor HostMemory(long bytes)
    {
        long floats = (long)BitOperations.RoundUpToPowerOf2(
            (ulong)Math.Max(1024, (bytes + sizeof(float) - 1) / sizeof(float)));
        if (!free.TryGetValue(floats, out var left))
            free[floats] = left = new();
        return left.TryPop(out var memory) ? memory : new Tensor(new Shape(checked((int)floats)));
    }

    /// <summary>Copies elements, from or to whichever memory.</summary>
    public void Copy(OrtTensor from, OrtTensor to)
    {
        using var binding = new OrtBinding(CopySession(from.Type));
        binding.Input("x", from);
        binding.Output("y", to);
        binding.Run();
    }

    /// <summary>One node that does nothing: what it is given in one memory it gives in the other.</summary>
    private OrtSession CopySession(OnnxType type)
    {
        if (copies.TryGetValue(type, out var known))
            return known;
        var graph = new OnnxGraph("copy");
        graph.InputOfAnyShape("x", type);
        graph.Node("Identity", ["x"], ["y"]);
        graph.OutputOfAnyShape("y", type);
        return copies[type] = Open(graph);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        allocator?.Dispose();
        foreach (var session in copies.Values)
            session.Dispose();
        copies.Clear();
    }
}

/// <summary>Bytes that have crossed between host and device.</summary>
public sealed class OrtTraffic
{
    /// <summary>To the device.</summary>
    public long Up { get; internal set; }

    /// <summary>From the device.</summary>
    public long Down { get; internal set; }
}
