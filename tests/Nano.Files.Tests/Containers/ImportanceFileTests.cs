using System.Text;

namespace Nano.Tests.Formats;

/// <summary>Importance matrices in both forms of file, against bytes laid out here by hand.</summary>
public class ImportanceFileTests
{
    static readonly float[] Sums = [8, 2, 0.5f, 0, 6, 9], Counts = [4, 0];

    /// <summary>A GGUF file of numbers and of tensors of F32.</summary>
    static byte[] Gguf(string? type, (string Name, int[] Sizes, float[] Values)[] tensors, params string[] dataSets)
    {
        using var stream = new MemoryStream();
        using var file = new BinaryWriter(stream);
        file.Write("GGUF"u8);
        file.Write(3);
        file.Write((long)tensors.Length);
        file.Write(type is null ? 3L : 4L);
        if (type is not null)
        {
            Text("general.type");
            file.Write(8);
            Text(type);
        }
        Text("imatrix.datasets");
        file.Write(9);
        file.Write(8);
        file.Write((long)dataSets.Length);
        Array.ForEach(dataSets, Text);
        Text("imatrix.chunk_count");
        file.Write(4);
        file.Write(3);
        Text("imatrix.chunk_size");
        file.Write(4);
        file.Write(512);
        long offset = 0;
        foreach (var (name, sizes, values) in tensors)
        {
            Text(name);
            file.Write(sizes.Length);
            Array.ForEach(sizes, size => file.Write((long)size));
            file.Write(0); // F32
            file.Write(offset);
            offset += (values.Length * sizeof(float) + 31) / 32 * 32;
        }
        Pad();
        foreach (var (_, _, values) in tensors)
        {
            Array.ForEach(values, file.Write);
            Pad();
        }
        return stream.ToArray();

        void Text(string text)
        {
            file.Write((long)Encoding.UTF8.GetByteCount(text));
            file.Write(Encoding.UTF8.GetBytes(text));
        }

        void Pad()
        {
            while (stream.Position % 32 != 0)
                file.Write((byte)0);
        }
    }

    /// <summary>The older form: tensors, and behind them the number of chunks and the name of the text.</summary>
    static byte[] Binary(int entries, (string Name, int Calls, float[] Values)[] tensors, int? chunks = null,
        string? dataSet = null)
    {
        using var stream = new MemoryStream();
        using var file = new BinaryWriter(stream);
        file.Write(entries);
        foreach (var (name, calls, values) in tensors)
        {
            file.Write(name.Length);
            file.Write(Encoding.UTF8.GetBytes(name));
            file.Write(calls);
            file.Write(values.Length);
            Array.ForEach(values, file.Write);
        }
        if (chunks is { } number)
            file.Write(number);
        if (dataSet is not null)
        {
            file.Write(dataSet.Length);
            file.Write(Encoding.UTF8.GetBytes(dataSet));
        }
        return stream.ToArray();
    }

    static ImportanceMatrix Read(byte[] bytes)
    {
        using var folder = new TempFolder();
        File.WriteAllBytes(folder.File("matrix"), bytes);
        return ImportanceFile.Read(folder.File("matrix"));
    }

    static byte[] Written(ImportanceMatrix matrix, ImportanceFormat format)
    {
        using var folder = new TempFolder();
        ImportanceFile.Write(folder.File("matrix"), matrix, format);
        return File.ReadAllBytes(folder.File("matrix"));
    }

    static readonly byte[] TwoTensors = Gguf("imatrix",
        [("blk.0.a.weight.in_sum2", [3, 2], Sums), ("blk.0.a.weight.counts", [1, 2], Counts),
            ("blk.0.b.weight.in_sum2", [2], [3, 5]), ("blk.0.b.weight.counts", [1], [2])], "wiki.txt", "more.txt");

    [Fact]
    public void A_GGUF_file_gives_means_and_ones_for_an_expert_without_tokens()
    {
        ImportanceMatrix matrix = Read(TwoTensors);
        Assert.Equal(["blk.0.a.weight", "blk.0.b.weight"], matrix.Tensors.Keys.Order());
        Assert.Equal([2, 0.5f, 0.125f, 1, 1, 1], matrix.Tensors["blk.0.a.weight"].Means());
        Assert.Equal([1.5f, 2.5f], matrix.Tensors["blk.0.b.weight"].Means());
        Assert.Equal(3, matrix.Tensors["blk.0.a.weight"].Columns);
        Assert.Equal(["wiki.txt", "more.txt"], matrix.DataSets);
        Assert.Equal((3, 512), (matrix.Chunks, matrix.ChunkLength));
    }

    [Fact]
    public void A_GGUF_file_is_written_as_it_was_read_and_in_the_order_of_names()
    {
        ImportanceMatrix matrix = Read(TwoTensors);
        Assert.Equal(TwoTensors, Written(matrix, ImportanceFormat.Gguf));
        var reversed = matrix with { Tensors = matrix.Tensors.Reverse().ToDictionary() };
        Assert.Equal(TwoTensors, Written(reversed, ImportanceFormat.Gguf));
    }

    [Fact]
    public void The_older_form_gives_values_over_calls_and_values_of_no_calls_themselves()
    {
        byte[] bytes = Binary(2, [("blk.0.a.weight", 4, [8, 2]), ("b", 0, [3, 7, 1])], 12, "wiki.txt");
        ImportanceMatrix matrix = Read(bytes);
        Assert.Equal([2, 0.5f], matrix.Tensors["blk.0.a.weight"].Means());
        Assert.Equal([3, 7, 1f], matrix.Tensors["b"].Means());
        Assert.Equal((12, 0, "wiki.txt"), (matrix.Chunks, matrix.ChunkLength, Assert.Single(matrix.DataSets)));
        foreach (byte[] shorter in (byte[][])[bytes[..^16], bytes[..^12]]) // chunks and text are optional
            Assert.Equal(2, Read([.. shorter.Concat(Array.Empty<byte>())]).Tensors.Count);
    }

    /// <summary>1,024 tokens in chunks of 512 are two calls; 1,025 are three.</summary>
    [Theory]
    [InlineData(1024, 2)]
    [InlineData(1025, 3)]
    public void The_older_form_is_written_as_means_times_calls(int tokens, int calls)
    {
        var matrix = new ImportanceMatrix(new Dictionary<string, ColumnImportance>
        {
            ["blk.0.b.weight"] = new([5 * tokens, 0.5f * tokens], [tokens]),
            ["blk.0.a.weight"] = new([3 * tokens], [tokens]),
        })
        {
            DataSets = ["wiki.txt"],
            Chunks = 2,
            ChunkLength = 512,
        };
        Assert.Equal(Binary(2, [("blk.0.a.weight", calls, [3 * calls]),
            ("blk.0.b.weight", calls, [5 * calls, 0.5f * calls])], 2, "wiki.txt"),
            Written(matrix, ImportanceFormat.Binary));
        ImportanceMatrix back = Read(Written(matrix, ImportanceFormat.Binary));
        foreach (string name in matrix.Tensors.Keys)
            Assert.Equal(matrix.Tensors[name].Means(), back.Tensors[name].Means());
    }

    public static TheoryData<byte[], string> Malformed() => new()
    {
        { [], "the file ends at byte 0" },
        { [1, 0], "the file ends at byte 2" },
        { "GGUF"u8.ToArray(), "the file ends" },
        { Encoding.UTF8.GetBytes("once upon a time there was"), "neither starts with 'GGUF' nor with a number" },
        { Gguf(null, []), "'general.type' is missing; expected 'imatrix'" },
        { Gguf("model", []), "'general.type' is 'model'; expected 'imatrix'" },
        { Gguf("imatrix", []), "it holds no tensor NAME.in_sum2" },
        { Gguf("imatrix", [("a.in_sum2", [2], [1, 2])]), "'a.counts' is missing" },
        { Gguf("imatrix", [("a.counts", [1], [1])]), "'a.in_sum2' is missing" },
        { Gguf("imatrix", [("a.in_sum2", [2], [1, 2]), ("a.counts", [2], [1, 1])]), "a count for each row of sums" },
        { Gguf("imatrix", [("a.in_sum2", [2, 0], []), ("a.counts", [1], [1])]), "a count for each row of sums" },
        { Gguf("imatrix", [("a.in_sum2", [], [1]), ("a.counts", [1], [1])]), "a count for each row of sums" },
        { Gguf("imatrix", [("a.in_sum2", [2], [1, float.NaN]), ("a.counts", [1], [1])]),
            "tensor 'a.in_sum2', value 1 is NaN; expected a finite number of at least 0" },
        { Gguf("imatrix", [("a.in_sum2", [2], [-1, 1]), ("a.counts", [1], [1])]), "value 0 is -1" },
        { Gguf("imatrix", [("a.in_sum2", [1], [1]), ("a.counts", [1], [0.25f])]), "value 0 is 0.25" },
        { Gguf("imatrix", [("a.in_sum2", [1], [1]), ("a.counts", [1], [float.PositiveInfinity])]), "value 0 is" },
        { Binary(0, []), "but with 0" },
        { Binary(int.MaxValue, [("a", 1, [1])]), "but with 2147483647" },
        { Binary(2, [("a", 1, [1, 2, 3, 4, 5, 6])]), "the file ends at byte" },
        { Binary(1, [("", 1, [1, 2, 3])]), "the length of the name of tensor 0 at byte 4 is 0" },
        { Binary(1, [(new string('x', 57), 1, [1])]), "is 57; expected 1 to 56" },
        { Binary(1, [("a", -1, [1])]), "the calls of 'a' at byte 9 is -1" },
        { Binary(1, [("a", 1, [])], 1), "the number of values of 'a' at byte 13 is 0" },
        { Binary(1, [("a", 1, [1, -2])]), "tensor 'a', value 1 is -2" },
        { Binary(2, [("a", 1, [1]), ("a", 1, [1])]), "tensor 'a' appears twice" },
        { Binary(1, [("a", 1, [1])], -1), "the number of chunks at byte 21 is -1" },
        { [.. Binary(1, [("a", 1, [1])], 1, "t"), 7], "1 bytes lie behind its end, from byte 30 on" },
        { Patched(Binary(1, [("a", 1, [1])]), 13, 1 << 28), "claims 268435456 values at byte 17, where 4 bytes" },
        { Patched(Binary(1, [("abcd", 1, [1])]), 8, -1), "is not valid UTF-8" },
    };

    static byte[] Patched(byte[] bytes, int at, int number)
    {
        BitConverter.GetBytes(number).CopyTo(bytes, at);
        return bytes;
    }

    [Theory]
    [MemberData(nameof(Malformed))]
    public void A_malformed_file_is_refused_with_its_place(byte[] bytes, string problem) =>
        Assert.Contains(problem, Assert.Throws<BadFileException>(() => Read(bytes)).Message, StringComparison.Ordinal);

    [Fact]
    public void Every_shorter_piece_of_a_file_is_refused_or_lacks_only_what_is_optional()
    {
        byte[] gguf = TwoTensors[..^28], binary = Binary(2, [("a", 4, [8, 2]), ("b", 1, [3])], 12, "t"); // unpadded
        for (int length = 0; length < gguf.Length; length++)
            Assert.Throws<BadFileException>(() => Read(gguf[..length]));
        for (int length = 0; length < binary.Length; length++)
            if (length != binary.Length - 5 && length != binary.Length - 9)
                Assert.Throws<BadFileException>(() => Read(binary[..length]));
    }
}
