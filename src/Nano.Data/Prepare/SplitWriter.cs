using System.Globalization;

namespace Nano;

/// <summary>A token file of a split.</summary>
/// <param name="Name">Its name in the folder.</param>
/// <param name="Tokens">Number of ids.</param>
/// <param name="Sha256">Its digest in lower-case hexadecimal.</param>
public sealed record ShardFile(string Name, long Tokens, string Sha256);

/// <summary>Sizes and files of a split.</summary>
/// <param name="Tokens">Ids, those between documents included.</param>
/// <param name="Documents">Documents that begin in it.</param>
/// <param name="Bytes">Of its text in UTF-8.</param>
/// <param name="Files">Its files, in order.</param>
public sealed record SplitInfo(long Tokens, long Documents, long Bytes, IReadOnlyList<ShardFile> Files);

/// <summary>Writes the files of one split, one after the other.</summary>
/// <param name="folder">The folder for the files.</param>
/// <param name="prefix">The prefix of their names.</param>
/// <param name="first">The number of the first.</param>
/// <param name="vocabulary">V.</param>
/// <param name="shardTokens">Number of tokens per file.</param>
internal sealed class SplitWriter(string folder, string prefix, int first, int vocabulary, int shardTokens)
    : IDisposable
{
    private readonly List<ShardFile> files = [];
    private TokenShardWriter? open;

    public long Tokens { get; private set; }

    public long Documents { get; set; }

    public long Bytes { get; set; }

    /// <summary>Adds ids.</summary>
    /// <exception cref="NanoException">The disk is full or reports an error.</exception>
    public void Write(ReadOnlySpan<int> ids)
    {
        Tokens += ids.Length;
        while (ids.Length > 0)
        {
            open ??= new TokenShardWriter(Path.Combine(folder, Name), vocabulary);
            var now = ids[..Math.Min(ids.Length, shardTokens - open.Count)];
            open.Write(now);
            ids = ids[now.Length..];
            if (open.Count == shardTokens)
                Close();
        }
    }

    /// <summary>Finishes the last file.</summary>
    /// <exception cref="NanoException">The disk is full or reports an error.</exception>
    public SplitInfo Finish()
    {
        if (open is not null)
            Close();
        return new SplitInfo(Tokens, Documents, Bytes, files);
    }

    private string Name => $"{prefix}_{(first + files.Count).ToString("D6", CultureInfo.InvariantCulture)}.bin";

    private void Close()
    {
        int count = open!.Count;
        string digest = open.Finish();
        open.Dispose();
        open = null;
        files.Add(new ShardFile(Name, count, digest));
    }

    public void Dispose() => open?.Dispose();
}
