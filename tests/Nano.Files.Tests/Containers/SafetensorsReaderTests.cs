using System.Text;

namespace Nano.Tests.Formats;

public class SafetensorsReaderTests
{
    public static TheoryData<string> BadFiles =>
        [.. Directory.GetFiles(Goldens.Path("formats"), "bad_*.safetensors").Select(f => Path.GetFileName(f)).Order()];

    [Theory]
    [MemberData(nameof(BadFiles))]
    public void A_bad_golden_is_refused_by_name_without_a_large_allocation(string file)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        var e = Assert.Throws<BadFileException>(() => SafetensorsReader.Open(Goldens.Path("formats/" + file)));
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 1 << 20);
        Assert.Contains(file, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void There_are_sixteen_bad_goldens() =>
        Assert.Equal(16, Directory.GetFiles(Goldens.Path("formats"), "bad_*").Length);

    [Theory]
    [InlineData("bad_unknown_dtype", "'F33'")]
    [InlineData("bad_hole", "tensor 'b'")]
    [InlineData("bad_overlap", "inside another tensor")]
    [InlineData("bad_duplicate_key", "appears twice")]
    [InlineData("bad_header_not_utf8", "UTF-8")]
    [InlineData("bad_header_length_huge", "9223372036854775815")]
    [InlineData("bad_header_longer_than_file", "1048576")]
    [InlineData("bad_shape_overflow", "64 bits")]
    [InlineData("bad_trailing_bytes", "12 bytes")]
    [InlineData("bad_seven_bytes", "7 bytes")]
    public void The_error_says_what_is_wrong(string file, string expected)
    {
        var e = Assert.Throws<BadFileException>(() =>
            SafetensorsReader.Open(Goldens.Path($"formats/{file}.safetensors")));
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_float_type_becomes_the_golden_float32()
    {
        using var mixed = SafetensorsReader.Open(Goldens.Path("formats/dtypes.safetensors"));
        using var golden = SafetensorsReader.Open(Goldens.Path("formats/dtypes_as_f32.safetensors"));
        Assert.Equal(["bf16", "f16", "f16.odd", "f64"], golden.Entries.Keys.Order());
        foreach (SafetensorsEntry entry in golden.Entries.Values)
        {
            Assert.Equal(SafetensorsType.F32, entry.Type);
            Assert.Equal(entry.Shape, mixed.Entries[entry.Name].Shape);
            Assert.Equal(Bits(Floats(golden, entry.Name)), Bits(Floats(mixed, entry.Name)));
        }
    }

    [Fact]
    public void The_other_types_names_and_metadata_are_read()
    {
        using var file = SafetensorsReader.Open(Goldens.Path("formats/dtypes.safetensors"));
        Assert.Equal(16 - 1, file.Entries.Count);
        Assert.Equal("café", file.Metadata["note"]);
        Assert.Equal([2.5f], Floats(file, "f32.scalar"));
        Assert.Empty(file.Entries["f32.scalar"].Shape);
        Assert.Equal([0L, 4L], file.Entries["f32.empty"].Shape);
        Assert.Empty(Floats(file, "f32.empty"));
        Assert.Equal([-1.5f], Floats(file, "f32.len1"));
        Assert.Equal([1f, 2f], Floats(file, "name with spaces / é漢😀 \"quoted\" \\ \n"));
        Assert.Equal([long.MinValue, long.MaxValue, 0, -1], Integers(file, "i64"));
        Assert.Equal([int.MinValue, int.MaxValue], Integers(file, "i32"));
        Assert.Equal([-32768L, 32767L], Integers(file, "i16"));
        Assert.Equal([-128L, 127L, 5L], Integers(file, "i8"));
        Assert.Equal([0L, 1, 2, 3, 4, 5, 6], Integers(file, "u8"));
        Assert.Equal(SafetensorsType.BOOL, file.Entries["bool"].Type);
    }

    [Fact]
    public void Unordered_and_unpadded_and_empty_files_are_valid()
    {
        using var unordered = SafetensorsReader.Open(Goldens.Path("formats/unpadded_unordered.safetensors"));
        Assert.Equal([1f], Floats(unordered, "a"));
        Assert.Equal([2f, 3f], Floats(unordered, "b"));
        Assert.Equal(8 + 0x6b + 4, unordered.Entries["b"].Offset);
        using var none = SafetensorsReader.Open(Goldens.Path("formats/no_tensors.safetensors"));
        Assert.Empty(none.Entries);
        Assert.Equal("pt", none.Metadata["format"]);
    }

    [Theory]
    [InlineData("""{"a":{"dtype":"U16","shape":[1],"data_offsets":[0,2]}}""", new byte[] { 0xFF, 0xFF }, 65535)]
    [InlineData("""{"a":{"dtype":"U32","shape":[],"data_offsets":[0,4]}}""", new byte[] { 0xFF, 0xFF, 0xFF, 0xFF },
        4294967295)]
    [InlineData("""{"a":{"dtype":"U64","shape":[],"data_offsets":[0,8]}}  """, new byte[] { 1, 0, 0, 0, 0, 0, 0, 0x7F },
        0x7F00000000000001)]
    public void Unsigned_integers_are_widened(string header, byte[] data, long expected)
    {
        using var folder = new TempFolder();
        using var file = SafetensorsReader.Open(Make(folder, header, data));
        Assert.Equal([expected], Integers(file, "a"));
    }

    [Theory]
    [InlineData("""{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1],"extra":1}}""", "'extra'")]
    [InlineData("""{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1],"shape":[]}}""", "'shape'")]
    [InlineData("""{"a":{"dtype":"U8","data_offsets":[0,1]}}""", "'shape' is missing")]
    [InlineData("""{"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}}""", "whole number")]
    [InlineData("""{"a":{"dtype":"U8","shape":[[1]],"data_offsets":[0,1]}}""", "whole number")]
    [InlineData("""{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1,1]}}""", "begin and an end")]
    [InlineData("""{"a":{"dtype":"U8","shape":[],"data_offsets":[0,18446744073709551615]}}""", "whole number")]
    [InlineData("""{"a":{"dtype":"1","shape":[],"data_offsets":[0,1]}}""", "type '1'")]
    [InlineData("""{"a":{"dtype":"f32","shape":[],"data_offsets":[0,1]}}""", "type 'f32'")]
    [InlineData("""{"a":{"dtype":"F4","shape":[],"data_offsets":[0,1]}}""", "type 'F4'")]
    [InlineData("""{"a":[1]}""", "tensor 'a'")]
    [InlineData("""{"__metadata__":{"x":1},"a":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}""",
        "'x' is not a string")]
    [InlineData("""{"__metadata__":{"x":"","x":""},"a":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}""",
        "'x' appears twice")]
    [InlineData("""{"__metadata__":{},"__metadata__":{},"a":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}""",
        "appears twice")]
    [InlineData("""{"\ud800":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}""", "not valid Unicode")]
    [InlineData("""{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}{}""", "not valid JSON")]
    [InlineData(""" {"a":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}""", "start with '{'")]
    [InlineData("""{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1]}""", "not valid JSON")]
    [InlineData("", "start with '{'")]
    public void A_header_that_breaks_a_rule_is_refused(string header, string expected)
    {
        using var folder = new TempFolder();
        var e = Assert.Throws<BadFileException>(() => SafetensorsReader.Open(Make(folder, header, [7])));
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Reading_what_is_not_there_names_the_tensor()
    {
        using var file = SafetensorsReader.Open(Goldens.Path("formats/dtypes.safetensors"));
        Assert.Contains("'nope'", Bad(() => file.ReadFloat32("nope", new float[1])), StringComparison.Ordinal);
        Assert.Contains("shape [3, 5]); expected 14", Bad(() => file.ReadFloat32("f32", new float[14])),
            StringComparison.Ordinal);
        Assert.Contains("type I32", Bad(() => file.ReadFloat32("i32", new float[2])), StringComparison.Ordinal);
        Assert.Contains("type F32", Bad(() => file.ReadInt64("f32.scalar", new long[1])), StringComparison.Ordinal);
        Assert.Contains("type F32", Bad(() => file.ReadInt32("f32.scalar", new int[1])), StringComparison.Ordinal);
        using var folder = new TempFolder();
        using var large = SafetensorsReader.Open(Make(folder,
            """{"a":{"dtype":"U64","shape":[],"data_offsets":[0,8]}}""", [0, 0, 0, 0, 0, 0, 0, 0x80]));
        Assert.Contains("'a' holds a number beyond", Bad(() => large.ReadInt64("a", new long[1])),
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_cut_short_after_opening_is_noticed()
    {
        using var folder = new TempFolder();
        string path = Make(folder, """{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}""", [1, 2, 3, 4]);
        using var file = SafetensorsReader.Open(path);
        using (FileStream stream = new(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
            stream.SetLength(stream.Length - 2);
        Assert.Contains("the file ends at byte", Bad(() => file.ReadInt64("a", new long[4])), StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_file_or_a_folder_is_an_error_with_a_hint()
    {
        using var folder = new TempFolder();
        Assert.NotNull(Assert.Throws<NanoException>(() => SafetensorsReader.Open(folder.File("none"))).Hint);
        Assert.Contains("folder", Assert.Throws<NanoException>(() => SafetensorsReader.Open(folder.Root)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_checkpoint_written_by_Python_is_read()
    {
        string path = Goldens.Path("gpt2_tiny/model.safetensors");
        Assert.SkipUnless(File.Exists(path), "the golden gpt2_tiny/model.safetensors is not in tests/goldens");
        using var file = SafetensorsReader.Open(path);
        float[] wte = Floats(file, "transformer.wte.weight");
        Assert.Equal(28, file.Entries.Count);
        Assert.Equal([97L, 64L], file.Entries["transformer.wte.weight"].Shape);
        Assert.Equal(0.09025799483060837f, wte[0]);
        Assert.Equal(0.1084488108754158f, wte[^1]);
        Assert.Equal(7.7677350170970385, wte.Sum(x => (double)x), 1e-9);
    }

    internal static float[] Floats(SafetensorsReader file, string name)
    {
        float[] values = new float[file.Entries[name].Count];
        file.ReadFloat32(name, values);
        return values;
    }

    internal static IEnumerable<uint> Bits(float[] values) => values.Select(BitConverter.SingleToUInt32Bits);

    internal static string Make(TempFolder folder, string header, byte[] data)
    {
        byte[] json = Encoding.UTF8.GetBytes(header);
        string path = folder.File("made.safetensors");
        File.WriteAllBytes(path, [.. BitConverter.GetBytes((long)json.Length), .. json, .. data]);
        return path;
    }

    static long[] Integers(SafetensorsReader file, string name)
    {
        long[] values = new long[file.Entries[name].Count];
        file.ReadInt64(name, values);
        return values;
    }

    static string Bad(Action action) => Assert.Throws<BadFileException>(action).Message;
}
