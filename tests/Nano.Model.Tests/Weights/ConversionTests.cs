using FsCheck;
using FsCheck.Fluent;

namespace Nano.Tests.Formats;

/// <summary>
/// From any format to any other and back, nothing changes but what a format cannot hold, which is
/// refused.
/// </summary>
public class ConversionTests
{
    static readonly DecoderConfig Llama = new()
    {
        VocabSize = 9,
        ContextLength = 16,
        Layers = 2,
        Heads = 4,
        KvHeads = 2,
        Channels = 16,
        Intermediate = 24,
        NormEpsilon = 1e-5f,
        TiedHead = false,
    };

    static readonly Gpt2Config Gpt2 = new() { VocabSize = 11, ContextLength = 12, Layers = 2, Heads = 2, Channels = 8 };

    /// <summary>Any small model that every format for its kind can hold.</summary>
    static Gen<ModelConfig> Configs { get; } =
        from heads in Gen.Elements(1, 2, 4)
        from shared in Gen.Elements(1, 2)
        from half in Gen.Choose(1, 4)
        from layers in Gen.Choose(1, 3)
        from vocabulary in Gen.Choose(1, 300)
        from wide in Gen.Choose(1, 40)
        from tied in Gen.Elements(true, false)
        from llama in Gen.Elements(true, false)
        select llama
            ? (ModelConfig)(Llama with
            {
                Heads = heads,
                KvHeads = heads % shared == 0 ? heads / shared : heads,
                Channels = 2 * half * heads,
                HeadDim = 2 * half,
                Layers = layers,
                VocabSize = vocabulary,
                Intermediate = wide,
                TiedHead = tied
            })
            : Gpt2 with { Heads = heads, Channels = 2 * half * heads, Layers = layers, VocabSize = vocabulary };

    [Fact]
    public void From_each_format_to_each_and_back_every_byte_is_the_same()
    {
        Prop.ForAll(Configs.ToArbitrary(), Gen.Elements(WeightType.F32, WeightType.BF16, WeightType.F16).ToArbitrary(),
            (config, type) =>
        {
            using var folder = new TempFolder();
            string original = folder.File("original");
            Make(original, config, type);
            foreach (string name in Names(config, type))
            {
                string there = folder.File(name), back = folder.File("back-" + name),
                    again = folder.File("again-" + name);
                Convert(original, there);
                Convert(there, back, new() { Format = ModelFormat.Safetensors, Type = type });
                Assert.Equal(File.ReadAllBytes(Path.Combine(original, "model.safetensors")),
                    File.ReadAllBytes(Path.Combine(back, "model.safetensors")));
                Assert.Equal(File.ReadAllText(Path.Combine(original, "config.json")),
                    File.ReadAllText(Path.Combine(back, "config.json")));
                Convert(back, again, Options(name));
                Assert.Equal(File.ReadAllBytes(there), File.ReadAllBytes(again));
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(40));
    }

    static IEnumerable<string> Names(ModelConfig config, WeightType type) => config is Gpt2Config
        ? type == WeightType.F16 ? ["g.gguf"] : ["g.gguf", "c.bin"]
        : ["g.gguf", "l0.bin", "l1.bin"];

    static ConversionOptions Options(string name) =>
        new() { Llama2cVersion = name.StartsWith("l1", StringComparison.Ordinal) ? 1 : 0 };

    static Conversion Convert(string input, string output, ConversionOptions? options = null) =>
        ModelConverter.Convert(input, output, options ?? Options(Path.GetFileName(output)));

    /// <summary>A random model as a folder of safetensors.</summary>
    static void Make(string folder, ModelConfig config, WeightType type = WeightType.F32)
    {
        Directory.CreateDirectory(folder);
        using var model = Random(config);
        using var source = ModelSource.Of(model);
        ModelDirectory.Write(folder, source, type);
    }

    static LanguageModel Random(ModelConfig config)
    {
        var model = LanguageModel.Create(config);
        for (int i = 0; i < model.Parameters.All.Count; i++)
            Philox.Normal(7, (ulong)i, 0.3, model.Parameters.All[i].Data);
        return model;
    }

    [Fact]
    public void Every_kind_of_llama_survives_safetensors_and_gguf()
    {
        DecoderConfig[] kinds =
        [
            Llama with { HeadDim = 8 }, Llama with { QkvBias = true }, Llama with { QkNorm = true, HeadDim = 6 },
                Llama with { QkvBias = true, OutputBias = true, MlpBias = true },
            Llama with { RopeTheta = 500_000, RopeScaling = new RopeScaling.Llama3(8, 1, 4, 8192),
                ContextLength = 131072 },
            Llama with { RopeScaling = new RopeScaling.Linear(2) },
                Llama with { RopeScaling = new RopeScaling.Yarn(4, 16), ContextLength = 64 }, Llama with { Window = 4 },
        ];
        foreach (DecoderConfig config in kinds)
        {
            using var folder = new TempFolder();
            Make(folder.File("a"), config with { BosToken = 1, EosTokens = [2] });
            Convert(folder.File("a"), folder.File("b.gguf"));
            Convert(folder.File("b.gguf"), folder.File("c"));
            foreach (string name in (string[])["config.json", "model.safetensors"])
                Assert.Equal(File.ReadAllBytes(Path.Combine(folder.File("a"), name)),
                    File.ReadAllBytes(Path.Combine(folder.File("c"), name)));
        }
    }

    [Fact]
    public void Queries_and_keys_move_to_interleaved_pairs_and_nothing_else_does()
    {
        using var folder = new TempFolder();
        Make(folder.File("a"), Llama);
        Convert(folder.File("a"), folder.File("b.gguf"));
        using var before = SafetensorsReader.Open(folder.File("a/model.safetensors"));
        using var after = GgufReader.Open(folder.File("b.gguf"));
        float[] rotateHalf = Models.Floats(before, "model.layers.1.self_attn.k_proj.weight"),
            interleaved = Floats(after, "blk.1.attn_k.weight");
        // Two heads of four channels: pairs (0, 2) and (1, 3) of each head become (0, 1) and (2, 3).
        int[] rows = [0, 2, 1, 3, 4, 6, 5, 7];
        for (int row = 0; row < rows.Length; row++)
            Assert.Equal(rotateHalf.AsSpan(rows[row] * 16, 16).ToArray(), interleaved.AsSpan(row * 16, 16).ToArray());
        Assert.Equal(Models.Floats(before, "model.layers.1.self_attn.v_proj.weight"),
            Floats(after, "blk.1.attn_v.weight"));
    }

    static float[] Floats(GgufReader file, string name)
    {
        byte[] bytes = new byte[file.Tensors[name].Count * sizeof(float)];
        file.Copy(file.Tensors[name].Offset, bytes);
        return System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(bytes).ToArray();
    }

    public static TheoryData<ModelConfig, string, string> Unfit => new()
    {
        { Gpt2, "llama2.c", "it is a gpt2; llama2.c's checkpoints hold Llama" },
        { Llama, "llm.c", "it is a llama; llm.c's checkpoints hold GPT-2" },
        { Gpt2 with { Bias = false }, "llm.c", "no biases" },
        { Gpt2 with { TiedHead = false }, "llm.c", "head" },
        { Gpt2 with { Gelu = GeluForm.Erf }, "llm.c", "erf" },
        { Gpt2 with { LayerNormEpsilon = 1e-6f }, "llm.c", "epsilon" },
        { Gpt2 with { Bias = false }, "gguf", "biases" },
        { Gpt2 with { Gelu = GeluForm.Erf }, "gguf", "erf" },
        { Llama with { QkvBias = true }, "llama2.c", "it has biases" },
        { Llama with { MlpBias = true }, "llama2.c", "it has biases" },
        { Llama with { QkNorm = true }, "llama2.c", "norms of queries and keys" },
        { Llama with { RopeTheta = 500_000 }, "llama2.c", "500000" },
        { Llama with { NormEpsilon = 1e-6f }, "llama2.c", "epsilon" },
        { Llama with { RopeScaling = new RopeScaling.Linear(2) }, "llama2.c", "scaled" },
        { Llama with { Window = 4 }, "llama2.c", "4 others" },
        { Llama with { HeadDim = 8 }, "llama2.c", "8 channels" },
        { Llama with { RopeScaling = new RopeScaling.Dynamic(2, 16), ContextLength = 32 }, "gguf", "dynamic" },
        { Llama with { RopeScaling = new RopeScaling.Llama3(4, 1, 4, 16), ContextLength = 64 }, "gguf",
            "not one of the published" },
    };

    [Theory]
    [MemberData(nameof(Unfit))]
    public void What_a_format_cannot_hold_is_refused_by_name_and_leaves_no_file(ModelConfig config, string format,
        string expected)
    {
        using var folder = new TempFolder();
        Make(folder.File("a"), config);
        var options = new ConversionOptions
        {
            Format = format switch
            {
                "gguf" => ModelFormat.Gguf,
                "llm.c" => ModelFormat.LlmC,
                _ => ModelFormat.Llama2C
            }
        };
        var e = Assert.Throws<NanoException>(() => Convert(folder.File("a"), folder.File("out"), options));
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
        Assert.NotNull(e.Hint);
        Assert.False(File.Exists(folder.File("out")));
    }

    [Fact]
    public void A_legacy_checkpoint_of_128_channels_is_no_pickle_although_both_begin_with_that_byte()
    {
        using var folder = new TempFolder();
        Make(folder.File("a"), Llama with { Channels = 128, HeadDim = 32, Layers = 1 });
        Convert(folder.File("a"), folder.File("b.bin"));
        Assert.Equal(0x80, File.ReadAllBytes(folder.File("b.bin"))[0]);
        Assert.Equal(128, ModelLoaderTests.Config(folder.File("b.bin")).Channels);
    }

    [Fact]
    public void Shards_are_written_with_their_index_and_read_back()
    {
        using var folder = new TempFolder();
        Make(folder.File("a"), Llama);
        Convert(folder.File("a"), folder.File("b"), new() { ShardBytes = 3000 });
        string[] shards = [.. Directory.GetFiles(folder.File("b"), "*.safetensors")
            .Select(file => Path.GetFileName(file)).Order()];
        Assert.True(shards.Length > 2, $"{shards.Length} files");
        Assert.Equal(Enumerable.Range(1, shards.Length).Select(i => $"model-{i:D5}-of-{shards.Length:D5}.safetensors"),
            shards);
        var index = System.Text.Json.Nodes.JsonNode
            .Parse(File.ReadAllText(folder.File("b/model.safetensors.index.json")))!;
        using (var whole = SafetensorsReader.Open(folder.File("a/model.safetensors")))
        {
            Assert.Equal(whole.Entries.Values.Sum(entry => entry.Bytes), (long)index["metadata"]!["total_size"]!);
            Assert.Equal(whole.Entries.Keys.Order(StringComparer.Ordinal),
                index["weight_map"]!.AsObject().Select(pair => pair.Key));
        }
        foreach (string shard in shards)
        {
            using var file = SafetensorsReader.Open(Path.Combine(folder.File("b"), shard));
            Assert.True(file.Entries.Count == 1 || file.Entries.Values.Sum(entry => entry.Bytes) <= 3000);
            Assert.All(file.Entries.Keys, name => Assert.Equal(shard, (string?)index["weight_map"]![name]));
        }
        Convert(folder.File("b"), folder.File("c"));
        Assert.Equal(File.ReadAllBytes(folder.File("a/model.safetensors")),
            File.ReadAllBytes(folder.File("c/model.safetensors")));
    }

    [Theory]
    [InlineData("model-00001-of-", "model-00002-of-", "but is not")]
    [InlineData("\"weight_map\"", "\"weights\"", "'weight_map'")]
    [InlineData("\"model-00001-of-", "\"../model-00001-of-", "is not the name of a safetensors file beside it")]
    [InlineData("model.norm.weight", "model.norm.weights", "model.norm.weight")]
    [InlineData("model-00001-of-", "model-00099-of-", "is missing")]
    public void An_index_that_disagrees_with_its_files_is_refused(string old, string replacement, string expected)
    {
        using var folder = new TempFolder();
        Make(folder.File("a"), Llama);
        Convert(folder.File("a"), folder.File("b"), new() { ShardBytes = 3000 });
        string index = folder.File("b/model.safetensors.index.json");
        File.WriteAllText(index, File.ReadAllText(index).Replace(old, replacement, StringComparison.Ordinal));
        var e = Assert.Throws<BadFileException>(() => ModelLoader.Open(folder.File("b")));
        Assert.Equal(index, e.Path);
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Outputs_in_the_way_are_left_alone()
    {
        using var folder = new TempFolder();
        Make(folder.File("a"), Llama);
        File.WriteAllText(folder.File("b.gguf"), "mine");
        Assert.Contains("`overwrite`",
            Assert.Throws<NanoException>(() => Convert(folder.File("a"), folder.File("b.gguf"))).Hint,
            StringComparison.Ordinal);
        Assert.Equal("mine", File.ReadAllText(folder.File("b.gguf")));
        Convert(folder.File("a"), folder.File("b.gguf"), new() { Overwrite = true });
        Assert.Equal(Llama with { TiedHead = false }, ModelLoaderTests.Config(folder.File("b.gguf")));
        Assert.Contains("empty folder",
            Assert.Throws<NanoException>(() => Convert(folder.File("b.gguf"), folder.File("a"))).Hint,
            StringComparison.Ordinal);
        Assert.Contains("config.json",
            Assert.Throws<NanoException>(() => Convert(folder.File("b.gguf"), folder.File("c.safetensors"))).Hint,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Progress_reaches_the_end_and_no_further()
    {
        using var folder = new TempFolder();
        Make(folder.File("a"), Llama);
        var seen = new List<ConversionProgress>();
        ModelConverter.Convert(folder.File("a"), folder.File("b.gguf"), new(), new Watcher(seen.Add));
        Assert.Equal(seen.Select(p => p.Bytes).Order(), seen.Select(p => p.Bytes));
        Assert.Equal(seen[^1].TotalBytes, seen[^1].Bytes);
    }

    sealed class Watcher(Action<ConversionProgress> report) : IProgress<ConversionProgress>
    {
        public void Report(ConversionProgress value) => report(value);
    }
}
