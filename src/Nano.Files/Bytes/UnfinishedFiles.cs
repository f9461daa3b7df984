namespace Nano;

/// <summary>
/// Temporary files of this process, to be deleted also when a signal ends it in the middle of
/// writing them.
/// </summary>
public static class UnfinishedFiles
{
    private static readonly object Gate = new();
    private static readonly HashSet<File> Files = [];

    /// <summary>One that is being written; disposing of it says that it is finished or deleted.</summary>
    private sealed class File(Action delete) : IDisposable
    {
        public void Delete() => delete();

        public void Dispose()
        {
            lock (Gate)
                Files.Remove(this);
        }
    }

    /// <summary>Remembers how to delete something until the result is disposed of.</summary>
    /// <param name="delete">Deletes it; called at most once, on another thread. Errors of the disk
    /// are ignored.</param>
    public static IDisposable Add(Action delete)
    {
        var file = new File(delete);
        lock (Gate)
            Files.Add(file);
        return file;
    }

    /// <summary>
    /// Deletes all of them, for a process that ends at once. From here on no other thread can begin
    /// or finish a file: each waits until the process has ended.
    /// </summary>
    public static void DeleteAllAndHold()
    {
        Monitor.Enter(Gate);
        foreach (var file in Files)
            try
            {
                file.Delete();
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or NanoException)
            {
                // The process is ending; a stray temporary file is harmless.
            }
    }
}
