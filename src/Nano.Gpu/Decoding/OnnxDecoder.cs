namespace Nano;

/// <summary>
/// A model on a device: weights, keys and values stay there; ids go up, and the logits of the last
/// position come down. Each row has tensors of its own, in which nothing changes once they are
/// made: a step makes longer ones, and rows that have said the same share theirs.
/// </summary>
public sealed class OnnxDecoder : IDecoder
{
    /// <summary>
    /// Weights of more bytes pass through files that the library maps: they are then in memory
    /// once, not four times.
    /// </summary>
    private const long LargestMessage = 64 << 20;

    private readonly OrtDevice device;
    private readonly OrtSession session;
    private readonly OrtBinding binding;
    private readonly OnnxTemporaryFiles? files;
    private readonly Past empty;
    private readonly OrtTensor scores; // [1, 1, V]
    private Past[] rows = [];
    private Tensor? logits; // [rows, V]

    /// <summary>Keys and values of a text, [1, KV, S, D] each, and how many rows hold it.</summary>
    private sealed class Past(OrtTensor[] tensors, int length)
    {
        private int holders = 1;

        public OrtTensor[] Tensors => tensors;

        public int Length => length;

        public Past Hold()
        {
            holders++;
            return this;
        }

        public void Release()
        {
            if (--holders > 0)
                return;
            foreach (var tensor in tensors)
                tensor.Dispose();
        }
    }

    /// <summary>Brings a model to a device. The model itself is not needed any more.</summary>
    /// <param name="model">The model.</param>
    /// <param name="device">The device; to be disposed after this.</param>
    /// <exception cref="NanoException">The device cannot run it, or has no room.</exception>
    public OnnxDecoder(LanguageModel model, OrtDevice device) : this(model, device, LargestMessage)
    {
    }

    /// <param name="model">The model.</param>
    /// <param name="device">The device.</param>
    /// <param name="largest">Weights of more bytes pass through temporary files.</param>
    internal OnnxDecoder(LanguageModel model, OrtDevice device, long largest)
    {
        (Config, this.device) = (model.Config, device);
        var graph = OnnxExporter.Build(model, new() { Cache = true, LastLogits = true, Int32 = true });
        files = graph.WeightBytes > largest ? new(graph) : null;
        try
        {
            session = files is null ? device.Open(graph) : device.Open(files.Model);
        }
        catch
        {
            files?.Dispose();
            throw;
        }
        if (!OperatingSystem.IsWindows())
            files?.Dispose(); // what is mapped needs no name
        binding = new OrtBinding(session);
        scores = OrtTensor.OfFloats(1, 1, Config.VocabSize);
        empty = New(0);
    }

    /// <inheritdoc/>
    public ModelConfig Config { get; }

    /// <summary>
    /// The folder of weights that are too large for a message; null if there is none.
    /// </summary>
    internal string? TemporaryFolder => Path.GetDirectoryName(files?.Model);

    /// <inheritdoc/>
    public void Reserve(int rows, int positions)
    {
        Clear();
        this.rows = [.. Enumerable.Range(0, rows).Select(_ => empty.Hold())];
    }

    /// <inheritdoc/>
    public int LengthOf(int row) => rows[row].Length;

    /// <inheritdoc/>
    public void Clear(int row) => Replace(row, empty.Hold());

    /// <inheritdoc/>
    public void CopyRow(int from, int to, int start) => Replace(to, rows[from].Hold());

    /// <inheritdoc/>
    public Tensor Next(ReadOnlySpan<int> rows, ReadOnlySpan<int> ids)
    {
        var shape = new Shape(rows.Length, Config.VocabSize);
        if (logits is null || logits.Shape != shape)
            logits = new Tensor(shape);
        int T = ids.Length / rows.Length;
        for (int b = 0; b < rows.Length; b++)
        {
            Replace(rows[b], Extended(this.rows[rows[b]], ids.Slice(b * T, T)));
            scores.Floats.CopyTo(logits.SliceRows(b, 1).Data);
        }
        return logits;
    }

    /// <summary>A text with more tokens behind it; the scores are those behind the last of them.</summary>
    private Past Extended(Past past, ReadOnlySpan<int> ids)
    {
        int T = ids.Length, length = past.Length + T;
        var next = New(length);
        using OrtTensor input = OrtTensor.OfInts(ids, 1, T), positions = OrtTensor.OnHost(OnnxType.Int32, 1, T),
            mask = OrtTensor.OnHost(OnnxType.Int32, 1, length);
        for (int t = 0; t < T; t++)
            positions.Ints[t] = past.Length + t;
        mask.Ints.Fill(1);
        try
        {
            binding.Input(OnnxRecording.Ids, input);
            binding.Input(OnnxRecording.PositionIds, positions);
            binding.Input(OnnxRecording.KeyMask, mask);
            binding.Output(OnnxExporter.Logits, scores);
            for (int i = 0; i < Config.Layers; i++)
                for (int kind = 0; kind < 2; kind++)
                {
                    binding.Input(OnnxCache.PastNames(i)[kind], past.Tensors[(2 * i) + kind]);
                    binding.Output(OnnxCache.PresentNames(i)[kind], next.Tensors[(2 * i) + kind]);
                }
            binding.Run();
            return next;
        }
        catch
        {
            next.Release();
            throw;
        }
    }

    /// <summary>Memory for this many positions.</summary>
    private Past New(int length)
    {
        var tensors = new OrtTensor[2 * Config.Layers];
        for (int i = 0; i < tensors.Length; i++)
            tensors[i] = device.New(OnnxType.Float32, 1, Config.KvHeads, length, Config.HeadDim);
        return new(tensors, length);
    }

    private void Replace(int row, Past past)
    {
        rows[row].Release();
        rows[row] = past;
    }

    private void Clear()
    {
        foreach (var row in rows)
            row.Release();
        rows = [];
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        binding.Dispose();
        Clear();
        empty.Release();
        scores.Dispose();
        session.Dispose();
        files?.Dispose();
    }
}
