using System.Text;
using FsCheck;
using FsCheck.Fluent;

namespace Nano.Tests.Formats;

public class SafetensorsWriterTests
{
    [Fact]
    public void The_bytes_are_those_worked_out_by_hand()
    {
        using var folder = new TempFolder();
        string path = folder.File("a.safetensors");
        SafetensorsWriter.Write(path, [new("b", [2, 1], () => [1f, -2f]), new("a", [], () => [0.5f])]);

        const string json = """{"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[],"data_offsets":[8,12]}}""";
        int header = (8 + json.Length + 63) / 64 * 64 - 8;
        byte[] expected =
        [
            .. BitConverter.GetBytes((long)header), .. Encoding.ASCII.GetBytes(json.PadRight(header)),
            0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0, 0, 0, 0, 0x3F,
        ];
        Assert.Equal(expected, File.ReadAllBytes(path));
    }

    [Fact]
    public void The_same_tensors_and_metadata_give_the_same_bytes()
    {
        using var folder = new TempFolder();
        SafetensorsTensor[] tensors = [new("é漢😀 \"q\" \\ \n", [3], () => [1, 2, 3]), new("empty", [0, 4], () => [])];
        SafetensorsWriter.Write(folder.File("1"), tensors,
            new Dictionary<string, string> { ["step"] = "7", ["a"] = "é" });
        SafetensorsWriter.Write(folder.File("2"), tensors,
            new Dictionary<string, string> { ["a"] = "é", ["step"] = "7" });
        Assert.Equal(File.ReadAllBytes(folder.File("1")), File.ReadAllBytes(folder.File("2")));
        using var file = SafetensorsReader.Open(folder.File("1"));
        Assert.Equal(["é漢😀 \"q\" \\ \n", "empty"], file.Entries.Keys);
        Assert.Equal(("é", "7"), (file.Metadata["a"], file.Metadata["step"]));
        Assert.Equal(0, file.Entries["empty"].Offset % 4);
        Assert.Equal(0, file.Entries["é漢😀 \"q\" \\ \n"].Offset % 64);
    }

    [Fact]
    public void Read_and_written_again_a_file_is_the_same()
    {
        using var folder = new TempFolder();
        float[] large = new float[200_003]; // several chunks and a rest
        for (int i = 0; i < large.Length; i++)
            large[i] = BitConverter.UInt32BitsToSingle((uint)i * 2654435761);
        SafetensorsWriter.Write(folder.File("1"), [new("x", [large.Length], () => large),
            new("y", [1, 1], () => [float.NaN])]);
        using (var file = SafetensorsReader.Open(folder.File("1")))
        {
            Assert.Equal(SafetensorsReaderTests.Bits(large),
                SafetensorsReaderTests.Bits(SafetensorsReaderTests.Floats(file, "x")));
            SafetensorsWriter.Write(folder.File("2"),
                [.. file.Entries.Values
                    .Select(e => new SafetensorsTensor(e.Name, e.Shape,
                        () => SafetensorsReaderTests.Floats(file, e.Name)))], file.Metadata);
        }
        Assert.Equal(File.ReadAllBytes(folder.File("1")), File.ReadAllBytes(folder.File("2")));
    }

    [Fact]
    public void Whatever_is_written_is_read_back()
    {
        using var folder = new TempFolder();
        string path = folder.File("p.safetensors");
        Gen<SafetensorsTensor> tensor =
            from shape in Gen.Choose(0, 4).Select(n => (long)n).ArrayOf().Resize(4)
            from seed in Gen.Choose(0, int.MaxValue)
            from name in Texts.Any
            select Random(name, shape, seed);
        Prop.ForAll(tensor.ArrayOf().Resize(8).ToArbitrary(), tensors =>
        {
            tensors = [.. tensors.DistinctBy(t => t.Name)];
            SafetensorsWriter.Write(path, tensors);
            using var file = SafetensorsReader.Open(path);
            return file.Entries.Keys.SequenceEqual(tensors.Select(t => t.Name))
                && tensors.All(t => file.Entries[t.Name].Shape.SequenceEqual(t.Shape)
                    && SafetensorsReaderTests.Bits(SafetensorsReaderTests.Floats(file, t.Name))
                        .SequenceEqual(SafetensorsReaderTests.Bits(Stored(t))));
        }).QuickCheckThrowOnFailure();
    }

    static float[] Stored(SafetensorsTensor tensor)
    {
        using var stream = new MemoryStream();
        tensor.Write(stream);
        return System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(stream.ToArray()).ToArray();
    }

    static SafetensorsTensor Random(string name, long[] shape, int seed)
    {
        var random = new Random(seed);
        float[] data = new float[shape.Aggregate(1L, (a, b) => a * b)];
        for (int i = 0; i < data.Length; i++)
            data[i] = BitConverter.Int32BitsToSingle(random.Next(int.MinValue, int.MaxValue));
        return new SafetensorsTensor(name, shape, () => data);
    }

    [Fact]
    public void What_cannot_be_expressed_is_refused_and_leaves_no_file()
    {
        using var folder = new TempFolder();
        SafetensorsTensor[][] bad =
        [
            [new("a", [1], () => [1]), new("a", [1], () => [1])],
            [new("__metadata__", [1], () => [1])],
            [new("\ud800", [1], () => [1])],
            [new("a", [-1], () => [])],
            [new("a", [2], () => [1])],
        ];
        foreach (SafetensorsTensor[] tensors in bad)
            Assert.Throws<ArgumentException>(() => SafetensorsWriter.Write(folder.File("x"), tensors));
        Assert.Empty(Directory.GetFileSystemEntries(folder.Root));
    }
}
