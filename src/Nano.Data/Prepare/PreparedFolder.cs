using System.Text.RegularExpressions;

namespace Nano;

/// <summary>The folder that prepared data is written to: what in it may be replaced, and what must not be
/// touched.</summary>
internal static partial class PreparedFolder
{
    /// <summary>
    /// The files that preparing data has written into a folder, the description last. Of a finished folder they are
    /// those that dataset.json describes, and only if they have the length, mark or digest that it
    /// gives; of an unfinished one those of the right name.
    /// </summary>
    public static IReadOnlyCollection<string> OwnFiles(string folder)
    {
        if (AtomicFolder.IsUnfinished(folder))
        {
            var names = Directory.EnumerateFiles(folder).Select(file => Path.GetFileName(file));
            var shardNames = names.Where(name => ShardName().IsMatch(name));
            return [.. shardNames, PreparedData.TokenizerName, PreparedData.FileName];
        }
        if (!PreparedData.Exists(folder) || Describe(folder) is not { } data)
            return [];
        var shards = data.Train.Files.Concat(data.Validation.Files)
            .Where(file => IsShard(Path.Combine(folder, file.Name), file)).Select(file => file.Name);
        bool hasTokenizer = IsTokenizer(Path.Combine(folder, PreparedData.TokenizerName), data);
        return [.. shards, .. hasTokenizer ? new[] { PreparedData.TokenizerName } : [], PreparedData.FileName];
    }

    /// <summary>Refuses a place where something is that may not be replaced, after putting right what a killed process
    /// left there.</summary>
    /// <exception cref="NanoException">There is a file or link, a folder of something else or with something else in
    /// it, or prepared data that may stay; or it is the working directory.</exception>
    public static void Check(string folder, bool overwrite)
    {
        AtomicFolder.CheckPlace(folder);
        AtomicFolder.RecoverToRead(folder, OwnFiles);
        if (!Directory.Exists(folder) || !Directory.EnumerateFileSystemEntries(folder).Any())
            return;
        if (!PreparedData.Exists(folder))
            throw new NanoException($"'{folder}' is in the way: it is not prepared data",
                "name a folder that does not exist yet");
        try
        {
            PreparedData.Load(folder);
        }
        catch (BadFileException e)
        {
            throw new NanoException($"'{folder}' is in the way: its {PreparedData.FileName} does not describe prepared "
                + $"data: {e.Message}", "name a folder that does not exist yet", e);
        }
        if (!overwrite)
            throw new NanoException($"'{folder}' already has prepared data",
                "`overwrite` replaces it, another `out` puts the new one elsewhere");
        AtomicFolder.RefuseForeign(folder, OwnFiles(folder));
    }

    /// <summary>Refuses input files that lie in the folder to make, or are files of it by another name, and a folder to
    /// make that lies in an input folder.</summary>
    /// <param name="folder">The folder to make.</param>
    /// <param name="inputs">Files and folders as the caller named them.</param>
    /// <param name="sources">All input files.</param>
    /// <exception cref="NanoException">They overlap.</exception>
    public static void CheckApart(string folder, IEnumerable<string> inputs, IEnumerable<SourceFile> sources)
    {
        const string Hint = "name another folder to make";
        foreach (string input in inputs.Where(Directory.Exists))
            if (RealPath.Contains(input, folder))
                throw new NanoException($"'{folder}' lies in '{input}', which is read", Hint);
        string[] names = [folder, AtomicFolder.NewOf(folder), AtomicFolder.OldOf(folder)];
        string[] places = [.. names.Select(RealPath.Of)];
        var replaced = !Directory.Exists(folder) ? []
            : Directory.EnumerateFiles(folder).Select(FileStatus.Of).Where(file => file.Inode != 0).ToHashSet();
        foreach (string path in sources.Select(source => source.Path))
        {
            string real = RealPath.Of(path);
            if (places.Any(place => RealPath.Lies(real, place)))
                throw new NanoException($"the input '{path}' lies in '{folder}', which is written", Hint);
            if (replaced.Count > 0 && replaced.Contains(FileStatus.Of(path)))
                throw new NanoException($"the input '{path}' is another name of a file in '{folder}', which is written",
                    Hint);
        }
    }

    private static PreparedData? Describe(string folder)
    {
        try
        {
            return PreparedData.Load(folder);
        }
        catch (Exception e) when (e is NanoException or BadFileException)
        {
            return null;
        }
    }

    private static bool IsShard(string path, ShardFile described)
    {
        if (!ShardName().IsMatch(described.Name) || new FileInfo(path) is not { Exists: true, Length: var length })
            return false;
        return length - TokenShard.HeaderBytes is var bytes
            && (bytes == sizeof(ushort) * described.Tokens || bytes == sizeof(int) * described.Tokens)
            && TokenShard.Recognises(path);
    }

    private static bool IsTokenizer(string path, PreparedData data) =>
        File.Exists(path) && PreparedData.Digest(path) == data.Tokenizer.Sha256;

    [GeneratedRegex(@"^(train|val)_\d{6,}\.bin\z", RegexOptions.CultureInvariant)]
    private static partial Regex ShardName();
}
