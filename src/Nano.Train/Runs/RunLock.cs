using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Nano;

/// <summary>
/// The right to write a run or a sweep, which one process at a time has: an exclusive lock of the
/// operating system (flock) on the open file running.lock in the folder. The system gives it back
/// when the process ends, however it ends; the file stays, empty. Beside it running.json says who
/// has the lock.
/// </summary>
public sealed class RunLock : IDisposable
{
    private const string LockFile = "running.lock", HolderFile = "running.json";
    private const int Tries = 20, Milliseconds = 25, MostHolderBytes = 1 << 12;

    private readonly FileStream file;
    private readonly string holder;

    private RunLock(string folder, FileStream file, bool excludes)
    {
        (this.file, Excludes, holder) = (file, excludes, Path.Combine(folder, HolderFile));
        try
        {
            File.WriteAllBytes(holder,
                JsonSerializer.SerializeToUtf8Bytes(new Holder(Environment.ProcessId, Environment.MachineName,
                    DateTimeOffset.Now), RunLockJson.Default.Holder));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The lock is what counts; others will hear of "another process".
        }
    }

    /// <summary>The holder of a lock.</summary>
    internal sealed record Holder(int Pid, string Host, DateTimeOffset Since);

    /// <summary>
    /// True if the lock keeps other processes out; false if the file system, or a setting of .NET,
    /// has no locks.
    /// </summary>
    public bool Excludes { get; }

    /// <summary>Takes the lock of a folder, which is made if need be.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="what">The name of the content, for the message.</param>
    /// <exception cref="NanoException">Another trainer has it, in this process or another; the
    /// message says which. Or the folder cannot be written.</exception>
    public static RunLock Acquire(string folder, string what = "run")
    {
        string path = Path.Combine(folder, LockFile);
        try
        {
            Directory.CreateDirectory(folder);
            for (int i = 1; ; i++)
                try
                {
                    var file = Open(path, FileMode.OpenOrCreate);
                    return new RunLock(folder, file, !IsFree(path));
                }
                catch (IOException e) when (IsTaken(e) && i < Tries)
                {
                    Thread.Sleep(Milliseconds); // somebody may only have looked whether it is taken
                }
        }
        catch (IOException e) when (IsTaken(e))
        {
            throw new NanoException($"the {what} in '{folder}' is in use by {Describe(folder)}",
                "wait until it ends, or stop it; another `out` makes another one", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new NanoException($"cannot write in the folder '{folder}': {e.Message}",
                "check the path and its permissions, or write somewhere else", e);
        }
    }

    /// <summary>
    /// True if a process holds the lock of a folder; null if it never had one, or that cannot be
    /// determined.
    /// </summary>
    internal static bool? IsHeld(string folder)
    {
        string path = Path.Combine(folder, LockFile);
        try
        {
            return File.Exists(path) ? !IsFree(path) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Gives the lock back.</summary>
    public void Dispose()
    {
        try
        {
            File.Delete(holder); // while nobody else can have written it
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It is read only while the lock is taken.
        }
        file.Dispose();
    }

    private static bool IsFree(string path)
    {
        try
        {
            using var probe = Open(path, FileMode.Open);
            return true;
        }
        catch (IOException e) when (IsTaken(e))
        {
            return false;
        }
    }

    private static FileStream Open(string path, FileMode mode) =>
        new(path, mode, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);

    /// <summary>
    /// True if the error is .NET's report of a locked file: EWOULDBLOCK of Linux or of the BSDs, or
    /// the sharing violation of Windows.
    /// </summary>
    private static bool IsTaken(IOException e) => e.HResult is 11 or 35 or unchecked((int)0x80070020);

    private static string Describe(string folder)
    {
        try
        {
            string path = Path.Combine(folder, HolderFile);
            if (new FileInfo(path) is { Exists: true, Length: <= MostHolderBytes }
                && JsonSerializer.Deserialize(File.ReadAllBytes(path), RunLockJson.Default.Holder)
                    is { Host: not null } holder)
                return string.Create(CultureInfo.InvariantCulture,
                    $"process {holder.Pid} on {Quoted.Of(holder.Host)[1..^1]}, since "
                    + $"{holder.Since:yyyy-MM-dd HH:mm:ss zzz}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException
            or InvalidOperationException)
        {
            // It is being written or was spoilt.
        }
        return "another process";
    }
}

/// <summary>The type of running.json.</summary>
[JsonSerializable(typeof(RunLock.Holder))]
internal sealed partial class RunLockJson : JsonSerializerContext;
