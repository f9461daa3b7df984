namespace Nano;

/// <summary>
/// y_i = x_i / (1 - p) where element i is kept, else 0 (Srivastava et al., 2014, scaled at training time).
/// Whether it is kept is a pure function of (seed, stream, i), so backward draws the same mask again and none is stored:
/// dx_i = dy_i / (1 - p) where kept, else 0.
/// </summary>
internal sealed record DropoutOp(Tensor X, float Probability, ulong Seed, ulong Stream, Tensor Y) : Op(Y)
{
    internal override Work ForwardWork => Work.Of("dropout forward", X.Length, X, Y);

    internal override Work? BackwardWork => Work.Of("dropout backward", X.Length, Y, X);

    internal override unsafe void Backward(Compute compute) => compute.For(Groups(X.Length), 1 << 11, 0,
        new Mask(Y.Gradient.Pointer, (nint)X.Length, Probability, Seed, Stream, X.GradientFor(compute)));

    internal static nint Groups(long length) => (nint)((length + 3) / 4);

    /// <summary>One item is a group of four elements: a draw of the generator gives four words.</summary>
    internal readonly unsafe struct Mask(float* x, nint length, float probability, ulong seed, ulong stream, GradientTarget y) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            float keep = 1 / (1 - probability);
            ulong threshold = (ulong)(probability * 4294967296.0);
            for (nint group = begin; group < end; group++)
            {
                var (a, b, c, d) = Philox.Draw(seed, stream, (ulong)group);
                nint i = group * 4;
                Put(i, a, threshold, keep);
                Put(i + 1, b, threshold, keep);
                Put(i + 2, c, threshold, keep);
                Put(i + 3, d, threshold, keep);
            }
        }

        private void Put(nint i, uint word, ulong threshold, float keep)
        {
            if (i < length)
                y.Put<SimdScalar, float>(i, word >= threshold ? x[i] * keep : 0);
        }
    }
}

public static class DropoutExtensions
{
    /// <summary>Zeroes each element with the given probability and scales the others by 1 / (1 - probability).</summary>
    /// <param name="compute">Where to run.</param>
    /// <param name="x">Any shape.</param>
    /// <param name="probability">In [0, 1); 0 returns x itself.</param>
    /// <param name="seed">The run's seed.</param>
    /// <param name="stream">Which mask: must differ for every step and every use in a model.</param>
    public static unsafe Tensor Dropout(this Compute compute, Tensor x, float probability, ulong seed, ulong stream)
    {
        if (!(probability is >= 0 and < 1))
            throw new ArgumentException($"dropout: the probability must be in [0, 1), got {probability}");
        if (probability == 0)
            return x;
        var y = compute.New(x.Shape);
        compute.For(DropoutOp.Groups(x.Length), 1 << 11, 0,
            new DropoutOp.Mask(x.Contiguous("dropout").Pointer, (nint)x.Length, probability, seed, stream, new(y.Pointer, false)));
        compute.Record(new DropoutOp(x, probability, seed, stream, y));
        return y;
    }
}
