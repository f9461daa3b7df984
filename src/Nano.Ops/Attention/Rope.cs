using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>The pairing of the elements of a head for rotation.</summary>
public enum RopePairing
{
    /// <summary>(i, i + D/2): Hugging Face checkpoints.</summary>
    RotateHalf,

    /// <summary>(2i, 2i + 1): the original paper, Meta's and llama2.c's checkpoints.</summary>
    Interleaved,
}

/// <summary>
/// Rotary position embedding (Su et al., 2021): pair i of a head at position p is rotated by the
/// angle a = p / theta^(2i/D): y1 = x1 cos a - x2 sin a, y2 = x2 cos a + x1 sin a. Backward: a
/// rotation's transpose is the rotation back: dx1 = dy1 cos a + dy2 sin a, dx2 = dy2 cos a - dy1
/// sin a (also where a table's cosines and sines bear a factor). Angles and their cosines are
/// computed in double precision: a float32 angle of some thousand radians is wrong in the third
/// digit.
/// </summary>
internal readonly record struct RopeOp(Tensor X, RopeTable Table, RopePairing Pairing, Segments? Segments,
    RotatedChannels Channels, Tensor Y) : IOp
{
    public Tensor Output => Y;

    public bool WantsGradient => X.WantsGradient;

    public Work ForwardWork => Work.Of("rope forward", 3 * X.Length, X, Table.Cos, Table.Sin, Y);

    public Work? BackwardWork => Work.Of("rope backward", 3 * X.Length, Y, Table.Cos, Table.Sin, X);

    public unsafe void Backward(Compute compute) =>
        Rotate(compute, Y.Gradient, Table, Pairing, Segments, Channels, -1, X.GradientFor(compute), X.RowStride);

    internal static unsafe void Rotate(Compute compute, Tensor x, RopeTable table, RopePairing pairing,
        Segments? segments, RotatedChannels channels, float direction, GradientTarget y, nint yStride) =>
        compute.For((nint)x.Shape.Rows, Compute.RowsPerChunk(x.Shape.Columns), 0,
            new Rotation(x.Pointer, x.RowStride, x.Shape.Columns / channels.HeadDim, channels, table.HeadDim,
            x.Shape[-2], segments is null ? null : segments.Positions.IdPointer, table.Cos.Pointer, table.Sin.Pointer,
            pairing, direction, y, yStride));

    private readonly unsafe struct Rotation(float* x, nint xStride, int heads, RotatedChannels channels, int rotated,
        int times, int* positions, float* cos, float* sin, RopePairing pairing,
        float direction, GradientTarget y, nint yStride) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            int half = rotated / 2, behind = channels.First + rotated;
            for (nint row = begin; row < end; row++)
            {
                nint time = positions == null ? row % times : positions[row];
                for (int head = 0; head < heads; head++)
                {
                    float* from = x + (row * xStride) + (head * channels.HeadDim);
                    var to = y.At((row * yStride) + (head * channels.HeadDim));
                    Copy<S, V>(from, to, 0, channels.First, scratch);
                    Copy<S, V>(from, to, behind, channels.HeadDim, scratch);
                    from += channels.First;
                    to = to.At(channels.First);
                    float* c = cos + (time * half), s = sin + (time * half);
                    if (pairing == RopePairing.Interleaved)
                        for (int i = 0; i < half; i++)
                            RotatePair<SimdScalar, float>(from, 2 * i, (2 * i) + 1, c[i], s[i] * direction, to);
                    else
                        new ElementwiseLoop<HalfPairs>(new HalfPairs(from, half, c, s, direction, to))
                            .Run<S, V>(0, half, scratch);
                }
            }
        }
    }

    /// <summary>Hands on the channels that are not rotated.</summary>
    private static unsafe void Copy<S, V>(float* x, GradientTarget y, int begin, int end, Scratch scratch)
        where S : ISimd<V> where V : unmanaged
    {
        if (begin < end)
            new ElementwiseLoop<Unchanged>(new Unchanged(x, y)).Run<S, V>(begin, end, scratch);
    }

    private readonly unsafe struct Unchanged(float* x, GradientTarget y) : IElementwise
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged => y.Put<S, V>(i, S.Load(x + i));
    }

    private readonly unsafe struct HalfPairs(float* x, int half, float* cos, float* sin, float direction,
        GradientTarget y) : IElementwise
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged =>
            RotatePair<S, V>(x, i, i + half, S.Load(cos + i), S.Multiply(S.Load(sin + i), S.Splat(direction)), y);
    }

    private static unsafe void RotatePair<S, V>(float* x, nint first, nint second, V cos, V sin, GradientTarget y)
        where S : ISimd<V> where V : unmanaged
    {
        V x1 = S.Load(x + first), x2 = S.Load(x + second);
        y.Put<S, V>(first, S.Subtract(S.Multiply(x1, cos), S.Multiply(x2, sin)));
        y.Put<S, V>(second, S.Fma(x2, cos, S.Multiply(x1, sin)));
    }
}

/// <summary>The channels of each head that are rotated.</summary>
/// <param name="HeadDim">D, channels of a head.</param>
/// <param name="First">The first that is rotated; as many follow as a table has angles for.</param>
public readonly record struct RotatedChannels(int HeadDim, int First = 0);

/// <summary>Cosines and sines of the angles at some positions: [T, D/2] each.</summary>
public sealed class RopeTable
{
    /// <summary>The table for these positions.</summary>
    /// <param name="inverseFrequencies">D/2 angular steps per position, from <see cref="InverseFrequencies"/>.</param>
    /// <param name="positions">One position per time step.</param>
    public RopeTable(ReadOnlySpan<double> inverseFrequencies, ReadOnlySpan<int> positions)
        : this(2 * inverseFrequencies.Length, positions.Length, null)
    {
        for (int t = 0; t < positions.Length; t++)
            Fill(t, positions[t], inverseFrequencies, 1);
    }

    /// <summary>The table for the positions below count.</summary>
    public RopeTable(int headDim, double theta, RopeScaling? scaling, int count)
        : this(headDim, count, new Rule(headDim, theta, scaling))
    {
        var positions = new int[count];
        for (int t = 0; t < count; t++)
            positions[t] = t;
        Fill(positions, [count]);
    }

    private RopeTable(int headDim, int count, Rule? rule)
        : this(headDim, new Tensor(new Shape(count, headDim / 2)), new Tensor(new Shape(count, headDim / 2)), rule)
    {
    }

    private RopeTable(int headDim, Tensor cos, Tensor sin, Rule? rule) =>
        (HeadDim, Cos, Sin, this.rule) = (headDim, cos, sin, rule);

    /// <summary>
    /// The parameters from which the angles of any position are computed; read-only, so that tables
    /// of several threads share one.
    /// </summary>
    private sealed class Rule(int headDim, double theta, RopeScaling? scaling)
    {
        public readonly double Theta = theta;
        public readonly RopeScaling? Scaling = scaling;
        public readonly double[] Frequencies = FrequenciesAt(headDim, theta, scaling);
        public readonly double[]? Beyond = scaling?.FrequenciesBeyond(headDim, theta);

        public static double[] FrequenciesAt(int headDim, double theta, RopeScaling? scaling) =>
            scaling?.Frequencies(headDim, theta) ?? InverseFrequencies(headDim, theta);
    }

    private readonly Rule? rule;

    /// <summary>Cosines [T, D / 2].</summary>
    public Tensor Cos { get; }

    /// <summary>Sines [T, D / 2].</summary>
    public Tensor Sin { get; }

    /// <summary>D, channels per head.</summary>
    public int HeadDim { get; }

    /// <summary>The part for some of the positions, without a copy.</summary>
    public RopeTable Slice(int start, int count) =>
        new(HeadDim, Cos.SliceRows(start, count), Sin.SliceRows(start, count), rule);

    /// <summary>The table of the same angles for the positions below count.</summary>
    /// <exception cref="InvalidOperationException">This table was made of frequencies that say
    /// nothing of other positions.</exception>
    internal RopeTable Whole(int count) => rule is null
        ? throw OwnPositionsOnly() : new RopeTable(HeadDim, rule.Theta, rule.Scaling, count);

    /// <summary>True if the angles of a whole text of a length are other ones than those of a short text.</summary>
    internal bool IsBeyond(int length) => rule?.Scaling?.IsBeyond(length) ?? false;

    /// <summary>The table of the same angles for other positions, in any order, in the step's memory.</summary>
    /// <param name="compute">The context to run in.</param>
    /// <param name="positions">The positions, equally many of each text.</param>
    /// <param name="lengths">The whole length of each text; one number for all.</param>
    /// <exception cref="InvalidOperationException">This table was made of frequencies that say
    /// nothing of other positions.</exception>
    public RopeTable For(Compute compute, Tensor positions, params ReadOnlySpan<int> lengths)
    {
        var known = rule ?? throw OwnPositionsOnly();
        var shape = new Shape((int)positions.Length, HeadDim / 2);
        var table = new RopeTable(HeadDim, compute.New(shape), compute.New(shape), known);
        if (!compute.OnlyPlans)
            table.Fill(positions.Ids, lengths);
        return table;
    }

    private static InvalidOperationException OwnPositionsOnly() => new("rope: this table knows its own positions only");

    /// <summary>Row t gets the angles of positions[t].</summary>
    private void Fill(ReadOnlySpan<int> positions, ReadOnlySpan<int> lengths)
    {
        var (theta, scaling, frequencies) = (rule!.Theta, rule.Scaling, rule.Frequencies);
        double current = theta;
        for (int t = 0; t < positions.Length; t++)
        {
            double wanted = scaling?.ThetaAt(HeadDim, theta, positions[t]) ?? theta;
            if (wanted != current)
                frequencies = Rule.FrequenciesAt(HeadDim, current = wanted, scaling);
            bool isBeyond = rule.Beyond is not null
                && scaling!.IsBeyond(lengths[t / (positions.Length / lengths.Length)]);
            Fill(t, positions[t], isBeyond ? rule.Beyond : frequencies, scaling?.Magnitude ?? 1);
        }
    }

    private void Fill(int t, int position, ReadOnlySpan<double> frequencies, double magnitude)
    {
        var (cosines, sines) = (Cos.SliceRows(t, 1), Sin.SliceRows(t, 1));
        for (int i = 0; i < frequencies.Length; i++)
        {
            var (sin, cos) = Math.SinCos(position * frequencies[i]);
            cosines.Data[i] = (float)(magnitude * cos);
            sines.Data[i] = (float)(magnitude * sin);
        }
    }

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
}

/// <summary>Rotary positions as a method of <see cref="Compute"/>.</summary>
public static class RopeExtensions
{
    /// <summary>Rotates each head of x [.., T, H * D] by the angles of its position.</summary>
    /// <param name="compute">The context to run in.</param>
    /// <param name="x">The queries or keys, [.., T, H * D].</param>
    /// <param name="table">Angles of T positions, or with segments of at least as many as the longest has.</param>
    /// <param name="pairing">The pairing of the elements that are rotated together.</param>
    /// <param name="segments">The documents, at whose starts positions begin at 0; null if every T
    /// rows begin one.</param>
    /// <param name="channels">The channels of a head that are rotated, the others are handed on; null for all.</param>
    /// <exception cref="ArgumentException">x, the table and the segments do not fit.</exception>
    public static Tensor Rope(this Compute compute, Tensor x, RopeTable table, RopePairing pairing,
        Segments? segments = null, RotatedChannels? channels = null)
    {
        int held = table.Cos.Shape[0];
        var (D, first) = channels ?? new(table.HeadDim);
        if (x.Shape.Rank < 2 || D <= 0 || x.Shape.Columns % D != 0 || first < 0 || first > D - table.HeadDim
            || table.HeadDim == 0 || (segments is null && x.Shape[-2] != held))
            throw new ArgumentException(
                $"rope: x {x} does not fit a table of {held} positions and head dimension {table.HeadDim}, for "
                + $"channels {first} to {first + table.HeadDim} of heads of {D}; wanted [.., T, H * D]");
        if (segments is not null && (x.Shape.Rows != segments.Rows || segments.Longest > held))
            throw new ArgumentException(
                $"rope: {segments}, the longest of {segments.Longest}, do not fit x {x} and a table of {held} "
                + "positions");
        var y = compute.New(x.Shape);
        RotatedChannels rotated = new(D, first);
        unsafe
        {
            RopeOp.Rotate(compute, x, table, pairing, segments, rotated, 1, new(y.Pointer, false), y.RowStride);
        }
        compute.Record(new RopeOp(x, table, pairing, segments, rotated, y));
        return y;
    }
}
