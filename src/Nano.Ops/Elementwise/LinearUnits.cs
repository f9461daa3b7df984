using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>max(x, 0); the derivative at 0 is taken as 0. A NaN stays a NaN.</summary>
internal readonly struct Relu : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Value<S, V>(V x) where S : ISimd<V> where V : unmanaged => S.Max(S.Splat(0), x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Derivative<S, V>(V x) where S : ISimd<V> where V : unmanaged =>
        S.IfGreater(x, S.Splat(0), S.Splat(1), S.Splat(0));
}

/// <summary>max(x, 0)^2 (So et al., "Primer", 2021); derivative 2 max(x, 0).</summary>
internal readonly struct ReluSquared : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Value<S, V>(V x) where S : ISimd<V> where V : unmanaged
    {
        V y = S.Max(S.Splat(0), x);
        return S.Multiply(y, y);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Derivative<S, V>(V x) where S : ISimd<V> where V : unmanaged
    {
        V y = S.Max(S.Splat(0), x);
        return S.Add(y, y);
    }
}

/// <summary>
/// x above 0, slope x below (Maas et al., 2013); the derivative at 0 is taken as the slope.
/// </summary>
internal readonly struct LeakyRelu(float slope) : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Value<S, V>(V x) where S : ISimd<V> where V : unmanaged =>
        S.IfGreater(x, S.Splat(0), x, S.Multiply(x, S.Splat(slope)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Derivative<S, V>(V x) where S : ISimd<V> where V : unmanaged =>
        S.IfGreater(x, S.Splat(0), S.Splat(1), S.Splat(slope));
}

/// <summary>
/// x above 0, alpha (e^x - 1) below (Clevert et al., 2015); derivative 1 above, alpha e^x below.
/// </summary>
internal readonly struct Elu(float alpha) : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Value<S, V>(V x) where S : ISimd<V> where V : unmanaged =>
        S.IfGreater(x, S.Splat(0), x,
            S.Multiply(S.Splat(alpha), SimdMath.ExpLessOne<S, V>(S.Max(S.Splat(-80), x))));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Derivative<S, V>(V x) where S : ISimd<V> where V : unmanaged =>
        S.IfGreater(x, S.Splat(0), S.Splat(1), S.Multiply(S.Splat(alpha), SimdMath.ExpNonPositive<S, V>(x)));
}

/// <summary>
/// x + 1 above 0, e^x below: the positive features of linear attention (Katharopoulos et al.,
/// 2020); derivative 1 above, e^x below.
/// </summary>
internal readonly struct EluPlusOne : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Value<S, V>(V x) where S : ISimd<V> where V : unmanaged =>
        S.IfGreater(x, S.Splat(0), S.Add(x, S.Splat(1)), SimdMath.ExpNonPositive<S, V>(x));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Derivative<S, V>(V x) where S : ISimd<V> where V : unmanaged =>
        S.IfGreater(x, S.Splat(0), S.Splat(1), SimdMath.ExpNonPositive<S, V>(x));
}

/// <summary>
/// log(1 + e^x) = max(x, 0) + log(1 + e), e = e^-|x|, which is x itself above 20. The derivative is
/// the sigmoid.
/// </summary>
/// <remarks>
/// 1 + e is rounded to z; log z times e / (z - 1) is log(1 + e) to a few roundings however small e
/// is (Kahan).
/// </remarks>
internal readonly struct Softplus : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Value<S, V>(V x) where S : ISimd<V> where V : unmanaged
    {
        V zero = S.Splat(0), one = S.Splat(1), e = SimdMath.ExpNonPositive<S, V>(S.CopySign(x, S.Splat(-1)));
        V z = S.Add(one, e), d = S.Subtract(z, one);
        V log = S.IfGreater(d, zero, S.Divide(S.Multiply(e, SimdMath.Log<S, V>(z)), d), e);
        return S.Add(S.Max(zero, x), log);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Derivative<S, V>(V x) where S : ISimd<V> where V : unmanaged => SimdMath.Sigmoid<S, V>(x);
}
