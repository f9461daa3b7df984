using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>s(x) = 1 / (1 + e^-x), s' = s (1 - s).</summary>
internal readonly struct Sigmoid : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Value<S, V>(V x) where S : ISimd<V> where V : unmanaged => SimdMath.Sigmoid<S, V>(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Derivative<S, V>(V x) where S : ISimd<V> where V : unmanaged
    {
        V s = SimdMath.Sigmoid<S, V>(x);
        return S.Multiply(s, S.Subtract(S.Splat(1), s));
    }
}

/// <summary>tanh' = 1 - tanh^2.</summary>
internal readonly struct Tanh : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Value<S, V>(V x) where S : ISimd<V> where V : unmanaged => SimdMath.Tanh<S, V>(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Derivative<S, V>(V x) where S : ISimd<V> where V : unmanaged
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
    public V Value<S, V>(V x) where S : ISimd<V> where V : unmanaged => S.Multiply(x, SimdMath.Sigmoid<S, V>(x));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Derivative<S, V>(V x) where S : ISimd<V> where V : unmanaged
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
    public V Value<S, V>(V x) where S : ISimd<V> where V : unmanaged =>
        S.Multiply(x, Gate<S, V>(x, S.Multiply(x, x)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Derivative<S, V>(V x) where S : ISimd<V> where V : unmanaged
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
/// The exact GELU: x P(x), where P(x) = (1 + erf(x / sqrt 2)) / 2 is the normal distribution
/// function. Derivative: P(x) + x p(x), with the density p(x) = exp(-x^2 / 2) / sqrt(2 pi).
/// </summary>
internal readonly struct GeluErf : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Value<S, V>(V x) where S : ISimd<V> where V : unmanaged => S.Multiply(x, Distribution<S, V>(x));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Derivative<S, V>(V x) where S : ISimd<V> where V : unmanaged
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
/// x s(1.702 x), the approximation of GELU by a sigmoid (Hendrycks and Gimpel, 2016); derivative s
/// + 1.702 x s (1 - s).
/// </summary>
internal readonly struct QuickGelu : IActivation
{
    private const float Factor = 1.702f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Value<S, V>(V x) where S : ISimd<V> where V : unmanaged =>
        S.Multiply(x, SimdMath.Sigmoid<S, V>(S.Multiply(x, S.Splat(Factor))));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Derivative<S, V>(V x) where S : ISimd<V> where V : unmanaged
    {
        V u = S.Multiply(x, S.Splat(Factor)), s = SimdMath.Sigmoid<S, V>(u);
        return S.Multiply(s, S.Fma(u, S.Subtract(S.Splat(1), s), S.Splat(1)));
    }
}

/// <summary>
/// x t with t = tanh(log(1 + n)), n = e^x (Misra, 2019). Since tanh(log z) = (z^2 - 1) / (z^2 + 1),
/// t = m / (m + 2) with m = n (n + 2), in which nothing cancels. Derivative: t + x (1 - t^2) n / (1
/// + n), 1 - t^2 = 4 (m + 1) / (m + 2)^2, and m + 1 = (1 + n)^2.
/// </summary>
internal readonly struct Mish : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Value<S, V>(V x) where S : ISimd<V> where V : unmanaged
    {
        V n = SimdMath.Exp<S, V>(Limited<S, V>(x)), m = S.Multiply(n, S.Add(n, S.Splat(2)));
        return S.Multiply(x, S.Divide(m, S.Add(m, S.Splat(2))));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Derivative<S, V>(V x) where S : ISimd<V> where V : unmanaged
    {
        V near = Limited<S, V>(x), n = SimdMath.Exp<S, V>(near), m = S.Multiply(n, S.Add(n, S.Splat(2)));
        V over = S.Divide(S.Splat(1), S.Add(m, S.Splat(2)));
        V slope = S.Multiply(S.Multiply(S.Splat(4), n), S.Multiply(S.Add(n, S.Splat(1)), S.Multiply(over, over)));
        return S.Fma(near, slope, S.Multiply(m, over));
    }

    /// <summary>
    /// At most 20, beyond which t is 1 to the last bit and e^x would overflow when squared.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Limited<S, V>(V x) where S : ISimd<V> where V : unmanaged =>
        S.IfGreater(x, S.Splat(20), S.Splat(20), x);
}

/// <summary>c tanh(x / c); derivative 1 - tanh^2 (Gemma 2, 2024).</summary>
/// <param name="cap">c.</param>
internal readonly struct SoftCap(float cap) : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Value<S, V>(V x) where S : ISimd<V> where V : unmanaged =>
        S.Multiply(S.Splat(cap), SimdMath.Tanh<S, V>(S.Divide(x, S.Splat(cap))));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Derivative<S, V>(V x) where S : ISimd<V> where V : unmanaged =>
        default(Tanh).Derivative<S, V>(S.Divide(x, S.Splat(cap)));
}
