using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using V = System.Runtime.Intrinsics.Vector128<float>;

namespace Nano;

/// <summary>Whole numbers in four lanes.</summary>
public readonly unsafe partial struct Simd128
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V AddIntegers(V a, V b) => (a.AsInt32() + b.AsInt32()).AsSingle();

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V AddShorts(V a, V b) => (a.AsInt16() + b.AsInt16()).AsSingle();

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V DotBytes(V codes, V signed)
    {
        if (Ssse3.IsSupported)
            return Ssse3.MultiplyAddAdjacent(codes.AsByte(), signed.AsSByte()).AsSingle();
        // Bytes 1 and 3 of a lane stand in the upper halves of its 16-bit numbers, bytes 0 and 2 in the lower.
        Vector128<short> u = codes.AsInt16(), s = signed.AsInt16(),
            even = (u & Vector128.Create((short)255)) * ((s << 8) >> 8), odd = (u >>> 8) * (s >> 8);
        return (even + odd).AsSingle();
    }

    /// <inheritdoc/>
    public static bool HasByteDots
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => AvxVnni.IsSupported || Dp.IsSupported;
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V AddByteDots(V sums, V codes, V signed)
    {
        if (AvxVnni.IsSupported)
            return AvxVnni.MultiplyWideningAndAdd(sums.AsInt32(), codes.AsByte(), signed.AsSByte()).AsSingle();
        // ARM multiplies signed bytes: codes less 128, and 64 x twice.
        Vector128<sbyte> x = signed.AsSByte(), half = Vector128.Create((sbyte)64),
            less = (codes.AsByte() ^ Vector128.Create((byte)128)).AsSByte();
        return Dp.DotProduct(Dp.DotProduct(Dp.DotProduct(sums.AsInt32(), less, x), half, x), half, x).AsSingle();
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V DotShorts(V a, V b)
    {
        if (Sse2.IsSupported)
            return Sse2.MultiplyAddAdjacent(a.AsInt16(), b.AsInt16()).AsSingle();
        Vector128<int> x = a.AsInt32(), y = b.AsInt32();
        return ((((x << 16) >> 16) * ((y << 16) >> 16)) + ((x >> 16) * (y >> 16))).AsSingle();
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V SumShorts(V shorts) =>
        (((shorts.AsInt32() << 16) >> 16) + (shorts.AsInt32() >> 16)).AsSingle();

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V BitsOfBytes(V bytes, int right, byte mask)
    {
        var bits = bytes.AsUInt32();
        return ((right < 0 ? bits << -right : bits >>> right).AsByte() & Vector128.Create(mask)).AsSingle();
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V ToFloats(V integers) => Vector128.ConvertToSingle(integers.AsInt32());

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V LoadBytes(sbyte* p) => Vector128.ConvertToSingle(
        Vector128.WidenLower(Vector128.WidenLower(Vector128.CreateScalar(*(int*)p).AsSByte())));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V LoadHalves(ushort* p) => Float16(FirstBFloat16(
        Vector128.WidenLower(Vector128.CreateScalar(*(long*)p).AsUInt16()).AsSingle()));
}
