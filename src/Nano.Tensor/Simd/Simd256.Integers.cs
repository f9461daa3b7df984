using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using V = System.Runtime.Intrinsics.Vector256<float>;

namespace Nano;

/// <summary>Whole numbers in eight lanes.</summary>
public readonly unsafe partial struct Simd256
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V AddIntegers(V a, V b) => (a.AsInt32() + b.AsInt32()).AsSingle();

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V AddShorts(V a, V b) => (a.AsInt16() + b.AsInt16()).AsSingle();

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V DotBytes(V codes, V signed) =>
        Avx2.MultiplyAddAdjacent(codes.AsByte(), signed.AsSByte()).AsSingle();

    /// <inheritdoc/>
    public static bool HasByteDots
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => AvxVnni.IsSupported;
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V AddByteDots(V sums, V codes, V signed) =>
        AvxVnni.MultiplyWideningAndAdd(sums.AsInt32(), codes.AsByte(), signed.AsSByte()).AsSingle();

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V DotShorts(V a, V b) => Avx2.MultiplyAddAdjacent(a.AsInt16(), b.AsInt16()).AsSingle();

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V SumShorts(V shorts) => DotShorts(shorts, Vector256.Create((short)1).AsSingle());

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V BitsOfBytes(V bytes, int right, byte mask)
    {
        var bits = bytes.AsUInt32();
        return ((right < 0 ? bits << -right : bits >>> right).AsByte() & Vector256.Create(mask)).AsSingle();
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V ToFloats(V integers) => Vector256.ConvertToSingle(integers.AsInt32());

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V LoadBytes(sbyte* p) => Vector256.ConvertToSingle(Avx2.ConvertToVector256Int32(p));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V LoadHalves(ushort* p) =>
        Float16(FirstBFloat16(Avx2.ConvertToVector256Int32(p).AsSingle()));
}
