namespace Nano;

/// <summary>
/// The file NAME.part beside a file that is being downloaded, with the bytes received so far. No
/// link is followed out of the model's folder.
/// </summary>
internal static class PartFile
{
    private const string Hint = "a link may lead anywhere: delete it, or pull into another data folder (NANO_DATA)";

    /// <summary>Opens the part that is there, or makes one.</summary>
    /// <param name="folder">The model's folder; those in it on the way to the file are made if they are
    /// missing.</param>
    /// <param name="path">The part.</param>
    /// <exception cref="NanoException">It, or a folder on the way, is a link, or it is not a
    /// file.</exception>
    /// <exception cref="IOException">It cannot be opened.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be opened.</exception>
    public static FileStream Open(string folder, string path)
    {
        MakeFolders(folder, Path.GetDirectoryName(path)!);
        Refuse(new FileInfo(path));
        bool isThere = File.Exists(path);
        // CreateNew follows no link that somebody makes in between; a file that was there is looked at again when open.
        var mode = isThere ? FileMode.Open : FileMode.CreateNew;
        var part = new FileStream(path, mode, FileAccess.ReadWrite, FileShare.None, 1);
        try
        {
            Refuse(new FileInfo(path));
            return part.CanSeek ? part
                : throw new NanoException($"'{path}' is a pipe or a device, not a file", "delete it");
        }
        catch
        {
            part.Dispose();
            throw;
        }
    }

    private static void MakeFolders(string folder, string inner)
    {
        Directory.CreateDirectory(folder);
        string relative = Path.GetRelativePath(folder, inner), at = folder;
        foreach (string part in relative.Split(Path.DirectorySeparatorChar).Where(part => part != "."))
        {
            at = Path.Combine(at, part);
            Refuse(new DirectoryInfo(at));
            Directory.CreateDirectory(at);
        }
    }

    private static void Refuse(FileSystemInfo place)
    {
        if (place.LinkTarget is not null)
            throw new NanoException($"'{place.FullName}' is a link, and a download follows none", Hint);
    }
}
