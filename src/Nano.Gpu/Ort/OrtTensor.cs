using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Nano;

/// <summary>
/// A tensor for ONNX Runtime: in host memory, whose elements can be read and set, or in a device's,
/// see <see cref="OrtDevice.New"/>.
/// </summary>
public sealed unsafe class OrtTensor : IDisposable
{
    private readonly Tensor? memory; // of the host
    private readonly long[] shape;
    private OrtValue? value; // null once disposed

    private OrtTensor(OnnxType type, ReadOnlySpan<long> shape, Tensor? memory = null)
    {
        (Type, this.shape) = (type, shape.ToArray());
        this.memory = memory ??= new Tensor(new Shape(checked((int)((Bytes + sizeof(float) - 1) / sizeof(float)))));
        _ = OrtLibrary.Env;
        try
        {
            value = OrtValue.CreateTensorValueWithData(
                OrtMemoryInfo.DefaultInstance, (TensorElementType)type, this.shape,
                (nint)(memory.Type == DType.Int32 ? memory.IdPointer : (void*)memory.Pointer), Bytes);
        }
        catch (OnnxRuntimeException e)
        {
            throw new OrtException(e.Message, e);
        }
    }

    /// <summary>A tensor that an allocator has made.</summary>
    internal OrtTensor(OrtValue value, OnnxType type, ReadOnlySpan<long> shape, Action handBack) =>
        (this.value, Type, this.shape, IsCopied, HandBack) = (value, type, shape.ToArray(), false, handBack);

    /// <summary>The tensor as the managed API holds it.</summary>
    /// <exception cref="ObjectDisposedException">It has been disposed; the library would end the process.</exception>
    internal OrtValue Value => value ?? throw new ObjectDisposedException(nameof(OrtTensor));

    /// <summary>Type of its elements.</summary>
    public OnnxType Type { get; }

    /// <summary>Its dimensions.</summary>
    public ReadOnlySpan<long> Shape => shape;

    /// <summary>True if the memory is the host's.</summary>
    public bool IsOnHost => memory is not null;

    /// <summary>
    /// True if using the tensor in a graph requires a copy between host and device, or would if
    /// they did not share memory.
    /// </summary>
    internal bool IsCopied { get; init; } = true;

    private Action? HandBack { get; init; }

    /// <summary>Its size.</summary>
    public long Bytes => SizeOf(Type, shape);

    /// <summary>The elements of a float tensor on the host.</summary>
    public Span<float> Floats => Elements<float>(OnnxType.Float32);

    /// <summary>The elements of an int32 tensor on the host.</summary>
    public Span<int> Ints => Elements<int>(OnnxType.Int32);

    /// <summary>The elements of an int64 tensor on the host.</summary>
    public Span<long> Longs => Elements<long>(OnnxType.Int64);

    /// <summary>The elements of a float16 tensor on the host.</summary>
    public Span<Half> Halves => Elements<Half>(OnnxType.Float16);

    /// <summary>A tensor on the host, zeros at first.</summary>
    public static OrtTensor OnHost(OnnxType type, params ReadOnlySpan<long> shape) => new(type, shape);

    /// <summary>The memory of a device that shares the host's: at least as large, and handed back in the end.</summary>
    internal static OrtTensor OfDevice(OnnxType type, ReadOnlySpan<long> shape, Tensor memory, Action handBack) =>
        new(type, shape, memory) { IsCopied = false, HandBack = handBack };

    /// <summary>Floats on the host, zeros at first.</summary>
    public static OrtTensor OfFloats(params ReadOnlySpan<long> shape) => new(OnnxType.Float32, shape);

    /// <summary>64-bit integers on the host.</summary>
    public static OrtTensor OfLongs(ReadOnlySpan<long> values, params ReadOnlySpan<long> shape)
    {
        var tensor = new OrtTensor(OnnxType.Int64, shape);
        values.CopyTo(tensor.Longs);
        return tensor;
    }

    /// <summary>32-bit integers on the host.</summary>
    public static OrtTensor OfInts(ReadOnlySpan<int> values, params ReadOnlySpan<long> shape)
    {
        var tensor = new OrtTensor(OnnxType.Int32, shape);
        values.CopyTo(tensor.Ints);
        return tensor;
    }

    /// <summary>A tensor over the memory of a Nano tensor, of floats or int32.</summary>
    public static OrtTensor Over(Tensor tensor) => new(tensor.Type == DType.Int32 ? OnnxType.Int32 : OnnxType.Float32,
        tensor.Contiguous("onnx").Shape.ToArray(), tensor);

    /// <summary>Bytes of a tensor of this type and shape.</summary>
    internal static long SizeOf(OnnxType type, ReadOnlySpan<long> shape)
    {
        long bytes = type switch { OnnxType.Int64 => 8, OnnxType.Float16 => 2, OnnxType.Bool => 1, _ => 4 };
        foreach (long dimension in shape)
            bytes = checked(bytes * dimension);
        return bytes;
    }

    private Span<T> Elements<T>(OnnxType type) where T : unmanaged =>
        memory is not null && type == Type ? new Span<T>(memory.Pointer, checked((int)(Bytes / sizeof(T))))
            : throw new InvalidOperationException(
                $"these are {(memory is null ? "a device's " : "")}{Type} elements, not {type} on the host");

    /// <inheritdoc/>
    public void Dispose()
    {
        if (value is not null)
        {
            value.Dispose();
            HandBack?.Invoke();
        }
        value = null;
        GC.KeepAlive(memory);
    }
}
