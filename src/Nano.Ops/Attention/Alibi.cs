namespace Nano;

/// <summary>Attention with linear biases (Press et al., "Train Short, Test Long", 2021).</summary>
public static class Alibi
{
    /// <summary>
    /// The slopes of H heads, 2^(-8 h / H) for h = 1 to H. If H is no power of two: those of the next
    /// lower power n, then the first, third, fifth ... of 2 n heads.
    /// </summary>
    /// <exception cref="ArgumentException">H is not positive.</exception>
    public static float[] Slopes(int heads)
    {
        if (heads < 1)
            throw new ArgumentException($"alibi: slopes are for at least 1 head, got {heads}");
        int power = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)heads + 1) / 2;
        var slopes = new float[heads];
        for (int i = 0; i < heads; i++)
            slopes[i] = (float)(i < power ? Math.Pow(2, -8.0 * (i + 1) / power)
                : Math.Pow(2, -4.0 * ((2 * (i - power)) + 1) / power));
        return slopes;
    }
}
