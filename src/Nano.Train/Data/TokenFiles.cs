namespace Nano;

/// <summary>Token files of llm.c by their names.</summary>
internal static class TokenFiles
{
    private const int Read = 1 << 16;

    /// <summary>A file, or those that match a name with *, in ordinal order.</summary>
    /// <exception cref="NanoException">There is none.</exception>
    public static string[] Find(string path)
    {
        if (!path.Contains('*', StringComparison.Ordinal))
            return [path];
        string folder = Path.GetDirectoryName(path) is { Length: > 0 } named ? named : ".";
        string[] found = Directory.Exists(folder) ? [.. Directory.GetFiles(folder, Path.GetFileName(path)).Order(StringComparer.Ordinal)] : [];
        return found.Length > 0 ? found : throw new NanoException($"no file matches '{path}'", "put the name into quotes, and check the folder");
    }

    /// <summary>The files to validate on that go with those to train on: "val" instead of "train", and the first number where there is none with the same.</summary>
    /// <exception cref="NanoException">There is none.</exception>
    public static string[] Counterpart(string path)
    {
        string name = Path.GetFileName(path);
        int at = name.LastIndexOf("train", StringComparison.Ordinal);
        if (at >= 0)
        {
            string folder = Path.GetDirectoryName(path) ?? "", before = name[..at] + "val";
            foreach (string candidate in (string[])[before + name[(at + "train".Length)..], before + "_000000.bin"])
                if (File.Exists(Path.Combine(folder, candidate)))
                    return [Path.Combine(folder, candidate)];
        }
        throw new NanoException($"there is no file to validate on beside '{path}'", "name one with --validation-data");
    }

    /// <summary>Bytes per id.</summary>
    public static int Width(string path)
    {
        using var shard = TokenShard.Open(path);
        return shard.Width;
    }

    /// <summary>UTF-8 bytes of a text per token; special tokens have none.</summary>
    public static double BytesPerToken(TokenSource tokens, ITokenizer tokenizer)
    {
        var special = tokenizer.SpecialTokens.Values.ToHashSet();
        int[] lengths = [.. Enumerable.Range(0, tokenizer.VocabSize).Select(id => special.Contains(id) ? 0 : tokenizer.BytesOf(id).Length)];
        int[] ids = new int[Read];
        long bytes = 0;
        for (long at = 0; at < tokens.Length; at += Read)
        {
            var read = ids.AsSpan(0, (int)Math.Min(Read, tokens.Length - at));
            tokens.CopyTo(at, read);
            foreach (int id in read)
                bytes += lengths[id];
        }
        return (double)bytes / tokens.Length;
    }
}
