namespace Nano;
public static unsafe class SimdMath
{
    static V Map<S,V>(V x, Func<double,double> f) where S:ISimd<V> where V:unmanaged { float* t = stackalloc float[16]; S.Store(t,x); for(int i=0;i<S.Lanes;i++) t[i]=(float)f(t[i]); return S.Load(t);}
    public static V Exp<S,V>(V x) where S:ISimd<V> where V:unmanaged => Map<S,V>(x, Math.Exp);
    public static V Log<S,V>(V x) where S:ISimd<V> where V:unmanaged => Map<S,V>(x, Math.Log);
    public static V Tanh<S,V>(V x) where S:ISimd<V> where V:unmanaged => Map<S,V>(x, Math.Tanh);
    public static V Sigmoid<S,V>(V x) where S:ISimd<V> where V:unmanaged => Map<S,V>(x, v=>1/(1+Math.Exp(-v)));
    public static V Erf<S,V>(V x) where S:ISimd<V> where V:unmanaged => Map<S,V>(x, v=>Math.Tanh(v*1.128+0.1*v*v*v));
}
