using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>
/// Four numbers, one for each dimension: sizes, or strides in elements. The last is the innermost.
/// </summary>
internal readonly record struct Four(nint D0, nint D1, nint D2, nint D3)
{
    /// <summary>The sizes of a shape; dimensions that it lacks are 1, the outermost.</summary>
    public static Four SizesOf(Shape shape) => new(At(shape, 4), At(shape, 3), At(shape, 2), At(shape, 1));

    /// <summary>The strides of a tensor, whose innermost rows may lie apart.</summary>
    public static Four StridesOf(Tensor x) => StridesOf(SizesOf(x.Shape), x.Shape.Rank == 0 ? 1 : x.RowStride);

    /// <summary>The strides of these sizes without gaps but between innermost rows.</summary>
    public static Four StridesOf(Four sizes, nint rowStride) =>
        new(sizes.D1 * sizes.D2 * rowStride, sizes.D2 * rowStride, rowStride, 1);

    /// <summary>The strides of these sizes without gaps.</summary>
    public Four Strides => StridesOf(this, D3);

    public nint Length => D0 * D1 * D2 * D3;

    public nint this[int i] => i switch { 0 => D0, 1 => D1, 2 => D2, _ => D3 };

    /// <summary>A copy with another number in one dimension.</summary>
    public Four With(int i, nint value) => i switch
    {
        0 => this with { D0 = value },
        1 => this with { D1 = value },
        2 => this with { D2 = value },
        _ => this with { D3 = value },
    };

    /// <summary>
    /// The element at a place: the sum of index times stride over the outer three dimensions.
    /// </summary>
    public nint RowAt(nint row, Four sizes) =>
        (row / (sizes.D1 * sizes.D2) * D0) + (row / sizes.D2 % sizes.D1 * D1) + (row % sizes.D2 * D2);

    private static nint At(Shape shape, int fromEnd) => fromEnd > shape.Rank ? 1 : shape[-fromEnd];
}

/// <summary>
/// y[i] = factor * x[i], or +=, for every place i of four sizes, x and y each with strides of its
/// own: a transposed tensor, one that repeats (stride 0), a part of a larger one. No two places of
/// y are the same.
/// </summary>
internal readonly unsafe struct StridedCopy(Four sizes, float* x, Four from, float factor, GradientTarget y, Four to)
    : IKernel
{
    public static void Run(Compute compute, Four sizes, float* x, Four from, float factor, GradientTarget y, Four to) =>
        compute.For(sizes.D0 * sizes.D1 * sizes.D2, Compute.RowsPerChunk(sizes.D3), 0,
            new StridedCopy(sizes, x, from, factor, y, to));

    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        for (nint row = begin; row < end; row++)
        {
            float* source = x + from.RowAt(row, sizes);
            var target = y.At(to.RowAt(row, sizes));
            if (to.D3 == 1 && from.D3 == 1)
                new ElementwiseLoop<Scaled>(new(source, factor, target)).Run<S, V>(0, sizes.D3, scratch);
            else if (to.D3 == 1 && from.D3 == 0)
                new ElementwiseLoop<Repeated>(new(*source * factor, target)).Run<S, V>(0, sizes.D3, scratch);
            else
                for (nint i = 0; i < sizes.D3; i++)
                    target.Put<SimdScalar, float>(i * to.D3, source[i * from.D3] * factor);
        }
    }

    private readonly struct Repeated(float value, GradientTarget y) : IElementwise
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged => y.Put<S, V>(i, S.Splat(value));
    }
}

/// <summary>
/// y = factor * the sum of x over some of four dimensions, or +=. Each element of y is one sum in a
/// fixed order: along the innermost dimension as <see cref="RowReduce"/> has it, along the others
/// in the order of the index.
/// </summary>
/// <param name="sizes">The sizes of x, which has no gaps.</param>
/// <param name="kept">Those of y: 1 in the dimensions that are summed over.</param>
/// <param name="x">x.</param>
/// <param name="factor">A factor of every sum.</param>
/// <param name="y">y, without gaps.</param>
internal readonly unsafe struct SumOver(Four sizes, Four kept, float* x, double factor, GradientTarget y) : IKernel
{
    private const int Block = 256; // columns of y whose sums are found together

    public static void Run(Compute compute, Four sizes, Four kept, float* x, double factor, GradientTarget y)
    {
        nint blocks = (kept.D3 + Block - 1) / Block, terms = sizes.Length / Math.Max(1, kept.D0 * kept.D1 * kept.D2);
        compute.For(kept.D0 * kept.D1 * kept.D2 * blocks, Compute.RowsPerChunk(terms / Math.Max(1, blocks)), 0,
            new SumOver(sizes, kept, x, factor, y));
    }

    public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
    {
        nint blocks = (kept.D3 + Block - 1) / Block;
        // A dimension is either summed over or kept: the terms of one sum have sizes of their own.
        Four terms = new(Summed(0), Summed(1), Summed(2), 1), strides = sizes.Strides;
        nint count = terms.Length;
        float* sums = stackalloc float[Block];
        for (nint item = begin; item < end; item++)
        {
            nint row = item / blocks, column = item % blocks * Block;
            float* first = x + strides.RowAt(row, kept) + column;
            if (kept.D3 != sizes.D3)
            {
                double sum = 0;
                for (nint term = 0; term < count; term++)
                    sum += RowReduce.Sum<S, V, PlainTerm>(sizes.D3, new PlainTerm(first + strides.RowAt(term, terms)));
                y.Put<SimdScalar, float>(row, (float)(sum * factor));
                continue;
            }
            nint width = nint.Min(Block, kept.D3 - column);
            new Span<float>(sums, Block).Clear();
            for (nint term = 0; term < count; term++)
                new ElementwiseLoop<GradientTargetExtensions.Copy>(new(first + strides.RowAt(term, terms),
                    new GradientTarget(sums, true))).Run<S, V>(0, width, scratch);
            new ElementwiseLoop<Scaled>(new(sums, (float)factor, y.At((row * kept.D3) + column)))
                .Run<S, V>(0, width, scratch);
        }
    }

    private nint Summed(int i) => kept[i] == sizes[i] ? 1 : sizes[i];
}
