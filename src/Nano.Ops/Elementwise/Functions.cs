using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>e^x, its own derivative.</summary>
internal readonly struct Exp : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Value<S, V>(V x) where S : ISimd<V> where V : unmanaged => SimdMath.Exp<S, V>(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Derivative<S, V>(V x) where S : ISimd<V> where V : unmanaged => SimdMath.Exp<S, V>(x);
}

/// <summary>log x, derivative 1 / x.</summary>
internal readonly struct Log : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Value<S, V>(V x) where S : ISimd<V> where V : unmanaged => SimdMath.Log<S, V>(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Derivative<S, V>(V x) where S : ISimd<V> where V : unmanaged => S.Divide(S.Splat(1), x);
}

/// <summary>The square root, derivative 1 / (2 sqrt x).</summary>
internal readonly struct Sqrt : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Value<S, V>(V x) where S : ISimd<V> where V : unmanaged => S.Sqrt(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Derivative<S, V>(V x) where S : ISimd<V> where V : unmanaged => S.Divide(S.Splat(0.5f), S.Sqrt(x));
}

/// <summary>|x|; the derivative is the sign of x, taken as 0 at 0.</summary>
internal readonly struct Abs : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Value<S, V>(V x) where S : ISimd<V> where V : unmanaged => S.Abs(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Derivative<S, V>(V x) where S : ISimd<V> where V : unmanaged =>
        S.IfGreater(S.Abs(x), S.Splat(0), S.CopySign(S.Splat(1), x), S.Splat(0));
}

/// <summary>x^2, derivative 2x.</summary>
internal readonly struct Square : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Value<S, V>(V x) where S : ISimd<V> where V : unmanaged => S.Multiply(x, x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Derivative<S, V>(V x) where S : ISimd<V> where V : unmanaged => S.Add(x, x);
}

/// <summary>
/// x^2 / 2 for |x| up to delta, delta (|x| - delta / 2) beyond (Huber, 1964); derivative x within,
/// delta with the sign of x beyond.
/// </summary>
internal readonly struct Huber(float delta) : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Value<S, V>(V x) where S : ISimd<V> where V : unmanaged
    {
        V magnitude = S.Abs(x), limit = S.Splat(delta), half = S.Splat(0.5f);
        return S.IfGreater(magnitude, limit, S.Multiply(limit, S.Fma(S.Splat(-0.5f), limit, magnitude)),
            S.Multiply(half, S.Multiply(x, x)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Derivative<S, V>(V x) where S : ISimd<V> where V : unmanaged
    {
        V limit = S.Splat(delta);
        return S.IfGreater(S.Abs(x), limit, S.CopySign(limit, x), x);
    }
}
