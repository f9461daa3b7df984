using System.Text.Json;
using System.Text.Unicode;
using Microsoft.Win32.SafeHandles;

namespace Nano;

/// <summary>
/// Opening and reading files with errors for people: a missing file is a
/// <see cref="NanoException"/>, a short one a <see cref="BadFileException"/>.
/// </summary>
internal static class InputFile
{
    /// <summary>Opens a file for positional reads; it may be renamed over meanwhile.</summary>
    /// <exception cref="NanoException">The file is missing or cannot be opened, or is a folder, a pipe, a socket or a
    /// device: a pipe may let wait for ever, a device may have no end.</exception>
    public static SafeFileHandle Open(string path, string missingHint)
    {
        CheckKind(path, missingHint);
        try
        {
            return File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new NanoException($"there is no file '{path}'", missingHint, e);
        }
        catch (UnauthorizedAccessException e)
        {
            throw Directory.Exists(path)
                ? new NanoException($"'{path}' is a folder, not a file", missingHint, e)
                : new NanoException($"no permission to read '{path}'", "check the file's permissions", e);
        }
        catch (IOException e)
        {
            throw new NanoException($"cannot open '{path}': {Quoted.Reason(e)}", null, e);
        }
    }

    /// <summary>
    /// Refuses a path that is not a file; opening reports missing and unreadable files.
    /// </summary>
    /// <exception cref="NanoException">It is a folder, a pipe, a socket or a device.</exception>
    public static void CheckKind(string path, string folderHint)
    {
        string? kind = FileStatus.Of(path).Kind switch
        {
            FileKind.Folder => throw new NanoException($"'{path}' is a folder, not a file", folderHint),
            FileKind.Pipe => "pipe",
            FileKind.Socket => "socket",
            FileKind.Device => "device",
            _ => null,
        };
        if (kind is not null)
            throw new NanoException($"'{path}' is a {kind}, not a file", "copy its content to a file first");
    }

    /// <summary>Length in bytes.</summary>
    /// <exception cref="NanoException">It is a pipe or a device, which has no length.</exception>
    public static long Length(SafeFileHandle file, string path)
    {
        try
        {
            return RandomAccess.GetLength(file);
        }
        catch (NotSupportedException e)
        {
            throw new NanoException($"'{path}' is a pipe or a device, not a file",
                "copy its content to a file first", e);
        }
    }

    /// <summary>Fills the buffer from the given offset in the file.</summary>
    /// <exception cref="BadFileException">The file ends before the buffer is full.</exception>
    /// <exception cref="NanoException">The disk reports an error.</exception>
    public static void ReadExactly(SafeFileHandle file, Span<byte> buffer, long offset, string path)
    {
        while (buffer.Length > 0)
        {
            int count = Read(file, buffer, offset, path);
            if (count == 0)
                throw new BadFileException(path,
                    $"the file ends at byte {offset}, where {buffer.Length} more bytes were expected");
            buffer = buffer[count..];
            offset += count;
        }
    }

    /// <summary>Reads some bytes; none at the end of the file.</summary>
    /// <exception cref="NanoException">The disk reports an error.</exception>
    public static int Read(SafeFileHandle file, Span<byte> buffer, long offset, string path)
    {
        try
        {
            return RandomAccess.Read(file, buffer, offset);
        }
        catch (IOException e)
        {
            throw new NanoException($"cannot read '{path}' at byte {offset}: {Quoted.Reason(e)}", null, e);
        }
    }

    /// <summary>Reads and parses a whole JSON file of at most maxBytes; duplicate keys are refused.</summary>
    /// <exception cref="BadFileException">Too long, not UTF-8 or not JSON.</exception>
    public static JsonDocument ReadJson(string path, int maxBytes, string missingHint) =>
        ParseJson(ReadUtf8(path, maxBytes, missingHint), path);

    /// <summary>Reads a whole text file of at most maxBytes.</summary>
    /// <exception cref="BadFileException">Too long or not UTF-8.</exception>
    public static byte[] ReadUtf8(string path, int maxBytes, string missingHint)
    {
        byte[] bytes = ReadBytes(path, maxBytes, missingHint);
        return Utf8.IsValid(bytes) ? bytes : throw new BadFileException(path, "the text is not valid UTF-8");
    }

    /// <summary>Reads a whole file of at most maxBytes, to its end, whatever its length was when it was
    /// opened.</summary>
    /// <exception cref="BadFileException">Too long.</exception>
    public static byte[] ReadBytes(string path, int maxBytes, string missingHint)
    {
        using SafeFileHandle file = Open(path, missingHint);
        long length = Length(file, path);
        if (length > maxBytes)
            throw new BadFileException(path, $"{length} bytes are more than such a file can need (limit {maxBytes})");
        byte[] bytes = new byte[length];
        // behind the end: files of /proc say that they have no bytes, and others may grow
        Span<byte> more = stackalloc byte[512];
        for (int filled = 0; ;)
        {
            var rest = bytes.AsSpan(filled);
            int count = Read(file, rest.IsEmpty ? more : rest, filled, path);
            if (count == 0)
                return rest.IsEmpty ? bytes : bytes[..filled];
            if (filled > maxBytes - count)
                throw new BadFileException(path, $"it has more bytes than such a file can need (limit {maxBytes})");
            if (rest.IsEmpty)
            {
                Array.Resize(ref bytes, (int)Math.Min(maxBytes, filled + Math.Max(more.Length, (long)filled)));
                more[..count].CopyTo(bytes.AsSpan(filled));
            }
            filled += count;
        }
    }

    /// <summary>Reads the first bytes of a file, fewer if it is shorter.</summary>
    public static byte[] ReadBeginning(string path, int bytes, string missingHint)
    {
        using SafeFileHandle file = Open(path, missingHint);
        byte[] beginning = new byte[Math.Min(Length(file, path), bytes)];
        ReadExactly(file, beginning, 0, path);
        return beginning;
    }

    /// <summary>Parses UTF-8 JSON; duplicate keys are refused.</summary>
    /// <exception cref="BadFileException">It is not valid JSON.</exception>
    public static JsonDocument ParseJson(ReadOnlyMemory<byte> utf8, string path)
    {
        try
        {
            return JsonDocument.Parse(utf8, new JsonDocumentOptions { AllowDuplicateProperties = false });
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new BadFileException(path, $"not valid JSON: {Quoted.Reason(e)}", e);
        }
    }
}
