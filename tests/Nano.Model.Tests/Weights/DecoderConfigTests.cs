using System.Text;
using System.Text.Json.Nodes;

namespace Nano.Tests;

/// <summary>The config.json of published models, in the keys of transformers 4 and 5, and what is refused.</summary>
public class DecoderConfigTests
{
    private const string Llama31 = """
        {"architectures":["LlamaForCausalLM"],"attention_bias":false,"attention_dropout":0.0,"bos_token_id":128000,"eos_token_id":[128001,128008,128009],"hidden_act":"silu","hidden_size":4096,
         "initializer_range":0.02,"intermediate_size":14336,"max_position_embeddings":131072,"mlp_bias":false,"model_type":"llama","num_attention_heads":32,"num_hidden_layers":32,
         "num_key_value_heads":8,"pretraining_tp":1,"rms_norm_eps":1e-05,
         "rope_scaling":{"factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":8192,"rope_type":"llama3"},
         "rope_theta":500000.0,"tie_word_embeddings":false,"torch_dtype":"bfloat16","transformers_version":"4.42.3","use_cache":true,"vocab_size":128256}
        """;

    private const string Llama31InTransformers5 = """
        {"attention_bias":false,"bos_token_id":128000,"dtype":"bfloat16","eos_token_id":[128001,128008,128009],"head_dim":128,"hidden_act":"silu","hidden_size":4096,"intermediate_size":14336,
         "max_position_embeddings":131072,"mlp_bias":false,"model_type":"llama","num_attention_heads":32,"num_hidden_layers":32,"num_key_value_heads":8,"rms_norm_eps":1e-05,
         "rope_parameters":{"factor":8.0,"high_freq_factor":4.0,"low_freq_factor":1.0,"original_max_position_embeddings":8192,"rope_theta":500000.0,"rope_type":"llama3"},
         "tie_word_embeddings":false,"vocab_size":128256}
        """;

    private const string Mistral = """
        {"architectures":["MistralForCausalLM"],"bos_token_id":1,"eos_token_id":2,"hidden_act":"silu","hidden_size":4096,"intermediate_size":14336,"max_position_embeddings":32768,
         "model_type":"mistral","num_attention_heads":32,"num_hidden_layers":32,"num_key_value_heads":8,"rms_norm_eps":1e-05,"rope_theta":10000.0,"sliding_window":4096,
         "tie_word_embeddings":false,"torch_dtype":"bfloat16","vocab_size":32000}
        """;

    private const string Qwen25 = """
        {"architectures":["Qwen2ForCausalLM"],"attention_dropout":0.0,"bos_token_id":151643,"eos_token_id":151643,"hidden_act":"silu","hidden_size":896,"intermediate_size":4864,
         "max_position_embeddings":32768,"max_window_layers":24,"model_type":"qwen2","num_attention_heads":14,"num_hidden_layers":24,"num_key_value_heads":2,"rms_norm_eps":1e-06,
         "rope_theta":1000000.0,"sliding_window":32768,"tie_word_embeddings":true,"use_mrope":false,"use_sliding_window":false,"vocab_size":151936}
        """;

    private const string Qwen3 = """
        {"architectures":["Qwen3ForCausalLM"],"attention_bias":false,"head_dim":128,"hidden_act":"silu","hidden_size":1024,"intermediate_size":3072,"max_position_embeddings":40960,
         "max_window_layers":28,"model_type":"qwen3","num_attention_heads":16,"num_hidden_layers":28,"num_key_value_heads":8,"rms_norm_eps":1e-06,"rope_scaling":null,"rope_theta":1000000,
         "sliding_window":null,"tie_word_embeddings":true,"use_sliding_window":false,"vocab_size":151936}
        """;

    /// <summary>A file of sizes alone, for the numbers of parameters.</summary>
    private static string Sizes(string type, int vocabulary, int channels, int intermediate, int layers, int heads,
        int keyHeads, bool tied) => $$"""
        {"model_type":"{{type}}","vocab_size":{{vocabulary}},"hidden_size":{{channels}},"intermediate_size":{{intermediate}},"num_hidden_layers":{{layers}},"num_attention_heads":{{heads}},
         "num_key_value_heads":{{keyHeads}},"max_position_embeddings":2048,"tie_word_embeddings":{{(tied ? "true" : "false")}}}
        """;

    private static DecoderConfig Read(string json) => (DecoderConfig)ConfigFile.FromJson(json, "dir/config.json");

    // The numbers are those of the published checkpoints.
    public static TheoryData<string, string, long> Published => new()
    {
        { "Llama-2-7b", Sizes("llama", 32000, 4096, 11008, 32, 32, 32, false), 6_738_415_616 },
        { "Llama-2-70b", Sizes("llama", 32000, 8192, 28672, 80, 64, 8, false), 68_976_648_192 },
        { "Llama-3.1-8B", Llama31, 8_030_261_248 },
        { "Llama-3.1-8B, transformers 5", Llama31InTransformers5, 8_030_261_248 },
        { "Llama-3.2-1B", Sizes("llama", 128256, 2048, 8192, 16, 32, 8, true), 1_235_814_400 },
        { "TinyLlama-1.1B", Sizes("llama", 32000, 2048, 5632, 22, 32, 4, false), 1_100_048_384 },
        { "SmolLM-135M", Sizes("llama", 49152, 576, 1536, 30, 9, 3, true), 134_515_008 },
        { "Mistral-7B-v0.1", Mistral, 7_241_732_096 },
        { "Qwen2.5-0.5B", Qwen25, 494_032_768 },
        { "Qwen2.5-7B", Sizes("qwen2", 152064, 3584, 18944, 28, 28, 4, false), 7_615_616_512 },
        { "Qwen3-0.6B", Qwen3, 596_049_920 },
    };

    [Theory, MemberData(nameof(Published))]
    public void A_published_model_has_its_number_of_parameters(string name, string json, long count)
    {
        long total = Read(json).ParameterShapes().Sum(parameter => parameter.Shape.Length);
        Assert.True(total == count, $"{name}: {total}, published {count}");
    }

    [Fact]
    public void Llama_3_1_is_the_same_in_the_keys_of_transformers_4_and_5()
    {
        var config = Read(Llama31);
        Assert.Equal(new DecoderConfig
        {
            VocabSize = 128256,
            ContextLength = 131072,
            Layers = 32,
            Heads = 32,
            KvHeads = 8,
            Channels = 4096,
            Intermediate = 14336,
            TiedHead = false,
            NormEpsilon = 1e-5f,
            RopeTheta = 500000,
            RopeScaling = new RopeScaling.Llama3(8, 1, 4, 8192),
        }, config);
        Assert.Equal([128001, 128008, 128009], config.EosTokens);
        Assert.Equal(128000, config.BosToken);
        Assert.Equal(128, config.HeadDim);
        Assert.Equal(config, Read(Llama31InTransformers5));
        Assert.Equal([128001, 128008, 128009], Read(Llama31InTransformers5).EosTokens);
    }

    [Fact]
    public void What_sets_Mistral_and_Qwen_apart_is_read()
    {
        var (mistral, qwen2, qwen3) = (Read(Mistral), Read(Qwen25), Read(Qwen3));
        Assert.Equal((4096, 0, false, false, "mistral"),
            (mistral.Window, mistral.FirstWindowLayer, mistral.QkvBias, mistral.TiedHead, mistral.ModelType));
        Assert.Equal((true, false, 0, false, true, "qwen2"),
            (qwen2.QkvBias, qwen2.OutputBias, qwen2.Window, qwen2.QkNorm, qwen2.TiedHead, qwen2.ModelType));
        Assert.Equal((true, false, 128, 1024, 0, "qwen3"),
            (qwen3.QkNorm, qwen3.QkvBias, qwen3.HeadDim, qwen3.Channels, qwen3.Window, qwen3.ModelType));
        Assert.Equal(1e6, qwen3.RopeTheta);
        Assert.Equal([2], mistral.EosTokens);
        Assert.Empty(qwen3.EosTokens);
    }

    [Fact]
    public void Absent_keys_take_the_defaults_of_transformers()
    {
        var config = Read("""{"model_type":"llama","vocab_size":5,"hidden_size":8,"intermediate_size":16,"num_hidden_layers":1,"num_attention_heads":2,"max_position_embeddings":16}""");
        Assert.Equal(new DecoderConfig
        {
            VocabSize = 5,
            Channels = 8,
            Intermediate = 16,
            Layers = 1,
            Heads = 2,
            ContextLength = 16,
            TiedHead = false,
            NormEpsilon = 1e-6f,
            RopeTheta = 10000
        }, config);
        Assert.Equal((2, 4), (config.KvHeads, config.HeadDim));
        Assert.Equal(4096, Read(With(Mistral, ("sliding_window", null))).Window);
        Assert.Equal(0, Read(With(Mistral, ("sliding_window", "null"))).Window);
        Assert.Equal(128, Read(With(Qwen3, ("head_dim", null))).HeadDim);
        Assert.Equal(64, Read(With(Qwen3, ("head_dim", "null"))).HeadDim);
    }

    public static TheoryData<string, int, int> Windows => new()
    {
        { With(Qwen25, ("use_sliding_window", "true"), ("max_window_layers", "20"), ("sliding_window", "512")), 512,
            20 },
        { With(Qwen25, ("use_sliding_window", "true"), ("max_window_layers", "30"), ("sliding_window", "512")), 512,
            24 },
        { With(Qwen25, ("use_sliding_window", "false"), ("max_window_layers", "20"), ("sliding_window", "512")), 0, 0 },
        { With(Qwen3, ("use_sliding_window", "true"), ("sliding_window", "64"), ("num_hidden_layers", "3"),
            ("layer_types", """["full_attention","sliding_attention","sliding_attention"]""")), 64, 1 },
        { With(Qwen3, ("num_hidden_layers", "2"), ("layer_types", """["full_attention","full_attention"]""")), 0, 0 },
    };

    [Theory, MemberData(nameof(Windows))]
    public void Windows_hold_from_a_layer_on(string json, int window, int first)
    {
        var config = Read(json);
        Assert.Equal((window, first), (config.Window, config.FirstWindowLayer));
        Assert.Equal((0, window), (config.WindowOf(first - 1), config.WindowOf(first)));
        Assert.Equal(config, Read(config.ToJson()));
    }

    public static TheoryData<string, int, RopeScaling> Scalings => new()
    {
        { """{"type":"linear","factor":4.0}""", 2048, new RopeScaling.Linear(4) },
        { """{"type":"dynamic","factor":2.0}""", 4096, new RopeScaling.Dynamic(2, 2048) },
        { """{"rope_type":"dynamic","factor":2.0,"original_max_position_embeddings":1024}""", 2048,
            new RopeScaling.Dynamic(2, 1024) },
        { """{"type":"yarn","factor":4.0,"original_max_position_embeddings":2048}""", 8192,
            new RopeScaling.Yarn(4, 2048) },
        { """{"rope_type":"yarn","factor":4.0,"original_max_position_embeddings":512,"beta_fast":16,"beta_slow":2,"attention_factor":1.5,"truncate":false}""", 2048, new RopeScaling.Yarn(4, 512, 16, 2, 1.5, false) },
        { """{"rope_type":"yarn","original_max_position_embeddings":512,"mscale":1.0,"mscale_all_dim":1.0}""", 2048,
            new RopeScaling.Yarn(4, 512, AttentionFactor: 1) },
        { """{"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":512}""", 2048, new RopeScaling.Llama3(8, 1, 4, 512) },
    };

    [Theory, MemberData(nameof(Scalings))]
    public void Every_scaling_is_read_and_survives_a_round_trip(string scaling, int context, RopeScaling expected)
    {
        string plain = Sizes("llama", 100, 64, 128, 2, 4, 2, true);
        var config = Read(With(plain, ("rope_scaling", scaling)));
        Assert.Equal(expected, config.RopeScaling);
        Assert.Equal(context, config.ContextLength);
        Assert.Equal(config, Read(config.ToJson()));
        Assert.Equal(config, Read(With(plain, ("rope_parameters", scaling))));
        Assert.Contains(config.Describe(), pair =>
            pair.Name == "rope_scaling" && pair.Value.Contains(expected.GetType().Name, StringComparison.Ordinal));
    }

    [Fact]
    public void Every_value_survives_a_round_trip()
    {
        foreach (string json in new[] { Llama31, Mistral, Qwen25, Qwen3, Sizes("llama", 100, 64, 128, 2, 4, 2, true) })
        {
            var config = Read(json);
            string written = config.ToJson();
            Assert.Equal(config, Read(written));
            Assert.Equal(written, Read(written).ToJson());
            Assert.Equal((string?)JsonNode.Parse(json)!["model_type"], (string?)JsonNode.Parse(written)!["model_type"]);
        }
        var tiny = Read(Sizes("llama", 100, 64, 128, 2, 4, 4, true));
        foreach (var config in new[] { tiny with { Dropout = 0.25f },
            tiny with { QkvBias = true, OutputBias = true, MlpBias = true }, tiny with { HeadDim = 10, Window = 7 } })
            Assert.Equal(config, Read(config.ToJson()));
    }

    [Fact]
    public void The_json_has_the_keys_transformers_needs()
    {
        var json = JsonNode.Parse(Read(Llama31).ToJson())!.AsObject();
        foreach (var (key, value) in JsonNode.Parse(Llama31)!.AsObject())
            if (key is not ("torch_dtype" or "transformers_version" or "use_cache" or "pretraining_tp"
                or "attention_dropout"))
                Assert.True(JsonNode.DeepEquals(value, json[key]), $"{key}: {value} became {json[key]}");
        Assert.Equal("float32", (string?)json["torch_dtype"]);
        Assert.Equal(2048, (int)JsonNode.Parse(
            (Read(Sizes("llama", 100, 64, 128, 2, 4, 2, true)) with
            {
                ContextLength = 4096,
                RopeScaling = new RopeScaling.Dynamic(2, 2048)
            }).ToJson())!["max_position_embeddings"]!);
    }

    [Fact]
    public void Features_that_no_model_type_has_together_cannot_be_written()
    {
        var tiny = Read(Sizes("llama", 100, 64, 128, 2, 4, 4, true));
        foreach (var config in new[] { tiny with { OutputBias = true }, tiny with { Window = 5, MlpBias = true },
            tiny with { QkNorm = true, MlpBias = true }, tiny with { Window = 5, FirstWindowLayer = 1 } })
            Assert.Contains("no model_type", Assert.Throws<NanoException>(config.ToJson).Message,
                StringComparison.Ordinal);
    }

    [Fact]
    public void Configs_are_equal_when_their_arithmetic_is()
    {
        var config = Read(Sizes("llama", 100, 64, 128, 2, 4, 4, true));
        Assert.Equal(config, config with { KvHeads = 4, HeadDim = 16, EosTokens = [7] });
        Assert.Equal(config.GetHashCode(), (config with { KvHeads = 4, HeadDim = 16 }).GetHashCode());
        DecoderConfig[] others =
        [
            config with { VocabSize = 9 }, config with { ContextLength = 9 }, config with { Layers = 9 },
                config with { Heads = 2 }, config with { KvHeads = 2 }, config with { HeadDim = 18 },
            config with { Channels = 128 }, config with { Dropout = 0.5f }, config with { TiedHead = false },
                config with { Intermediate = 9 }, config with { NormEpsilon = 9 }, config with { RopeTheta = 9 },
            config with { RopeScaling = new RopeScaling.Linear(2) }, config with { Pairing = RopePairing.Interleaved },
                config with { QkvBias = true }, config with { OutputBias = true },
            config with { MlpBias = true }, config with { QkNorm = true }, config with { Window = 9 },
                config with { FirstWindowLayer = 1 },
        ];
        foreach (var other in others)
        {
            Assert.NotEqual(config, other);
            Assert.NotEqual(config.Describe(), other.Describe());
        }
    }

    [Fact]
    public void Other_sizes_keep_the_proportions()
    {
        var config = Read(Sizes("llama", 100, 64, 172, 2, 4, 4, true));
        // a key head for each, as before
        Assert.Equal(config with
        {
            ContextLength = 9,
            Layers = 3,
            Heads = 8,
            KvHeads = 8,
            Channels = 96,
            Intermediate = 264
        }, config.WithSizes(9, 3, 8, 96));
        var grouped = config with { KvHeads = 2 };
        Assert.Equal(grouped with { ContextLength = 9, Heads = 8 }, grouped.WithSizes(9, null, 8, null));
        Assert.Equal(1, config.WithSizes(9, null, 1, null).KvHeads);
        Assert.Equal(config with { ContextLength = 9 }, config.WithSizes(9, null, null, null));
    }

    [Theory]
    [InlineData("model_type", "\"xlnet\"", "supported: gpt2, llama, mistral, qwen2, qwen3")]
    [InlineData("hidden_size", null, "'hidden_size' is missing")]
    [InlineData("intermediate_size", "0", "MLP has 0")]
    [InlineData("num_hidden_layers", "2.5", "'num_hidden_layers' is '2.5'")]
    [InlineData("num_key_value_heads", "3", "4 heads cannot share 3 key heads")]
    [InlineData("num_key_value_heads", "0", "number of key heads is 0")]
    [InlineData("head_dim", "15", "15 channels; rotary")]
    [InlineData("head_dim", "-2", "4 heads of -2 channels")]
    [InlineData("hidden_size", "65", "65 channels cannot be divided")]
    [InlineData("hidden_act", "\"gelu\"", "'hidden_act' is 'gelu'; supported: silu")]
    [InlineData("rms_norm_eps", "0", "epsilon is 0")]
    [InlineData("rope_theta", "1", "base of the rotary angles is 1")]
    [InlineData("rope_theta", "1e999", "'rope_theta'")]
    [InlineData("partial_rotary_factor", "0.5", "'partial_rotary_factor' is 0.5")]
    [InlineData("quantization_config", "{\"bits\":4}", "'quantization_config.quant_method'")]
    [InlineData("quantization_config", "4", "'quantization_config'")]
    [InlineData("rope_scaling", "3", "'rope_scaling' is '3'; expected an object")]
    [InlineData("rope_scaling", "{\"rope_type\":\"ntk\",\"factor\":2}",
        "'rope_scaling.rope_type' is 'ntk'; supported: default, linear, dynamic, yarn, llama3")]
    [InlineData("rope_scaling", "{\"factor\":2}", "'rope_scaling.rope_type' is missing")]
    [InlineData("rope_scaling", "{\"type\":\"linear\"}", "'rope_scaling.factor' is missing")]
    [InlineData("rope_scaling", "{\"type\":\"linear\",\"factor\":0.5}", "factor of the rotary scaling is 0.5")]
    [InlineData("rope_scaling", "{\"type\":\"linear\",\"factor\":\"2\"}",
        "'rope_scaling.factor' is '\"2\"'; expected a number")]
    [InlineData("rope_scaling", "{\"type\":\"yarn\",\"factor\":2,\"original_max_position_embeddings\":0}",
        "original context of the rotary scaling is 0")]
    [InlineData("rope_scaling", "{\"type\":\"llama3\",\"factor\":2,\"low_freq_factor\":4,\"high_freq_factor\":1}",
        "frequency factors")]
    [InlineData("rope_parameters", "{\"full_attention\":{},\"sliding_attention\":{}}", "differs by kind of layer")]
    [InlineData("eos_token_id", "[1,\"2\"]", "'eos_token_id'")]
    [InlineData("eos_token_id", "-1", "'eos_token_id' is negative")]
    [InlineData("bos_token_id", "2.5", "'bos_token_id'")]
    public void A_bad_value_in_a_file_names_the_key(string key, string? value, string expected)
    {
        string json = With(Sizes("llama", 100, 64, 128, 2, 4, 2, true), (key, value));
        var e = Assert.Throws<BadFileException>(() => Read(json));
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
        Assert.StartsWith("dir/config.json: ", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("layer_types", """["full_attention"]""", "1 entries for 28 layers")]
    [InlineData("layer_types", "7", "expected a list of strings")]
    [InlineData("num_key_value_heads", null, "'num_key_value_heads' is missing")]
    public void A_bad_value_in_a_file_of_Qwen_names_the_key(string key, string? value, string expected) =>
        Assert.Contains(expected, Assert.Throws<BadFileException>(() => Read(With(Qwen3, (key, value)))).Message,
            StringComparison.Ordinal);

    [Fact]
    public void Kinds_of_layers_that_alternate_or_lack_a_window_are_refused()
    {
        string Types(string types) => With(Qwen3, ("num_hidden_layers", "3"), ("layer_types", types),
            ("use_sliding_window", "true"), ("sliding_window", "8"));
        var e = Assert.Throws<BadFileException>(() =>
            Read(Types("""["sliding_attention","full_attention","sliding_attention"]""")));
        Assert.Contains("'full_attention' at 1", e.Message, StringComparison.Ordinal);
        e = Assert.Throws<BadFileException>(() =>
            Read(With(Types("""["full_attention","full_attention","sliding_attention"]"""),
                ("use_sliding_window", "false"))));
        Assert.Contains("sliding_attention at 2", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Mutations_are_read_or_refused()
    {
        var random = new Random(5);
        foreach (string json in new[] { Llama31, Llama31InTransformers5, Qwen3,
            With(Qwen25, ("rope_scaling",
                """{"type":"yarn","factor":4.0,"original_max_position_embeddings":2048}""")) })
            for (int i = 0; i < 2_000; i++)
            {
                byte[] bytes = Encoding.UTF8.GetBytes(json);
                for (int n = random.Next(1, 4); n > 0; n--)
                    bytes[random.Next(bytes.Length)] = (byte)random.Next(32, 127);
                try
                {
                    ConfigFile.FromJson(Encoding.UTF8.GetString(bytes), "c").Validate();
                }
                catch (BadFileException)
                {
                    // Refused, as most are.
                }
            }
    }

    /// <summary>A file with some keys changed; null takes one out.</summary>
    private static string With(string json, params ReadOnlySpan<(string Key, string? Value)> changes)
    {
        var root = JsonNode.Parse(json)!.AsObject();
        var placeholders = new List<(string, string)>();
        foreach (var (key, value) in changes)
        {
            root.Remove(key);
            if (value is null)
                continue;
            root[key] = $"@{key}@";
            placeholders.Add(($"\"@{key}@\"", value));
        }
        string text = root.ToJsonString();
        foreach (var (placeholder, value) in placeholders)
            text = text.Replace(placeholder, value, StringComparison.Ordinal);
        return text;
    }
}
