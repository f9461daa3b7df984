using System.Runtime.InteropServices;

namespace Nano.Tests;

/// <summary>Inputs and comparisons shared by the kernel tests.</summary>
internal static class KernelData
{
    public static readonly int[] ThreadCounts = [1, 2, 3, 7];

    /// <summary>
    /// Numbers of both signs and of sizes from 1/8 to 8, so that rounding differs when an order
    /// changes.
    /// </summary>
    public static float[] Random(int seed, int count)
    {
        var random = new Random(seed);
        var values = new float[count];
        for (int i = 0; i < count; i++)
            values[i] = (float)(((random.NextDouble() * 2) - 1) * Math.Pow(2, random.Next(-3, 4)));
        return values;
    }

    public static float[] Filled(int count, float value)
    {
        var values = new float[count];
        Array.Fill(values, value);
        return values;
    }

    public static int Bits(float value) => BitConverter.SingleToInt32Bits(value);

    /// <summary>Fails at the first element whose bits differ.</summary>
    public static void AssertSameBits(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, string what)
    {
        Assert.Equal(expected.Length, actual.Length);
        if (MemoryMarshal.Cast<float, int>(expected).SequenceEqual(MemoryMarshal.Cast<float, int>(actual)))
            return;
        for (int i = 0; i < expected.Length; i++)
            if (Bits(expected[i]) != Bits(actual[i]))
                Assert.Fail($"{what}: element {i} of {expected.Length} is {actual[i]:R} ({Bits(actual[i]):x8}), "
                    + $"expected {expected[i]:R} ({Bits(expected[i]):x8})");
    }

    /// <summary>One context for every width and thread count.</summary>
    public static List<Compute> EveryCompute() =>
        [.. from width in SimdWidths.All from threads in ThreadCounts select new Compute(threads, width)];

    public static string Describe(Compute compute) => $"{compute.Width}, {compute.Threads} threads";
}
