namespace Nano;

/// <summary>
/// y_i = x_i / (1 - p) where element i is kept, else 0 (Srivastava et al., 2014, scaled at training
/// time). Whether it is kept is a pure function of (seed, stream, first + i), so backward draws the
/// same mask again and none is stored: dx_i = dy_i / (1 - p) where kept, else 0.
/// </summary>
internal readonly record struct DropoutOp(Tensor X, float Probability, ulong Seed, ulong Stream, long First,
    Tensor Y) : IOp
{
    public Tensor Output => Y;

    public bool WantsGradient => X.WantsGradient;

    public Work ForwardWork => Work.Of("dropout forward", X.Length, X, Y);

    public Work? BackwardWork => Work.Of("dropout backward", X.Length, Y, X);

    public unsafe void Backward(Compute compute) => compute.For(Groups(First, X.Length), 1 << 11, 0,
        new Mask(Y.Gradient.Pointer, (nint)X.Length, Probability, Seed, Stream, (nint)First, X.GradientFor(compute)));

    /// <summary>
    /// Number of groups of four of the mask that the elements [first, first + length) touch.
    /// </summary>
    internal static nint Groups(long first, long length) => (nint)(((first + length + 3) / 4) - (first / 4));

    /// <summary>
    /// One item is a group of four elements: a draw of the generator gives four words. x begins at
    /// element first of the mask.
    /// </summary>
    internal readonly unsafe struct Mask(float* x, nint length, float probability, ulong seed, ulong stream, nint first,
        GradientTarget y) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            float keep = 1 / (1 - probability);
            ulong threshold = (ulong)(probability * 4294967296.0);
            for (nint group = (first / 4) + begin; group < (first / 4) + end; group++)
            {
                var (a, b, c, d) = Philox.Draw(seed, stream, (ulong)group);
                nint i = (group * 4) - first;
                Put(i, a, threshold, keep);
                Put(i + 1, b, threshold, keep);
                Put(i + 2, c, threshold, keep);
                Put(i + 3, d, threshold, keep);
            }
        }

        private void Put(nint i, uint word, ulong threshold, float keep)
        {
            if ((nuint)i < (nuint)length)
                y.Put<SimdScalar, float>(i, word >= threshold ? x[i] * keep : 0);
        }
    }
}

/// <summary>Dropout as a method of <see cref="Compute"/>.</summary>
public static class DropoutExtensions
{
    /// <summary>
    /// Zeroes each element with the given probability and scales the others by 1 / (1 -
    /// probability).
    /// </summary>
    /// <param name="compute">The context to run in.</param>
    /// <param name="x">Any shape.</param>
    /// <param name="probability">In [0, 1); 0 returns x itself.</param>
    /// <param name="seed">The run's seed.</param>
    /// <param name="stream">The number of the mask: must differ for every step and every use in a
    /// model.</param>
    /// <param name="first">The element of the mask that x begins with: x may be a part of something
    /// larger and gets its part of the mask.</param>
    public static unsafe Tensor Dropout(this Compute compute, Tensor x, float probability, ulong seed, ulong stream,
        long first = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        if (!(probability is >= 0 and < 1))
            throw new ArgumentException($"dropout: the probability must be in [0, 1), got {probability}");
        if (probability == 0)
            return x;
        var y = compute.New(x.Shape);
        compute.For(DropoutOp.Groups(first, x.Length), 1 << 11, 0,
            new DropoutOp.Mask(x.Contiguous("dropout").Pointer, (nint)x.Length, probability, seed, stream, (nint)first,
                new(y.Pointer, false)));
        compute.Record(new DropoutOp(x, probability, seed, stream, first, y));
        return y;
    }
}
