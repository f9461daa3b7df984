using System.Runtime.CompilerServices;
namespace Nano;
public static unsafe class SimdMath
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Exp<S,V>(V x) where S:ISimd<V> where V:unmanaged {
        x = S.IfGreater(x, S.Splat(89f), S.Splat(89f), x); x = S.IfGreater(S.Splat(-104f), x, S.Splat(-104f), x);
        V n = S.Round(S.Multiply(x, S.Splat(1.44269504f)));
        V r = S.Fma(n, S.Splat(-0.693359375f), x); r = S.Fma(n, S.Splat(2.12194440e-4f), r);
        V p = S.Splat(1f/5040); p = S.Fma(p, r, S.Splat(1f/720)); p = S.Fma(p, r, S.Splat(1f/120)); p = S.Fma(p, r, S.Splat(1f/24)); p = S.Fma(p, r, S.Splat(1f/6)); p = S.Fma(p, r, S.Splat(.5f)); p = S.Fma(p, r, S.Splat(1)); p = S.Fma(p, r, S.Splat(1));
        V h = S.Round(S.Multiply(n, S.Splat(.5f)));
        return S.Multiply(S.Multiply(p, S.PowerOfTwo(h)), S.PowerOfTwo(S.Subtract(n, h)));
    }
    static V Map<S,V>(V x, Func<double,double> f) where S:ISimd<V> where V:unmanaged { float* t = stackalloc float[16]; S.Store(t,x); for(int i=0;i<S.Lanes;i++) t[i]=(float)f(t[i]); return S.Load(t);}
    public static V Log<S,V>(V x) where S:ISimd<V> where V:unmanaged => Map<S,V>(x, Math.Log);
    public static V Tanh<S,V>(V x) where S:ISimd<V> where V:unmanaged => Map<S,V>(x, Math.Tanh);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Sigmoid<S,V>(V x) where S:ISimd<V> where V:unmanaged => S.Divide(S.Splat(1), S.Add(S.Splat(1), Exp<S,V>(S.Subtract(S.Splat(0), x))));
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Erf<S,V>(V x) where S:ISimd<V> where V:unmanaged {
        V a = S.Abs(x); V t = S.Divide(S.Splat(1), S.Fma(a, S.Splat(0.3275911f), S.Splat(1)));
        V p = S.Splat(1.061405429f); p = S.Fma(p,t,S.Splat(-1.453152027f)); p = S.Fma(p,t,S.Splat(1.421413741f)); p = S.Fma(p,t,S.Splat(-0.284496736f)); p = S.Fma(p,t,S.Splat(0.254829592f));
        V e = Exp<S,V>(S.Subtract(S.Splat(0), S.Multiply(a,a)));
        return S.CopySign(S.Subtract(S.Splat(1), S.Multiply(S.Multiply(p,t),e)), x);
    }
}
