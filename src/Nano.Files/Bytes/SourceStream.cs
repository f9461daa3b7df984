using System.IO.Compression;
using System.Security.Cryptography;

namespace Nano;

/// <summary>The text of a file, unpacked if its name ends in .gz, and the digest of what lies on the disk.</summary>
internal sealed class SourceStream : IDisposable
{
    /// <summary>Ending of the names of packed files.</summary>
    public const string Gzip = ".gz";

    private readonly string path;
    private readonly Hashed file;
    private readonly Stream content;
    private readonly CancellationToken stop;

    // Without this a GZipStream takes a file that was cut off for a whole one. It is read once, when the first such
    // stream is made.
    static SourceStream() => AppContext.SetSwitch("System.IO.Compression.UseStrictValidation", true);

    private SourceStream(string path, FileStream opened, CancellationToken stop)
    {
        (this.path, this.stop, file) = (path, stop, new Hashed(opened));
        content = IsGzip(path) ? new GZipStream(file, CompressionMode.Decompress) : file;
    }

    /// <summary>True if a file's name says that it is compressed with gzip.</summary>
    public static bool IsGzip(string path) => path.EndsWith(Gzip, StringComparison.OrdinalIgnoreCase);

    /// <summary>Opens a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="missingHint">Advice for the error if there is none.</param>
    /// <param name="stop">Ends reading.</param>
    /// <exception cref="NanoException">It is missing, unreadable, or a pipe or a device.</exception>
    public static SourceStream Open(string path, string missingHint, CancellationToken stop = default)
    {
        var handle = InputFile.Open(path, missingHint);
        try
        {
            return new SourceStream(path, new FileStream(handle, FileAccess.Read, bufferSize: 0), stop);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>Bytes of the file that have been read.</summary>
    public long FileBytes => file.Count;

    /// <summary>Fills a buffer as far as the content goes; less than full means its end.</summary>
    /// <exception cref="NanoException">The disk reports an error.</exception>
    /// <exception cref="BadFileException">It is not what .gz says it is, or damaged.</exception>
    /// <exception cref="OperationCanceledException">Reading was ended.</exception>
    public int Read(Span<byte> buffer)
    {
        stop.ThrowIfCancellationRequested();
        try
        {
            int count = content.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
            // GZipStream looks for another member until the file ends; before, it stops only where something else
            // follows, which it ignores.
            if (count < buffer.Length && content is GZipStream && (!file.IsAtEnd || file.Count == 0))
                throw new BadFileException(path, file.Count == 0 ? "it is empty, and not gzip data"
                    : "something that is not gzip data follows the gzip data");
            return count;
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

        public bool IsAtEnd { get; private set; }

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException(); set =>
            throw new NotSupportedException();
        }

        public override int Read(Span<byte> buffer)
        {
            int count = file.Read(buffer);
            hash.AppendData(buffer[..count]);
            Count += count;
            IsAtEnd = count == 0;
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
