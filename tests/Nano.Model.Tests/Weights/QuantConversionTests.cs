using System.Runtime.InteropServices;

namespace Nano.Tests.Formats;

/// <summary>Quantised models from and to files of all formats, and what cannot be quantised.</summary>
public class QuantConversionTests
{
    const string Llama = "quant_models/llama256-Q8_0.gguf", Gpt2 = "quant_models/gpt2_256-Q4_K_M.gguf";

    /// <summary>All weights of a model, dequantised block by block.</summary>
    static Dictionary<string, float[]> Floats(string path)
    {
        using ModelSource source = ModelLoader.Open(path);
        return source.Tensors.ToDictionary(tensor => tensor.Name, tensor =>
        {
            var values = new float[tensor.Shape.Length];
            tensor.ReadFloat32(values);
            return values;
        });
    }

    [Theory]
    [InlineData(Llama, "folder")]
    [InlineData(Llama, "llama2.bin")]
    [InlineData(Llama, "f32.gguf")]
    [InlineData(Gpt2, "folder")]
    [InlineData(Gpt2, "llmc.bin")]
    [InlineData(Gpt2, "f32.gguf")]
    public void Weights_are_widened_exactly_for_formats_of_plain_numbers(string golden, string output)
    {
        using var folder = new TempFolder();
        ModelConverter.Convert(Goldens.Path(golden), folder.File(output),
            new() { Type = output == "f32.gguf" ? WeightType.F32 : null });
        var before = Floats(Goldens.Path(golden));
        var after = Floats(folder.File(output));
        Assert.Equal(before.Keys.Order(), after.Keys.Order());
        Assert.All(before.Keys, name => Assert.Equal(before[name], after[name]));
        using ModelSource made = ModelLoader.Open(folder.File(output));
        Assert.All(made.Tensors, tensor => Assert.Equal(WeightType.F32, tensor.Type));
    }

    [Theory]
    [InlineData(Llama)]
    [InlineData(Gpt2)]
    public void From_GGUF_to_GGUF_every_byte_stays(string golden)
    {
        using var folder = new TempFolder();
        ModelConverter.Convert(Goldens.Path(golden), folder.File("made.gguf"), new());
        using var before = GgufReader.Open(Goldens.Path(golden));
        using var after = GgufReader.Open(folder.File("made.gguf"));
        Assert.Equal(before.Metadata.Integer("general.file_type"), after.Metadata.Integer("general.file_type"));
        foreach (GgufTensor tensor in before.Tensors.Values)
            Assert.Equal((tensor.Type, QuantGoldenModels.Digest(before, tensor)),
                (after.Tensors[tensor.Name].Type, QuantGoldenModels.Digest(after, after.Tensors[tensor.Name])));
    }

    [Theory]
    [InlineData(WeightType.F8_E4M3, "float8_e4m3fn")]
    [InlineData(WeightType.F8_E5M2, "float8_e5m2")]
    public void Floats_of_eight_bits_are_stored_in_folders_and_widened_for_GGUF(WeightType type, string name)
    {
        using var folder = new TempFolder();
        ModelConverter.Convert(Goldens.Path(Gpt2), folder.File("folder"), new() { Type = type });
        Assert.Contains(name, File.ReadAllText(folder.File("folder/config.json")), StringComparison.Ordinal);
        var exact = Floats(Goldens.Path(Gpt2));
        var stored = Floats(folder.File("folder"));
        foreach (string parameter in exact.Keys)
        {
            float[] expected = exact[parameter], rounded = new float[expected.Length];
            var bytes = new byte[expected.Length];
            WeightTypes.Narrow(type, expected, bytes);
            WeightTypes.Widen(type, bytes, rounded);
            Assert.Equal(rounded, stored[parameter]);
        }
        ModelConverter.Convert(folder.File("folder"), folder.File("back.gguf"), new());
        Assert.All(Floats(folder.File("back.gguf")), pair => Assert.Equal(stored[pair.Key], pair.Value));
        Assert.Contains($"the type {type}; it holds F32 and BF16", Assert.Throws<NanoException>(() =>
            ModelConverter.Convert(folder.File("folder"), folder.File("x.bin"), new() { Type = type })).Message,
            StringComparison.Ordinal);
    }

    /// <summary>Any range, also one that begins and ends inside blocks.</summary>
    [Fact]
    public void Any_range_of_a_quantised_tensor_is_that_of_the_whole()
    {
        using ModelSource source = ModelLoader.Open(Goldens.Path(Gpt2));
        ModelTensor tensor = source.Tensors.First(tensor => tensor.Type == WeightType.Q4_K);
        var whole = new float[tensor.Shape.Length];
        tensor.ReadFloat32(whole);
        ModelTensor floats = tensor.As(WeightType.F32);
        foreach ((int start, int count) in new[] { (0, 1), (255, 2), (1, 255), (256, 256), (700, 1000), (65535, 1) })
        {
            var part = new float[count];
            floats.Read(start, MemoryMarshal.AsBytes(part.AsSpan()));
            Assert.Equal(whole[start..(start + count)], part);
        }
    }

    static ModelTensor Tensor(int rows, int columns, Func<long, float> value) => new("t", new Shape(rows, columns),
        WeightType.F32, (start, destination) =>
    {
        Span<float> floats = MemoryMarshal.Cast<byte, float>(destination);
        for (int i = 0; i < floats.Length; i++)
            floats[i] = value(start + i);
    });

    /// <summary>More rows than a chunk holds, so that chunks end inside rows.</summary>
    [Fact]
    public void Rows_read_in_chunks_are_quantised_as_whole_rows_with_their_importance()
    {
        const int Columns = 5 * 256, Rows = 220;
        ModelTensor tensor = Tensor(Rows, Columns, i => MathF.Sin(i * 0.37f) * (1 + (i % 7)));
        float[] importance = [.. Enumerable.Range(0, Columns).Select(i => 1f + (i % 11))];
        ModelTensor quantised = QuantisedRows.Of(tensor, WeightType.Q4_0, importance);
        using var written = new MemoryStream();
        quantised.WriteTo(written);
        var format = BlockFormat.Of(WeightType.Q4_0);
        var row = new float[Columns];
        var expected = new byte[format.BytesOf(Columns)];
        for (int r = 0; r < Rows; r++)
        {
            tensor.Read((long)r * Columns, MemoryMarshal.AsBytes(row.AsSpan()));
            format.Quantise(row, expected, importance);
            Assert.True(expected.AsSpan().SequenceEqual(
                written.GetBuffer().AsSpan(r * expected.Length, expected.Length)), $"row {r}");
        }
        Assert.Equal(quantised.Bytes, written.Length);
    }

    [Fact]
    public void Weights_that_cannot_be_quantised_are_refused_by_tensor_row_and_column()
    {
        var bytes = new byte[2 * 18];
        ModelTensor bad = Tensor(9, 64, i => i == (3 * 64) + 40 ? float.NaN : i > 300 ? 1e9f : i);
        using var stream = new MemoryStream();
        Assert.Equal("tensor 't', row 3, column 40: the weight is NaN; Q4_0 holds finite numbers",
            Assert.Throws<NanoException>(() => bad.As(WeightType.Q4_0).WriteTo(stream)).Message);
        Assert.Equal("tensor 't', row 5, column 0: the 32 weights from here on need a scale beyond float16, which Q4_0 "
            + "stores", Assert.Throws<NanoException>(() => bad.As(WeightType.Q4_0).Read(5 * 64, bytes)).Message);
        Assert.Equal("tensor 't' has rows of 64; Q4_K stores multiples of 256",
            Assert.Throws<NanoException>(() => bad.As(WeightType.Q4_K)).Message);
        Assert.Equal("tensor 't' has rows of 64; the importance is that of 63 columns",
            Assert.Throws<NanoException>(() => QuantisedRows.Of(bad, WeightType.Q4_0, new float[63])).Message);
    }

    [Theory]
    [InlineData(float.NaN, "NaN")]
    [InlineData(float.PositiveInfinity, "Infinity")]
    [InlineData(float.NegativeInfinity, "-Infinity")]
    public void A_model_that_cannot_be_quantised_leaves_nothing_behind(float value, string said)
    {
        using var folder = new TempFolder();
        using var model = LanguageModel.Create(QuantGoldenModels.Configs["gpt2_256"]);
        model.Initialize(1);
        model.Parameters.All.Single(parameter => parameter.Name == "h.0.mlp.c_fc.weight").Data[77] = value;
        using ModelSource source = ModelSource.Of(model);
        Assert.StartsWith($"tensor 'blk.0.ffn_up.weight', row 0, column 77: the weight is {said}",
            Assert.Throws<NanoException>(() => GgufModel.Quantise(folder.File("x.gguf"), source,
                new QuantisationOptions { FileType = GgufFileType.Q4_K_M })).Message, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFiles(folder.File(".")));
    }

    [Fact]
    public void A_quantisation_that_is_stopped_leaves_nothing_behind()
    {
        using var folder = new TempFolder();
        var options = new ConversionOptions
        {
            Format = ModelFormat.Gguf,
            Quantisation = new QuantisationOptions { FileType = GgufFileType.Q4_0, Requantises = true },
        };
        Assert.Throws<OperationCanceledException>(() => ModelConverter.Convert(Goldens.Path(Llama),
            folder.File("x.gguf"), options, new StopHalfway()));
        Assert.Empty(Directory.EnumerateFileSystemEntries(folder.Root));
    }

    sealed class StopHalfway : IProgress<ConversionProgress>
    {
        public void Report(ConversionProgress value)
        {
            if (value.Bytes > value.TotalBytes / 2)
                throw new OperationCanceledException();
        }
    }

    [Fact]
    public void Named_tensors_get_other_types_and_their_importance()
    {
        using var folder = new TempFolder();
        float[] importance = [.. Enumerable.Range(0, 256).Select(i => 1f + (i % 5))];
        using ModelSource source = ModelLoader.Open(Goldens.Path(Llama));
        GgufModel.Quantise(folder.File("a.gguf"), source, new QuantisationOptions
        {
            FileType = GgufFileType.Q4_0,
            Requantises = true,
            Types = new Dictionary<string, WeightType>
            {
                ["blk.0.ffn_up.weight"] = WeightType.NVFP4,
                ["blk.1.attn_q.weight"] = WeightType.BF16,
            },
            Importance = new ImportanceMatrix(new Dictionary<string, ColumnImportance>
            {
                ["blk.0.attn_k.weight"] = new(importance, [1]),
            }),
        });
        using var made = GgufReader.Open(folder.File("a.gguf"));
        Assert.Equal((GgufTensorType.NVFP4, GgufTensorType.BF16, GgufTensorType.Q4_0),
            (made.Tensors["blk.0.ffn_up.weight"].Type, made.Tensors["blk.1.attn_q.weight"].Type,
                made.Tensors["blk.0.attn_k.weight"].Type));
        var plain = QuantGoldenModels.Entry("llama256", GgufFileType.Q4_0).GetProperty("tensor_sha256");
        Assert.NotEqual(plain.GetProperty("blk.0.attn_k.weight").GetString(),
            QuantGoldenModels.Digest(made, made.Tensors["blk.0.attn_k.weight"]));
        Assert.Equal(plain.GetProperty("blk.1.attn_k.weight").GetString(),
            QuantGoldenModels.Digest(made, made.Tensors["blk.1.attn_k.weight"]));
    }

    /// <summary>Rules of llama.cpp that no golden model is deep enough for.</summary>
    [Theory]
    [InlineData(GgufFileType.Q4_0, true, 1, "ffn_down", WeightType.Q4_1)] // the first eighth, with importance
    [InlineData(GgufFileType.Q4_0, false, 1, "ffn_down", WeightType.Q4_0)]
    [InlineData(GgufFileType.Q5_0, true, 3, "ffn_down", WeightType.Q5_1)]
    [InlineData(GgufFileType.Q5_0, true, 4, "ffn_down", WeightType.Q5_0)]
    [InlineData(GgufFileType.IQ4_XS, false, 3, "ffn_down", WeightType.Q5_K)]
    [InlineData(GgufFileType.IQ4_XS, true, 3, "ffn_down", WeightType.IQ4_XS)]
    [InlineData(GgufFileType.Q4_K_S, true, 3, "ffn_down", WeightType.Q5_K)]
    [InlineData(GgufFileType.Q4_K_S, false, 4, "attn_v", WeightType.Q4_K)]
    [InlineData(GgufFileType.Q3_K_M, false, 1, "ffn_down", WeightType.Q5_K)]
    [InlineData(GgufFileType.Q3_K_M, false, 2, "ffn_down", WeightType.Q4_K)]
    [InlineData(GgufFileType.Q3_K_L, false, 9, "attn_output", WeightType.Q5_K)]
    [InlineData(GgufFileType.Q4_K_M, false, 4, "attn_v", WeightType.Q4_K)]
    [InlineData(GgufFileType.Q4_K_M, false, 6, "attn_v", WeightType.Q6_K)] // every third
    [InlineData(GgufFileType.Q5_K_M, false, 28, "ffn_down", WeightType.Q6_K)] // the last eighth
    [InlineData(GgufFileType.TQ1_0, false, 0, "attn_v", WeightType.TQ1_0)]
    [InlineData(GgufFileType.MXFP4, false, 0, "attn_v", WeightType.Q8_0)]
    [InlineData(GgufFileType.BF16, false, 0, "attn_v", WeightType.BF16)]
    public void Layers_get_the_types_of_llama_cpp(GgufFileType type, bool hasImportance, int layer, string part,
        WeightType expected) => Assert.Equal(expected, new QuantMix(type, 32, 32, 32, IsTied: false, hasImportance)
            .TypeOf($"blk.{layer}.{part}.weight", layer, new Shape(256, 256), WeightType.F32));

    [Fact]
    public void Values_that_eight_heads_share_get_more_bits_in_a_Llama_of_80_layers()
    {
        QuantMix large = new(GgufFileType.Q4_K_M, 80, 64, 8, IsTied: false, HasImportance: false),
            unshared = large with { KvHeads = 64 };
        Assert.Equal((WeightType.Q5_K, WeightType.Q4_K),
            (large.TypeOf("blk.10.attn_v.weight", 10, new Shape(256, 256), WeightType.F32),
                unshared.TypeOf("blk.10.attn_v.weight", 10, new Shape(256, 256), WeightType.F32)));
        Assert.Equal(WeightType.Q4_K, (large with { FileType = GgufFileType.TQ2_0 })
            .TypeOf("token_embd.weight", null, new Shape(256, 256), WeightType.F32));
        Assert.Equal(WeightType.F16,
            large.TypeOf("position_embd.weight", null, new Shape(256, 256), WeightType.F16));
    }

    /// <summary>Names alone: rules of llama.cpp for eight experts, and that other numbers of experts change nothing.</summary>
    [Theory]
    [InlineData(GgufFileType.Q4_K_M, 8, "attn_k", WeightType.Q8_0)]
    [InlineData(GgufFileType.Q4_K_M, 8, "attn_v", WeightType.Q8_0)]
    [InlineData(GgufFileType.Q4_K_M, 8, "attn_output", WeightType.Q5_K)]
    [InlineData(GgufFileType.Q4_K_M, 8, "attn_q", WeightType.Q4_K)]
    [InlineData(GgufFileType.Q4_K_M, 8, "ffn_up_exps", WeightType.Q4_K)]
    [InlineData(GgufFileType.Q4_K_M, 8, "ffn_down_exps", WeightType.Q6_K)] // layer 28 of 32 gets more
    [InlineData(GgufFileType.Q2_K, 8, "attn_output", WeightType.Q5_K)]
    [InlineData(GgufFileType.IQ4_XS, 8, "attn_output", WeightType.Q5_K)]
    [InlineData(GgufFileType.Q3_K_L, 8, "attn_output", WeightType.Q3_K)]
    [InlineData(GgufFileType.Q5_K_M, 8, "attn_output", WeightType.Q5_K)]
    [InlineData(GgufFileType.Q4_0, 8, "attn_k", WeightType.Q8_0)]
    [InlineData(GgufFileType.Q4_0, 8, "attn_output", WeightType.Q4_0)]
    [InlineData(GgufFileType.Q4_K_M, 8, "ffn_gate_inp", WeightType.F32)]
    [InlineData(GgufFileType.Q4_K_M, 16, "attn_k", WeightType.Q4_K)]
    [InlineData(GgufFileType.Q4_K_M, 16, "attn_v", WeightType.Q6_K)]
    [InlineData(GgufFileType.Q3_K_M, 16, "attn_output", WeightType.Q4_K)]
    public void Mixtures_of_eight_experts_get_the_types_of_llama_cpp(GgufFileType type, int experts, string part,
        WeightType expected) => Assert.Equal(expected, new QuantMix(type, 32, 32, 8, IsTied: false,
            HasImportance: false)
        { Experts = experts }
            .TypeOf($"blk.28.{part}.weight", 28, new Shape(256, 256), WeightType.F32));
}
