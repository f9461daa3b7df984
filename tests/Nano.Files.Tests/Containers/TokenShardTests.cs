using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Nano.Tests.Formats;

/// <summary>Token files against the layout of llm.c's dev/data/data_common.py, written down byte by byte.</summary>
public sealed class TokenShardTests : IDisposable
{
    readonly TempFolder temp = new();

    public void Dispose() => temp.Dispose();

    /// <summary>256 int32 of header, then the ids.</summary>
    static byte[] Layout(int magic, int version, int count, int width, params int[] ids)
    {
        byte[] bytes = new byte[1024 + (ids.Length * width)];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, magic);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(4), version);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(8), count);
        for (int i = 0; i < ids.Length; i++)
            for (int b = 0; b < width; b++)
                bytes[1024 + (i * width) + b] = (byte)(ids[i] >> (8 * b));
        return bytes;
    }

    string Put(byte[] bytes)
    {
        string path = temp.File(Path.GetRandomFileName());
        File.WriteAllBytes(path, bytes);
        return path;
    }

    [Theory]
    [InlineData(50257, 20240520, 1, 2)]
    [InlineData(65536, 20240520, 1, 2)]
    [InlineData(65537, 20240801, 7, 4)]
    [InlineData(128256, 20240801, 7, 4)]
    public void A_written_file_is_the_published_layout_and_comes_back(int vocabulary, int magic, int version, int width)
    {
        int[] ids = [0, 1, 50256 % vocabulary, vocabulary - 1, 258];
        string path = temp.File("t.bin");
        string digest;
        using (var writer = new TokenShardWriter(path, vocabulary))
        {
            writer.Write(ids.AsSpan(0, 2));
            writer.Write([]);
            writer.Write(ids.AsSpan(2));
            digest = writer.Finish();
        }
        byte[] expected = Layout(magic, version, 5, width, ids);
        Assert.Equal(expected, File.ReadAllBytes(path));
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(expected)), digest);

        using var shard = TokenShard.Open(path);
        Assert.Equal((5, width), (shard.Count, shard.Width));
        int[] read = new int[3];
        shard.CopyTo(2, read, vocabulary);
        Assert.Equal(ids[2..], read);
        Assert.Equal(digest, shard.Check(vocabulary));
        Assert.True(TokenShard.Recognises(path));
    }

    [Fact]
    public void More_tokens_than_any_buffer()
    {
        var random = new Random(1);
        int[] ids = [.. Enumerable.Range(0, 700_001).Select(_ => random.Next(70_000))];
        string path = temp.File("t.bin");
        using (var writer = new TokenShardWriter(path, 70_000))
        {
            for (int at = 0; at < ids.Length;)
            {
                int count = Math.Min(random.Next(200_000), ids.Length - at);
                writer.Write(ids.AsSpan(at, count));
                at += count;
            }
            writer.Finish();
        }
        using var shard = TokenShard.Open(path);
        int[] read = new int[ids.Length];
        shard.CopyTo(0, read, 70_000);
        Assert.Equal(ids, read);
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path))), shard.Check(70_000));
    }

    [Fact]
    public void A_file_that_was_not_finished_is_no_token_file()
    {
        string path = temp.File("t.bin");
        using (var writer = new TokenShardWriter(path, 300))
            writer.Write(new int[1 << 20]);
        Assert.Throws<BadFileException>(() => TokenShard.Open(path));
    }

    public static TheoryData<string, byte[], string> Malformed() => new()
    {
        { "empty", [], "ends at byte 0" },
        { "another magic", Layout(20240326, 1, 0, 2), "starts with 20240326" },
        { "another version", Layout(20240520, 7, 0, 2), "version 7" },
        { "32 bits of version 1", Layout(20240801, 1, 0, 4), "version 1" },
        { "half a header", Layout(20240520, 1, 0, 2)[..512], "512 bytes" },
        { "too few tokens", Layout(20240520, 1, 4, 2, 1, 2, 3), "says 4 tokens" },
        { "too many tokens", Layout(20240520, 1, 2, 2, 1, 2, 3), "says 2 tokens" },
        { "half a token", Layout(20240520, 1, 3, 2, 1, 2, 3)[..^1], "1029 bytes" },
        { "a negative count", Layout(20240520, 1, -1, 2), "-1 tokens" },
        { "a huge count", Layout(20240801, 7, int.MaxValue, 4), "8589935612" },
    };

    [Theory]
    [MemberData(nameof(Malformed))]
    public void A_malformed_file_is_refused(string what, byte[] bytes, string words)
    {
        string path = Put(bytes);
        var e = Assert.Throws<BadFileException>(() => TokenShard.Open(path));
        Assert.True(e.Message.Contains(words, StringComparison.Ordinal) && e.Path == path, $"{what}: {e.Message}");
    }

    [Fact]
    public void An_id_outside_the_vocabulary_is_refused_with_its_place()
    {
        using var narrow = TokenShard.Open(Put(Layout(20240520, 1, 4, 2, 1, 2, 300, 3)));
        Assert.Contains("token 2 is the id 300", Assert.Throws<BadFileException>(() => narrow.Check(300)).Message,
            StringComparison.Ordinal);
        Assert.Contains("token 2 is the id 300",
            Assert.Throws<BadFileException>(() => narrow.CopyTo(1, new int[2], 300)).Message, StringComparison.Ordinal);
        narrow.Check(301);
        using var wide = TokenShard.Open(Put(Layout(20240801, 7, 2, 4, 5, -1)));
        Assert.Contains("token 1 is the id 4294967295",
            Assert.Throws<BadFileException>(() => wide.Check(1 << 20)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_is_cut_after_it_was_opened_is_an_error()
    {
        string path = Put(Layout(20240520, 1, 40_000, 2, new int[40_000]));
        using var shard = TokenShard.Open(path);
        using (var file = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
            file.SetLength(2000);
        Assert.Throws<BadFileException>(() => shard.CopyTo(39_000, new int[100], 10));
    }
}
