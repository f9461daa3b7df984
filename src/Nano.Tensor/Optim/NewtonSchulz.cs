using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>P = b A + c A2 + a I, in place of A2, all [n, n].</summary>
internal readonly unsafe struct NewtonSchulzPolynomial(float* a, int n, float* a2) : IKernel
{
    // Jordan et al. chose these for the steepest rise of small singular values: five steps bring all of them
    // to between about 0.7 and 1.2, not to 1.
    private const float A = 3.4445f, B = -4.7750f, C = 2.0315f;

    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        new ElementwiseLoop<Combine>(new Combine(a, a2)).Run<S, V>(begin * n, end * n, scratch);
        for (nint row = begin; row < end; row++)
            a2[(row * n) + row] += A;
    }

    private readonly struct Combine(float* a, float* a2) : IElementwise
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged =>
            S.Store(a2 + i, S.Fma(S.Load(a2 + i), S.Splat(C), S.Multiply(S.Load(a + i), S.Splat(B))));
    }
}

/// <summary>Newton-Schulz iteration as a method of <see cref="Compute"/>.</summary>
public static class NewtonSchulzExtensions
{
    private const int Steps = 5;

    /// <summary>
    /// Replaces a matrix U S V^T by about U V^T: its singular values come near 1 (Jordan et al.,
    /// "Muon: An optimizer for hidden layers in neural networks", 2024). From X / |X|, five times X
    /// = (a I + b A + c A^2) X with A = X X^T, all in float32; where X has more rows than columns,
    /// the transposed equation. A matrix of zeros stays.
    /// </summary>
    /// <param name="compute">The context to run in.</param>
    /// <param name="x">[M, N], contiguous.</param>
    public static unsafe void Orthogonalize(this Compute compute, Tensor x)
    {
        if (x.Shape.Rank != 2)
            throw new ArgumentException($"orthogonalize: expected a matrix [rows, columns], got {x}");
        int m = x.Shape[0], n = x.Shape[1], s = Math.Min(m, n);
        float* to = x.Contiguous("orthogonalize").Pointer;
        double norm = Math.Sqrt(compute.SumOfSquares(x));
        Tensor square = compute.New(new Shape(s, s)), fourth = compute.New(new Shape(s, s)),
            other = compute.New(x.Shape);
        float* from = other.Pointer, a = square.Pointer, a2 = fourth.Pointer;
        compute.ForEach((nint)x.Length, new Scaled(to, (float)(1 / (norm + 1e-7)), new(from, false)));
        for (int step = 0; step < Steps; step++) // an odd number: the last result is in x
        {
            if (m <= n)
                // X X^T
                Gemm.Run(compute, m, m, n, new(from, n), new(from, 1, n), new(a, m));
            else
                // X^T X
                Gemm.Run(compute, n, n, m, new(from, 1, n), new(from, n), new(a, n));
            Gemm.Run(compute, s, s, s, new(a, s), new(a, s), new(a2, s));
            compute.For(s, Compute.RowsPerChunk(s), 0, new NewtonSchulzPolynomial(a, s, a2));
            if (m <= n)
                Gemm.Run(compute, m, n, m, new(a2, m), new(from, n), new(to, n));
            else
                Gemm.Run(compute, m, n, n, new(from, n), new(a2, n), new(to, n));
            float* last = from;
            from = to;
            to = last;
        }
        compute.Profiler?.Lap(new Work("newton-schulz", 2.0 * Steps * s * s * ((2.0 * Math.Max(m, n)) + s),
            2.0 * Steps * sizeof(float) * m * n));
        compute.Release(other);
        compute.Release(fourth);
        compute.Release(square);
        GC.KeepAlive(x);
    }
}
