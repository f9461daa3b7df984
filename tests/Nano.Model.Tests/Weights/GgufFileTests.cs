using System.Text;

namespace Nano.Tests.Formats;

/// <summary>GGUF files written here byte by byte: what is read of them, and which are refused.</summary>
public class GgufFileTests
{
    /// <summary>A file put together from numbers and texts.</summary>
    sealed class Bytes
    {
        readonly List<byte> all = [];

        public Bytes U32(params uint[] values)
        {
            foreach (uint value in values)
                all.AddRange(BitConverter.GetBytes(value));
            return this;
        }

        public Bytes U64(params ulong[] values)
        {
            foreach (ulong value in values)
                all.AddRange(BitConverter.GetBytes(value));
            return this;
        }

        public Bytes Raw(params byte[] bytes)
        {
            all.AddRange(bytes);
            return this;
        }

        public Bytes Text(string text) => U64((ulong)Encoding.UTF8.GetByteCount(text))
            .Raw(Encoding.UTF8.GetBytes(text));

        public Bytes Pad(int to)
        {
            while (all.Count % to != 0)
                all.Add(0);
            return this;
        }

        public byte[] ToArray() => [.. all];
    }

    static Bytes Header(ulong tensors, ulong pairs, uint version = 3) =>
        new Bytes().Raw("GGUF"u8.ToArray()).U32(version).U64(tensors, pairs);

    static GgufReader Open(TempFolder folder, Bytes bytes)
    {
        File.WriteAllBytes(folder.File("a.gguf"), bytes.ToArray());
        return GgufReader.Open(folder.File("a.gguf"));
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void Every_type_of_value_is_read(uint version)
    {
        using var folder = new TempFolder();
        using var file = Open(folder, Header(1, 14, version)
            .Text("u8").U32(0).Raw(200).Text("i8").U32(1).Raw(0xFE).Text("u16").U32(2).Raw(0xFF, 0xFF).Text("i16")
            .U32(3).Raw(0xFE, 0xFF)
            .Text("u32").U32(4, 4_000_000_000).Text("i32").U32(5, 0xFFFFFFFE).Text("f32").U32(6, 0x3FC00000)
            .Text("bool").U32(7).Raw(1)
            .Text("string").U32(8).Text("\u00e9\U0001F600").Text("strings").U32(9, 8).U64(2).Text("").Text("a b")
            .Text("u64").U32(10).U64(1UL << 62).Text("i64").U32(11).U64(ulong.MaxValue).Text("f64").U32(12)
            .U64(0x3FD0000000000000)
            .Text("nested").U32(9, 9).U64(1).U32(5).U64(2).U32(7, 8)
            .Text("t").U32(2).U64(3, 2).U32(0).U64(0).Pad(32).U32(1, 2, 3, 4, 5, 6));
        GgufMetadata m = file.Metadata;
        Assert.Equal((200L, -2L, 65535L, -2L, 4_000_000_000L, -2L),
            (m.Integer("u8"), m.Integer("i8"), m.Integer("u16"), m.Integer("i16"), m.Integer("u32"), m.Integer("i32")));
        Assert.Equal((1L << 62, -1L, 1.5f, 0.25f, true),
            (m.Integer("u64"), m.Integer("i64"), m.Float("f32"), m.Float("f64"), m.Bool("bool")));
        Assert.Equal("\u00e9\U0001F600", m.String("string"));
        Assert.Equal(["", "a b"], m.Strings("strings")!);
        Assert.Null(m.String("absent"));
        Assert.Null(m.Strings("absent"));
        Assert.Null(m.Integer("absent"));
        Assert.Equal([2L, 3L], file.Tensors["t"].Shape);
        Assert.Contains("of type UInt8; expected a string", Bad(() => m.String("u8")), StringComparison.Ordinal);
        Assert.Contains("array of Array; expected an array of strings", Bad(() => m.Strings("nested")),
            StringComparison.Ordinal);
        Assert.Contains("expected 0 to 2147483647", Bad(() => m.Size("u32")), StringComparison.Ordinal);
    }

    static string Bad(Func<object?> action) => Assert.Throws<BadFileException>(() => action()).Message;

    [Fact]
    public void What_is_set_is_written_and_read_back_and_written_the_same()
    {
        using var folder = new TempFolder();
        var metadata = new GgufMetadata("new");
        metadata.Set("s", "\u00e9");
        metadata.Set("u", 7u);
        metadata.Set("f", 0.5f);
        metadata.Set("b", false);
        metadata.Set("ss", (string[])["x", ""]);
        metadata.Set("fs", (float[])[1, -1]);
        metadata.Set("is", (int[])[-3, 4]);
        metadata.Set("general.alignment", 256u);
        metadata.Set("u", 8u); // replaces
        ModelTensor tensor = new("odd", new Shape(3), WeightType.F16, (start, destination) => destination.Fill(9));
        GgufWriter.Write(folder.File("a"), metadata, [tensor.ToGguf(), tensor.Named("second").ToGguf()]);
        using var file = GgufReader.Open(folder.File("a"));
        Assert.Equal(["s", "u", "f", "b", "ss", "fs", "is", "general.alignment"], file.Metadata.Keys);
        Assert.Equal(("\u00e9", 8L, 0.5f, false),
            (file.Metadata.String("s"), file.Metadata.Integer("u"), file.Metadata.Float("f"), file.Metadata.Bool("b")));
        Assert.Equal(["x", ""], file.Metadata.Strings("ss")!);
        Assert.Equal([1f, -1f], file.Metadata.Floats("fs")!);
        Assert.Equal([-3L, 4L], file.Metadata.Integers("is")!);
        Assert.All(file.Tensors.Values, found => Assert.Equal(0, found.Offset % 256));
        Assert.Equal(256, file.Tensors["second"].Offset - file.Tensors["odd"].Offset);
        GgufWriter.Write(folder.File("b"), file.Metadata, [tensor.ToGguf(), tensor.Named("second").ToGguf()]);
        Assert.Equal(File.ReadAllBytes(folder.File("a")), File.ReadAllBytes(folder.File("b")));
    }

    static Bytes Tensor(string name, uint type, ulong offset, params ulong[] dims) =>
        Header(1, 0).Text(name).U32((uint)dims.Length).U64(dims).U32(type).U64(offset);

    public static TheoryData<string, byte[]> Malformed => new()
    {
        { "does not start with 'GGUF'", "GGML"u8.ToArray() },
        { "the file ends at byte 4", "GGUF"u8.ToArray() },
        { "version 1", Header(0, 0, 1).ToArray() },
        { "big-endian", Header(0, 0, 0x03000000).ToArray() },
        { "the file ends at byte 24", Header(0, ulong.MaxValue).ToArray() },
        { "the file ends at byte 24", Header(ulong.MaxValue, 0).ToArray() },
        { "appears twice", Header(0, 2).Text("a").U32(7).Raw(1).Text("a").U32(7).Raw(1).ToArray() },
        { "is empty", Header(0, 1).Text("").U32(7).Raw(1).ToArray() },
        { "65536 bytes; the limit is 65535", Header(0, 1).Text(new string('a', 65536)).U32(7).Raw(1).ToArray() },
        { "not valid UTF-8", Header(0, 1).U64(1).Raw(0xFF).U32(7).Raw(1).ToArray() },
        { "has type 13", Header(0, 1).Text("a").U32(13).Raw(1).ToArray() },
        { "is 2; expected 0 or 1", Header(0, 1).Text("a").U32(7).Raw(2).ToArray() },
        { "is 9; expected 0 or 1", Header(0, 1).Text("a").U32(9, 7).U64(2).Raw(1, 9).ToArray() },
        { "the limit is 67108864", Header(0, 1).Text("a").U32(8).U64(ulong.MaxValue).ToArray() },
        { "claims 18446744073709551615 elements", Header(0, 1).Text("a").U32(9, 4).U64(ulong.MaxValue).ToArray() },
        { "claims 4611686018427387905 elements", Header(0, 1).Text("a").U32(9, 4).U64((1UL << 62) + 1).U32(0)
            .ToArray() },
        { "nested more than 4 deep", Header(0, 1).Text("a").U32(9, 9).U64(1).U32(9).U64(1).U32(9).U64(1).U32(9).U64(1)
            .U32(9).U64(0).Raw(new byte[99]).ToArray() },
        { "'general.alignment' is 48", Header(0, 1).Text("general.alignment").U32(4, 48).ToArray() },
        { "'general.alignment' is 0", Header(0, 1).Text("general.alignment").U32(4, 0).ToArray() },
        { "'general.alignment' is 2097152", Header(0, 1).Text("general.alignment").U32(4, 1 << 21).ToArray() },
        { "65 bytes; the limit is 64", Tensor(new string('t', 65), 0, 0, 1).ToArray() },
        { "has 5 dimensions", Tensor("t", 0, 0, 1, 1, 1, 1, 1).ToArray() },
        { "more elements than 63 bits", Tensor("t", 0, 0, 1UL << 32, 1UL << 32).ToArray() },
        { "takes 36893488147419103228 bytes", Tensor("t", 0, 0, long.MaxValue).ToArray() },
        { "unknown type 77", Tensor("t", 77, 0, 1).ToArray() },
        { "not a multiple of 32", Tensor("t", 0, 4, 1).Pad(32).Raw(new byte[64]).ToArray() },
        { "is it cut short", Tensor("t", 0, 0, 9).Pad(32).Raw(new byte[32]).ToArray() },
        { "lies at byte 9223372036854775808", Tensor("t", 0, 1UL << 63, 1).ToArray() },
        { "rows of 16; expected a multiple of 32", Tensor("t", 2, 0, 16).Pad(32).Raw(new byte[32]).ToArray() },
        { "'t' appears twice", Header(2, 0).Text("t").U32(1).U64(1).U32(0).U64(0).Text("t").U32(1).U64(1).U32(0).U64(32)
            .Pad(32).Raw(new byte[64]).ToArray() },
        { "begins inside another", Header(2, 0).Text("t").U32(1).U64(9).U32(0).U64(0).Text("u").U32(1).U64(1).U32(0)
            .U64(32).Pad(32).Raw(new byte[64]).ToArray() },
    };

    [Theory]
    [MemberData(nameof(Malformed))]
    public void A_file_that_breaks_a_rule_is_refused_without_a_large_allocation(string expected, byte[] bytes)
    {
        using var folder = new TempFolder();
        string path = folder.File("a.gguf");
        File.WriteAllBytes(path, bytes);
        long before = GC.GetAllocatedBytesForCurrentThread();
        var e = Assert.Throws<BadFileException>(() => GgufReader.Open(path));
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 1 << 20);
        Assert.Equal(path, e.Path);
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
    }

    static readonly DecoderConfig Llama = new()
    {
        VocabSize = 8,
        ContextLength = 16,
        Layers = 1,
        Heads = 2,
        KvHeads = 1,
        Channels = 32,
        Intermediate = 32
    };

    /// <summary>The message about a small Llama's file whose metadata has been changed.</summary>
    static string Refusal(Action<GgufMetadata> change, Func<List<ModelTensor>, List<ModelTensor>>? tensors = null)
    {
        using var folder = new TempFolder();
        using var model = LanguageModel.Create(Llama);
        using (var source = ModelSource.Of(model))
            GgufModel.Write(folder.File("a.gguf"), source);
        using var file = GgufReader.Open(folder.File("a.gguf"));
        change(file.Metadata);
        List<ModelTensor> stored =
            [.. file.Tensors.Values.Select(tensor =>
                new ModelTensor(tensor.Name, new Shape([.. tensor.Shape.Select(size => (int)size)]), WeightType.F32,
            (start, destination) => file.Copy(tensor.Offset + (start * sizeof(float)), destination)))];
        GgufWriter.Write(folder.File("b.gguf"), file.Metadata,
            [.. (tensors?.Invoke(stored) ?? stored).Select(tensor => tensor.ToGguf())]);
        return Assert.Throws<BadFileException>(() => ModelLoader.Open(folder.File("b.gguf"))).Message;
    }

    [Fact]
    public void A_model_that_is_not_supported_or_does_not_fit_is_refused_by_name()
    {
        Assert.Contains("'mamba' is not supported; supported: gpt2, llama, qwen2, qwen3",
            Refusal(m => m.Set("general.architecture", "mamba")), StringComparison.Ordinal);
        Assert.Contains("'llama.expert_used_count' is missing", Refusal(m => m.Set("llama.expert_count", 8u)),
            StringComparison.Ordinal);
        Assert.Contains("mixture of 8 experts", Refusal(m =>
        {
            m.Set("general.architecture", "qwen3");
            m.Set("qwen3.expert_count", 8u);
        }), StringComparison.Ordinal);
        Assert.Contains("9 experts of each token", Refusal(m =>
        {
            m.Set("llama.expert_count", 8u);
            m.Set("llama.expert_used_count", 9u);
        }), StringComparison.Ordinal);
        Assert.Contains("'blk.0.ffn_gate_inp.weight' is missing", Refusal(m =>
        {
            m.Set("llama.expert_count", 8u);
            m.Set("llama.expert_used_count", 2u);
        }), StringComparison.Ordinal);
        Assert.Contains("'longrope' is not supported", Refusal(m => m.Set("llama.rope.scaling.type", "longrope")),
            StringComparison.Ordinal);
        Assert.Contains("'llama.rope.dimension_count' is 8", Refusal(m => m.Set("llama.rope.dimension_count", 8u)),
            StringComparison.Ordinal);
        Assert.Contains("layers is 0", Refusal(m => m.Set("llama.block_count", 0u)), StringComparison.Ordinal);
        Assert.Contains("'blk.1.attn_norm.weight' is missing", Refusal(m => m.Set("llama.block_count", 2u)),
            StringComparison.Ordinal);
        Assert.Contains("too few for the 60000 layers", Refusal(m => m.Set("llama.block_count", 60000u)),
            StringComparison.Ordinal);
        Assert.Contains("'blk.0.ffn_gate.weight' has shape [32, 32], slowest dimension first; the metadata asks for "
            + "[64, 32]", Refusal(m => m.Set("llama.feed_forward_length", 64u)), StringComparison.Ordinal);
        Assert.Contains("'output_norm.weight' is missing",
            Refusal(m => { }, tensors => [.. tensors.Where(tensor => tensor.Name != "output_norm.weight")]),
            StringComparison.Ordinal);
        Assert.Contains("'blk.0.extra.weight' is not part of a llama",
            Refusal(m => { }, tensors => [.. tensors, tensors[0].Named("blk.0.extra.weight")]),
            StringComparison.Ordinal);
        Assert.Contains("rotary factors",
            Refusal(m => { }, tensors => [.. tensors, new ModelTensor("rope_freqs.weight", new Shape(8), WeightType.F32,
                (start, destination) => destination.Clear())]), StringComparison.Ordinal);
    }

    [Fact]
    public void A_tensor_of_a_type_that_is_not_supported_is_refused_with_its_type_and_name()
    {
        using var folder = new TempFolder();
        using var model = LanguageModel.Create(Llama);
        using (var source = ModelSource.Of(model))
            GgufModel.Write(folder.File("a.gguf"), source);
        byte[] bytes = File.ReadAllBytes(folder.File("a.gguf"));
        int name = bytes.AsSpan().IndexOf("blk.0.attn_v.weight"u8);
        // the type behind two dimensions: Q4_K, whose rows are multiples of 256
        bytes[name + "blk.0.attn_v.weight".Length + 4 + 16] = 12;
        File.WriteAllBytes(folder.File("a.gguf"), bytes);
        Assert.Contains("rows of 32; expected a multiple of 256",
            Assert.Throws<BadFileException>(() => ModelLoader.Open(folder.File("a.gguf"))).Message,
            StringComparison.Ordinal);
        foreach (GgufTensorType type in new[]
        {
            GgufTensorType.IQ1_S, GgufTensorType.IQ1_M, GgufTensorType.IQ2_XXS, GgufTensorType.IQ2_XS,
            GgufTensorType.IQ2_S, GgufTensorType.IQ3_XXS, GgufTensorType.IQ3_S, GgufTensorType.I32,
        })
        {
            bytes[name + "blk.0.attn_v.weight".Length + 4 + 16] = (byte)type;
            File.WriteAllBytes(folder.File("a.gguf"), bytes);
            Assert.Contains($"tensor 'blk.0.attn_v.weight' is of type {type}; supported: F32, F16, Q4_0, Q4_1, Q5_0, "
                + "Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL, IQ4_XS, BF16, TQ1_0, TQ2_0, MXFP4, NVFP4",
                Assert.Throws<BadFileException>(() => ModelLoader.Open(folder.File("a.gguf"))).Message,
                StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_vocabulary_without_tensors_is_no_model()
    {
        var e = Assert.Throws<BadFileException>(() => ModelLoader.Open(PublicFiles.Path("gguf/ggml-vocab-gpt-2.gguf")));
        Assert.Contains("a vocabulary but no tensors", e.Message, StringComparison.Ordinal);
    }
}
