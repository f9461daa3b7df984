namespace Nano;

/// <summary>
/// Whole numbers in the lanes of a vector: a lane of 32 bits holds one of 32 bits, two of 16 or four of 8, the first in
/// the lowest bits. All of these operations are exact as long as nothing overflows.
/// </summary>
public unsafe partial interface ISimd<V>
{
    /// <summary>Sums of 32-bit numbers.</summary>
    static abstract V AddIntegers(V a, V b);

    /// <summary>Sums of 16-bit numbers.</summary>
    static abstract V AddShorts(V a, V b);

    /// <summary>
    /// Products of bytes, added in pairs to 16-bit numbers, which must not overflow: 0 and 1 of a lane, then 2 and 3.
    /// </summary>
    /// <param name="codes">From 0 to 255.</param>
    /// <param name="signed">From -128 to 127.</param>
    static abstract V DotBytes(V codes, V signed);

    /// <summary>True if <see cref="AddByteDots"/> is one instruction or few.</summary>
    static virtual bool HasByteDots => false;

    /// <summary>Adds to each sum of 32 bits the four products of bytes of its lane, exactly.</summary>
    /// <param name="sums">32-bit numbers.</param>
    /// <param name="codes">From 0 to 255.</param>
    /// <param name="signed">From -128 to 127.</param>
    /// <exception cref="NotSupportedException">There is no such instruction.</exception>
    static virtual V AddByteDots(V sums, V codes, V signed) => throw new NotSupportedException();

    /// <summary>Products of 16-bit numbers, the two of a lane added to one of 32 bits.</summary>
    static abstract V DotShorts(V a, V b);

    /// <summary>The two 16-bit numbers of a lane, added to one of 32 bits.</summary>
    static abstract V SumShorts(V shorts);

    /// <summary>Some bits of each byte, shifted.</summary>
    /// <param name="bytes">The bytes.</param>
    /// <param name="right">The shift to the right; below 0 one to the left.</param>
    /// <param name="mask">The bits that are left after it, none of which comes from another byte.</param>
    static abstract V BitsOfBytes(V bytes, int right, byte mask);

    /// <summary>32-bit numbers as floats, rounded to nearest.</summary>
    static abstract V ToFloats(V integers);

    /// <summary>A signed byte for each lane, as a float.</summary>
    static abstract V LoadBytes(sbyte* p);

    /// <summary>A float16 for each lane, as a float.</summary>
    static abstract V LoadHalves(ushort* p);
}
