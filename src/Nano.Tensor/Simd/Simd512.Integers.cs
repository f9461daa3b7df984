using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using V = System.Runtime.Intrinsics.Vector512<float>;

namespace Nano;

/// <summary>Whole numbers in sixteen lanes.</summary>
public readonly unsafe partial struct Simd512
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
        Avx512BW.MultiplyAddAdjacent(codes.AsByte(), signed.AsSByte()).AsSingle();

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V DotShorts(V a, V b) => Avx512BW.MultiplyAddAdjacent(a.AsInt16(), b.AsInt16()).AsSingle();

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V SumShorts(V shorts) => DotShorts(shorts, Vector512.Create((short)1).AsSingle());

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V BitsOfBytes(V bytes, int right, byte mask)
    {
        var bits = bytes.AsUInt32();
        return ((right < 0 ? bits << -right : bits >>> right).AsByte() & Vector512.Create(mask)).AsSingle();
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V ToFloats(V integers) => Vector512.ConvertToSingle(integers.AsInt32());

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V LoadBytes(sbyte* p) =>
        Vector512.ConvertToSingle(Avx512F.ConvertToVector512Int32(Vector128.Load(p)));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V LoadHalves(ushort* p) =>
        Float16(FirstBFloat16(Avx512F.ConvertToVector512UInt32(Vector256.Load(p)).AsSingle()));
}
