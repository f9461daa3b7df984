using System.Buffers.Binary;

namespace Nano;

/// <summary>
/// The ids of pieces met before. Most of a text is a few thousand short words, so a table with one
/// place for each hash value, which the newest piece takes, holds nearly all. Only pieces of up to
/// 15 bytes and 4 ids are kept.
/// </summary>
internal sealed class PieceCache
{
    /// <summary>Bytes that must be readable from the beginning of any piece.</summary>
    public const int Readable = 16;

    private const int FirstBits = 8, MaxBits = 15, MaxLength = 15, MaxIds = 4;

    private Entry[] entries = new Entry[1 << FirstBits];
    private int bits = FirstBits, kept;

    private record struct Entry(ulong Low, ulong High, int Id0, int Id1, int Id2, int Id3);

    /// <summary>Looks a piece up.</summary>
    /// <param name="text">The text; <see cref="Readable"/> bytes are read from start.</param>
    /// <param name="start">The start of the piece.</param>
    /// <param name="length">Its length.</param>
    /// <param name="ids">Receives its ids; at least four long.</param>
    /// <returns>The number of ids, or 0 if the piece is not here.</returns>
    public int Find(ReadOnlySpan<byte> text, int start, int length, Span<int> ids)
    {
        if (length > MaxLength)
            return 0;
        Key(text, start, length, out ulong low, out ulong high);
        ref Entry entry = ref entries[Slot(low, high)];
        if (entry.Low != low || entry.High != high)
            return 0;
        ids[3] = entry.Id3;
        ids[2] = entry.Id2;
        ids[1] = entry.Id1;
        ids[0] = entry.Id0;
        return entry.Id1 < 0 ? 1 : entry.Id2 < 0 ? 2 : entry.Id3 < 0 ? 3 : 4;
    }

    /// <summary>Keeps the ids of a piece, if it is short enough.</summary>
    public void Keep(ReadOnlySpan<byte> text, int start, int length, ReadOnlySpan<int> ids)
    {
        if (length > MaxLength || ids.Length is 0 or > MaxIds)
            return;
        if (++kept > entries.Length && bits < MaxBits)
            Grow();
        Key(text, start, length, out ulong low, out ulong high);
        entries[Slot(low, high)] = new Entry(low, high, ids[0], At(ids, 1), At(ids, 2), At(ids, 3));
    }

    /// <summary>A long text has earned a larger table. What is lost is soon met again.</summary>
    private void Grow()
    {
        (bits, kept) = (bits + 1, 0);
        entries = new Entry[1 << bits];
    }

    private static int At(ReadOnlySpan<int> ids, int i) => i < ids.Length ? ids[i] : -1;

    /// <summary>The bytes as two numbers, the length in the last byte, so that no key is zero.</summary>
    private static void Key(ReadOnlySpan<byte> text, int start, int length, out ulong low, out ulong high)
    {
        low = BinaryPrimitives.ReadUInt64LittleEndian(text[start..]);
        high = (ulong)length << 56;
        if (length < 8)
            low &= (1UL << (8 * length)) - 1;
        else
            high |= BinaryPrimitives.ReadUInt64LittleEndian(text[(start + 8)..]) & ((1UL << (8 * (length - 8))) - 1);
    }

    private int Slot(ulong low, ulong high) =>
        (int)(((low * 0x9E3779B97F4A7C15) ^ (high * 0xD6E8FEB86659FD93) ^ (low >> 29)) * 0x9E3779B97F4A7C15
            >> (64 - bits));
}
