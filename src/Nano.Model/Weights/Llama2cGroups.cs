using System.Runtime.InteropServices;

namespace Nano;

/// <summary>
/// int8 weights as llama2.c's export.py makes them: groups of a flat tensor, each with one scale,
/// the largest magnitude over 127.
/// </summary>
internal static class Llama2cGroups
{
    // A multiple of any group size that is a power of two up to 64.
    private const int ChunkElements = 1 << 16;

    /// <summary>Writes all numbers, then all scales.</summary>
    /// <param name="stream">The file.</param>
    /// <param name="tensor">Float32, a multiple of the group in length.</param>
    /// <param name="group">Elements that share a scale: a power of two up to 64.</param>
    public static void Write(Stream stream, ModelTensor tensor, int group)
    {
        var scales = new float[tensor.Shape.Length / group];
        var values = new float[Math.Min(ChunkElements, tensor.Shape.Length)];
        var numbers = new sbyte[values.Length];
        for (long done = 0; done < tensor.Shape.Length; done += ChunkElements)
        {
            int count = (int)Math.Min(ChunkElements, tensor.Shape.Length - done);
            tensor.Read(done, MemoryMarshal.AsBytes(values.AsSpan(0, count)));
            for (int start = 0; start < count; start += group)
                scales[(done + start) / group] = Quantise(values.AsSpan(start, group), numbers.AsSpan(start, group));
            stream.Write(MemoryMarshal.AsBytes(numbers.AsSpan(0, count)));
        }
        stream.Write(MemoryMarshal.AsBytes(scales.AsSpan()));
    }

    /// <summary>Rounds a group to nearest, ties to even; returns its scale.</summary>
    private static float Quantise(ReadOnlySpan<float> values, Span<sbyte> numbers)
    {
        float largest = 0;
        foreach (float value in values)
            largest = MathF.Max(largest, MathF.Abs(value)); // a NaN stays
        float scale = largest / 127f;
        if (!float.IsFinite(scale))
            throw new NanoException("a weight is not finite, which int8 cannot hold", "write version 0 or 1");
        for (int i = 0; i < values.Length; i++)
            numbers[i] = scale == 0 ? (sbyte)0 : (sbyte)MathF.Round(values[i] / scale);
        return scale;
    }
}
