using System.Runtime.InteropServices;

namespace Nano.Tests;

/// <summary>What every op test needs: seeded inputs, contexts, and a comparison of bits.</summary>
internal static class TestTensors
{
    /// <summary>Normal numbers (Box and Muller) from a seeded generator of the framework.</summary>
    public static Tensor Normal(this Random random, params ReadOnlySpan<int> dims)
    {
        var tensor = new Tensor(new Shape(dims));
        foreach (ref float value in tensor.Data)
            value = (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble()))
                * Math.Cos(2 * Math.PI * random.NextDouble()));
        return tensor;
    }

    /// <summary>Normal numbers around 1, as norm weights are.</summary>
    public static Tensor AroundOne(this Random random, int columns)
    {
        var tensor = random.Normal(columns);
        foreach (ref float value in tensor.Data)
            value = 1 + (0.2f * value);
        return tensor;
    }

    /// <summary>Ids below a limit; every leaveOut-th is -100 (0: none).</summary>
    public static int[] Ids(this Random random, int count, int below, int leaveOut = 0)
    {
        var ids = new int[count];
        for (int i = 0; i < count; i++)
            ids[i] = leaveOut > 0 && i % leaveOut == 1 ? -100 : random.Next(below);
        return ids;
    }

    /// <summary>
    /// A context whose step memory is full of NaN, as it may be in any step but the first: what an
    /// op forgets to write shows.
    /// </summary>
    public static Compute Dirty(int threads, SimdWidth width)
    {
        var compute = new Compute(threads, width);
        compute.New(new Shape(1 << 20)).Data.Fill(float.NaN);
        compute.NextStep();
        return compute;
    }

    /// <summary>An independent copy in memory of its own, with no gradient.</summary>
    public static Tensor Copy(this Tensor tensor) => Tensor.From(tensor.Shape, tensor.Values());

    public static double[] Doubles(this Tensor tensor) => Array.ConvertAll(tensor.Values(), value => (double)value);

    /// <summary>The bits of the elements: equal arrays mean equal bits, NaN and the sign of zero included.</summary>
    public static int[] Bits(this Tensor tensor) => MemoryMarshal.Cast<float, int>(tensor.Values()).ToArray();

    /// <summary>A copy of the elements. A span alone does not keep a tensor from being collected.</summary>
    private static float[] Values(this Tensor tensor)
    {
        float[] values = tensor.Data.ToArray();
        GC.KeepAlive(tensor);
        return values;
    }

    /// <summary>Largest absolute difference; infinite where a number is not finite on one side only.</summary>
    public static double Error(ReadOnlySpan<float> actual, ReadOnlySpan<double> expected)
    {
        Assert.Equal(expected.Length, actual.Length);
        double error = 0;
        for (int i = 0; i < actual.Length; i++)
            if (!expected[i].Equals(actual[i]))
                error = double.IsFinite(actual[i]) ? Math.Max(error, Math.Abs(actual[i] - expected[i]))
                    : double.PositiveInfinity;
        return error;
    }

    public static TheoryData<SimdWidth> Widths => [.. SimdWidths.All];
}
