namespace Nano;

/// <summary>A tensor for ONNX Runtime, in host memory of its own.</summary>
public sealed unsafe class OrtTensor : IDisposable
{
    private readonly OrtApi api = OrtApi.Default;
    private readonly Tensor memory;
    private readonly long[] shape;

    private OrtTensor(long floats, ReadOnlySpan<long> shape, OnnxType type, int size)
    {
        memory = new Tensor(new Shape(checked((int)floats)));
        this.shape = shape.ToArray();
        nint info = api.CreateCpuMemoryInfo();
        try
        {
            Value = api.CreateTensor(info, memory.Pointer, checked((nuint)(Elements * size)), shape, (int)type);
        }
        finally
        {
            api.ReleaseMemoryInfo(info);
        }
    }

    internal nint Value { get; private set; }

    private long Elements => shape.Aggregate(1L, (product, dimension) => checked(product * dimension));

    /// <summary>Floats, zeros at first.</summary>
    public static OrtTensor OfFloats(params ReadOnlySpan<long> shape) => new(Count(shape), shape, OnnxType.Float32, sizeof(float));

    /// <summary>64-bit integers.</summary>
    public static OrtTensor OfLongs(ReadOnlySpan<long> values, params ReadOnlySpan<long> shape)
    {
        var tensor = new OrtTensor(2 * Count(shape), shape, OnnxType.Int64, sizeof(long));
        values.CopyTo(new Span<long>(tensor.memory.Pointer, checked((int)tensor.Elements)));
        return tensor;
    }

    /// <summary>Floats.</summary>
    public static OrtTensor OfFloats(ReadOnlySpan<float> values, params ReadOnlySpan<long> shape)
    {
        var tensor = OfFloats(shape);
        values.CopyTo(tensor.memory.Data);
        return tensor;
    }

    /// <summary>32-bit integers.</summary>
    public static OrtTensor OfInts(ReadOnlySpan<int> values, params ReadOnlySpan<long> shape)
    {
        var tensor = new OrtTensor(Count(shape), shape, OnnxType.Int32, sizeof(int));
        values.CopyTo(new Span<int>(tensor.memory.Pointer, checked((int)tensor.Elements)));
        return tensor;
    }

    /// <summary>The elements of a float tensor.</summary>
    public ReadOnlySpan<float> Floats => memory.Data;

    private static long Count(ReadOnlySpan<long> shape)
    {
        long count = 1;
        foreach (long dimension in shape)
            count = checked(count * dimension);
        return count;
    }

    public void Dispose()
    {
        if (Value != 0)
            api.ReleaseValue(Value);
        Value = 0;
    }
}
