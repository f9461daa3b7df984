namespace Nano;

/// <summary>
/// The order in which experts see tokens: choices [n, k] of a router, sorted by expert and then by token (a counting
/// sort). A token's k rows are always added in order of the experts' numbers, so that its bits depend on no other.
/// </summary>
public sealed class Dispatch
{
    private readonly int[] starts; // [E + 1], the first row of each expert

    /// <summary>Sorts choices [n, k] of E experts.</summary>
    /// <exception cref="ArgumentException">An expert is not below E.</exception>
    public Dispatch(Compute compute, Tensor experts, int count)
    {
        var chosen = experts.Ids;
        int k = experts.Shape[1];
        starts = new int[count + 1];
        for (int slot = 0; slot < chosen.Length; slot++)
        {
            int e = compute.OnlyPlans ? slot % count : chosen[slot]; // planned: evenly, as a trained router chooses
            if ((uint)e >= (uint)count)
                throw new ArgumentException($"dispatch: expert {e} of {count}");
            starts[e + 1]++;
        }
        for (int e = 0; e < count; e++)
            starts[e + 1] += starts[e];
        Tokens = compute.New(new Shape(chosen.Length), DType.Int32);
        Slots = compute.New(new Shape(chosen.Length), DType.Int32);
        Rows = compute.New(experts.Shape, DType.Int32);
        if (compute.OnlyPlans)
            return;
        int[] next = starts[..count];
        for (int slot = 0; slot < chosen.Length; slot++)
        {
            int row = next[chosen[slot]]++;
            (Tokens.Ids[row], Slots.Ids[row], Rows.Ids[slot]) = (slot / k, slot, row);
        }
        for (int token = 0; token < experts.Shape[0]; token++)
            Rows.Ids.Slice(token * k, k).Sort();
    }

    /// <summary>The token of each row [n k].</summary>
    public Tensor Tokens { get; }

    /// <summary>The number of tokens of each expert.</summary>
    public IEnumerable<int> Loads => starts.Zip(starts.Skip(1), (start, end) => end - start);

    /// <summary>The place of each row in the choices [n k].</summary>
    internal Tensor Slots { get; }

    /// <summary>The rows of each token [n, k], in order.</summary>
    internal Tensor Rows { get; }

    /// <summary>The rows of an expert.</summary>
    public (int Start, int Count) Of(int expert) => (starts[expert], starts[expert + 1] - starts[expert]);
}

/// <summary>
/// The rows that experts see: y_r = x[token of row r]. Backward: dx_t = sum of dy_r over the rows of token t, in order.
/// </summary>
internal readonly record struct DispatchOp(Tensor X, Dispatch Order, Tensor Y) : IOp
{
    public Tensor Output => Y;

    public bool WantsGradient => X.WantsGradient;

    public Work ForwardWork => Work.Of("dispatch forward", 0, Y, Y);

    public Work? BackwardWork => Work.Of("dispatch backward", Y.Length, Y, X);

    public unsafe void Backward(Compute compute) => compute.For((nint)X.Shape.Rows,
        Compute.RowsPerChunk((nint)Y.Shape.Columns * Order.Rows.Shape[1]), 0, new SumRows(Y.Gradient.Pointer, null,
            null, Order.Rows.IdPointer, Order.Rows.Shape[1], X.Shape.Columns, X.GradientFor(compute)));

    internal readonly unsafe struct Gather(float* x, int* tokens, int columns, float* y) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (nint row = begin; row < end; row++)
                new ReadOnlySpan<float>(x + (tokens[row] * (nint)columns), columns)
                    .CopyTo(new Span<float>(y + (row * columns), columns));
        }
    }

    /// <summary>For each token the sum of its rows, each times its weight if there are weights.</summary>
    internal readonly unsafe struct SumRows(float* rows, float* weights, int* slots, int* rowsOf, int chosen,
        int columns, GradientTarget y) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (nint token = begin; token < end; token++)
                new ElementwiseLoop<Sum>(new Sum(rows, weights, slots, rowsOf + (token * chosen), chosen, columns,
                    y.At(token * columns))).Run<S, V>(0, columns, scratch);
        }
    }

    private readonly unsafe struct Sum(float* rows, float* weights, int* slots, int* rowsOf, int chosen, int columns,
        GradientTarget y) : IElementwise
    {
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged
        {
            V sum = S.Splat(0);
            for (int j = 0; j < chosen; j++)
            {
                V row = S.Load(rows + (rowsOf[j] * (nint)columns) + i);
                sum = weights == null ? S.Add(sum, row) : S.Fma(S.Splat(weights[slots[rowsOf[j]]]), row, sum);
            }
            y.Put<S, V>(i, sum);
        }
    }
}

/// <summary>
/// The sums of what experts made of each token: y_t = sum over its rows r, in order, of w_r z_r.
/// Backward: dz_r = w_r dy_t and dw_r = z_r . dy_t.
/// </summary>
internal readonly record struct CombineOp(Tensor Z, Tensor Weights, Dispatch Order, Tensor Y) : IOp
{
    public Tensor Output => Y;

    public bool WantsGradient => Z.WantsGradient || Weights.WantsGradient;

    public Work ForwardWork => Work.Of("combine forward", 2 * Z.Length, Z, Weights, Y);

    public Work? BackwardWork => Work.Of("combine backward", 3 * Z.Length, Z, Z, Z, Weights);

    public unsafe void Backward(Compute compute)
    {
        var (dz, dw) = (Z.TargetIfWanted(compute), Weights.TargetIfWanted(compute));
        compute.For((nint)Z.Shape.Rows, Compute.RowsPerChunk(Z.Shape.Columns), 0, new Gradients(Z.Pointer,
            Weights.Pointer, Order.Tokens.IdPointer, Order.Slots.IdPointer, Z.Shape.Columns, Y.Gradient.Pointer, dz,
            dw));
    }

    private readonly unsafe struct Gradients(float* z, float* weights, int* tokens, int* slots, int columns, float* dy,
        GradientTarget dz, GradientTarget dw) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (nint row = begin; row < end; row++)
            {
                float* d = dy + (tokens[row] * (nint)columns);
                if (dw.Pointer != null)
                    dw.Put<SimdScalar, float>(slots[row],
                        RowReduce.Sum<S, V, ProductTerm>(columns, new ProductTerm(z + (row * columns), d)));
                if (dz.Pointer != null)
                    new ElementwiseLoop<Scaled>(new Scaled(d, weights[slots[row]], dz.At(row * columns)))
                        .Run<S, V>(0, columns, scratch);
            }
        }
    }
}

/// <summary>The way of tokens through experts as methods of <see cref="Compute"/>.</summary>
public static class DispatchExtensions
{
    /// <summary>The rows of x [n, C] in the order of experts, [n k, C].</summary>
    public static unsafe Tensor Dispatch(this Compute compute, Tensor x, Dispatch order)
    {
        var y = compute.New(new Shape((int)order.Tokens.Length, x.Shape.Columns));
        if (x.Shape.Rows != order.Rows.Shape[0])
            throw new ArgumentException($"dispatch: x {x} has not the {order.Rows.Shape[0]} tokens of the router");
        compute.For((nint)order.Tokens.Length, Compute.RowsPerChunk(x.Shape.Columns), 0, new DispatchOp.Gather(
            x.Contiguous("dispatch").Pointer, order.Tokens.IdPointer, x.Shape.Columns, y.Pointer));
        compute.Record(new DispatchOp(x, order, y));
        return y;
    }

    /// <summary>
    /// For each token the sum of what experts made of it, weighed: z [n k, C] in the order of experts gives [n, C].
    /// </summary>
    /// <exception cref="ArgumentException">z or the weights do not fit the order.</exception>
    public static unsafe Tensor Combine(this Compute compute, Tensor z, Tensor weights, Dispatch order)
    {
        int columns = z.Shape.Columns;
        if (z.Shape.Rows != order.Tokens.Length || weights.Shape != order.Rows.Shape)
            throw new ArgumentException(
                $"combine: z {z} and weights {weights} do not fit {order.Tokens.Length} rows of experts");
        var y = compute.New(new Shape(order.Rows.Shape[0], columns));
        compute.For(order.Rows.Shape[0], Compute.RowsPerChunk(columns), 0, new DispatchOp.SumRows(
            z.Contiguous("combine").Pointer, weights.Contiguous("combine").Pointer, order.Slots.IdPointer,
            order.Rows.IdPointer, order.Rows.Shape[1], columns, new(y.Pointer, false)));
        compute.Record(new CombineOp(z, weights, order, y));
        return y;
    }
}
