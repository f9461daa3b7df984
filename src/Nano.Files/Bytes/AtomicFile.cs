namespace Nano;

/// <summary>
/// Replaces files whole: after a crash, a full disk or an exception there is the old file or the
/// new one, never half of one.
/// </summary>
public static class AtomicFile
{
    // Errno and Win32 codes that IOException.HResult carries when a disk or a quota is full.
    private const int Enospc = 28, Edquot = 122, HandleDiskFull = unchecked((int)0x80070027),
        DiskFull = unchecked((int)0x80070070);

    /// <summary>
    /// Writes to a temporary file in the same folder, flushes it to the disk and renames it over
    /// <paramref name="path"/>. If anything throws, the temporary file is removed and what was at
    /// <paramref name="path"/> stays as it was. A signal that ends the process removes it too (see
    /// <see cref="UnfinishedFiles"/>); one that was killed while writing may leave one file
    /// "NAME.*.tmp" behind, which can be deleted.
    /// </summary>
    /// <param name="path">The file to create or replace. Its folder must exist.</param>
    /// <param name="write">Writes the content. It must not close the stream. Its own exceptions
    /// pass through, except those of the disk.</param>
    /// <exception cref="NanoException">The disk is full, the folder is missing, there is no permission, or the path is
    /// that of a pipe, socket or device.</exception>
    public static void Write(string path, Action<Stream> write) => WriteAll([(path, write)]);

    /// <summary>
    /// Replaces several files that belong together: all are whole on the disk before the first is renamed; see
    /// <see cref="Write"/>. The last is the one that names
    /// the others: an old one goes aside before the renames, so that a process killed between them leaves none rather
    /// than one that opens a mixture.
    /// </summary>
    /// <exception cref="NanoException">As <see cref="Write"/>; the message names the file. What was there before
    /// stays.</exception>
    public static void WriteAll(IReadOnlyList<(string Path, Action<Stream> Write)> files)
    {
        string[] temporaries = [.. files.Select(file => $"{file.Path}.{Path.GetRandomFileName()}.tmp")];
        using var unfinished = UnfinishedFiles.Add(() => Array.ForEach(temporaries, File.Delete));
        string current = "";
        try
        {
            for (int i = 0; i < files.Count; i++)
            {
                var (path, write) = files[i];
                RefuseSpecial(current = path);
                using var stream = new FileStream(temporaries[i], FileMode.CreateNew, FileAccess.Write, FileShare.None,
                    1 << 16);
                write(stream);
                stream.Flush(flushToDisk: true);
            }
            Rename(temporaries, [.. files.Select(file => file.Path)], ref current);
        }
        catch (Exception e) when (IsOfTheDisk(e))
        {
            Array.ForEach(temporaries, Remove);
            throw Explain(current, e);
        }
        catch
        {
            Array.ForEach(temporaries, Remove);
            throw;
        }
    }

    /// <summary>
    /// Refuses a path that <see cref="Write"/> could not write now, before the work whose result
    /// would be lost. What is there stays.
    /// </summary>
    /// <exception cref="NanoException">As <see cref="Write"/>.</exception>
    public static void CheckWritable(string path)
    {
        RefuseSpecial(path);
        if (Directory.Exists(path))
            throw Explain(path, new IOException());
        string probe = $"{path}.{Path.GetRandomFileName()}.tmp";
        using var unfinished = UnfinishedFiles.Add(() => File.Delete(probe));
        try
        {
            File.Create(probe).Dispose();
            File.Delete(probe);
        }
        catch (Exception e) when (IsOfTheDisk(e))
        {
            throw Explain(path, e);
        }
    }

    /// <summary>Refuses pipes, sockets and devices: renaming over /dev/null would take it from everybody.</summary>
    private static void RefuseSpecial(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (FileStatus.Of(path).Kind is FileKind.Pipe or FileKind.Socket or FileKind.Device)
            throw new NanoException($"cannot write '{path}': a pipe, socket or device is in the way; "
                + "nothing was written", "name a file");
    }

    private static void Rename(string[] temporaries, string[] paths, ref string current)
    {
        string aside = $"{paths[^1]}.{Path.GetRandomFileName()}.tmp";
        bool replaces = paths.Length > 1 && File.Exists(paths[^1]);
        if (replaces)
            File.Move(current = paths[^1], aside);
        try
        {
            for (int i = 0; i < paths.Length; i++)
                File.Move(temporaries[i], current = paths[i], overwrite: true);
        }
        catch when (replaces)
        {
            File.Move(aside, paths[^1], overwrite: true);
            throw;
        }
        if (replaces)
            File.Delete(current = aside);
    }

    /// <summary>Deletes what processes that were killed while they wrote this file have left beside it.</summary>
    public static void RemoveRemains(string path)
    {
        // Named by Path.GetRandomFileName: eight characters, a point, three.
        foreach (string remains in Directory.EnumerateFiles(Path.GetDirectoryName(Path.GetFullPath(path))!,
            $"{Path.GetFileName(path)}.????????.???.tmp").ToList())
            File.Delete(remains);
    }

    /// <summary>The path of the file that a temporary file's name says it was to become, or null if the name is no such
    /// name.</summary>
    internal static string? TargetOf(string temporary)
    {
        const int Random = 12, Suffix = 4; // eight characters, a point, three; ".tmp"
        int end = temporary.Length - Suffix - Random - 1;
        return end > 0 && temporary.EndsWith(".tmp", StringComparison.Ordinal) && temporary[end] == '.'
            && temporary[end + 9] == '.' && !temporary.AsSpan(end + 1, 8).ContainsAny('/', '.')
            && !temporary.AsSpan(end + 10, 3).ContainsAny('/', '.') ? temporary[..end] : null;
    }

    /// <summary>
    /// True if an exception comes from the disk, from permissions or from limits on files.
    /// </summary>
    internal static bool IsOfTheDisk(Exception e) => e is IOException or UnauthorizedAccessException || IsTooLong(e);

    /// <summary>
    /// True if the file system, or a limit on the process, allows no file of this length: EFBIG, as
    /// the runtime reports it.
    /// </summary>
    private static bool IsTooLong(Exception e) => e is ArgumentOutOfRangeException { ParamName: "value" };

    private static void Remove(string temporary)
    {
        try
        {
            File.Delete(temporary);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The failure being reported is the one that matters; a stray temporary file is harmless.
        }
    }

    /// <summary>The error that explains why a file could not be written.</summary>
    internal static NanoException Explain(string path, Exception e)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(path)) ?? path;
        (string reason, string hint) = e switch
        {
            _ when !Directory.Exists(folder) =>
                ($"there is no folder '{folder}'", "create the folder, or write somewhere else"),
            _ when Directory.Exists(path) => ("a folder of that name is in the way", "choose another name"),
            UnauthorizedAccessException =>
                ("no permission", "check the permissions of the folder, or write somewhere else"),
            _ when IsTooLong(e) =>
                ("the file would be longer than the file system or a limit ('ulimit -f') allows",
                    "write to another disk, or raise the limit"),
            { HResult: Enospc or Edquot or DiskFull or HandleDiskFull } =>
                ("no space left on the disk", "free some space, or write to another disk"),
            _ => (Quoted.Reason(e), "check the disk, or write somewhere else"),
        };
        string state = File.Exists(path) ? "the previous file is intact" : "nothing was written";
        return new NanoException($"cannot write '{path}': {reason}; {state}", hint, e);
    }
}
