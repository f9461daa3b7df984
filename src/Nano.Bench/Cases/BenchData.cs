namespace Nano;

/// <summary>
/// Tensors for benchmarks: a pattern of normal numbers, repeated, since drawing a hundred megabytes
/// takes longer than measuring.
/// </summary>
internal static class BenchData
{
    private const int Period = 65_537; // a prime: no row of any shape repeats another

    public static Tensor Random(ulong seed, params ReadOnlySpan<int> shape)
    {
        var tensor = new Tensor(new Shape(shape));
        var data = tensor.Data;
        Philox.Normal(seed, 0, 1, data[..Math.Min(Period, data.Length)]);
        for (int at = Period; at < data.Length; at += Period)
            data[..Math.Min(Period, data.Length - at)].CopyTo(data[at..]);
        GC.KeepAlive(tensor);
        return tensor;
    }

    /// <summary>Ids below a limit.</summary>
    public static Tensor RandomIds(ulong seed, int below, params ReadOnlySpan<int> shape)
    {
        var tensor = new Tensor(new Shape(shape), DType.Int32);
        var ids = tensor.Ids;
        for (int i = 0; i < ids.Length; i++)
            ids[i] = (int)Philox.Below(seed, 0, (ulong)i, below);
        GC.KeepAlive(tensor);
        return tensor;
    }

    /// <summary>A copy in memory of its own.</summary>
    public static Tensor Copy(Tensor of)
    {
        var copy = new Tensor(of.Shape);
        copy.CopyFrom(of);
        return copy;
    }
}
