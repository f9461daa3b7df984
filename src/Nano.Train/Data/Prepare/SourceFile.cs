using System.IO.Compression;
using System.IO.Enumeration;
using System.Security.Cryptography;

namespace Nano;

/// <summary>An input file of a data set.</summary>
/// <param name="Path">As it is named: by the caller, or below the folder that the caller named.</param>
/// <param name="Bytes">Its size.</param>
/// <param name="Format">How it is read; not <see cref="DataFormat.Auto"/>.</param>
public sealed record SourceFile(string Path, long Bytes, DataFormat Format)
{
    private const string Gzip = ".gz";

    // Without this a GZipStream takes a file that was cut off for a whole one. It is read once, when the first such stream is made.
    static SourceFile() => AppContext.SetSwitch("System.IO.Compression.UseStrictValidation", true);

    /// <summary>SHA-256 of the file as it lies on the disk, in lower-case hexadecimal; empty until it has been read.</summary>
    public string Sha256 { get; init; } = "";

    /// <summary>The files that inputs stand for: themselves, and of folders every file below them in ordinal order of their paths, but for hidden ones.</summary>
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
        var options = new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0, IgnoreInaccessible = false };
        var files = new FileSystemEnumerable<string>(folder, (ref FileSystemEntry entry) => System.IO.Path.GetRelativePath(folder, entry.ToSpecifiedFullPath()), options)
        {
            ShouldIncludePredicate = (ref FileSystemEntry entry) => !entry.IsDirectory && !Hidden(ref entry),
            ShouldRecursePredicate = (ref FileSystemEntry entry) => !Hidden(ref entry) && (entry.Attributes & FileAttributes.ReparsePoint) == 0,
        };
        try
        {
            return [.. files.Select(file => file.Replace(System.IO.Path.DirectorySeparatorChar, '/')).Order(StringComparer.Ordinal)];
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
            throw new NanoException($"there is no file '{path}'", "check the path; `nano data` lists the texts that can be fetched");
        string name = path.EndsWith(Gzip, StringComparison.OrdinalIgnoreCase) ? path[..^Gzip.Length] : path;
        bool lines = System.IO.Path.GetExtension(name).ToLowerInvariant() is ".jsonl" or ".ndjson";
        return new SourceFile(path, info.Length, format != DataFormat.Auto ? format : lines ? DataFormat.Jsonl : DataFormat.Text);
    }

    /// <summary>Opens the file, unpacked if its name ends in .gz.</summary>
    /// <exception cref="NanoException">It is unreadable.</exception>
    internal SourceStream Open()
    {
        try
        {
            var file = new SourceStream.Hashed(new FileStream(Path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0));
            return new SourceStream(Path, file, Path.EndsWith(Gzip, StringComparison.OrdinalIgnoreCase) ? new GZipStream(file, CompressionMode.Decompress) : file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new NanoException($"cannot read '{Path}': {e.Message}", "check the file's permissions", e);
        }
    }
}

/// <summary>The text bytes of a <see cref="SourceFile"/>, and the digest of what lies on the disk.</summary>
internal sealed class SourceStream(string path, SourceStream.Hashed file, Stream content) : IDisposable
{
    /// <summary>Bytes of the file that have been read.</summary>
    public long FileBytes => file.Count;

    /// <summary>Fills a buffer as far as the content goes; less than full means its end.</summary>
    /// <exception cref="NanoException">The disk reports an error.</exception>
    /// <exception cref="BadFileException">It is not what .gz says it is, or damaged.</exception>
    public int Read(Span<byte> buffer)
    {
        try
        {
            return content.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
        }
        catch (InvalidDataException e)
        {
            throw new BadFileException(path, $"the gzip data is damaged: {e.Message}", e);
        }
        catch (IOException e)
        {
            throw new NanoException($"cannot read '{path}': {e.Message}", "check the disk", e);
        }
    }

    /// <summary>The digest of the whole file, whose content has been read.</summary>
    public string Sha256()
    {
        file.CopyTo(Stream.Null);
        return file.Digest();
    }

    public void Dispose()
    {
        content.Dispose();
        file.Dispose();
    }

    /// <summary>A file that is hashed while it is read.</summary>
    internal sealed class Hashed(FileStream file) : Stream
    {
        private readonly IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

        public long Count { get; private set; }

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override int Read(Span<byte> buffer)
        {
            int count = file.Read(buffer);
            hash.AppendData(buffer[..count]);
            Count += count;
            return count;
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public string Digest() => Convert.ToHexStringLower(hash.GetHashAndReset());

        protected override void Dispose(bool disposing)
        {
            hash.Dispose();
            file.Dispose();
            base.Dispose(disposing);
        }
    }
}
