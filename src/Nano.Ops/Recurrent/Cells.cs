using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>The cells of recurrent nets. Each is one struct below: a step beside its derivative.</summary>
public enum CellKind
{
    /// <summary>h' = tanh(W x + U h).</summary>
    Tanh,

    /// <summary>
    /// Long short-term memory (Hochreiter and Schmidhuber, 1997), with forget gates; gates i, f, g, o.
    /// </summary>
    Lstm,

    /// <summary>The gated recurrent unit (Cho et al., 2014); gates r, z, n.</summary>
    Gru,
}

/// <summary>
/// A cell, element by element, from a = W x + b_ih and b = U h + b_hh. Gates lie H apart in a and in b. After the
/// forward step, a holds the activated gates, and one number is retained beside them.
/// </summary>
internal unsafe interface ICell
{
    /// <summary>Gates of a cell.</summary>
    static abstract int Gates { get; }

    /// <summary>True if the cell has a second state c beside h.</summary>
    static abstract bool HasMemory { get; }

    /// <summary>A step: the new h, from h and c at element i, which it replaces; retains a number.</summary>
    static abstract V Step<S, V>(float* a, float* b, int width, nint i, V h, float* c, out V retained)
        where S : ISimd<V> where V : unmanaged;

    /// <summary>
    /// A step backwards from dh, the gradient of the new h, and that of the new c: the gradients of a and b, that of
    /// the old c, and returns that of the old h as far as it does not pass through b.
    /// </summary>
    static abstract V Back<S, V>(float* gates, int width, nint i, V retained, V h, V c, V dh, float* dc, float* da,
        float* db) where S : ISimd<V> where V : unmanaged;
}

/// <summary>h' = tanh(a + b); da = db = dh' (1 - h'^2).</summary>
internal readonly unsafe struct TanhCell : ICell
{
    public static int Gates => 1;

    public static bool HasMemory => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Step<S, V>(float* a, float* b, int width, nint i, V h, float* c, out V retained)
        where S : ISimd<V> where V : unmanaged
    {
        V next = SimdMath.Tanh<S, V>(S.Add(S.Load(a + i), S.Load(b + i)));
        S.Store(a + i, next);
        retained = next;
        return next;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Back<S, V>(float* gates, int width, nint i, V retained, V h, V c, V dh, float* dc, float* da,
        float* db) where S : ISimd<V> where V : unmanaged
    {
        V d = S.Multiply(dh, CellMath.TanhSlope<S, V>(retained));
        S.Store(da + i, d);
        S.Store(db + i, d);
        return S.Splat(0);
    }
}

/// <summary>
/// c' = s(f) c + s(i) tanh(g), h' = s(o) tanh(c'). Backward, with i, f, g, o after their functions and e = dc' +
/// dh' o (1 - tanh^2 c'): da = [e g i(1-i), e c f(1-f), e i (1-g^2), dh' tanh(c') o(1-o)]; dc = e f. c' is retained.
/// </summary>
internal readonly unsafe struct LstmCell : ICell
{
    public static int Gates => 4;

    public static bool HasMemory => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Step<S, V>(float* a, float* b, int width, nint i, V h, float* c, out V retained)
        where S : ISimd<V> where V : unmanaged
    {
        nint forget = i + width, candidate = forget + width, output = candidate + width;
        V input = SimdMath.Sigmoid<S, V>(S.Add(S.Load(a + i), S.Load(b + i)));
        V kept = SimdMath.Sigmoid<S, V>(S.Add(S.Load(a + forget), S.Load(b + forget)));
        V added = SimdMath.Tanh<S, V>(S.Add(S.Load(a + candidate), S.Load(b + candidate)));
        V shown = SimdMath.Sigmoid<S, V>(S.Add(S.Load(a + output), S.Load(b + output)));
        S.Store(a + i, input);
        S.Store(a + forget, kept);
        S.Store(a + candidate, added);
        S.Store(a + output, shown);
        retained = S.Fma(kept, S.Load(c + i), S.Multiply(input, added));
        S.Store(c + i, retained);
        return S.Multiply(shown, SimdMath.Tanh<S, V>(retained));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Back<S, V>(float* gates, int width, nint i, V retained, V h, V c, V dh, float* dc, float* da,
        float* db) where S : ISimd<V> where V : unmanaged
    {
        nint forget = i + width, candidate = forget + width, output = candidate + width;
        V input = S.Load(gates + i), kept = S.Load(gates + forget), added = S.Load(gates + candidate),
            shown = S.Load(gates + output), tanh = SimdMath.Tanh<S, V>(retained);
        V e = S.Fma(S.Multiply(dh, shown), CellMath.TanhSlope<S, V>(tanh), S.Load(dc + i));
        CellMath.Both<S, V>(da, db, i, S.Multiply(S.Multiply(e, added), CellMath.SigmoidSlope<S, V>(input)));
        CellMath.Both<S, V>(da, db, forget, S.Multiply(S.Multiply(e, c), CellMath.SigmoidSlope<S, V>(kept)));
        CellMath.Both<S, V>(da, db, candidate, S.Multiply(S.Multiply(e, input), CellMath.TanhSlope<S, V>(added)));
        CellMath.Both<S, V>(da, db, output, S.Multiply(S.Multiply(dh, tanh), CellMath.SigmoidSlope<S, V>(shown)));
        S.Store(dc + i, S.Multiply(e, kept));
        return S.Splat(0);
    }
}

/// <summary>
/// r = s(a_r + b_r), z = s(a_z + b_z), n = tanh(a_n + r b_n), h' = (1 - z) n + z h. Backward: da_n = dh' (1-z) (1-n^2),
/// da_z = dh' (h-n) z(1-z), da_r = da_n b_n r(1-r); db = (da_r, da_z, da_n r); dh = dh' z beside what passes through
/// b. b_n is retained.
/// </summary>
internal readonly unsafe struct GruCell : ICell
{
    public static int Gates => 3;

    public static bool HasMemory => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Step<S, V>(float* a, float* b, int width, nint i, V h, float* c, out V retained)
        where S : ISimd<V> where V : unmanaged
    {
        nint update = i + width, candidate = update + width;
        V reset = SimdMath.Sigmoid<S, V>(S.Add(S.Load(a + i), S.Load(b + i)));
        V kept = SimdMath.Sigmoid<S, V>(S.Add(S.Load(a + update), S.Load(b + update)));
        retained = S.Load(b + candidate);
        V next = SimdMath.Tanh<S, V>(S.Fma(reset, retained, S.Load(a + candidate)));
        S.Store(a + i, reset);
        S.Store(a + update, kept);
        S.Store(a + candidate, next);
        return S.Fma(kept, S.Subtract(h, next), next);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Back<S, V>(float* gates, int width, nint i, V retained, V h, V c, V dh, float* dc, float* da,
        float* db) where S : ISimd<V> where V : unmanaged
    {
        nint update = i + width, candidate = update + width;
        V reset = S.Load(gates + i), kept = S.Load(gates + update), next = S.Load(gates + candidate);
        V dn = S.Multiply(S.Multiply(dh, S.Subtract(S.Splat(1), kept)), CellMath.TanhSlope<S, V>(next));
        S.Store(da + candidate, dn);
        S.Store(db + candidate, S.Multiply(dn, reset));
        CellMath.Both<S, V>(da, db, update,
            S.Multiply(S.Multiply(dh, S.Subtract(h, next)), CellMath.SigmoidSlope<S, V>(kept)));
        CellMath.Both<S, V>(da, db, i, S.Multiply(S.Multiply(dn, retained), CellMath.SigmoidSlope<S, V>(reset)));
        return S.Multiply(dh, kept);
    }
}

/// <summary>Slopes of the gates' functions from their values.</summary>
internal static unsafe class CellMath
{
    /// <summary>1 - t^2.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V TanhSlope<S, V>(V t) where S : ISimd<V> where V : unmanaged =>
        S.Multiply(S.Subtract(S.Splat(1), t), S.Add(S.Splat(1), t));

    /// <summary>s (1 - s).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V SigmoidSlope<S, V>(V s) where S : ISimd<V> where V : unmanaged =>
        S.Multiply(s, S.Subtract(S.Splat(1), s));

    /// <summary>Writes a gradient that a and b share.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Both<S, V>(float* da, float* db, nint i, V v) where S : ISimd<V> where V : unmanaged
    {
        S.Store(da + i, v);
        S.Store(db + i, v);
    }
}
