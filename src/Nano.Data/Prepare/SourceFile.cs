using System.IO.Enumeration;

namespace Nano;

/// <summary>An input file of a data set.</summary>
/// <param name="Path">As it is named: by the caller, or below the folder that the caller named.</param>
/// <param name="Bytes">Its size.</param>
/// <param name="Format">The format; not <see cref="DataFormat.Auto"/>.</param>
public sealed record SourceFile(string Path, long Bytes, DataFormat Format)
{
    /// <summary>
    /// SHA-256 of the file as it lies on the disk, in lower-case hexadecimal; empty until it has
    /// been read.
    /// </summary>
    public string Sha256 { get; init; } = "";

    /// <summary>
    /// The files that inputs stand for: themselves, and of folders every file below them in ordinal
    /// order of their paths, but for hidden ones.
    /// </summary>
    /// <exception cref="NanoException">One does not exist, or a folder has no files.</exception>
    public static IReadOnlyList<SourceFile> Find(IEnumerable<string> inputs, DataFormat format)
    {
        var found = new List<SourceFile>();
        foreach (string input in inputs)
        {
            if (!Directory.Exists(input))
            {
                found.Add(Of(input, format));
                continue;
            }
            var files = Below(input);
            if (files.Count == 0)
                throw new NanoException($"the folder '{input}' has no files", "name a folder with text in it");
            found.AddRange(files.Select(file => Of(System.IO.Path.Combine(input, file), format)));
        }
        return found;
    }

    /// <summary>Relative paths with forward slashes. Links to folders are not followed: they may lead back.</summary>
    private static List<string> Below(string folder)
    {
        static bool Hidden(ref FileSystemEntry entry) => entry.FileName.StartsWith('.');
        var options = new EnumerationOptions
        {
            RecurseSubdirectories = true,
            AttributesToSkip = 0,
            IgnoreInaccessible = false
        };
        var files = new FileSystemEnumerable<string>(folder,
            (ref FileSystemEntry entry) => System.IO.Path.GetRelativePath(folder, entry.ToSpecifiedFullPath()), options)
        {
            ShouldIncludePredicate = (ref FileSystemEntry entry) => !entry.IsDirectory && !Hidden(ref entry),
            ShouldRecursePredicate = (ref FileSystemEntry entry) =>
                !Hidden(ref entry) && (entry.Attributes & FileAttributes.ReparsePoint) == 0,
        };
        try
        {
            return [.. files.Select(file => file.Replace(System.IO.Path.DirectorySeparatorChar, '/'))
                .Order(StringComparer.Ordinal)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new NanoException($"cannot read the folder '{folder}': {e.Message}", "check its permissions", e);
        }
    }

    private static SourceFile Of(string path, DataFormat format)
    {
        var info = new FileInfo(path);
        if (!info.Exists)
            throw new NanoException($"there is no file '{path}'",
                "check the path; `nano data` lists the texts that can be fetched");
        InputFile.CheckKind(path, "name a file in it");
        string name = SourceStream.IsGzip(path) ? path[..^SourceStream.Gzip.Length] : path;
        bool lines = System.IO.Path.GetExtension(name).ToLowerInvariant() is ".jsonl" or ".ndjson";
        return new SourceFile(path, info.Length, format != DataFormat.Auto ? format : lines ? DataFormat.Jsonl
            : DataFormat.Text);
    }
}
