namespace Nano;

/// <summary>
/// Replaces folders whole: after a crash, a full disk or an exception there is the old folder or the new one, never a
/// mixture. The new folder is written as "NAME.tmp", with a file in it that says so; then the old
/// one is renamed to "NAME.old.tmp", the new one to NAME, and the old one deleted. A process killed
/// on the way leaves folders of these names, which the next <see cref="Write"/> puts right. Only
/// files that the caller names as its own are ever deleted, and no link is followed.
/// </summary>
public static class AtomicFolder
{
    private const string NewSuffix = ".tmp", OldSuffix = ".old.tmp", LockSuffix = ".lock.tmp";
    private const int NamedEntries = 3;

    /// <summary>The file in a folder that <see cref="Write"/> has not finished.</summary>
    private const string Marker = ".nano-unfinished";

    /// <summary>The folder in which the new content of a folder is written, a full path beside it.</summary>
    public static string NewOf(string folder) => FullPath(folder) + NewSuffix;

    /// <summary>The name, a full path, that the old folder has while the new one takes its place and until it is
    /// deleted.</summary>
    public static string OldOf(string folder) => FullPath(folder) + OldSuffix;

    /// <summary>
    /// True if a process was killed while it made the folder, or right after: the folder is
    /// incomplete and may be replaced.
    /// </summary>
    public static bool IsUnfinished(string folder) => File.Exists(Path.Combine(folder, Marker));

    /// <summary>
    /// True if a process was killed between the two renames: the folder is missing, and the old one
    /// still exists.
    /// </summary>
    public static bool IsInterrupted(string folder) => !Path.Exists(folder) && Directory.Exists(OldOf(folder));

    /// <summary>
    /// Makes or replaces a folder. One process at a time does so with a folder; remains of killed ones are put right
    /// first. If anything throws, what was there stays as it was.
    /// </summary>
    /// <param name="folder">The folder; those above it are made.</param>
    /// <param name="own">The paths of the caller's files in any folder that is given to it (NAME, "NAME.tmp" or
    /// "NAME.old.tmp"), relative, with forward slashes, in the order in which they are to be
    /// deleted. They need not exist. All else is foreign and never deleted.</param>
    /// <param name="fill">Writes the new content into an empty folder whose path it is given. Its exceptions pass
    /// through.</param>
    /// <exception cref="NanoException">There is a file or a link, or something foreign in the folder; another process
    /// replaces the folder; or it cannot be written.</exception>
    public static void Write(string folder, Func<string, IReadOnlyCollection<string>> own, Action<string> fill)
    {
        CheckPlace(folder);
        string place = FullPath(folder), temporary = NewOf(folder), old = OldOf(folder);
        using var folderLock = Begin(folder, own);
        using var unfinished = UnfinishedFiles.Add(() => Delete(temporary, own(temporary)));
        try
        {
            File.WriteAllText(Path.Combine(Directory.CreateDirectory(temporary).FullName, Marker),
                "nano is writing this folder, or was killed when it did\n");
            fill(temporary);
            RefuseForeign(place, own(place)); // again, for filling may have taken hours
            Swap(folder);
            File.Delete(Path.Combine(place, Marker));
        }
        catch (Exception e)
        {
            TryDelete(temporary, own);
            if (e is IOException or UnauthorizedAccessException)
                throw Explain(folder, e);
            throw;
        }
        try
        {
            Delete(old, own(old));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NanoException)
        {
            throw new NanoException($"'{folder}' is written, but the old one, now '{old}', could not be deleted: "
                + e.Message, "delete it yourself", e);
        }
    }

    /// <summary>
    /// Puts the finished "NAME.tmp" in the place of a folder, which becomes "NAME.old.tmp" if it is there. If the
    /// second rename fails, the first one is undone.
    /// The caller sees to it that no other process is at work there.
    /// </summary>
    /// <exception cref="IOException">The system refuses.</exception>
    public static void Swap(string folder)
    {
        string place = FullPath(folder), old = OldOf(folder);
        bool replaces = Directory.Exists(place);
        if (replaces)
            Directory.Move(place, old);
        try
        {
            Directory.Move(NewOf(folder), place);
        }
        catch when (replaces && !Path.Exists(place))
        {
            Directory.Move(old, place);
            throw;
        }
    }

    /// <summary>
    /// Puts right what a killed process left. Where the folder is missing and the old one is there, the process died
    /// between the renames: the new one, whole since then, takes its place, or the old one returns
    /// where there is no new one. Other remains are deleted. The caller sees to it that no other
    /// process is at work there.
    /// </summary>
    /// <param name="folder">The folder.</param>
    /// <param name="own">As for <see cref="Write"/>.</param>
    /// <exception cref="NanoException">Remains hold something foreign; nothing of them is deleted.</exception>
    /// <exception cref="IOException">The system refuses.</exception>
    public static void Recover(string folder, Func<string, IReadOnlyCollection<string>> own)
    {
        string[] remains = [NewOf(folder), OldOf(folder)];
        foreach (string left in remains)
            RefuseForeign(left, own(left));
        if (IsInterrupted(folder))
            Complete(folder);
        foreach (string left in remains)
            Delete(left, own(left));
        if (IsUnfinished(folder))
            File.Delete(Path.Combine(FullPath(folder), Marker));
    }

    /// <summary>The second rename, or the first one undone.</summary>
    private static void Complete(string folder)
    {
        Directory.Move(Directory.Exists(NewOf(folder)) ? NewOf(folder) : OldOf(folder), FullPath(folder));
        File.Delete(Path.Combine(FullPath(folder), Marker));
    }

    /// <summary><see cref="Recover"/> for readers: it waits for a process that is between the renames, and where that
    /// was killed it puts the folder right.</summary>
    /// <exception cref="NanoException">It cannot be put right; the message says by which rename a person
    /// can.</exception>
    public static void RecoverToRead(string folder, Func<string, IReadOnlyCollection<string>> own)
    {
        const int Tries = 20, Milliseconds = 25;
        for (int i = 0; IsInterrupted(folder); i++)
            try
            {
                using var folderLock = Lock(folder);
                RefuseForeign(OldOf(folder), own(OldOf(folder)));
                if (IsInterrupted(folder))
                    Complete(folder);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or NanoException)
            {
                if (i == Tries)
                    throw new NanoException($"'{folder}' was being replaced when the program was killed; its old "
                        + $"content is in '{OldOf(folder)}'", $"rename that folder to '{folder}'", e);
                Thread.Sleep(Milliseconds);
            }
    }

    /// <summary>Deletes a folder, all of whose files are the caller's; it need not exist.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="own">Relative paths of the caller's files, in the order in which they go.</param>
    /// <exception cref="NanoException">It holds something foreign, or is a file or a link; nothing is
    /// deleted.</exception>
    /// <exception cref="IOException">The system refuses.</exception>
    public static void Delete(string folder, IReadOnlyCollection<string> own)
    {
        RefuseForeign(folder, own);
        if (!Directory.Exists(folder))
            return;
        var known = own.Append(Marker).Distinct(StringComparer.Ordinal).Index()
            .ToDictionary(pair => pair.Item, pair => pair.Index, StringComparer.Ordinal);
        var (files, folders) = Entries(folder);
        foreach (string file in files.OrderBy(file => known.GetValueOrDefault(file, -1)))
            File.Delete(Path.Combine(folder, file));
        foreach (string inner in folders.OrderByDescending(inner => inner.Length))
            Directory.Delete(Path.Combine(folder, inner));
        Directory.Delete(folder);
    }

    /// <summary>Refuses a folder that holds anything but the caller's files: links, other files, folders without files
    /// of the caller. It need not exist.</summary>
    /// <exception cref="NanoException">It does; up to three such entries are named. Or it is a file or a
    /// link.</exception>
    public static void RefuseForeign(string folder, IReadOnlyCollection<string> own)
    {
        if (!Path.Exists(folder) && !IsLink(folder))
            return;
        if (!Directory.Exists(folder) || IsLink(folder))
            throw new NanoException($"'{folder}' is in the way: it is not a folder",
                "move it elsewhere, or name another folder");
        var known = own.Append(Marker).ToHashSet(StringComparer.Ordinal);
        var (files, folders) = Entries(folder);
        bool IsOwn(string file) => known.Contains(file) || known.Contains(AtomicFile.TargetOf(file) ?? "");
        bool HoldsOwn(string inner) => known.Any(file => file.StartsWith(inner + "/", StringComparison.Ordinal));
        string[] foreign =
        [
            .. files.Where(file => !IsOwn(file) || IsLink(Path.Combine(folder, file)))
                .Concat(folders.Where(inner => !HoldsOwn(inner))).Order(StringComparer.Ordinal),
        ];
        if (foreign.Length > 0)
            throw new NanoException($"'{folder}' holds {Names(foreign)}, which this program did not write there; "
                + "nothing was deleted", "move that elsewhere, or name another folder");
    }

    /// <summary>Refuses a place that no folder may take: a file, a link, the working directory or one above
    /// it.</summary>
    /// <exception cref="NanoException">It is such a place.</exception>
    public static void CheckPlace(string folder)
    {
        if (string.IsNullOrWhiteSpace(folder) || folder.Contains('\0', StringComparison.Ordinal))
            throw new NanoException("a folder without a name cannot be made", "name a folder that does not exist yet");
        if (IsLink(FullPath(folder)))
            throw new NanoException($"'{folder}' is a link, which is not replaced",
                "name the folder that it leads to, or another one");
        if (File.Exists(FullPath(folder)))
            throw new NanoException($"'{folder}' is in the way: it is a file", "name a folder that does not exist yet");
        if (RealPath.Contains(folder, Environment.CurrentDirectory))
            throw new NanoException($"'{folder}' is the working directory or one above it, which cannot be replaced",
                "name a folder in it that does not exist yet");
    }

    /// <summary>
    /// Locks a folder for its replacement and repairs the remains of killed processes.
    /// </summary>
    private static FileStream Begin(string folder, Func<string, IReadOnlyCollection<string>> own)
    {
        FileStream? folderLock = null;
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(FullPath(folder))!);
            folderLock = Lock(folder);
            string temporary = NewOf(folder);
            RefuseForeign(FullPath(folder), own(FullPath(folder)));
            Recover(folder, remains => remains == temporary && !IsUnfinished(remains) ? [] : own(remains));
            return folderLock;
        }
        catch (Exception e)
        {
            folderLock?.Dispose();
            if (e is IOException or UnauthorizedAccessException)
                throw Explain(folder, e);
            throw;
        }
    }

    /// <summary>The right to replace a folder: a file beside it that the system unlocks when the process ends, however
    /// it ends.</summary>
    private static FileStream Lock(string folder)
    {
        string path = FullPath(folder) + LockSuffix;
        try
        {
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0,
                FileOptions.DeleteOnClose);
        }
        catch (IOException e) when (File.Exists(path))
        {
            throw new NanoException($"another process is writing '{folder}'", "wait for it, or name another folder", e);
        }
    }

    private static void TryDelete(string folder, Func<string, IReadOnlyCollection<string>> own)
    {
        try
        {
            Delete(folder, own(folder));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NanoException)
        {
            // The failure being reported is the one that matters; the next run deletes the remains.
        }
    }

    private static NanoException Explain(string folder, Exception e) =>
        new($"cannot write '{folder}': {e.Message}", "check the permissions of the folder, or write somewhere else", e);

    /// <summary>All files and folders below a folder, relative, with forward slashes; links are files and are not
    /// followed.</summary>
    private static (List<string> Files, List<string> Folders) Entries(string folder)
    {
        List<string> files = [], folders = [];
        var options = new EnumerationOptions { AttributesToSkip = 0, IgnoreInaccessible = false };
        var open = new Stack<string>([""]);
        while (open.TryPop(out string? inner))
            foreach (var entry in new DirectoryInfo(Path.Combine(folder, inner)).EnumerateFileSystemInfos("*", options))
            {
                string path = inner.Length == 0 ? entry.Name : $"{inner}/{entry.Name}";
                if (entry is not DirectoryInfo || entry.Attributes.HasFlag(FileAttributes.ReparsePoint))
                {
                    files.Add(path);
                    continue;
                }
                folders.Add(path);
                open.Push(path);
            }
        return (files, folders);
    }

    private static string Names(string[] entries) =>
        string.Join(", ", entries.Take(NamedEntries).Select(entry => Quoted.Of(entry)))
        + (entries.Length > NamedEntries ? $" and {entries.Length - NamedEntries} more" : "");

    private static bool IsLink(string path) => new FileInfo(path).LinkTarget is not null;

    private static string FullPath(string folder) => Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
}
