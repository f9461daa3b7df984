namespace Nano.Tests;

public class ArchitectureConfigTests
{
    private static readonly string Configs = Path.Combine(Goldens.Path("."), "..", "..", "data", "configs");

    /// <summary>The numbers of parameters that the models' authors publish.</summary>
    public static TheoryData<string, long> Published => new()
    {
        { "mixtral-8x7b", 46_702_792_704 }, { "qwen3-30b-a3b", 30_532_122_624 }, { "qwen3-0.6b", 596_049_920 },
        { "deepseek-v3", 671_026_419_200 }, { "gemma-2-2b", 2_614_341_888 }, { "gemma-2-9b", 9_241_705_984 },
        { "gemma-3-1b", 999_885_952 }, { "phi-3-mini", 3_821_079_552 }, { "phi-4-mini", 3_836_021_760 },
        { "olmo-2-7b", 7_298_617_344 }, { "pythia-160m", 162_322_944 }, { "pythia-1.4b", 1_414_647_808 },
        { "falcon-7b", 6_921_720_704 }, { "bloom-560m", 559_214_592 }, { "mpt-7b", 6_649_286_656 },
        { "bert-base", 109_482_240 }, { "bert-large", 335_141_888 }, { "minilm-l6", 22_713_216 },
        { "mamba-130m", 129_135_360 }, { "mamba2-130m", 128_989_632 }, { "vit-base", 86_567_656 },
        { "clip-vit-base", 151_277_313 }, { "t5-small", 60_506_624 }, { "t5-base", 222_903_552 },
        { "t5-v1.1-base", 247_577_856 },
        { "roberta-base", 124_645_632 }, { "distilbert-base", 66_362_880 }, { "albert-base-v2", 11_683_584 },
        { "electra-small", 13_483_008 }, // which its authors give as 14M, with the head
        { "bart-base", 139_420_416 + 50_265 }, // and final_logits_bias, which is not counted as a parameter
        { "opt-125m", 125_239_296 }, { "openai-gpt", 116_534_784 }, { "starcoderbase-1b", 1_137_207_296 },
        { "starcoder2-3b", 3_030_371_328 }, { "smollm3-3b", 3_075_098_624 }, { "command-r7b", 8_028_033_024 },
        { "jamba-v0.1", 51_570_323_328 },
        { "whisper-tiny", 37_760_640 },
    };

    [Theory, MemberData(nameof(Published))]
    public void A_published_model_has_its_number_of_parameters(string name, long expected)
    {
        var config = ConfigFile.LoadAny(Path.Combine(Configs, name + ".json"));
        Assert.Equal(expected, config.ParameterShapes().Sum(parameter => parameter.Shape.Length));
    }

    [Fact]
    public void Every_config_that_is_kept_has_a_published_number() =>
        Assert.Equal(Directory.EnumerateFiles(Configs, "*.json").Select(Path.GetFileNameWithoutExtension).Order(),
            Published.Select(row => row.Data.Item1).Order());

    /// <summary>What is written is read as the same model, and its tensors have the same names.</summary>
    [Theory, MemberData(nameof(Folders))]
    public void A_config_is_read_as_it_was_written(string name)
    {
        string path = Path.Combine(Goldens.Zoo(name), "config.json");
        var config = ConfigFile.LoadAny(path);
        using var folder = new TempFolder();
        string written = folder.File("config.json");
        File.WriteAllText(written, config.ToJson());
        var read = ConfigFile.LoadAny(written);
        Assert.Equal(config, read);
        Assert.Equal(config.FileTensors(), read.FileTensors());
        Assert.Equal(config.Describe(), read.Describe());
    }

    public static TheoryData<string> Folders =>
        [.. Goldens.ZooModels];

    /// <summary>A model that is saved has the bytes of the tensors that were opened, whatever files join.</summary>
    [Theory, MemberData(nameof(Folders))]
    public void A_model_is_saved_as_it_was_opened(string name)
    {
        string folder = Goldens.Zoo(name);
        using var target = new TempFolder();
        using (var model = AnyModel.Load(folder))
            AnyModel.Save(target.Root, model);
        using var before = SafetensorsReader.Open(Path.Combine(folder, "model.safetensors"));
        using var after = SafetensorsReader.Open(target.File("model.safetensors"));
        foreach (var (tensor, entry) in after.Entries)
        {
            float[] expected = new float[entry.Count], actual = new float[entry.Count];
            before.ReadFloat32(tensor, expected);
            after.ReadFloat32(tensor, actual);
            Assert.Equal(expected, actual);
        }
    }

    [Theory]
    [InlineData("mixtral", "\"num_local_experts\": 4", "\"num_local_experts\": 1", "2 experts of each token")]
    [InlineData("deepseek_v3", "\"n_group\": 4", "\"n_group\": 3", "8 experts cannot be divided into 3 groups")]
    [InlineData("deepseek_v3", "\"topk_group\": 2", "\"topk_group\": 5", "5 of 4 groups")]
    [InlineData("falcon", "\"alibi\": false", "\"alibi\": true", "'alibi' is true")]
    [InlineData("gemma2", "\"gelu_pytorch_tanh\"", "\"sine\"", "'hidden_activation' is 'sine'")]
    [InlineData("phi3", "\"partial_rotary_factor\": 0.75", "\"partial_rotary_factor\": 1.5", "rotated part")]
    [InlineData("opt", "\"do_layer_norm_before\": true", "\"do_layer_norm_before\": false", "'do_layer_norm_before'")]
    [InlineData("opt", "\"word_embed_proj_dim\": 24", "\"word_embed_proj_dim\": 12", "'word_embed_proj_dim' is 12")]
    [InlineData("gpt1", "\"afn\": \"gelu\"", "\"afn\": \"tanh\"", "'afn' is 'tanh'")]
    [InlineData("starcoder", "\"gelu_pytorch_tanh\"", "\"sine\"", "'activation_function' is 'sine'")]
    [InlineData("starcoder2", "\"use_bias\": true", "\"norm_type\": \"rms\"", "'norm_type' is 'rms'")]
    [InlineData("smollm3", "\"no_rope_layer_interval\": 2", "\"use_sliding_window\": true", "'use_sliding_window'")]
    [InlineData("cohere2", "\"use_qk_norm\": false", "\"use_qk_norm\": true", "'use_qk_norm' is true")]
    [InlineData("bert", "\"num_attention_heads\": 4", "\"num_attention_heads\": 5", "36 channels cannot be divided")]
    [InlineData("albert", "\"num_hidden_groups\": 1", "\"num_hidden_groups\": 2", "'num_hidden_groups' is 2")]
    [InlineData("roberta", "\"RobertaForMaskedLM\"", "\"RobertaForPreTraining\"", "a roberta has no head of PreTraining")]
    [InlineData("roberta", "\"RobertaForMaskedLM\"", "\"RobertaForCausalLM\"", "supported: RobertaModel")]
    [InlineData("roberta", "\"pad_token_id\": 1", "\"pad_token_id\": 23", "the id of padding is 23")]
    [InlineData("electra_classifier", "\"2\": \"good\"", "\"3\": \"good\"", "'id2label' has no '2'")]
    [InlineData("bart", "\"d_model\": 24", "\"d_model\": 28", "28 channels cannot be divided among 3 heads")]
    [InlineData("transformer", "\"label_smoothing\": 0.1", "\"label_smoothing\": 1", "the smoothing of labels is 1")]
    [InlineData("whisper", "\"scale_embedding\": false", "\"scale_embedding\": true", "'scale_embedding' is true")]
    [InlineData("whisper", "\"d_model\": 24", "\"d_model\": 25", "25 channels cannot be divided among 3 heads")]
    [InlineData("t5_v1_0", "\"feed_forward_proj\": \"relu\"", "\"feed_forward_proj\": \"tanh\"", "'feed_forward_proj'")]
    public void A_variant_that_is_not_supported_is_named(string name, string from, string to, string expected)
    {
        string text = File.ReadAllText(Path.Combine(Goldens.Zoo(name), "config.json"));
        text = System.Text.Json.Nodes.JsonNode.Parse(text)!.ToJsonString(new() { WriteIndented = true });
        Assert.Contains(from, text, StringComparison.Ordinal);
        using var folder = new TempFolder();
        string path = folder.File("config.json");
        File.WriteAllText(path, text.Replace(from, to, StringComparison.Ordinal));
        Assert.Contains(expected, Assert.Throws<BadFileException>(() => ConfigFile.LoadAny(path)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void An_encoder_asked_to_write_text_is_refused() =>
        Assert.Contains("does not write text", Assert.Throws<BadFileException>(() =>
            ModelLoader.LoadModel(Goldens.Path("zoo/bert"))).Message, StringComparison.Ordinal);
}
