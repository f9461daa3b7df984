using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Nano.Tests.Formats;

/// <summary>Folders in the layouts of AutoGPTQ and AutoAWQ, made by numpy.</summary>
public class GroupedFolderTests
{
    static readonly JsonElement Digests =
        JsonDocument.Parse(File.ReadAllText(Goldens.Path("quant_folders/digests.json"))).RootElement;

    public static TheoryData<string, WeightType> Folders => new()
    {
        { "gptq4", WeightType.Int4 }, { "gptq8_ordered", WeightType.F32 }, { "awq4", WeightType.Int4 },
        { "gpt2_gptq8", WeightType.Int8 },
    };

    [Theory]
    [MemberData(nameof(Folders))]
    public void Weights_are_scale_times_code_minus_zero_bit_for_bit(string name, WeightType type)
    {
        using var source = ModelLoader.Open(Goldens.Path($"quant_folders/{name}"));
        var tensors = source.Tensors.ToDictionary(tensor => tensor.Name);
        foreach (var entry in Digests.GetProperty(name).EnumerateObject())
        {
            ModelTensor tensor = tensors[entry.Name];
            Assert.Equal(type, tensor.Type);
            Assert.Equal(entry.Value.GetProperty("shape").EnumerateArray().Select(size => size.GetInt64()),
                tensor.Shape.ToArray());
            var values = new float[tensor.Shape.Length];
            tensor.ReadFloat32(values);
            Assert.Equal(entry.Value.GetProperty("first").EnumerateArray().Select(value => value.GetSingle()),
                values[..8]);
            Assert.Equal(entry.Value.GetProperty("sha256").GetString(),
                Convert.ToHexStringLower(SHA256.HashData(MemoryMarshal.AsBytes(values.AsSpan()))));
        }
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public void Any_range_of_weights_is_that_of_the_whole(string name, WeightType type)
    {
        using var source = ModelLoader.Open(Goldens.Path($"quant_folders/{name}"));
        foreach (ModelTensor tensor in source.Tensors.Where(tensor => tensor.Shape.Rank == 2 && tensor.Type == type))
        {
            int block = BlockFormat.Of(type).Weights, bytes = BlockFormat.Of(type).Bytes,
                blocks = (int)tensor.Shape.Length / block;
            byte[] whole = new byte[blocks * bytes];
            tensor.Read(0, whole);
            for (int start = 0, count = 1; start < blocks; start += 1 + (blocks / 37), count = (count * 3 % 61) + 1)
            {
                byte[] part = new byte[Math.Min(count, blocks - start) * bytes];
                tensor.Read((long)start * block, part);
                Assert.Equal(whole.AsSpan(start * bytes, part.Length).ToArray(), part);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Folders))]
    public void A_model_runs_from_codes_as_from_their_floats(string name, WeightType type)
    {
        using var source = ModelLoader.Open(Goldens.Path($"quant_folders/{name}"));
        using LanguageModel floats = source.Load(), exact = source.LoadToRun(exact: true), packed = source.LoadToRun();
        using var compute = new Compute(2);
        int[] ids = [1, 5, 39, 7, 0, 22, 13, 2];
        float[] expected = Logits(floats), quick = Logits(packed);
        Assert.Equal(expected, Logits(exact));
        Assert.Contains(packed.Parameters.All, parameter => parameter.PackedAs == type);
        double rms = Math.Sqrt(expected.Zip(quick, (a, b) => (double)(a - b) * (a - b)).Average()),
            deviation = Math.Sqrt(expected.Average(x => (double)x * x));
        Assert.InRange(rms, 0, 0.02 * deviation);

        float[] Logits(LanguageModel model)
        {
            compute.NextStep();
            return model.Forward(compute, Tensor.FromIds(new Shape(1, ids.Length), ids)).Data.ToArray();
        }
    }

    [Fact]
    public void A_folder_becomes_a_gguf_file_and_a_plain_folder()
    {
        using var folder = new TempFolder();
        ModelConverter.Convert(Goldens.Path("quant_folders/awq4"), folder.File("a.gguf"), new());
        ModelConverter.Convert(Goldens.Path("quant_folders/awq4"), folder.File("plain"), new());
        using ModelSource from = ModelLoader.Open(Goldens.Path("quant_folders/awq4")),
            gguf = ModelLoader.Open(folder.File("a.gguf")), plain = ModelLoader.Open(folder.File("plain"));
        for (int i = 0; i < from.Tensors.Count; i++)
        {
            Assert.True(from.Tensors[i].SameElements(gguf.Tensors[i]), from.Tensors[i].Name);
            Assert.True(from.Tensors[i].SameElements(plain.Tensors[i]), from.Tensors[i].Name);
        }
    }

    public static TheoryData<string, string, string, string> BadConfigs => new()
    {
        { "gptq4", "bits", "3", "'quantization_config.bits' is '3'; supported: 4, 8" },
        { "awq4", "bits", "8", "'quantization_config.bits' is '8'; supported: 4" },
        { "gptq4", "bits", "8", "'model.layers.0.self_attn.q_proj.qweight' has shape [8, 64]" },
        { "gptq4", "bits", "\"4\"", "'quantization_config.bits' is" },
        { "gptq4", "group_size", "48", "groups of 48 do not divide the 64 inputs" },
        { "gptq4", "group_size", "0", "'quantization_config.group_size' is 0" },
        { "gptq4", "group_size", "64", "'model.layers.0.self_attn.q_proj.qzeros' has shape [2, 8]" },
        { "gptq4", "group_size", "-2147483648", "'quantization_config.group_size' is -2147483648" },
        { "gptq4", "quant_method", "\"bitsandbytes\"", "'quantization_config.quant_method' is 'bitsandbytes'" },
        { "gptq4", "quant_method", "null", "'quantization_config.quant_method' is missing" },
        { "gptq4", "quant_method", "\"awq\"", "'model.layers.0.self_attn.q_proj.qweight' has shape [8, 64]" },
        { "gptq4", "checkpoint_format", "\"marlin\"", "'quantization_config.checkpoint_format' is 'marlin'" },
        { "gptq4", "is_marlin_format", "true", "'quantization_config.is_marlin_format' is 'true'" },
        { "awq4", "version", "\"gemv\"", "'quantization_config.version' is 'gemv'" },
        { "awq4", "backend", "\"llm-awq\"", "'quantization_config.backend' is 'llm-awq'" },
    };

    [Theory]
    [MemberData(nameof(BadConfigs))]
    public void A_layout_that_is_not_supported_or_does_not_fit_is_named(string name, string key, string value,
        string problem)
    {
        using var folder = new TempFolder();
        Copy(name, folder.Root, config => config["quantization_config"]![key] = JsonNode.Parse(value));
        var e = Assert.Throws<BadFileException>(() => ModelLoader.Open(folder.Root));
        Assert.Contains(problem, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Parts_that_are_missing_or_of_another_type_are_named()
    {
        foreach (string suffix in (string[])["qzeros", "scales", "g_idx"])
        {
            string name = $"model.layers.0.mlp.up_proj.{suffix}";
            Assert.Contains($"'{name}' is missing", Refusal("gptq8_ordered", tensors => tensors.RemoveAll(tensor =>
                tensor.Name == name)), StringComparison.Ordinal);
            Assert.Contains($"'{name}' has type I64", Refusal("gptq8_ordered", tensors =>
            {
                int at = tensors.FindIndex(tensor => tensor.Name == name);
                tensors[at] = tensors[at] with
                {
                    Type = SafetensorsType.I64,
                    Write = stream => stream.Write(new byte[8 * tensors[at].Shape.Aggregate((a, b) => a * b)]),
                };
            }), StringComparison.Ordinal);
        }
        Assert.Contains("names group 2 of 2", Refusal("gptq8_ordered", tensors =>
        {
            int at = tensors.FindIndex(tensor => tensor.Name == "model.layers.0.mlp.up_proj.g_idx");
            int[] groups = new int[64];
            groups[63] = 2;
            tensors[at] = tensors[at] with { Write = stream => stream.Write(MemoryMarshal.AsBytes(groups.AsSpan())) };
        }), StringComparison.Ordinal);
    }

    [Fact]
    public void A_bias_of_zeros_that_the_model_does_not_have_is_ignored_and_any_other_refused()
    {
        using var folder = new TempFolder();
        Copy("gptq4", folder.Root, _ => { }, tensors => tensors.Add(Bias(0)));
        ModelLoader.Open(folder.Root).Dispose();
        Assert.Contains("is not part of this model", Refusal("gptq4", tensors => tensors.Add(Bias(1))),
            StringComparison.Ordinal);

        static SafetensorsTensor Bias(float value) =>
            new("model.layers.0.mlp.down_proj.bias", [64], () => Enumerable.Repeat(value, 64).ToArray());
    }

    [Fact]
    public void Codes_without_a_layout_are_refused()
    {
        using var folder = new TempFolder();
        Copy("gptq4", folder.Root, config => ((JsonObject)config).Remove("quantization_config"));
        Assert.Contains("is missing", Assert.Throws<BadFileException>(() => ModelLoader.Open(folder.Root)).Message,
            StringComparison.Ordinal);
    }

    static string Refusal(string name, Action<List<SafetensorsTensor>> change)
    {
        using var folder = new TempFolder();
        Copy(name, folder.Root, _ => { }, change);
        return Assert.Throws<BadFileException>(() => ModelLoader.Open(folder.Root)).Message;
    }

    static void Copy(string name, string to, Action<JsonNode> changeConfig,
        Action<List<SafetensorsTensor>>? change = null)
    {
        string from = Goldens.Path($"quant_folders/{name}");
        JsonNode config = JsonNode.Parse(File.ReadAllText(Path.Combine(from, "config.json")))!;
        changeConfig(config);
        File.WriteAllText(Path.Combine(to, "config.json"), config.ToJsonString());
        string weights = Path.Combine(from, "model.safetensors"), copy = Path.Combine(to, "model.safetensors");
        if (change is null)
        {
            File.Copy(weights, copy);
            return;
        }
        using var reader = SafetensorsReader.Open(weights);
        List<SafetensorsTensor> tensors = [.. reader.Entries.Values.Select(entry =>
        {
            byte[] bytes = File.ReadAllBytes(weights).AsSpan((int)entry.Offset, (int)entry.Bytes).ToArray();
            return new SafetensorsTensor(entry.Name, entry.Type, entry.Shape, stream => stream.Write(bytes));
        })];
        change(tensors);
        SafetensorsWriter.Write(copy, tensors);
    }
}
