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

/// <summary>y = factor * x. Backward: dx = factor * dy.</summary>
internal readonly record struct ScaleOp(Tensor X, float Factor, Tensor Y) : IOp
{
    public Tensor Output => Y;

    public bool WantsGradient => X.WantsGradient;

    public Work ForwardWork => Work.Of("scale forward", Y.Length, X, Y);

    public Work? BackwardWork => Work.Of("scale backward", Y.Length, Y, X);

    public unsafe void Backward(Compute compute) =>
        compute.ForEach((nint)Y.Length, new Scaled(Y.Gradient.Pointer, Factor, X.GradientFor(compute)));
}

/// <summary>Sums, products and scaling as methods of <see cref="Compute"/>.</summary>
public static class ElementwiseExtensions
{
    /// <summary>a + b, where b has a's shape or a suffix of it.</summary>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public static unsafe Tensor Add(this Compute compute, Tensor a, Tensor b)
    {
        if (!IsSuffix(b.Shape, a.Shape))
            throw new ArgumentException($"add: {b} is neither the shape of {a} nor a suffix of it");
        var y = compute.New(a.Shape);
        nint repeat = (nint)b.Length;
        var sum = new Sum(a.Contiguous("add").Pointer, b.Contiguous("add").Pointer, y.Pointer);
        if (a.Length == repeat)
            compute.ForEach(repeat, sum);
        else
            compute.For((nint)(a.Length / repeat), Compute.RowsPerChunk(repeat), 0, new AddRows(sum, repeat));
        compute.Record(new AddOp(a, b, y));
        return y;
    }

    /// <summary>a * b, element by element.</summary>
    /// <exception cref="ArgumentException">The shapes differ.</exception>
    public static unsafe Tensor Multiply(this Compute compute, Tensor a, Tensor b)
    {
        if (a.Shape != b.Shape)
            throw new ArgumentException($"multiply: {a} and {b} differ in shape");
        var y = compute.New(a.Shape);
        compute.ForEach((nint)a.Length, new MultiplyOp.Product(a.Contiguous("multiply").Pointer,
            b.Contiguous("multiply").Pointer, new(y.Pointer, false)));
        compute.Record(new MultiplyOp(a, b, y));
        return y;
    }

    /// <summary>factor * x.</summary>
    public static unsafe Tensor Scale(this Compute compute, Tensor x, float factor)
    {
        var y = compute.New(x.Shape);
        compute.ForEach((nint)x.Length, new Scaled(x.Contiguous("scale").Pointer, factor, new(y.Pointer, false)));
        compute.Record(new ScaleOp(x, factor, y));
        return y;
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
