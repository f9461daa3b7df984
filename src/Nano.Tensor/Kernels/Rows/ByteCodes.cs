using System.Runtime.Intrinsics;

namespace Nano;

/// <summary>
/// Small whole numbers as bytes and as floats. Both ways are exact, so the vector width does not
/// show.
/// </summary>
internal static unsafe class ByteCodes
{
    /// <summary>Bytes as numbers from 0 to 255.</summary>
    public static void ToFloats(byte* from, nint count, float* to)
    {
        nint i = 0;
        for (; i <= count - Vector128<byte>.Count; i += Vector128<byte>.Count)
        {
            var (low, high) = Vector128.Widen(Vector128.Load(from + i));
            Store(Vector128.Widen(low), to + i);
            Store(Vector128.Widen(high), to + i + 8);
        }
        for (; i < count; i++)
            to[i] = from[i];
    }

    /// <summary>Bytes as numbers from -128 to 127.</summary>
    public static void ToFloats(sbyte* from, nint count, float* to)
    {
        nint i = 0;
        for (; i <= count - Vector128<sbyte>.Count; i += Vector128<sbyte>.Count)
        {
            var (low, high) = Vector128.Widen(Vector128.Load(from + i));
            Store(Vector128.Widen(low), to + i);
            Store(Vector128.Widen(high), to + i + 8);
        }
        for (; i < count; i++)
            to[i] = from[i];
    }

    /// <summary>The low bytes of whole numbers from -128 to 255.</summary>
    public static void FromFloats(float* from, nint count, byte* to)
    {
        nint i = 0;
        for (; i <= count - Vector128<byte>.Count; i += Vector128<byte>.Count)
            Vector128.Narrow(Halves(from + i), Halves(from + i + 8)).AsByte().Store(to + i);
        for (; i < count; i++)
            to[i] = unchecked((byte)(int)from[i]);
    }

    private static Vector128<short> Halves(float* from) =>
        Vector128.Narrow(Vector128.ConvertToInt32(Vector128.Load(from)),
            Vector128.ConvertToInt32(Vector128.Load(from + 4)));

    private static void Store((Vector128<uint> Lower, Vector128<uint> Upper) numbers, float* to) =>
        Store((numbers.Lower.AsInt32(), numbers.Upper.AsInt32()), to);

    private static void Store((Vector128<int> Lower, Vector128<int> Upper) numbers, float* to)
    {
        Vector128.ConvertToSingle(numbers.Lower).Store(to);
        Vector128.ConvertToSingle(numbers.Upper).Store(to + 4);
    }
}
