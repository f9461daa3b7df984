using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>
/// y = f(gate) * up (Shazeer, "GLU Variants Improve Transformer", 2020): SwiGLU with SiLU, GEGLU
/// with GELU, ReGLU with ReLU, GLU with the sigmoid. Backward: dgate = dy up f'(gate), dup = dy
/// f(gate).
/// </summary>
internal readonly record struct GatedOp(ActivationKind Kind, Tensor Gate, Tensor Up, Tensor Y) : IOp
{
    public Tensor Output => Y;

    public bool WantsGradient => Gate.WantsGradient || Up.WantsGradient;

    public Work ForwardWork => Work.Of("gated forward", 3 * Y.Length, Gate, Up, Y);

    public Work? BackwardWork => Work.Of("gated backward",
        (Gate.WantsGradient ? 7 * Y.Length : 0) + (Up.WantsGradient ? 3 * Y.Length : 0), Gate,
        Gate.WantsGradient ? Up : null, Y, Work.GradientOf(Gate), Work.GradientOf(Up));

    public void Backward(Compute compute) => Run(compute, back: true);

    internal void Forward(Compute compute) => Run(compute, back: false);

    private void Run(Compute compute, bool back)
    {
        switch (Kind)
        {
            case ActivationKind.Silu: Run<Silu>(compute, back); break;
            case ActivationKind.GeluTanh: Run<GeluTanh>(compute, back); break;
            case ActivationKind.GeluErf: Run<GeluErf>(compute, back); break;
            case ActivationKind.Relu: Run<Relu>(compute, back); break;
            case ActivationKind.ReluSquared: Run<ReluSquared>(compute, back); break;
            case ActivationKind.Sigmoid: Run<Sigmoid>(compute, back); break;
            default:
                throw new ArgumentException($"gated: {Kind} is no gate; the gates are Silu, GeluTanh, GeluErf, Relu, "
                    + "ReluSquared and Sigmoid");
        }
    }

    private unsafe void Run<F>(Compute compute, bool back) where F : unmanaged, IActivation
    {
        if (back)
            Backward<F>(compute);
        else
            compute.ForEach((nint)Y.Length, new Apply<F>(Gate.Pointer, Up.Pointer, Y.Pointer));
    }

    private unsafe void Backward<F>(Compute compute) where F : unmanaged, IActivation
    {
        float* gate = Gate.Pointer, up = Up.Pointer, dy = Y.Gradient.Pointer;
        var (dgate, dup) = (Gate.TargetIfWanted(compute), Up.TargetIfWanted(compute));
        if (dup.Pointer == null)
            compute.ForEach((nint)Y.Length, new GateGradient<F>(gate, up, dy, dgate));
        else if (dgate.Pointer == null)
            compute.ForEach((nint)Y.Length, new UpGradient<F>(gate, dy, dup));
        else
            compute.ForEach((nint)Y.Length, new Gradients<F>(gate, up, dy, dgate, dup));
    }

    private readonly unsafe struct Apply<F>(float* gate, float* up, float* y) : IElementwise
        where F : unmanaged, IActivation
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged =>
            S.Store(y + i, S.Multiply(default(F).Value<S, V>(S.Load(gate + i)), S.Load(up + i)));
    }

    private readonly unsafe struct Gradients<F>(float* gate, float* up, float* dy, GradientTarget dgate,
        GradientTarget dup) : IElementwise where F : unmanaged, IActivation
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged
        {
            V g = S.Load(gate + i), d = S.Load(dy + i);
            dgate.Put<S, V>(i, S.Multiply(S.Multiply(d, S.Load(up + i)), default(F).Derivative<S, V>(g)));
            dup.Put<S, V>(i, S.Multiply(d, default(F).Value<S, V>(g)));
        }
    }

    private readonly unsafe struct GateGradient<F>(float* gate, float* up, float* dy, GradientTarget dgate)
        : IElementwise where F : unmanaged, IActivation
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged =>
            dgate.Put<S, V>(i, S.Multiply(S.Multiply(S.Load(dy + i), S.Load(up + i)),
                default(F).Derivative<S, V>(S.Load(gate + i))));
    }

    private readonly unsafe struct UpGradient<F>(float* gate, float* dy, GradientTarget dup) : IElementwise
        where F : unmanaged, IActivation
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged =>
            dup.Put<S, V>(i, S.Multiply(S.Load(dy + i), default(F).Value<S, V>(S.Load(gate + i))));
    }
}

/// <summary>Gated linear units as methods of <see cref="Compute"/>.</summary>
public static class GatedExtensions
{
    /// <summary>f(gate) * up, equal shapes.</summary>
    /// <exception cref="ArgumentException">The shapes differ, or f is not among the
    /// gates.</exception>
    public static Tensor Gated(this Compute compute, ActivationKind kind, Tensor gate, Tensor up)
    {
        if (gate.Shape != up.Shape)
            throw new ArgumentException($"gated: gate {gate} and up {up} differ in shape");
        var op = new GatedOp(kind, compute.Contiguous(gate), compute.Contiguous(up), compute.New(gate.Shape));
        op.Forward(compute);
        compute.Record(op);
        return op.Y;
    }

    /// <summary>silu(gate) * up, equal shapes.</summary>
    /// <exception cref="ArgumentException">The shapes differ.</exception>
    public static Tensor SwiGlu(this Compute compute, Tensor gate, Tensor up) =>
        compute.Gated(ActivationKind.Silu, gate, up);
}
