namespace Nano.Cli;

/// <summary>
/// A stream for writing that tells when the system takes no more, and from then on drops what is written.
/// </summary>
/// <param name="inner">The stream to write to; null for a closed one.</param>
/// <param name="lost">Told once why nothing can be written any more; it may throw.</param>
internal sealed class GuardedStream(Stream? inner, Action<Exception> lost) : Stream
{
    private bool isLost;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        if (isLost)
            return;
        try
        {
            (inner ?? throw new IOException("it is closed")).Write(buffer);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ObjectDisposedException)
        {
            isLost = true;
            lost(e);
        }
    }

    public override void Flush()
    {
        // Nothing is kept here.
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}
