using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace Nano.Fuzz;

/// <summary>
/// Damages files in the ways that find bugs in readers: bits, bytes, lengths, pieces dropped,
/// doubled, moved in from other files. A function of its seed.
/// </summary>
sealed class Mutator(int seed)
{
    // Most of what a reader believes stands at the beginning.
    const int Beginning = 600;

    static readonly string[] Tokens =
        ["{", "}", "[", "]", ",", ":", "\"", "null", "-1", "0", "1e9", "1e999", "9223372036854775807",
            "18446744073709551616", "\\ud800", "\"a\":", " ", "\0", "\u00ff", "BOOL", "F64", "F16", "true", "\n"];

    static readonly ulong[] Numbers =
        [0, 1, 2, 3, 7, 31, 32, 64, 255, 256, 65535, 65536, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x100000000,
            0x7FFFFFFFFFFFFFFF, 0x8000000000000000, 0xFFFFFFFFFFFFFFFF];

    readonly Random random = new(seed);

    /// <summary>A number from 0 to below another.</summary>
    public int Next(int end) => random.Next(end);

    /// <summary>A damaged copy; pieces may come from the other file.</summary>
    public byte[] Mutate(byte[] valid, byte[] other)
    {
        List<byte> bytes = [.. valid];
        for (int n = random.Next(1, 5); n > 0 && bytes.Count > 0; n--)
            Once(bytes, other);
        // The length before a JSON header is often made to fit again, so that deeper checks are reached.
        if (valid.Length > 9 && valid[8] == '{' && bytes.Count > 8 && random.Next(2) == 0)
            BinaryPrimitives.WriteInt64LittleEndian(CollectionsMarshal.AsSpan(bytes),
                Math.Max(0, BinaryPrimitives.ReadInt64LittleEndian(valid) + bytes.Count - valid.Length));
        return [.. bytes];
    }

    void Once(List<byte> bytes, byte[] other)
    {
        int at = random.Next(random.Next(4) > 0 ? Math.Min(bytes.Count, Beginning) : bytes.Count);
        int length = Math.Min(random.Next(1, random.Next(4) > 0 ? 12 : 200), bytes.Count - at);
        switch (random.Next(10))
        {
            case 0: bytes[at] = (byte)random.Next(256); break;
            case 1: bytes[at] ^= (byte)(1 << random.Next(8)); break;
            case 2: bytes.RemoveRange(at, length); break;
            case 3: bytes.InsertRange(at, bytes.GetRange(at, length)); break;
            case 4: bytes.RemoveRange(at, bytes.Count - at); break;
            case 5: bytes.InsertRange(at, Encoding.Latin1.GetBytes(Tokens[random.Next(Tokens.Length)])); break;
            case 6: ReplaceDigit(bytes); break;
            case 7: bytes.InsertRange(at, new byte[length]); break;
            case 8:
                bytes.InsertRange(at,
                other.AsSpan(random.Next(other.Length - Math.Min(length, other.Length) + 1),
                    Math.Min(length, other.Length)).ToArray()); break;
            default: ReplaceNumber(CollectionsMarshal.AsSpan(bytes)[at..]); break;
        }
    }

    void ReplaceDigit(List<byte> bytes)
    {
        int start = random.Next(bytes.Count);
        for (int i = 0; i < bytes.Count; i++)
            if (bytes[(start + i) % bytes.Count] is >= (byte)'0' and <= (byte)'9')
            {
                bytes[(start + i) % bytes.Count] = (byte)random.Next('0', '9' + 1);
                return;
            }
    }

    void ReplaceNumber(Span<byte> at)
    {
        ulong number = random.Next(3) == 0 && at.Length >= 8
            ? BinaryPrimitives.ReadUInt64LittleEndian(at) + (ulong)random.Next(-3, 4)
            : Numbers[random.Next(Numbers.Length)];
        if (at.Length >= 8 && random.Next(2) == 0)
            BinaryPrimitives.WriteUInt64LittleEndian(at, number);
        else if (at.Length >= 4)
            BinaryPrimitives.WriteUInt32LittleEndian(at, (uint)number);
    }
}
