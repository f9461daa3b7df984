using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Nano;

/// <summary>
/// Writes one <see cref="TokenShard"/> id by id. The number of tokens is put into the header when
/// it is finished, so a file that was cut off half way does not pass for a whole one.
/// </summary>
public sealed class TokenShardWriter : IDisposable
{
    private const int BufferBytes = 1 << 18;

    private readonly string path;
    private readonly FileStream stream;
    private readonly byte[] buffer = new byte[BufferBytes];
    private readonly int width;
    private int filled, count;

    /// <summary>Creates the file, which must not exist.</summary>
    /// <param name="path">The file.</param>
    /// <param name="vocabulary">V: ids below it are written as 16 bits if they fit, else as 32.</param>
    /// <exception cref="NanoException">It cannot be created.</exception>
    public TokenShardWriter(string path, int vocabulary)
    {
        this.path = path;
        width = WidthFor(vocabulary);
        stream = Try(() => new FileStream(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read,
            bufferSize: 0));
        filled = TokenShard.HeaderBytes; // zeros until it is finished
    }

    /// <summary>Bytes per id for a vocabulary of this size.</summary>
    public static int WidthFor(int vocabulary) => vocabulary <= ushort.MaxValue + 1 ? sizeof(ushort) : sizeof(uint);

    /// <summary>Ids so far.</summary>
    public int Count => count;

    /// <summary>Adds ids.</summary>
    /// <exception cref="NanoException">The disk is full or reports an error.</exception>
    public void Write(ReadOnlySpan<int> ids)
    {
        count = checked(count + ids.Length);
        while (ids.Length > 0)
        {
            if (buffer.Length - filled < width)
                Flush();
            int now = Math.Min(ids.Length, (buffer.Length - filled) / width);
            var to = buffer.AsSpan(filled, now * width);
            if (width == sizeof(ushort))
                for (int i = 0; i < now; i++)
                    BinaryPrimitives.WriteUInt16LittleEndian(to[(2 * i)..], (ushort)ids[i]);
            else
                for (int i = 0; i < now; i++)
                    BinaryPrimitives.WriteInt32LittleEndian(to[(4 * i)..], ids[i]);
            filled += now * width;
            ids = ids[now..];
        }
    }

    /// <summary>Writes the rest and the header to the disk.</summary>
    /// <returns>The SHA-256 of the file in lower-case hexadecimal.</returns>
    /// <exception cref="NanoException">The disk is full or reports an error.</exception>
    public string Finish()
    {
        Flush();
        int[] header = new int[256];
        ((int[])[.. width == sizeof(ushort) ? new[] { TokenShard.Magic16, TokenShard.Version16 }
            : [TokenShard.Magic32, TokenShard.Version32], count]).CopyTo(header, 0);
        return Try(() =>
        {
            stream.Position = 0;
            stream.Write(MemoryMarshal.AsBytes(header.AsSpan()));
            stream.Flush(flushToDisk: true);
            stream.Position = 0;
            return Convert.ToHexStringLower(SHA256.HashData(stream));
        });
    }

    private void Flush()
    {
        Try(() =>
        {
            stream.Write(buffer, 0, filled);
            return 0;
        });
        filled = 0;
    }

    private T Try<T>(Func<T> action)
    {
        try
        {
            return action();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw AtomicFile.Explain(path, e);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => stream.Dispose();
}
