namespace Nano;

/// <summary>Token files of llm.c by their names.</summary>
public static class TokenFiles
{
    private const int Read = 1 << 16;

    /// <summary>A file, or those that match a name with *, in ordinal order.</summary>
    /// <exception cref="NanoException">There is none.</exception>
    internal static string[] Find(string path)
    {
        if (!path.Contains('*', StringComparison.Ordinal))
            return [path];
        string folder = Path.GetDirectoryName(path) is { Length: > 0 } named ? named : ".";
        string[] found = Directory.Exists(folder)
            ? [.. Directory.GetFiles(folder, Path.GetFileName(path)).Order(StringComparer.Ordinal)] : [];
        return found.Length > 0 ? found : throw new NanoException($"no file matches '{path}'",
            "put the name into quotes, and check the folder");
    }

    /// <summary>
    /// The files to validate on that go with those to train on: "val" instead of "train", and the
    /// first number where there is none with the same.
    /// </summary>
    /// <exception cref="NanoException">There is none.</exception>
    internal static string[] Counterpart(string path)
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
        throw new NanoException($"there is no file to validate on beside '{path}'", "name one as `validation_data`");
    }

    /// <summary>Bytes per id.</summary>
    internal static int Width(string path)
    {
        using var shard = TokenShard.Open(path);
        return shard.Width;
    }

    /// <summary>The ids to evaluate a model on, and the bytes of their text in UTF-8.</summary>
    /// <param name="path">A folder of <see cref="PreparedData"/>, whose validation split it is, or
    /// a token file of llm.c.</param>
    /// <param name="tokenizer">The model's.</param>
    /// <exception cref="NanoException">The ids of the folder were made by another tokenizer, or are
    /// too many to be in memory at once.</exception>
    /// <exception cref="BadFileException">A file is malformed.</exception>
    public static (int[] Ids, long Bytes) ReadAll(string path, ITokenizer tokenizer)
    {
        if (!PreparedData.IsFolder(path))
        {
            using var file = TokenShards.Open(Find(path), tokenizer.VocabSize);
            return (file.ToArray(), Bytes(file, tokenizer));
        }
        var data = PreparedData.Load(path);
        if (TokenizerIdentity.DifferenceInIds(data.OpenTokenizer(), tokenizer) is { } difference)
            throw new NanoException(
                $"the ids in '{path}' were made by another tokenizer than the model's: {difference}",
                "evaluate on the text itself, or prepare it with: nano data prepare `tokenizer` MODEL");
        using var split = data.Open(data.Validation);
        return (split.ToArray(), data.Validation.Bytes);
    }

    /// <summary>UTF-8 bytes of a text; special tokens have none.</summary>
    internal static long Bytes(TokenSource tokens, ITokenizer tokenizer)
    {
        var special = tokenizer.SpecialTokens.Values.ToHashSet();
        int[] lengths = [.. Enumerable.Range(0, tokenizer.VocabSize)
            .Select(id => special.Contains(id) ? 0 : tokenizer.BytesOf(id).Length)];
        int[] ids = new int[Read];
        long bytes = 0;
        for (long at = 0; at < tokens.Length; at += Read)
        {
            var read = ids.AsSpan(0, (int)Math.Min(Read, tokens.Length - at));
            tokens.CopyTo(at, read);
            foreach (int id in read)
                bytes += lengths[id];
        }
        return bytes;
    }
}
