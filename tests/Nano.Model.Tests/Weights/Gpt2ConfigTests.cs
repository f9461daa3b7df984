using System.Text;
using System.Text.Json.Nodes;

namespace Nano.Tests.Formats;

public class Gpt2ConfigTests
{
    // As written by a Python program with the keys of Hugging Face.
    const string Tiny = """
        {
          "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2",
          "n_layer": 2, "n_head": 4, "n_embd": 64, "n_inner": null, "vocab_size": 97, "n_positions": 64, "n_ctx": 64,
          "activation_function": "gelu_new", "layer_norm_epsilon": 1e-05,
          "attn_pdrop": 0.0, "embd_pdrop": 0.0, "resid_pdrop": 0.0,
          "scale_attn_weights": true, "tie_word_embeddings": true, "torch_dtype": "float32", "bos_token_id": 0, "eos_token_id": 0
        }
        """;

    static readonly Gpt2Config Expected = new()
    {
        VocabSize = 97,
        ContextLength = 64,
        Layers = 2,
        Heads = 4,
        Channels = 64,
        Gelu = GeluForm.Tanh,
        Dropout = 0,
        TiedHead = true,
        LayerNormEpsilon = 1e-5f,
    };

    [Fact]
    public void A_Hugging_Face_config_is_read()
    {
        Assert.Equal(Expected, ConfigFile.FromJson(Tiny, "config.json"));
        Assert.Equal(16, Expected.HeadDim);
    }

    [Fact]
    public void The_golden_config_is_read()
    {
        string path = Goldens.Path("gpt2_tiny/config.json");
        Assert.SkipUnless(File.Exists(path), "the golden gpt2_tiny/config.json is not in tests/goldens");
        Assert.Equal(Expected, ConfigFile.FromJson(File.ReadAllText(path), path));
    }

    [Fact]
    public void Absent_keys_take_the_defaults_of_transformers()
    {
        var config = (Gpt2Config)ConfigFile.FromJson(
            """{"model_type":"gpt2","n_layer":1,"n_head":1,"n_embd":8,"vocab_size":5,"n_ctx":16}""", "c");
        Assert.Equal(new Gpt2Config
        {
            VocabSize = 5,
            ContextLength = 16,
            Layers = 1,
            Heads = 1,
            Channels = 8,
            Dropout = 0.1f
        }, config);
        Assert.True(config.Bias && config.TiedHead && config.Gelu == GeluForm.Tanh && config.LayerNormEpsilon == 1e-5f);
    }

    [Fact]
    public void Every_value_survives_a_round_trip()
    {
        Gpt2Config[] configs =
        [
            Expected,
            Gpt2Config.Named("gpt2-xl"),
            Expected with { Bias = false, Gelu = GeluForm.Erf, Dropout = 0.2f, TiedHead = false,
                LayerNormEpsilon = 1e-6f },
        ];
        foreach (Gpt2Config config in configs)
        {
            string json = config.ToJson();
            Assert.Equal(config, ConfigFile.FromJson(json, "c"));
            Assert.Equal(json, ConfigFile.FromJson(json, "c").ToJson());
        }
    }

    [Fact]
    public void The_json_has_the_keys_transformers_needs()
    {
        JsonObject json = JsonNode.Parse(Gpt2Config.Named("gpt2").ToJson())!.AsObject();
        Assert.Equal("GPT2LMHeadModel", (string?)json["architectures"]![0]);
        Assert.Equal("gpt2", (string?)json["model_type"]);
        Assert.Equal((12, 12, 768, 50257),
            ((int)json["n_layer"]!, (int)json["n_head"]!, (int)json["n_embd"]!, (int)json["vocab_size"]!));
        Assert.Equal((1024, 1024, 50256), ((int)json["n_positions"]!, (int)json["n_ctx"]!, (int)json["eos_token_id"]!));
        Assert.Equal("0.0", json["attn_pdrop"]!.ToJsonString());
        Assert.False(json.ContainsKey("bias"));
        Assert.Null(JsonNode.Parse(Expected.ToJson())!["eos_token_id"]);
        Assert.False((bool)JsonNode.Parse((Expected with { Bias = false }).ToJson())!["bias"]!);
    }

    [Theory]
    [InlineData("gpt2", 124_439_808)]
    [InlineData("gpt2-medium", 354_823_168)]
    [InlineData("gpt2-large", 774_030_080)]
    [InlineData("gpt2-xl", 1_557_611_200)]
    public void The_named_models_have_the_published_parameter_counts(string name, long expected)
    {
        Gpt2Config c = Gpt2Config.Named(name);
        long width = c.Channels;
        // 4 matrices (3 + 1 + 4 + 4), their biases (3 + 1 + 4 + 1), two norms
        long block = 12 * width * width + 13 * width;
        Assert.Equal(expected, (c.VocabSize + c.ContextLength) * width + c.Layers * block + 2 * width);
        c.Validate();
    }

    [Fact]
    public void An_unknown_name_lists_the_known_ones() =>
        Assert.Contains("gpt2-medium", Assert.Throws<NanoException>(() => Gpt2Config.Named("gpt3")).Hint,
            StringComparison.Ordinal);

    public static TheoryData<Gpt2Config, string> Impossible => new()
    {
        { Expected with { Heads = 5 }, "64 channels cannot be divided among 5 heads" },
        { Expected with { VocabSize = 0 }, "vocabulary size is 0" },
        { Expected with { ContextLength = -1 }, "context length is -1" },
        { Expected with { Layers = 0 }, "layers is 0" },
        { Expected with { Heads = 0 }, "heads is 0" },
        { Expected with { Channels = int.MaxValue }, "channels is 2147483647" },
        { Expected with { Dropout = 1 }, "dropout is 1" },
        { Expected with { Dropout = -0.1f }, "dropout is -0.1" },
        { Expected with { Dropout = float.NaN }, "dropout is NaN" },
        { Expected with { LayerNormEpsilon = 0 }, "epsilon is 0" },
        { Expected with { Gelu = (GeluForm)7 }, "GELU form 7" },
    };

    [Theory]
    [MemberData(nameof(Impossible))]
    public void An_impossible_config_is_refused_with_the_value(Gpt2Config config, string expected)
    {
        Assert.Contains(expected, Assert.Throws<NanoException>(config.Validate).Message, StringComparison.Ordinal);
        Assert.Throws<NanoException>(config.ToJson);
    }

    [Theory]
    [InlineData("model_type", "\"xlnet\"", "supported: gpt2")]
    [InlineData("model_type", "null", "missing")]
    [InlineData("model_type", "7", "expected a string")]
    [InlineData("n_layer", "null", "'n_layer' is missing")]
    [InlineData("n_layer", "2.5", "'n_layer' is '2.5'")]
    [InlineData("n_layer", "\"2\"", "'n_layer'")]
    [InlineData("n_layer", "99999999999", "'n_layer'")]
    [InlineData("n_layer", "16777216", "layers is 16777216")]
    [InlineData("vocab_size", "-1", "vocabulary size is -1")]
    [InlineData("n_head", "5", "64 channels")]
    [InlineData("n_inner", "128", "'n_inner' is 128")]
    [InlineData("activation_function", "\"relu\"", "'relu'")]
    [InlineData("activation_function", "\"\\ud800\"", "'activation_function'")]
    [InlineData("layer_norm_epsilon", "\"1e-5\"", "'layer_norm_epsilon'")]
    [InlineData("layer_norm_epsilon", "1e999", "'layer_norm_epsilon'")]
    [InlineData("tie_word_embeddings", "1", "'tie_word_embeddings' is '1'; expected true or false")]
    [InlineData("bias", "\"no\"", "'bias'")]
    [InlineData("attn_pdrop", "0.1", "'attn_pdrop' is 0.1")]
    [InlineData("scale_attn_weights", "false", "'scale_attn_weights'")]
    [InlineData("scale_attn_by_inverse_layer_idx", "true", "'scale_attn_by_inverse_layer_idx'")]
    public void A_bad_value_in_a_file_names_the_key(string key, string value, string expected)
    {
        JsonObject json = JsonNode.Parse(Tiny)!.AsObject();
        json[key] = "@";
        string text = json.ToJsonString().Replace("\"@\"", value, StringComparison.Ordinal);
        var e = Assert.Throws<BadFileException>(() => ConfigFile.FromJson(text, "dir/config.json"));
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
        Assert.StartsWith("dir/config.json: ", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{")]
    [InlineData("""{"n_layer":1,"n_layer":1}""")]
    [InlineData("""{"\ud800":1}""")]
    public void What_is_not_a_json_object_is_refused(string json) =>
        Assert.Throws<BadFileException>(() => ConfigFile.FromJson(json, "c"));

    [Fact]
    public void Mutations_are_read_or_refused()
    {
        var random = new Random(5);
        byte[] valid = Encoding.UTF8.GetBytes(Tiny);
        for (int i = 0; i < 5_000; i++)
        {
            byte[] bytes = [.. valid];
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
}
