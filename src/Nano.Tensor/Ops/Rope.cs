using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>Which two elements of a head form a pair that is rotated together.</summary>
public enum RopePairing
{
    /// <summary>(i, i + D/2): Hugging Face checkpoints.</summary>
    RotateHalf,

    /// <summary>(2i, 2i + 1): the original paper, Meta's and llama2.c's checkpoints.</summary>
    Interleaved,
}

/// <summary>
/// Rotary position embedding (Su et al., 2021): pair i of a head at position p is turned by the angle a = p / theta^(2i/D):
/// y1 = x1 cos a - x2 sin a, y2 = x2 cos a + x1 sin a.
/// Backward: a rotation's transpose is the rotation back: dx1 = dy1 cos a + dy2 sin a, dx2 = dy2 cos a - dy1 sin a.
/// Angles and their cosines are computed in double precision: a float32 angle of some thousand radians is wrong in the third digit.
/// </summary>
internal sealed record RopeOp(Tensor X, RopeTable Table, RopePairing Pairing, Tensor Y) : Op(Y)
{
    internal override Work ForwardWork => Work.Of("rope forward", 3 * X.Length, X, Table.Cos, Table.Sin, Y);

    internal override Work? BackwardWork => Work.Of("rope backward", 3 * X.Length, Y, Table.Cos, Table.Sin, X);

    internal override unsafe void Backward(Compute compute) => Rotate(compute, Y.Gradient, Table, Pairing, -1, X.GradientFor(compute), X.RowStride);

    internal static unsafe void Rotate(Compute compute, Tensor x, RopeTable table, RopePairing pairing, float direction, GradientTarget y, nint yStride) =>
        compute.For((nint)x.Shape.Rows, Compute.RowsPerChunk(x.Shape.Columns), 0, new Rotation(x.Pointer, x.RowStride, x.Shape.Columns / table.HeadDim, table.HeadDim,
            x.Shape[-2], table.Cos.Pointer, table.Sin.Pointer, pairing, direction, y, yStride));

    private readonly unsafe struct Rotation(float* x, nint xStride, int heads, int headDim, int times, float* cos, float* sin, RopePairing pairing,
        float direction, GradientTarget y, nint yStride) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            int half = headDim / 2;
            for (nint row = begin; row < end; row++)
            {
                nint time = row % times;
                for (int head = 0; head < heads; head++)
                {
                    float* from = x + (row * xStride) + (head * headDim);
                    var to = y.At((row * yStride) + (head * headDim));
                    float* c = cos + (time * half), s = sin + (time * half);
                    if (pairing == RopePairing.Interleaved)
                        for (int i = 0; i < half; i++)
                            Turn<SimdScalar, float>(from, 2 * i, (2 * i) + 1, c[i], s[i] * direction, to);
                    else
                        new ElementwiseLoop<HalfPairs>(new HalfPairs(from, half, c, s, direction, to)).Run<S, V>(0, half, scratch);
                }
            }
        }
    }

    private readonly unsafe struct HalfPairs(float* x, int half, float* cos, float* sin, float direction, GradientTarget y) : IElementwise
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged =>
            Turn<S, V>(x, i, i + half, S.Load(cos + i), S.Multiply(S.Load(sin + i), S.Splat(direction)), y);
    }

    private static unsafe void Turn<S, V>(float* x, nint first, nint second, V cos, V sin, GradientTarget y) where S : ISimd<V> where V : unmanaged
    {
        V x1 = S.Load(x + first), x2 = S.Load(x + second);
        y.Put<S, V>(first, S.Subtract(S.Multiply(x1, cos), S.Multiply(x2, sin)));
        y.Put<S, V>(second, S.Fma(x2, cos, S.Multiply(x1, sin)));
    }
}

/// <summary>Cosines and sines of the angles at given positions: [T, D/2] each.</summary>
public sealed class RopeTable
{
    /// <summary>The table for these positions.</summary>
    /// <param name="inverseFrequencies">D/2 angular steps per position, from <see cref="InverseFrequencies"/>.</param>
    /// <param name="positions">One position per time step.</param>
    public RopeTable(ReadOnlySpan<double> inverseFrequencies, ReadOnlySpan<int> positions)
    {
        int half = inverseFrequencies.Length;
        (Cos, Sin, HeadDim) = (new Tensor(new Shape(positions.Length, half)), new Tensor(new Shape(positions.Length, half)), 2 * half);
        for (int t = 0; t < positions.Length; t++)
            for (int i = 0; i < half; i++)
            {
                var (sin, cos) = Math.SinCos(positions[t] * inverseFrequencies[i]);
                Cos.Data[(t * half) + i] = (float)cos;
                Sin.Data[(t * half) + i] = (float)sin;
            }
    }

    public Tensor Cos { get; }

    public Tensor Sin { get; }

    public int HeadDim { get; }

    /// <summary>theta^(-2i/D) for i below D/2: radians per position.</summary>
    public static double[] InverseFrequencies(int headDim, double theta)
    {
        if (headDim <= 0 || headDim % 2 != 0)
            throw new ArgumentException($"rope: the head dimension must be even, got {headDim}");
        var frequencies = new double[headDim / 2];
        for (int i = 0; i < frequencies.Length; i++)
            frequencies[i] = Math.Pow(theta, -2.0 * i / headDim);
        return frequencies;
    }

    /// <summary>
    /// Llama 3.1's stretching of the context (rope_type "llama3"): wavelengths beyond originalContext / lowFactor are slowed down by factor,
    /// those below originalContext / highFactor stay, and between the two the change is blended in.
    /// </summary>
    public static void ScaleLlama3(Span<double> frequencies, double factor, double lowFactor, double highFactor, int originalContext)
    {
        foreach (ref double frequency in frequencies)
        {
            double wavelength = 2 * Math.PI / frequency;
            double keep = Math.Clamp(((originalContext / wavelength) - lowFactor) / (highFactor - lowFactor), 0, 1);
            frequency = (keep * frequency) + ((1 - keep) * frequency / factor);
        }
    }
}

public static class RopeExtensions
{
    /// <summary>Turns each head of x [.., T, H * D] by the angles of its position.</summary>
    /// <exception cref="ArgumentException">x and the table do not fit.</exception>
    public static Tensor Rope(this Compute compute, Tensor x, RopeTable table, RopePairing pairing)
    {
        if (x.Shape.Rank < 2 || table.HeadDim == 0 || x.Shape.Columns % table.HeadDim != 0 || x.Shape[-2] != table.Cos.Shape[0])
            throw new ArgumentException($"rope: x {x} does not fit a table of {table.Cos.Shape[0]} positions and head dimension {table.HeadDim}; wanted [.., T, H * D]");
        var y = compute.New(x.Shape);
        unsafe
        {
            RopeOp.Rotate(compute, x, table, pairing, 1, new(y.Pointer, false), y.RowStride);
        }
        compute.Record(new RopeOp(x, table, pairing, y));
        return y;
    }
}
