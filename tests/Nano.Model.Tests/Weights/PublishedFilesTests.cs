namespace Nano.Tests;

/// <summary>Files as they are published, which are not those that programs write today.</summary>
public class PublishedFilesTests
{
    /// <summary>bert-base-uncased's file: TensorFlow's names of norms, heads that BertForMaskedLM has not.</summary>
    [Fact]
    public void A_bert_with_old_names_of_norms_and_heads_of_more_opens_as_the_same_model()
    {
        using var folder = new TempFolder();
        string bert = Goldens.Path("zoo/bert");
        File.WriteAllText(folder.File("config.json"), File.ReadAllText(Path.Combine(bert, "config.json"))
            .Replace("BertForPreTraining", "BertForMaskedLM", StringComparison.Ordinal));
        Copy(bert, folder, name => name.Replace("LayerNorm.weight", "LayerNorm.gamma", StringComparison.Ordinal)
            .Replace("LayerNorm.bias", "LayerNorm.beta", StringComparison.Ordinal));
        using Model expected = AnyModel.Load(bert), old = AnyModel.Load(folder.Root);
        foreach (Tensor parameter in old.Parameters.All)
            Assert.Equal(expected.Parameters.All.Single(other => other.Name == parameter.Name).Data.ToArray(),
                parameter.Data.ToArray());
        Assert.Contains(old.Parameters.All, parameter => parameter.Name!.EndsWith("LayerNorm.bias"));
        Assert.DoesNotContain(old.Parameters.All, parameter => parameter.Name!.Contains("pooler"));
    }

    /// <summary>t5-small's file has a table that no program reads; ViT's of ImageNet-21k a pooler.</summary>
    [Theory]
    [InlineData("t5_v1_0", "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight")]
    [InlineData("vit", "vit.pooler.dense.weight")]
    public void A_tensor_that_files_are_known_to_hold_is_not_read_and_others_are_refused(string model, string known)
    {
        using var folder = new TempFolder();
        string source = Goldens.Path("zoo/" + model);
        File.Copy(Path.Combine(source, "config.json"), folder.File("config.json"));
        Copy(source, folder, name => name, ModelSource.InMemory(new Tensor(new Shape(2, 3)), known));
        AnyModel.Load(folder.Root).Dispose();
        Copy(source, folder, name => name, ModelSource.InMemory(new Tensor(new Shape(2, 3)), "unknown.weight"));
        Assert.Contains("'unknown.weight' is not part of this model",
            Assert.Throws<BadFileException>(() => AnyModel.Load(folder.Root)).Message, StringComparison.Ordinal);
    }

    /// <summary>DeepSeek-V3's 8-bit floats: codes of 1 and of -2, whose factors differ from block to block.</summary>
    [Fact]
    public void A_matrix_of_8_bit_floats_is_multiplied_by_the_factors_of_its_blocks()
    {
        const byte One = 0x38, MinusTwo = 0xC0; // E4M3: exponents 7 and 8 of bias 7
        const int Rows = 130, Columns = 257;
        using var folder = new TempFolder();
        var codes = new ModelTensor("w", new Shape(Rows, Columns), WeightType.F8_E4M3, (start, destination) =>
        {
            for (int i = 0; i < destination.Length; i++)
                destination[i] = (start + i) % 2 == 0 ? One : MinusTwo;
        });
        float[] factors = [1, 10, 100, 3, 30, 300];
        SafetensorsWriter.Write(folder.File("model.safetensors"), [codes.ToSafetensors(),
            ModelSource.InMemory(Tensor.From(new Shape(2, 3), factors), "w_scale_inv").ToSafetensors()]);
        using var files = new SafetensorsSet(folder.Root);
        var opened = ScaledBlocks.Open(files.Tensor("w"), files);
        var values = new float[Rows * Columns];
        opened.ReadFloat32(values);
        for (int i = 0; i < values.Length; i++)
            Assert.Equal((i % 2 == 0 ? 1 : -2) * factors[(i / Columns / 128 * 3) + (i % Columns / 128)], values[i]);
    }

    [Fact]
    public void Factors_of_another_shape_and_blocks_of_another_size_are_refused()
    {
        using var folder = new TempFolder();
        var codes = new ModelTensor("w", new Shape(4, 4), WeightType.F8_E4M3, (_, destination) => destination.Clear());
        SafetensorsWriter.Write(folder.File("model.safetensors"), [codes.ToSafetensors(),
            ModelSource.InMemory(new Tensor(new Shape(1, 2)), "w_scale_inv").ToSafetensors()]);
        using var files = new SafetensorsSet(folder.Root);
        Assert.Contains("a factor for each block of 128 x 128", Assert.Throws<BadFileException>(() =>
            ScaledBlocks.Open(files.Tensor("w"), files)).Message, StringComparison.Ordinal);
        using var json = new ConfigJson("""{"quantization_config": {"quant_method": "fp8", "weight_block_size": [64]}}""",
            "config.json");
        Assert.Contains("'weight_block_size' is [64]; supported: [128, 128]", Assert.Throws<BadFileException>(() =>
            GroupedLayout.Read(json, "config.json")).Message, StringComparison.Ordinal);
    }

    /// <summary>The whole way: a Llama's folder whose projections are codes has the values of factor times code.</summary>
    [Fact]
    public void A_folder_of_8_bit_floats_opens()
    {
        using var folder = new TempFolder();
        string llama = Goldens.Path("llama_tiny");
        string config = File.ReadAllText(Path.Combine(llama, "config.json")).TrimEnd();
        File.WriteAllText(folder.File("config.json"), config[..^1] +
            ""","quantization_config": {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 128]}}""");
        using var whole = new SafetensorsSet(llama);
        List<SafetensorsTensor> tensors = [];
        foreach (string name in whole.Names)
        {
            ModelTensor tensor = whole.Tensor(name);
            bool isCode = name.EndsWith("_proj.weight", StringComparison.Ordinal);
            tensors.Add((isCode ? tensor.As(WeightType.F8_E4M3) : tensor).ToSafetensors());
            if (!isCode)
                continue;
            var factors = new Tensor(new Shape((tensor.Shape[0] + 127) / 128, (tensor.Shape[1] + 127) / 128));
            factors.Data.Fill(0.5f);
            tensors.Add(ModelSource.InMemory(factors, name + "_scale_inv").ToSafetensors());
        }
        SafetensorsWriter.Write(folder.File("model.safetensors"), tensors);
        using LanguageModel model = ModelLoader.LoadModel(folder.Root), plain = ModelLoader.LoadModel(llama);
        foreach (var (parameter, original) in model.Parameters.All.Zip(plain.Parameters.All))
            for (int i = 0; i < parameter.Length; i++)
            {
                float expected = original.Data[i] * (parameter.Name!.EndsWith("_proj.weight") ? 0.5f : 1);
                Assert.InRange(parameter.Data[i], expected - (Math.Abs(expected) / 16) - 0.001f,
                    expected + (Math.Abs(expected) / 16) + 0.001f);
            }
    }

    private static void Copy(string source, TempFolder target, Func<string, string> rename,
        params ReadOnlySpan<ModelTensor> more)
    {
        using var files = new SafetensorsSet(source);
        List<SafetensorsTensor> tensors =
            [.. files.Names.Select(name => files.Tensor(name).Named(rename(name)).ToSafetensors())];
        foreach (ModelTensor tensor in more)
            tensors.Add(tensor.ToSafetensors());
        SafetensorsWriter.Write(target.File("model.safetensors"), tensors);
    }
}
