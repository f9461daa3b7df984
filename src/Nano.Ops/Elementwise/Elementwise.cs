using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>
/// y = a + b; b may have a suffix of a's shape (a bias or position table) and is then repeated.
/// Backward: da = dy; db = dy, summed over the repeats in order. y's gradient is dead afterwards,
/// so a takes it over without a copy.
/// </summary>
internal readonly record struct AddOp(Tensor A, Tensor B, Tensor Y) : IOp
{
    public Tensor Output => Y;

    public bool WantsGradient => A.WantsGradient || B.WantsGradient;

    public Work ForwardWork => Work.Of("add forward", Y.Length, A, B, Y);

    public Work? BackwardWork =>
        Work.Of("add backward", B.WantsGradient ? Y.Length : 0, B.WantsGradient ? Y : null, Work.GradientOf(B));

    public unsafe void Backward(Compute compute)
    {
        var dy = Y.Gradient;
        if (B.WantsGradient && B.Length == A.Length)
            compute.Accumulate(dy, B.GradientFor(compute));
        else if (B.WantsGradient)
            ColumnSums.Run(compute, (int)(A.Length / B.Length), (int)B.Length, dy.Pointer, (nint)B.Length,
                B.GradientFor(compute));
        if (A.WantsGradient && !A.TryAdoptGradient(dy))
            compute.Accumulate(dy, A.GradientFor(compute));
    }
}

/// <summary>y = a * b, element by element, equal shapes. Backward: da = dy b, db = dy a.</summary>
internal readonly record struct MultiplyOp(Tensor A, Tensor B, Tensor Y) : IOp
{
    public Tensor Output => Y;

    public bool WantsGradient => A.WantsGradient || B.WantsGradient;

    public Work ForwardWork => Work.Of("multiply forward", Y.Length, A, B, Y);

    public Work? BackwardWork => Work.Of("multiply backward",
        (A.WantsGradient ? Y.Length : 0) + (B.WantsGradient ? Y.Length : 0), Y, A.WantsGradient ? B : null,
        B.WantsGradient ? A : null, Work.GradientOf(A), Work.GradientOf(B));

    public unsafe void Backward(Compute compute)
    {
        float* dy = Y.Gradient.Pointer;
        if (A.WantsGradient)
            compute.ForEach((nint)Y.Length, new Product(dy, B.Pointer, A.GradientFor(compute)));
        if (B.WantsGradient)
            compute.ForEach((nint)Y.Length, new Product(dy, A.Pointer, B.GradientFor(compute)));
    }

    internal readonly unsafe struct Product(float* a, float* b, GradientTarget y) : IElementwise
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged =>
            y.Put<S, V>(i, S.Multiply(S.Load(a + i), S.Load(b + i)));
    }
}

/// <summary>
/// y = a / b, element by element, equal shapes. Backward: da = dy / b, db = -dy y / b.
/// </summary>
internal readonly record struct DivideOp(Tensor A, Tensor B, Tensor Y) : IOp
{
    public Tensor Output => Y;

    public bool WantsGradient => A.WantsGradient || B.WantsGradient;

    public Work ForwardWork => Work.Of("divide forward", Y.Length, A, B, Y);

    public Work? BackwardWork => Work.Of("divide backward",
        (A.WantsGradient ? Y.Length : 0) + (B.WantsGradient ? 3 * Y.Length : 0), Y, A.WantsGradient ? B : null,
        B.WantsGradient ? Y : null, B.WantsGradient ? B : null, Work.GradientOf(A), Work.GradientOf(B));

    public unsafe void Backward(Compute compute)
    {
        float* dy = Y.Gradient.Pointer;
        if (A.WantsGradient)
            compute.ForEach((nint)Y.Length, new Quotient(dy, B.Pointer, A.GradientFor(compute)));
        if (B.WantsGradient)
            compute.ForEach((nint)Y.Length, new DivisorGradient(dy, Y.Pointer, B.Pointer, B.GradientFor(compute)));
    }

    internal readonly unsafe struct Quotient(float* a, float* b, GradientTarget y) : IElementwise
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged =>
            y.Put<S, V>(i, S.Divide(S.Load(a + i), S.Load(b + i)));
    }

    private readonly unsafe struct DivisorGradient(float* dy, float* y, float* b, GradientTarget db) : IElementwise
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged => db.Put<S, V>(i,
            S.Divide(S.Multiply(S.Subtract(S.Splat(0), S.Load(dy + i)), S.Load(y + i)), S.Load(b + i)));
    }
}

/// <summary>y = factor * x + term. Backward: dx = factor * dy.</summary>
internal readonly record struct ScaleOp(Tensor X, float Factor, float Term, Tensor Y) : IOp
{
    public Tensor Output => Y;

    public bool WantsGradient => X.WantsGradient;

    public Work ForwardWork => Work.Of("scale forward", Y.Length, X, Y);

    public Work? BackwardWork => Work.Of("scale backward", Y.Length, Y, X);

    public unsafe void Backward(Compute compute) =>
        compute.ForEach((nint)X.Length, new Scaled(Y.Gradient.Pointer, Factor, X.GradientFor(compute)));

    internal readonly unsafe struct Affine(float* x, float factor, float term, float* y) : IElementwise
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged =>
            S.Store(y + i, S.Fma(S.Load(x + i), S.Splat(factor), S.Splat(term)));
    }
}

/// <summary>Sums, products and scaling as methods of <see cref="Compute"/>.</summary>
public static class ElementwiseExtensions
{
    /// <summary>
    /// a + b, element by element; shapes broadcast as numpy has it. Fast where b has a's shape or a
    /// suffix of it.
    /// </summary>
    /// <exception cref="ArgumentException">The shapes do not broadcast.</exception>
    public static unsafe Tensor Add(this Compute compute, Tensor a, Tensor b)
    {
        if (!IsSuffix(b.Shape, a.Shape))
        {
            if (IsSuffix(a.Shape, b.Shape))
                return compute.Add(b, a);
            (a, b) = Expanded(compute, "add", a, b);
        }
        (a, b) = (compute.Contiguous(a), compute.Contiguous(b));
        var y = compute.New(a.Shape);
        nint repeat = (nint)b.Length;
        var sum = new Sum(a.Pointer, b.Pointer, y.Pointer);
        if (a.Length == repeat)
            compute.ForEach(repeat, sum);
        else
            compute.For((nint)(a.Length / repeat), Compute.RowsPerChunk(repeat), 0, new AddRows(sum, repeat));
        compute.Record(new AddOp(a, b, y));
        return y;
    }

    /// <summary>a - b, element by element; shapes broadcast as numpy has it.</summary>
    /// <exception cref="ArgumentException">The shapes do not broadcast.</exception>
    public static Tensor Subtract(this Compute compute, Tensor a, Tensor b)
    {
        ExpandExtensions.Broadcast("subtract", a, b);
        return compute.Add(a, compute.Scale(b, -1)); // the bits of a - b
    }

    /// <summary>a * b, element by element; shapes broadcast as numpy has it.</summary>
    /// <exception cref="ArgumentException">The shapes do not broadcast.</exception>
    public static unsafe Tensor Multiply(this Compute compute, Tensor a, Tensor b)
    {
        (a, b) = Expanded(compute, "multiply", a, b);
        var y = compute.New(a.Shape);
        compute.ForEach((nint)a.Length, new MultiplyOp.Product(a.Pointer, b.Pointer, new(y.Pointer, false)));
        compute.Record(new MultiplyOp(a, b, y));
        return y;
    }

    /// <summary>a / b, element by element; shapes broadcast as numpy has it.</summary>
    /// <exception cref="ArgumentException">The shapes do not broadcast.</exception>
    public static unsafe Tensor Divide(this Compute compute, Tensor a, Tensor b)
    {
        (a, b) = Expanded(compute, "divide", a, b);
        var y = compute.New(a.Shape);
        compute.ForEach((nint)a.Length, new DivideOp.Quotient(a.Pointer, b.Pointer, new(y.Pointer, false)));
        compute.Record(new DivideOp(a, b, y));
        return y;
    }

    /// <summary>factor * x + term.</summary>
    public static unsafe Tensor Scale(this Compute compute, Tensor x, float factor, float term = 0)
    {
        x = compute.Contiguous(x);
        var y = compute.New(x.Shape);
        if (term == 0)
            compute.ForEach((nint)x.Length, new Scaled(x.Pointer, factor, new(y.Pointer, false)));
        else
            compute.ForEach((nint)x.Length, new ScaleOp.Affine(x.Pointer, factor, term, y.Pointer));
        compute.Record(new ScaleOp(x, factor, term, y));
        return y;
    }

    /// <summary>Both operands in the shape that they broadcast to, without gaps.</summary>
    private static (Tensor A, Tensor B) Expanded(Compute compute, string op, Tensor a, Tensor b)
    {
        var shape = a.Shape == b.Shape ? a.Shape : ExpandExtensions.Broadcast(op, a, b);
        return (compute.Contiguous(compute.Expand(a, shape)), compute.Contiguous(compute.Expand(b, shape)));
    }

    private static bool IsSuffix(Shape suffix, Shape of)
    {
        for (int i = 1; i <= suffix.Rank; i++)
            if (i > of.Rank || suffix[-i] != of[-i])
                return false;
        return true;
    }

    private readonly struct AddRows(Sum sum, nint columns) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (nint row = begin; row < end; row++)
                new ElementwiseLoop<Sum>(sum.Row(row * columns)).Run<S, V>(0, columns, scratch);
        }
    }

    private readonly unsafe struct Sum(float* a, float* b, float* y) : IElementwise
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged =>
            S.Store(y + i, S.Add(S.Load(a + i), S.Load(b + i)));

        /// <summary>The sum for another row of a and y, with the same b.</summary>
        public Sum Row(nint offset) => new(a + offset, b, y + offset);
    }
}
