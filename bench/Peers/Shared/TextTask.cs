namespace Nano.Peers;

/// <summary>Text that Nano and a peer continue, and ids as numbers that can be compared.</summary>
internal static class TextTask
{
    /// <summary>Tokens before those that a run of decoding makes.</summary>
    public const int DecodePrompt = 16;

    /// <summary>Tokens that a run of decoding makes.</summary>
    public const int Decoded = 32;

    /// <summary>Tokens that a run of reading reads.</summary>
    public const int LongPrompt = 512;

    /// <summary>Ids of a vocabulary without a meaning.</summary>
    public static int[] Prompt(int count, int vocabulary) =>
        [.. Enumerable.Range(0, count).Select(i => ((i * 7919) + 23) % vocabulary)];

    /// <summary>The number of ids, and a hash that a double holds exactly.</summary>
    public static double[] Digest(IReadOnlyList<int> ids)
    {
        ulong hash = 14695981039346656037;
        foreach (int id in ids)
            hash = (hash ^ (uint)id) * 1099511628211;
        return [ids.Count, hash >> 12];
    }
}
