using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>A function of one variable and its derivative, both from the input x.</summary>
internal interface IActivation
{
    V Value<S, V>(V x) where S : ISimd<V> where V : unmanaged;

    V Derivative<S, V>(V x) where S : ISimd<V> where V : unmanaged;
}

/// <summary>
/// y = f(x), element by element. Backward: dx = dy f'(x); f' is computed again from x, so nothing
/// is stored.
/// </summary>
/// <param name="Kind">The function.</param>
/// <param name="Parameter">Its parameter; ignored by functions that have none.</param>
/// <param name="X">x.</param>
/// <param name="Y">y.</param>
internal readonly record struct ActivationOp(ActivationKind Kind, float Parameter, Tensor X, Tensor Y) : IOp
{
    public Tensor Output => Y;

    public bool WantsGradient => X.WantsGradient;

    public Work ForwardWork => Work.Of("activation forward", X.Length, X, Y);

    public Work? BackwardWork => Work.Of("activation backward", 2 * X.Length, X, Y, X);

    public void Backward(Compute compute) => Run(compute, back: true);

    internal void Forward(Compute compute) => Run(compute, back: false);

    private void Run(Compute compute, bool back)
    {
        switch (Kind)
        {
            case ActivationKind.Relu: Run(compute, back, default(Relu)); break;
            case ActivationKind.Sigmoid: Run(compute, back, default(Sigmoid)); break;
            case ActivationKind.Tanh: Run(compute, back, default(Tanh)); break;
            case ActivationKind.Silu: Run(compute, back, default(Silu)); break;
            case ActivationKind.GeluTanh: Run(compute, back, default(GeluTanh)); break;
            case ActivationKind.GeluErf: Run(compute, back, default(GeluErf)); break;
            case ActivationKind.QuickGelu: Run(compute, back, default(QuickGelu)); break;
            case ActivationKind.Mish: Run(compute, back, default(Mish)); break;
            case ActivationKind.Softplus: Run(compute, back, default(Softplus)); break;
            case ActivationKind.ReluSquared: Run(compute, back, default(ReluSquared)); break;
            case ActivationKind.LeakyRelu: Run(compute, back, new LeakyRelu(Parameter)); break;
            case ActivationKind.Elu: Run(compute, back, new Elu(Parameter)); break;
            case ActivationKind.EluPlusOne: Run(compute, back, default(EluPlusOne)); break;
            case ActivationKind.SoftCap: Run(compute, back, new SoftCap(Parameter)); break;
            case ActivationKind.Huber: Run(compute, back, new Huber(Parameter)); break;
            case ActivationKind.Exp: Run(compute, back, default(Exp)); break;
            case ActivationKind.Log: Run(compute, back, default(Log)); break;
            case ActivationKind.Sqrt: Run(compute, back, default(Sqrt)); break;
            case ActivationKind.Abs: Run(compute, back, default(Abs)); break;
            default: Run(compute, back, default(Square)); break;
        }
    }

    private unsafe void Run<F>(Compute compute, bool back, F f) where F : unmanaged, IActivation
    {
        if (back)
            compute.ForEach((nint)X.Length, new ApplyBackward<F>(f, X.Pointer, Y.Gradient.Pointer,
                X.GradientFor(compute)));
        else
            compute.ForEach((nint)X.Length, new Apply<F>(f, X.Pointer, Y.Pointer));
    }

    private readonly unsafe struct Apply<F>(F f, float* x, float* y) : IElementwise where F : unmanaged, IActivation
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged =>
            S.Store(y + i, f.Value<S, V>(S.Load(x + i)));
    }

    private readonly unsafe struct ApplyBackward<F>(F f, float* x, float* dy, GradientTarget dx)
        : IElementwise where F : unmanaged, IActivation
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged =>
            dx.Put<S, V>(i, S.Multiply(S.Load(dy + i), f.Derivative<S, V>(S.Load(x + i))));
    }
}

/// <summary>Functions of one variable as methods of <see cref="Compute"/>.</summary>
public static class ActivationExtensions
{
    /// <summary>f(x), element by element.</summary>
    /// <param name="compute">The context to run in.</param>
    /// <param name="kind">f.</param>
    /// <param name="x">Any shape.</param>
    /// <param name="parameter">The slope of leaky ReLU (0.01 if not given), alpha of ELU, the cap
    /// of soft-cap, delta of Huber's function (1 if not given).</param>
    /// <exception cref="ArgumentException">The parameter is not a positive number.</exception>
    public static Tensor Activation(this Compute compute, ActivationKind kind, Tensor x, float? parameter = null)
    {
        float given = parameter ?? (kind == ActivationKind.LeakyRelu ? 0.01f : 1);
        if (!(given > 0 && float.IsFinite(given)))
            throw new ArgumentException($"activation: the parameter of {kind} must be positive, got {given}");
        x = compute.Contiguous(x);
        var op = new ActivationOp(kind, given, x, compute.New(x.Shape));
        op.Forward(compute);
        compute.Record(op);
        return op.Y;
    }

    /// <summary>e^x.</summary>
    public static Tensor Exp(this Compute compute, Tensor x) => compute.Activation(ActivationKind.Exp, x);

    /// <summary>The natural logarithm.</summary>
    public static Tensor Log(this Compute compute, Tensor x) => compute.Activation(ActivationKind.Log, x);

    /// <summary>The square root.</summary>
    public static Tensor Sqrt(this Compute compute, Tensor x) => compute.Activation(ActivationKind.Sqrt, x);

    /// <summary>|x|.</summary>
    public static Tensor Abs(this Compute compute, Tensor x) => compute.Activation(ActivationKind.Abs, x);

    /// <summary>x^2.</summary>
    public static Tensor Square(this Compute compute, Tensor x) => compute.Activation(ActivationKind.Square, x);

    /// <summary>cap tanh(x / cap).</summary>
    public static Tensor SoftCap(this Compute compute, Tensor x, float cap) =>
        compute.Activation(ActivationKind.SoftCap, x, cap);
}
