namespace Nano;

/// <summary>
/// One SIMD width. Every kernel is written once, generic over this interface, and the JIT makes a
/// copy for each width in which all of these members are single instructions. V stays the
/// framework's raw vector type, so there is no wrapper for the JIT to see through. Every operation
/// is correctly rounded or exact, hence a lane holds the same bits at every width.
/// </summary>
/// <typeparam name="V">The vector of float32 lanes: Vector512, Vector256, Vector128 or float itself.</typeparam>
public unsafe partial interface ISimd<V> where V : unmanaged
{
    /// <summary>float32 lanes in one vector; a power of two, at most 16.</summary>
    static abstract int Lanes { get; }

    /// <summary>Reads Lanes consecutive floats; no alignment needed.</summary>
    static abstract V Load(float* p);

    /// <summary>Writes Lanes consecutive floats; no alignment needed.</summary>
    static abstract void Store(float* p, V v);

    /// <summary>Writes Lanes consecutive floats past the caches; p must be a multiple of the vector's size.</summary>
    static abstract void StoreAround(float* p, V v);

    /// <summary>A vector with the value in every lane.</summary>
    static abstract V Splat(float x);

    /// <summary>a + b.</summary>
    static abstract V Add(V a, V b);

    /// <summary>a - b.</summary>
    static abstract V Subtract(V a, V b);

    /// <summary>a * b.</summary>
    static abstract V Multiply(V a, V b);

    /// <summary>a / b.</summary>
    static abstract V Divide(V a, V b);

    /// <summary>a * b + c, rounded once.</summary>
    static abstract V Fma(V a, V b, V c);

    /// <summary>The square root.</summary>
    static abstract V Sqrt(V a);

    /// <summary>The magnitude.</summary>
    static abstract V Abs(V a);

    /// <summary>a &gt; b ? a : b, lane by lane: a NaN in either operand yields b, the same at every width.</summary>
    static abstract V Max(V a, V b);

    /// <summary>whenTrue where a &gt; b, else whenFalse (also where a or b is NaN).</summary>
    static abstract V IfGreater(V a, V b, V whenTrue, V whenFalse);

    /// <summary>The magnitude of the first operand with the sign of the second.</summary>
    static abstract V CopySign(V magnitude, V sign);

    /// <summary>The nearest integer, ties to even, as a float.</summary>
    static abstract V Round(V a);

    /// <summary>2^n for integral n in [-126, 127], built from the exponent bits. Other n give garbage.</summary>
    static abstract V PowerOfTwo(V n);

    /// <summary>
    /// For normal positive x: the mantissa m in [0.75, 1.5) and the exponent e (as a float) with x
    /// = m * 2^e.
    /// </summary>
    static abstract (V Mantissa, V Exponent) Split(V x);

    /// <summary>
    /// Two numbers in one lane: both rounded to bfloat16, the upper half of a float32, the nearest
    /// and of two equally near the even one, the first into the lane's lower half and the second
    /// into its upper. A NaN stays one. No number itself: to be loaded, stored and taken apart
    /// again only.
    /// </summary>
    static abstract V PairBFloat16(V first, V second);

    /// <summary>The first number of each pair.</summary>
    static abstract V FirstBFloat16(V pairs);

    /// <summary>The second number of each pair.</summary>
    static abstract V SecondBFloat16(V pairs);

    /// <summary>The float16 in each lane's upper half, whatever the lower one holds, as float32; exact.</summary>
    static abstract V Float16(V halves);

    /// <summary>That of numbers which are neither infinite nor NaN, in fewer instructions.</summary>
    static abstract V FiniteFloat16(V halves);
}
