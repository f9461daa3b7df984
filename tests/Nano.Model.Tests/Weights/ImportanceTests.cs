namespace Nano.Tests.Formats;

/// <summary>Quantisation with importance matrices from files.</summary>
public class ImportanceTests
{
    const string Tensor = "blk.0.ffn_gate.weight";

    /// <summary>The smallest model with a matrix of the goldens' 768 columns.</summary>
    static readonly DecoderConfig Config = new()
    {
        VocabSize = 8,
        ContextLength = 8,
        Layers = 1,
        Heads = 1,
        KvHeads = 1,
        Channels = 768,
        HeadDim = 2,
        Intermediate = 32,
    };

    static ImportanceMatrix Of(string tensor, float[] sums, float count) =>
        new(new Dictionary<string, ColumnImportance> { [tensor] = new(sums, [count]) });

    static LanguageModel Model()
    {
        var model = LanguageModel.Create(Config);
        model.Initialize(3);
        return model;
    }

    static IReadOnlyList<string> Quantise(TempFolder folder, QuantisationOptions options)
    {
        using var model = Model();
        using var source = ModelSource.Of(model);
        return GgufModel.Quantise(folder.File("made.gguf"), source, options);
    }

    [Theory]
    [InlineData(WeightType.Q4_0, ImportanceFormat.Gguf)]
    [InlineData(WeightType.Q4_1, ImportanceFormat.Gguf)]
    [InlineData(WeightType.Q5_0, ImportanceFormat.Gguf)]
    [InlineData(WeightType.Q5_1, ImportanceFormat.Gguf)]
    [InlineData(WeightType.Q2_K, ImportanceFormat.Gguf)]
    [InlineData(WeightType.Q3_K, ImportanceFormat.Gguf)]
    [InlineData(WeightType.Q4_K, ImportanceFormat.Gguf)]
    [InlineData(WeightType.Q5_K, ImportanceFormat.Gguf)]
    [InlineData(WeightType.Q6_K, ImportanceFormat.Gguf)]
    [InlineData(WeightType.IQ4_NL, ImportanceFormat.Gguf)]
    [InlineData(WeightType.IQ4_XS, ImportanceFormat.Gguf)]
    [InlineData(WeightType.Q4_K, ImportanceFormat.Binary)]
    [InlineData(WeightType.Q6_K, ImportanceFormat.Binary)]
    public void A_row_quantised_with_a_file_has_the_bytes_of_ggml(WeightType type, ImportanceFormat format)
    {
        using var folder = new TempFolder();
        using var golden = SafetensorsReader.Open(Goldens.Path("quant/quant.safetensors"));
        float[] importance = Models.Floats(golden, "imatrix");
        // powers of two, so that sums over counts are the golden's importance exactly
        ImportanceFile.Write(folder.File("imatrix"), Of(Tensor, [.. importance.Select(mean => 64 * mean)], 64) with
        {
            ChunkLength = 16,
        }, format);
        using var model = Model();
        using var index = System.Text.Json.JsonDocument.Parse(File.ReadAllText(Goldens.Path("quant/index.json")));
        var row = index.RootElement.GetProperty("rows")[index.RootElement.GetProperty("imatrix_row").GetInt32()];
        float[] weights = Models.Floats(golden, "x")[row.GetProperty("offset").GetInt32()..][..importance.Length];
        weights.CopyTo(model.Parameters.All.Single(parameter =>
            parameter.Name == "model.layers.0.mlp.gate_proj.weight").Data);
        using var source = ModelSource.Of(model);
        GgufModel.Quantise(folder.File("made.gguf"), source, new QuantisationOptions
        {
            FileType = GgufFileType.Q4_K_M,
            Types = new Dictionary<string, WeightType> { [Tensor] = type },
            Importance = ImportanceFile.Read(folder.File("imatrix")),
        });
        using var made = GgufReader.Open(folder.File("made.gguf"));
        string name = $"imatrix.{type.ToString().ToLowerInvariant()}.bytes";
        var expected = new long[golden.Entries[name].Count];
        golden.ReadInt64(name, expected);
        var actual = new byte[expected.Length];
        made.Copy(made.Tensors[Tensor].Offset, actual);
        Assert.Equal(expected.Select(value => (byte)value), actual);
    }

    [Fact]
    public void A_quantised_file_states_its_importance_under_the_keys_of_llama_cpp()
    {
        using var folder = new TempFolder();
        ImportanceFile.Write(folder.File("matrix.gguf"), Of(Tensor, new float[768], 1) with
        {
            DataSets = ["wiki.txt", "more.txt"],
            Chunks = 7,
        });
        IReadOnlyList<string> notes = Quantise(folder, new QuantisationOptions
        {
            FileType = GgufFileType.Q4_K_M,
            Importance = ImportanceFile.Read(folder.File("matrix.gguf")),
        });
        using var made = GgufReader.Open(folder.File("made.gguf"));
        Assert.Equal((folder.File("matrix.gguf"), "wiki.txt", 1L, 7L), (
            made.Metadata.String("quantize.imatrix.file"), made.Metadata.String("quantize.imatrix.dataset"),
            made.Metadata.Integer("quantize.imatrix.entries_count"),
            made.Metadata.Integer("quantize.imatrix.chunks_count")));
        Assert.Equal(GgufValueType.UInt32, made.Metadata.TypeOf("quantize.imatrix.entries_count"));
        Assert.Contains(notes, note => note.StartsWith("the importance matrix lacks 'blk.0.attn_k.weight', ",
            StringComparison.Ordinal) && note.Contains("and 2 more", StringComparison.Ordinal));
    }

    [Fact]
    public void Columns_that_were_never_used_are_quantised_to_finite_weights()
    {
        using var folder = new TempFolder();
        foreach (WeightType type in Enum.GetValues<WeightType>().Where(WeightTypes.IsQuantised)
            .Where(type => Gguf.TypeOf(type) is not null && BlockFormat.Of(type).Divides(768)))
        {
            Quantise(folder, new QuantisationOptions
            {
                FileType = GgufFileType.Q4_K_M,
                Types = new Dictionary<string, WeightType> { [Tensor] = type },
                Importance = Of(Tensor, new float[768], 1),
            });
            using var source = ModelLoader.Open(folder.File("made.gguf"));
            var values = new float[32 * 768];
            source.Tensors.Single(tensor => tensor.Name == "model.layers.0.mlp.gate_proj.weight").ReadFloat32(values);
            Assert.All(values, value => Assert.True(float.IsFinite(value), $"{type}: {value}"));
        }
    }

    [Theory]
    [InlineData("blk.7.ffn_gate.weight", 768, "of its 1 tensors 0 fit the model's 8 matrices; the model has no "
        + "'blk.7.ffn_gate.weight'")]
    [InlineData("blk.0.attn_norm.weight", 768, "the model has no 'blk.0.attn_norm.weight'")]
    [InlineData(Tensor, 767, "'blk.0.ffn_gate.weight' has 767 columns, in the model 768")]
    [InlineData(Tensor, 2 * 768, "'blk.0.ffn_gate.weight' has 1536 columns, in the model 768")]
    public void The_importance_of_another_model_is_refused_with_names_and_numbers(string name, int columns,
        string problem)
    {
        using var folder = new TempFolder();
        Assert.Contains(problem, Assert.Throws<BadFileException>(() => Quantise(folder, new QuantisationOptions
        {
            FileType = GgufFileType.Q4_0,
            Importance = Of(name, new float[columns], 1),
        })).Message, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFiles(folder.Root));
    }

    [Fact]
    public void Fallbacks_are_said_with_the_tensors_and_their_rows()
    {
        using var folder = new TempFolder();
        IReadOnlyList<string> notes = Quantise(folder, new QuantisationOptions { FileType = GgufFileType.Q4_K_M });
        Assert.Equal(["F16 instead of Q4_K for 'blk.0.attn_output.weight': rows of 2 are no multiple of 256",
            "Q8_0 instead of Q6_K for 'blk.0.ffn_down.weight': rows of 32 are no multiple of 256"], notes.Take(2));
        Assert.Empty(Quantise(folder, new QuantisationOptions
        {
            FileType = GgufFileType.Q8_0,
            Types = new Dictionary<string, WeightType> { ["blk.0.attn_output.weight"] = WeightType.F32 },
        }));
    }
}
