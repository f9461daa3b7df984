using System.Security.Cryptography;
using System.Text;

namespace Nano;

/// <summary>
/// Token files one behind the other, mapped into memory: the system reads what is touched, so they
/// may be larger than memory.
/// </summary>
public sealed class TokenShards : TokenSource
{
    private readonly TokenShard[] shards;
    private readonly long[] starts; // of each, and the end of the last
    private readonly int vocabulary;

    private TokenShards(TokenShard[] shards, int vocabulary)
    {
        (this.shards, this.vocabulary) = (shards, vocabulary);
        starts = new long[shards.Length + 1];
        for (int i = 0; i < shards.Length; i++)
            starts[i + 1] = starts[i] + shards[i].Count;
    }

    /// <inheritdoc/>
    public override long Length => starts[^1];

    /// <summary>The SHA-256 of each file, in their order.</summary>
    public IReadOnlyList<string> Digests { get; private set; } = [];

    /// <summary>One digest for all: that of the only file, or of the digests of several.</summary>
    public string Sha256 => Digests.Count == 1 ? Digests[0]
        : Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(string.Join('\n', Digests))));

    /// <summary>Opens files and reads each once to the end, for its digest and to check every id.</summary>
    /// <param name="paths">The files, in order.</param>
    /// <param name="vocabulary">V: ids are below it.</param>
    /// <exception cref="NanoException">A file is missing or unreadable.</exception>
    /// <exception cref="BadFileException">One is malformed, has an id of V or more, or has ids of
    /// another width than the first.</exception>
    public static TokenShards Open(IReadOnlyList<string> paths, int vocabulary)
    {
        var opened = new List<TokenShard>();
        try
        {
            foreach (string path in paths)
            {
                opened.Add(TokenShard.Open(path));
                if (opened[^1].Width != opened[0].Width)
                    throw new BadFileException(path,
                        $"its ids have {8 * opened[^1].Width} bits and those of {opened[0].Path} "
                        + $"{8 * opened[0].Width}: the files are not of one data set");
            }
            return new TokenShards([.. opened],
                vocabulary)
            { Digests = [.. opened.Select(shard => shard.Check(vocabulary))] };
        }
        catch
        {
            foreach (var shard in opened)
                shard.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override void CopyTo(long start, Span<int> ids)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(start, Length - ids.Length);
        int shard = Array.BinarySearch(starts, start);
        for (shard = shard < 0 ? ~shard - 1 : shard; ids.Length > 0; shard++)
        {
            int offset = (int)(start - starts[shard]), count = Math.Min(ids.Length, shards[shard].Count - offset);
            shards[shard].CopyTo(offset, ids[..count], vocabulary);
            ids = ids[count..];
            start += count;
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        foreach (var shard in shards)
            shard.Dispose();
        base.Dispose(disposing);
    }
}
