using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>The activation functions. Each is one struct below: the function beside its derivative.</summary>
public enum ActivationKind
{
    /// <summary>max(x, 0).</summary>
    Relu,

    /// <summary>1 / (1 + e^-x).</summary>
    Sigmoid,

    /// <summary>The hyperbolic tangent.</summary>
    Tanh,

    /// <summary>x sigmoid(x).</summary>
    Silu,

    /// <summary>GELU by its approximation with tanh, as GPT-2 has it.</summary>
    GeluTanh,

    /// <summary>GELU itself, x times the normal distribution function of x.</summary>
    GeluErf,
}

/// <summary>A function of one variable and its derivative, both from the input x.</summary>
internal interface IActivation
{
    static abstract V Value<S, V>(V x) where S : ISimd<V> where V : unmanaged;

    static abstract V Derivative<S, V>(V x) where S : ISimd<V> where V : unmanaged;
}

/// <summary>max(x, 0); the derivative at 0 is taken as 0. A NaN stays a NaN.</summary>
internal readonly struct Relu : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Value<S, V>(V x) where S : ISimd<V> where V : unmanaged => S.Max(S.Splat(0), x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Derivative<S, V>(V x) where S : ISimd<V> where V : unmanaged =>
        S.IfGreater(x, S.Splat(0), S.Splat(1), S.Splat(0));
}

/// <summary>s(x) = 1 / (1 + e^-x), s' = s (1 - s).</summary>
internal readonly struct Sigmoid : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Value<S, V>(V x) where S : ISimd<V> where V : unmanaged => SimdMath.Sigmoid<S, V>(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Derivative<S, V>(V x) where S : ISimd<V> where V : unmanaged
    {
        V s = SimdMath.Sigmoid<S, V>(x);
        return S.Multiply(s, S.Subtract(S.Splat(1), s));
    }
}

/// <summary>tanh' = 1 - tanh^2.</summary>
internal readonly struct Tanh : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Value<S, V>(V x) where S : ISimd<V> where V : unmanaged => SimdMath.Tanh<S, V>(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Derivative<S, V>(V x) where S : ISimd<V> where V : unmanaged
    {
        V t = SimdMath.Tanh<S, V>(x);
        return S.Multiply(S.Subtract(S.Splat(1), t), S.Add(S.Splat(1), t));
    }
}

/// <summary>
/// x s(x) (SiLU, also called swish); derivative s + x s (1 - s) = s (1 + x (1 - s)). Elfwing et
/// al., 2017.
/// </summary>
internal readonly struct Silu : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Value<S, V>(V x) where S : ISimd<V> where V : unmanaged => S.Multiply(x, SimdMath.Sigmoid<S, V>(x));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Derivative<S, V>(V x) where S : ISimd<V> where V : unmanaged
    {
        V s = SimdMath.Sigmoid<S, V>(x);
        return S.Multiply(s, S.Fma(x, S.Subtract(S.Splat(1), s), S.Splat(1)));
    }
}

/// <summary>
/// The tanh form of GELU (Hendrycks and Gimpel, 2016), as in GPT-2: x/2 (1 + tanh u), u = c (x +
/// 0.044715 x^3), c = sqrt(2/pi). Since (1 + tanh u)/2 = s(2u), it is x s(2u), which keeps its
/// accuracy where 1 + tanh cancels. Derivative: s + x s (1 - s) 2u', with u' = c (1 + 3 * 0.044715
/// x^2).
/// </summary>
internal readonly struct GeluTanh : IActivation
{
    private const float TwoC = 1.5957691216057308f; // 2 sqrt(2/pi)
    private const float Cubic = 0.044715f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Value<S, V>(V x) where S : ISimd<V> where V : unmanaged =>
        S.Multiply(x, Gate<S, V>(x, S.Multiply(x, x)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Derivative<S, V>(V x) where S : ISimd<V> where V : unmanaged
    {
        // Beyond |x| = 20 the derivative is 0 or 1 to the last bit; the limit keeps x^2 times 0 from becoming a NaN.
        V limit = S.Splat(20), near = S.IfGreater(S.Abs(x), limit, S.CopySign(limit, x), x);
        V square = S.Multiply(near, near), s = Gate<S, V>(near, square);
        V slope = S.Multiply(S.Splat(TwoC), S.Fma(S.Splat(3 * Cubic), square, S.Splat(1)));
        return S.Multiply(s, S.Fma(S.Multiply(near, slope), S.Subtract(S.Splat(1), s), S.Splat(1)));
    }

    /// <summary>s(2u)</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Gate<S, V>(V x, V square) where S : ISimd<V> where V : unmanaged =>
        SimdMath.Sigmoid<S, V>(S.Multiply(S.Multiply(x, S.Splat(TwoC)), S.Fma(S.Splat(Cubic), square, S.Splat(1))));
}

/// <summary>
/// The exact GELU: x P(x), where P(x) = (1 + erf(x / sqrt 2)) / 2 is the normal distribution function.
/// Derivative: P(x) + x p(x), with the density p(x) = exp(-x^2 / 2) / sqrt(2 pi).
/// </summary>
internal readonly struct GeluErf : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Value<S, V>(V x) where S : ISimd<V> where V : unmanaged => S.Multiply(x, Distribution<S, V>(x));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Derivative<S, V>(V x) where S : ISimd<V> where V : unmanaged
    {
        // Beyond |x| = 20 the density is 0; the limit keeps infinity times 0 from becoming a NaN.
        V limit = S.Splat(20), near = S.IfGreater(S.Abs(x), limit, S.CopySign(limit, x), x);
        V density = S.Multiply(SimdMath.ExpNonPositive<S, V>(S.Multiply(S.Multiply(near, near), S.Splat(-0.5f))),
            S.Splat(0.3989422804014327f));
        return S.Fma(near, density, Distribution<S, V>(near));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Distribution<S, V>(V x) where S : ISimd<V> where V : unmanaged =>
        S.Fma(SimdMath.Erf<S, V>(S.Multiply(x, S.Splat(0.7071067811865476f))), S.Splat(0.5f), S.Splat(0.5f));
}

/// <summary>
/// y = f(x), element by element. Backward: dx = dy f'(x); f' is computed again from x, so nothing
/// is stored.
/// </summary>
internal readonly record struct ActivationOp(ActivationKind Kind, Tensor X, Tensor Y) : IOp
{
    public Tensor Output => Y;

    public bool WantsGradient => X.WantsGradient;

    public Work ForwardWork => Work.Of("activation forward", X.Length, X, Y);

    public Work? BackwardWork => Work.Of("activation backward", 2 * X.Length, X, Y, X);

    public void Backward(Compute compute)
    {
        switch (Kind)
        {
            case ActivationKind.Relu: Backward<Relu>(compute); break;
            case ActivationKind.Sigmoid: Backward<Sigmoid>(compute); break;
            case ActivationKind.Tanh: Backward<Tanh>(compute); break;
            case ActivationKind.Silu: Backward<Silu>(compute); break;
            case ActivationKind.GeluTanh: Backward<GeluTanh>(compute); break;
            default: Backward<GeluErf>(compute); break;
        }
    }

    internal void Forward(Compute compute)
    {
        switch (Kind)
        {
            case ActivationKind.Relu: Forward<Relu>(compute); break;
            case ActivationKind.Sigmoid: Forward<Sigmoid>(compute); break;
            case ActivationKind.Tanh: Forward<Tanh>(compute); break;
            case ActivationKind.Silu: Forward<Silu>(compute); break;
            case ActivationKind.GeluTanh: Forward<GeluTanh>(compute); break;
            default: Forward<GeluErf>(compute); break;
        }
    }

    private unsafe void Forward<F>(Compute compute) where F : unmanaged, IActivation =>
        compute.ForEach((nint)X.Length, new Apply<F>(X.Contiguous("activation").Pointer, Y.Pointer));

    private unsafe void Backward<F>(Compute compute) where F : unmanaged, IActivation =>
        compute.ForEach((nint)X.Length, new ApplyBackward<F>(X.Pointer, Y.Gradient.Pointer, X.GradientFor(compute)));

    private readonly unsafe struct Apply<F>(float* x, float* y) : IElementwise where F : unmanaged, IActivation
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged =>
            S.Store(y + i, F.Value<S, V>(S.Load(x + i)));
    }

    private readonly unsafe struct ApplyBackward<F>(float* x, float* dy, GradientTarget dx)
        : IElementwise where F : unmanaged, IActivation
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged =>
            dx.Put<S, V>(i, S.Multiply(S.Load(dy + i), F.Derivative<S, V>(S.Load(x + i))));
    }
}

/// <summary>
/// y = silu(gate) * up (Shazeer, "GLU Variants Improve Transformer", 2020). Backward: dgate = dy up
/// silu'(gate), dup = dy silu(gate).
/// </summary>
internal readonly record struct SwiGluOp(Tensor Gate, Tensor Up, Tensor Y) : IOp
{
    public Tensor Output => Y;

    public bool WantsGradient => Gate.WantsGradient || Up.WantsGradient;

    public Work ForwardWork => Work.Of("swiglu forward", 3 * Y.Length, Gate, Up, Y);

    public Work? BackwardWork => Work.Of("swiglu backward",
        (Gate.WantsGradient ? 7 * Y.Length : 0) + (Up.WantsGradient ? 3 * Y.Length : 0), Gate,
        Gate.WantsGradient ? Up : null, Y, Work.GradientOf(Gate), Work.GradientOf(Up));

    public unsafe void Backward(Compute compute)
    {
        float* gate = Gate.Pointer, up = Up.Pointer, dy = Y.Gradient.Pointer;
        var (dgate, dup) = (Gate.TargetIfWanted(compute), Up.TargetIfWanted(compute));
        if (dup.Pointer == null)
            compute.ForEach((nint)Y.Length, new GateGradient(gate, up, dy, dgate));
        else if (dgate.Pointer == null)
            compute.ForEach((nint)Y.Length, new UpGradient(gate, dy, dup));
        else
            compute.ForEach((nint)Y.Length, new Gradients(gate, up, dy, dgate, dup));
    }

    internal readonly unsafe struct Forward(float* gate, float* up, float* y) : IElementwise
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged =>
            S.Store(y + i, S.Multiply(Silu.Value<S, V>(S.Load(gate + i)), S.Load(up + i)));
    }

    private readonly unsafe struct Gradients(float* gate, float* up, float* dy, GradientTarget dgate,
        GradientTarget dup) : IElementwise
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged
        {
            V g = S.Load(gate + i), d = S.Load(dy + i);
            dgate.Put<S, V>(i, S.Multiply(S.Multiply(d, S.Load(up + i)), Silu.Derivative<S, V>(g)));
            dup.Put<S, V>(i, S.Multiply(d, Silu.Value<S, V>(g)));
        }
    }

    private readonly unsafe struct GateGradient(float* gate, float* up, float* dy, GradientTarget dgate) : IElementwise
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged =>
            dgate.Put<S, V>(i, S.Multiply(S.Multiply(S.Load(dy + i), S.Load(up + i)),
                Silu.Derivative<S, V>(S.Load(gate + i))));
    }

    private readonly unsafe struct UpGradient(float* gate, float* dy, GradientTarget dup) : IElementwise
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged =>
            dup.Put<S, V>(i, S.Multiply(S.Load(dy + i), Silu.Value<S, V>(S.Load(gate + i))));
    }
}

/// <summary>Activations as methods of <see cref="Compute"/>.</summary>
public static class ActivationExtensions
{
    /// <summary>f(x), element by element.</summary>
    public static Tensor Activation(this Compute compute, ActivationKind kind, Tensor x)
    {
        var op = new ActivationOp(kind, x, compute.New(x.Shape));
        op.Forward(compute);
        compute.Record(op);
        return op.Y;
    }

    /// <summary>silu(gate) * up, equal shapes.</summary>
    /// <exception cref="ArgumentException">The shapes differ.</exception>
    public static unsafe Tensor SwiGlu(this Compute compute, Tensor gate, Tensor up)
    {
        if (gate.Shape != up.Shape)
            throw new ArgumentException($"swiglu: gate {gate} and up {up} differ in shape");
        var y = compute.New(gate.Shape);
        compute.ForEach((nint)y.Length, new SwiGluOp.Forward(gate.Contiguous("swiglu").Pointer,
            up.Contiguous("swiglu").Pointer, y.Pointer));
        compute.Record(new SwiGluOp(gate, up, y));
        return y;
    }
}
