namespace Nano;

/// <summary>Codes of a block as bit fields.</summary>
internal static class Nibbles
{
    /// <summary>
    /// The low four bits of codes, two to a byte: the first half of the codes in the low bits, the
    /// second half in the high ones.
    /// </summary>
    public static void Pack(ReadOnlySpan<byte> codes, Span<byte> bytes)
    {
        int half = codes.Length / 2;
        for (int i = 0; i < half; i++)
            bytes[i] = (byte)((codes[i] & 15) | (codes[half + i] << 4));
    }

    /// <summary>The fifth bit of 32 codes as the bits of a number.</summary>
    public static uint FifthBits(ReadOnlySpan<byte> codes)
    {
        uint bits = 0;
        for (int i = 0; i < codes.Length; i++)
            bits |= (uint)((codes[i] >> 4) & 1) << i;
        return bits;
    }

    /// <summary>
    /// Codes of two bits, four to a byte, in groups of 128: of each group, code i of quarter k goes
    /// to bits 2k of byte i.
    /// </summary>
    public static void PackQuarters(ReadOnlySpan<byte> codes, Span<byte> bytes)
    {
        for (; !codes.IsEmpty; codes = codes[128..], bytes = bytes[32..])
            for (int i = 0; i < 32; i++)
                bytes[i] = (byte)(codes[i] | (codes[32 + i] << 2) | (codes[64 + i] << 4) | (codes[96 + i] << 6));
    }
}
