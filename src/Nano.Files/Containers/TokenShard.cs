using System.Buffers.Binary;
using System.Security.Cryptography;
using CommunityToolkit.HighPerformance.Buffers;

namespace Nano;

/// <summary>
/// A file of token ids as llm.c's dev/data/data_common.py writes it, mapped into memory: 256 int32
/// of header (magic, version, number of tokens, zeros), then the ids as uint16 (magic 20240520,
/// version 1) or uint32 (magic 20240801, version 7).
/// </summary>
public sealed class TokenShard : IDisposable
{
    /// <summary>The first int32 of a file of 16-bit ids, and of one of 32-bit ids.</summary>
    public const int Magic16 = 20240520, Magic32 = 20240801;

    internal const int Version16 = 1, Version32 = 7, HeaderBytes = 256 * sizeof(int);
    private const int CheckedBytes = 1 << 20;

    private readonly BinaryFile file;

    private TokenShard(BinaryFile file, int width, int count) => (this.file, Width, Count) = (file, width, count);

    /// <summary>The file, as the caller named it.</summary>
    public string Path => file.Path;

    /// <summary>Bytes per id: 2 or 4.</summary>
    public int Width { get; }

    /// <summary>Number of ids.</summary>
    public int Count { get; }

    /// <summary>
    /// True if a file begins with the magic number of a token file; it may still be malformed.
    /// </summary>
    /// <exception cref="NanoException">It is missing or unreadable.</exception>
    public static bool Recognises(string path)
    {
        byte[] beginning = InputFile.ReadBeginning(path, sizeof(int), "check the path");
        return beginning.Length == sizeof(int)
            && BinaryPrimitives.ReadInt32LittleEndian(beginning) is Magic16 or Magic32;
    }

    /// <summary>Opens a file and checks its header against its length.</summary>
    /// <exception cref="NanoException">The file is missing or unreadable.</exception>
    /// <exception cref="BadFileException">It is of another kind, or longer or shorter than its header says.</exception>
    public static TokenShard Open(string path)
    {
        var file = new BinaryFile(path, "check the path; 'nano data prepare' writes such files");
        try
        {
            int width = file.Int32(0) switch
            {
                Magic16 => sizeof(ushort),
                Magic32 => sizeof(uint),
                var other => throw file.Bad(
                    $"it starts with {other}; a token file of llm.c starts with {Magic16} (16-bit ids) or {Magic32} "
                    + "(32-bit ids)"),
            };
            int version = file.Int32(4), expected = width == sizeof(ushort) ? Version16 : Version32,
                count = file.Int32(8);
            if (version != expected)
                throw file.Bad($"it is version {version} of llm.c's token files; expected {expected}");
            if (count < 0 || file.Length != HeaderBytes + ((long)count * width))
                throw file.Bad($"it has {file.Length} bytes; its header says {count} tokens of {width} bytes, which "
                    + $"makes {HeaderBytes + ((long)count * width)}");
            return new TokenShard(file, width, count);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Copies the ids from a position on, as many as the destination holds.</summary>
    /// <param name="start">The first one.</param>
    /// <param name="ids">Receives the ids.</param>
    /// <param name="vocabulary">V: every id is below it.</param>
    /// <exception cref="BadFileException">The file has become shorter, or an id is V or more.</exception>
    public void CopyTo(int start, Span<int> ids, int vocabulary)
    {
        var bytes = file.Slice(HeaderBytes + ((long)start * Width), checked(ids.Length * Width));
        if (Width == sizeof(ushort))
            for (int i = 0; i < ids.Length; i++)
                ids[i] = BinaryPrimitives.ReadUInt16LittleEndian(bytes[(2 * i)..]);
        else
            for (int i = 0; i < ids.Length; i++)
                ids[i] = BinaryPrimitives.ReadInt32LittleEndian(bytes[(4 * i)..]);
        int wrong = ids.IndexOfAnyExceptInRange(0, vocabulary - 1);
        if (wrong >= 0)
            throw file.Bad($"token {start + wrong} is the id {(uint)ids[wrong]}; the vocabulary's ids run from 0 to "
                + $"{vocabulary - 1}");
    }

    /// <summary>
    /// Reads the whole file once, checks every id, and returns its SHA-256 in lower-case
    /// hexadecimal.
    /// </summary>
    /// <exception cref="BadFileException">An id is V or more.</exception>
    public string Check(int vocabulary)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(file.Slice(0, HeaderBytes));
        using var ids = SpanOwner<int>.Allocate(CheckedBytes / sizeof(int));
        for (int start = 0; start < Count;)
        {
            int count = Math.Min(ids.Length, Count - start);
            CopyTo(start, ids.Span[..count], vocabulary);
            hash.AppendData(file.Slice(HeaderBytes + ((long)start * Width), count * Width));
            start += count;
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <inheritdoc/>
    public void Dispose() => file.Dispose();
}
