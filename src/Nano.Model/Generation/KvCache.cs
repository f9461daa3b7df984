namespace Nano;

/// <summary>The keys and values of every position seen so far, per layer, for one sequence: a new token then costs one row, not all.</summary>
public sealed class KvCache : IDisposable
{
    private readonly Arena arena = new();
    private readonly (Tensor K, Tensor V)[] layers; // [capacity, channels] each

    public KvCache(int layerCount, int capacity, int channels)
    {
        Capacity = capacity;
        layers = new (Tensor, Tensor)[layerCount];
        for (int i = 0; i < layerCount; i++)
            layers[i] = (new Tensor(arena, new Shape(capacity, channels)), new Tensor(arena, new Shape(capacity, channels)));
    }

    /// <summary>Positions that fit.</summary>
    public int Capacity { get; }

    /// <summary>Positions held.</summary>
    public int Length { get; private set; }

    /// <summary>Copies the keys and values [1, T, channels] of new positions behind those held; returns all of them, [1, Length + T, channels].</summary>
    public (Tensor K, Tensor V) Extend(int layer, Tensor k, Tensor v)
    {
        int T = k.Shape[1], channels = k.Shape[2];
        if (k.Shape[0] != 1 || Length + T > Capacity)
            throw new ArgumentException($"a cache of {Capacity} positions for one sequence, {Length} in use, cannot take {k}");
        var (keys, values) = layers[layer];
        keys.SliceRows(Length, T).CopyFrom(k.Reshape(new Shape(T, channels)));
        values.SliceRows(Length, T).CopyFrom(v.Reshape(new Shape(T, channels)));
        var all = new Shape(1, Length + T, channels);
        return (keys.SliceRows(0, Length + T).Reshape(all), values.SliceRows(0, Length + T).Reshape(all));
    }

    /// <summary>Counts new positions once every layer has them.</summary>
    public void Advance(int positions) => Length += positions;

    /// <summary>Forgets everything.</summary>
    public void Clear() => Length = 0;

    public void Dispose() => arena.Dispose();
}
