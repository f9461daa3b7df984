namespace Nano;

/// <summary>
/// The kernels of <see cref="GatherOp"/> and <see cref="ScatterAddOp"/>, each other's derivative. x
/// is seen as [outer, size, inner], y as [outer, number of ids, inner].
/// </summary>
internal readonly unsafe struct Picked(nint outer, nint size, nint inner, int* ids, nint count)
{
    private const int Block = 256; // elements of inner that are added together

    /// <summary>y[o, i, :] = x[o, ids[i], :], or +=.</summary>
    public void Gather(Compute compute, float* x, GradientTarget y) =>
        compute.For(outer * count, Compute.RowsPerChunk(inner), 0, new GatherKernel(this, x, y));

    /// <summary>
    /// x[o, ids[i], :] += y[o, i, :] in the order of i; x begins at zero if nothing is there yet.
    /// </summary>
    public void ScatterAdd(Compute compute, float* y, GradientTarget x)
    {
        nint blocks = (inner + Block - 1) / Block;
        compute.For(outer * blocks, Compute.RowsPerChunk(count * nint.Min(inner, Block)), 0,
            new ScatterKernel(this, y, x));
    }

    private readonly struct GatherKernel(Picked p, float* x, GradientTarget y) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (nint row = begin; row < end; row++)
                new ElementwiseLoop<GradientTargetExtensions.Copy>(
                    new(x + (((row / p.count * p.size) + p.ids[row % p.count]) * p.inner), y.At(row * p.inner)))
                    .Run<S, V>(0, p.inner, scratch);
        }

        private readonly Picked p = p;
    }

    private readonly struct ScatterKernel(Picked p, float* y, GradientTarget x) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            nint blocks = (p.inner + Block - 1) / Block;
            for (nint item = begin; item < end; item++)
            {
                nint o = item / blocks, column = item % blocks * Block, width = nint.Min(Block, p.inner - column);
                float* rows = x.Pointer + (o * p.size * p.inner) + column;
                if (!x.Accumulate)
                    for (nint i = 0; i < p.size; i++)
                        new Span<float>(rows + (i * p.inner), (int)width).Clear();
                for (nint i = 0; i < p.count; i++)
                    new ElementwiseLoop<GradientTargetExtensions.Copy>(
                        new(y + (((o * p.count) + i) * p.inner) + column,
                            new GradientTarget(rows + (p.ids[i] * p.inner), true))).Run<S, V>(0, width, scratch);
            }
        }

        private readonly Picked p = p;
    }

    private readonly nint outer = outer, size = size, inner = inner, count = count;
    private readonly int* ids = ids;
}

/// <summary>
/// y[.., i, ..] = x[.., ids[i], ..]: entries of a dimension, by number. Backward: dx[.., v, ..] is
/// the sum of dy[.., i, ..] over all i with ids[i] = v, in the order of i.
/// </summary>
internal readonly record struct GatherOp(Tensor X, Tensor Ids, int Axis, Tensor Y) : IOp
{
    public Tensor Output => Y;

    public bool WantsGradient => X.WantsGradient;

    public Work ForwardWork => Work.Of("gather forward", 0, Ids, Y, Y);

    public Work? BackwardWork => Work.Of("gather backward", Y.Length, Ids, Y, X);

    internal unsafe void Forward(Compute compute) => Entries.Gather(compute, X.Pointer, new(Y.Pointer, false));

    public unsafe void Backward(Compute compute) =>
        Entries.ScatterAdd(compute, Y.Gradient.Pointer, X.GradientFor(compute));

    private unsafe Picked Entries
    {
        get
        {
            var (outer, size, inner) = Axes.Around(X.Shape, Axis);
            return new(outer, size, inner, Ids.IdPointer, (nint)Ids.Length);
        }
    }
}

/// <summary>
/// y[.., v, ..] = the sum of x[.., i, ..] over all i with ids[i] = v, in the order of i: zero where
/// no id points. Backward: dx[.., i, ..] = dy[.., ids[i], ..].
/// </summary>
internal readonly record struct ScatterAddOp(Tensor X, Tensor Ids, int Axis, Tensor Y) : IOp
{
    public Tensor Output => Y;

    public bool WantsGradient => X.WantsGradient;

    public Work ForwardWork => Work.Of("scatter-add forward", X.Length, Ids, X, Y);

    public Work? BackwardWork => Work.Of("scatter-add backward", 0, Ids, Y, X);

    internal unsafe void Forward(Compute compute) => Entries.ScatterAdd(compute, X.Pointer, new(Y.Pointer, false));

    public unsafe void Backward(Compute compute) =>
        Entries.Gather(compute, Y.Gradient.Pointer, X.GradientFor(compute));

    private unsafe Picked Entries
    {
        get
        {
            var (outer, size, inner) = Axes.Around(Y.Shape, Axis);
            return new(outer, size, inner, Ids.IdPointer, (nint)Ids.Length);
        }
    }
}

/// <summary>Entries by number as methods of <see cref="Compute"/>.</summary>
public static class GatherExtensions
{
    /// <summary>
    /// The entries of a dimension that ids name, in their order; an entry may be named several
    /// times.
    /// </summary>
    /// <param name="compute">The context to run in.</param>
    /// <param name="x">Any shape but a scalar.</param>
    /// <param name="ids">[N], each below the size of the dimension.</param>
    /// <param name="axis">The dimension, which has size N in the result.</param>
    /// <exception cref="ArgumentException">The shapes do not fit, or an id is too
    /// large.</exception>
    public static Tensor Gather(this Compute compute, Tensor x, Tensor ids, int axis)
    {
        int along = Axes.Of("gather", x, axis);
        Check("gather", ids, x, x.Shape[along]);
        var y = compute.New(Axes.With(x.Shape, along, (int)ids.Length));
        var op = new GatherOp(compute.Contiguous(x), ids, along, y);
        op.Forward(compute);
        compute.Record(op);
        return y;
    }

    /// <summary>
    /// The rows of x [N, ..] that ids name: <see cref="Gather"/> along the first dimension.
    /// </summary>
    /// <exception cref="ArgumentException">The shapes do not fit, or an id is too
    /// large.</exception>
    public static Tensor SelectRows(this Compute compute, Tensor x, Tensor ids) => compute.Gather(x, ids, 0);

    /// <summary>
    /// Entries of a dimension added up at the places that ids name; zero where no id points.
    /// </summary>
    /// <param name="compute">The context to run in.</param>
    /// <param name="x">Any shape but a scalar.</param>
    /// <param name="ids">[N], the size of the dimension; each below size.</param>
    /// <param name="axis">The dimension.</param>
    /// <param name="size">Its size in the result.</param>
    /// <exception cref="ArgumentException">The shapes do not fit, or an id is too
    /// large.</exception>
    public static Tensor ScatterAdd(this Compute compute, Tensor x, Tensor ids, int axis, int size)
    {
        int along = Axes.Of("scatter-add", x, axis);
        Check("scatter-add", ids, x, size);
        if (ids.Length != x.Shape[along])
            throw new ArgumentException($"scatter-add: {ids.Length} ids for dimension {along} of {x}");
        var y = compute.New(Axes.With(x.Shape, along, size));
        var op = new ScatterAddOp(compute.Contiguous(x), ids, along, y);
        op.Forward(compute);
        compute.Record(op);
        return y;
    }

    private static void Check(string op, Tensor ids, Tensor x, int below)
    {
        if (ids.Shape.Rank != 1)
            throw new ArgumentException($"{op}: ids {ids} of {x} must have one dimension");
        var values = ids.Ids;
        for (int i = 0; i < values.Length; i++)
            if ((uint)values[i] >= (uint)below)
                throw new ArgumentException($"{op}: id {values[i]} at position {i} is not below {below}, of {x}");
    }
}
