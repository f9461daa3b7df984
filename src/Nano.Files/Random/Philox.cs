namespace Nano;

/// <summary>
/// Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw ("Parallel random
/// numbers: as easy as 1, 2, 3", 2011): four random words as a pure function of a key and a
/// counter. There is no state to save, and any element can be drawn alone.
/// </summary>
public static class Philox
{
    /// <summary>
    /// Four 32-bit words for a 64-bit key and a 128-bit counter given as two halves.
    /// </summary>
    public static (uint A, uint B, uint C, uint D) Draw(ulong key, ulong high, ulong low)
    {
        uint k0 = (uint)key, k1 = (uint)(key >> 32);
        uint c0 = (uint)low, c1 = (uint)(low >> 32), c2 = (uint)high, c3 = (uint)(high >> 32);
        for (int round = 0; round < 10; round++)
        {
            ulong p0 = (ulong)c0 * 0xD2511F53, p1 = (ulong)c2 * 0xCD9E8D57;
            (c0, c1, c2, c3) = ((uint)(p1 >> 32) ^ c1 ^ k0, (uint)p1, (uint)(p0 >> 32) ^ c3 ^ k1, (uint)p0);
            k0 += 0x9E3779B9;
            k1 += 0xBB67AE85;
        }
        return (c0, c1, c2, c3);
    }

    /// <summary>A number in [0, 1) with 53 random bits.</summary>
    public static double Uniform(ulong key, ulong high, ulong low)
    {
        var (a, b, _, _) = Draw(key, high, low);
        return ((((ulong)a << 32) | b) >> 11) * (1.0 / (1UL << 53));
    }

    /// <summary>
    /// An integer in [0, below). The bias of the reduction is below 2^-32 for ranges up to 2^32.
    /// </summary>
    public static long Below(ulong key, ulong high, ulong low, long below)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(below, 1);
        var (a, b, _, _) = Draw(key, high, low);
        return (long)Math.BigMul(((ulong)a << 32) | b, (ulong)below, out _);
    }

    /// <summary>
    /// A key of its own for one purpose below a seed, so that no two purposes ever draw the same
    /// numbers.
    /// </summary>
    public static ulong Key(ulong seed, ulong purpose)
    {
        var (a, b, _, _) = Draw(seed, ulong.MaxValue, purpose);
        return ((ulong)a << 32) | b;
    }

    /// <summary>
    /// Fills with normal numbers (Box and Muller, 1958) of mean 0 and the given standard deviation;
    /// element i depends on i alone.
    /// </summary>
    public static void Normal(ulong key, ulong stream, double standardDeviation, Span<float> values)
    {
        for (int i = 0; i < values.Length; i += 2)
        {
            var (a, b, c, d) = Draw(key, stream, (ulong)(i / 2));
            double u = (((((ulong)a << 32) | b) >> 11) + 1) * (1.0 / (1UL << 53)); // (0, 1]
            double angle = ((((ulong)c << 32) | d) >> 11) * (2 * Math.PI / (1UL << 53));
            double radius = standardDeviation * Math.Sqrt(-2 * Math.Log(u));
            values[i] = (float)(radius * Math.Cos(angle));
            if (i + 1 < values.Length)
                values[i + 1] = (float)(radius * Math.Sin(angle));
        }
    }

    /// <summary>Fills with numbers in [-limit, limit); element i depends on i alone.</summary>
    public static void Uniform(ulong key, ulong stream, double limit, Span<float> values)
    {
        for (int i = 0; i < values.Length; i++)
            values[i] = (float)(limit * ((2 * Uniform(key, stream, (ulong)i)) - 1));
    }
}
