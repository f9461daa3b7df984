using System.Buffers.Binary;
using System.Numerics;

namespace Nano;

/// <summary>
/// The bytes of each id, and the id of some bytes. An id may be unused (no bytes), and a token may
/// be hidden: it is decoded, but text never becomes it.
/// </summary>
internal sealed class Vocabulary
{
    private readonly byte[] bytes;
    private readonly int[] starts;

    // Open addressing: id + 1, or 0 where free.
    private readonly int[] buckets;

    /// <param name="tokens">Of each id: its bytes, or null where the id is not used.</param>
    /// <param name="hidden">Whether text never becomes the id.</param>
    /// <param name="source">The file to name when two ids have the same bytes.</param>
    public Vocabulary(IReadOnlyList<byte[]?> tokens, Func<int, bool> hidden, string source)
    {
        starts = new int[tokens.Count + 1];
        for (int id = 0; id < tokens.Count; id++)
            starts[id + 1] = checked(starts[id] + (tokens[id]?.Length ?? 0));
        bytes = new byte[starts[^1]];
        buckets = new int[BitOperations.RoundUpToPowerOf2((uint)Math.Max(4, tokens.Count * 2L))];
        for (int id = 0; id < tokens.Count; id++)
        {
            tokens[id]?.CopyTo(bytes, starts[id]);
            if (tokens[id] is { Length: > 0 } && !hidden(id) && !TryAdd(id))
                throw new BadFileException(source, $"the ids {Find(tokens[id])} and {id} are the same token");
        }
    }

    /// <summary>V, unused ids included.</summary>
    public int Count => starts.Length - 1;

    /// <summary>The bytes of an id; none if it is not used.</summary>
    public ReadOnlySpan<byte> this[int id] => bytes.AsSpan(starts[id], starts[id + 1] - starts[id]);

    /// <summary>The id of a token, or -1.</summary>
    public int Find(ReadOnlySpan<byte> token)
    {
        for (int at = Hash(token) & (buckets.Length - 1); ; at = (at + 1) & (buckets.Length - 1))
        {
            int id = buckets[at] - 1;
            if (id < 0 || this[id].SequenceEqual(token))
                return id;
        }
    }

    private bool TryAdd(int id)
    {
        if (Find(this[id]) >= 0)
            return false;
        int at = Hash(this[id]) & (buckets.Length - 1);
        while (buckets[at] != 0)
            at = (at + 1) & (buckets.Length - 1);
        buckets[at] = id + 1;
        return true;
    }

    private static int Hash(ReadOnlySpan<byte> token)
    {
        ulong hash = (ulong)token.Length * 0x9E3779B97F4A7C15;
        for (; token.Length >= 8; token = token[8..])
            hash = BitOperations.RotateLeft((hash ^ BinaryPrimitives.ReadUInt64LittleEndian(token))
                * 0xD6E8FEB86659FD93, 29);
        foreach (byte b in token)
            hash = BitOperations.RotateLeft((hash ^ b) * 0xD6E8FEB86659FD93, 29);
        return (int)(hash ^ (hash >> 32));
    }
}
