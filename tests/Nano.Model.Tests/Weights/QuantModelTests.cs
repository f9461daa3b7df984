using System.Security.Cryptography;
using System.Text.Json;

namespace Nano.Tests.Formats;

/// <summary>
/// Quantised models against files, logits and ids of llama.cpp and of exact arithmetic.
/// </summary>
public class QuantModelTests
{
    public static TheoryData<string, GgufFileType> All => QuantGoldenModels.All;

    public static TheoryData<string, GgufFileType> WithSource => QuantGoldenModels.WithSource;

    public static TheoryData<string, GgufFileType> Kept => QuantGoldenModels.Kept;

    [Theory]
    [MemberData(nameof(All))]
    public void The_mix_chooses_the_types_of_llama_cpp(string model, GgufFileType type)
    {
        ModelConfig config = QuantGoldenModels.Configs[model];
        var mix = QuantMix.Of(config, type, hasImportance: false);
        var chosen = config.ParameterShapes().ToDictionary(
            parameter => GgufNames.Of(parameter.Name, parameter.Facts),
            parameter => $"{mix.TypeOf(GgufNames.Of(parameter.Name, parameter.Facts), parameter.Facts.Block,
                parameter.Shape, WeightType.F32)}".ToLowerInvariant());
        var expected = QuantGoldenModels.Entry(model, type).GetProperty("tensor_types").EnumerateObject()
            .ToDictionary(entry => entry.Name, entry => entry.Value.GetString()!);
        Assert.Equal(expected.OrderBy(entry => entry.Key), chosen.OrderBy(entry => entry.Key));
    }

    [Theory]
    [MemberData(nameof(WithSource))]
    public void A_quantised_file_has_the_tensors_of_llama_cpp_byte_for_byte(string model, GgufFileType type)
    {
        using var folder = new TempFolder();
        string path = QuantGoldenModels.Make(model, type, folder.File("made.gguf"));
        JsonElement entry = QuantGoldenModels.Entry(model, type);
        using var made = GgufReader.Open(path);
        Assert.Equal(entry.GetProperty("tensor_sha256").EnumerateObject()
                .Select(tensor => $"{tensor.Name} {tensor.Value.GetString()}"),
            made.Tensors.Values.Select(tensor => $"{tensor.Name} {QuantGoldenModels.Digest(made, tensor)}"));
        Assert.Equal(((long)type, 2L),
            (made.Metadata.Integer("general.file_type"), made.Metadata.Integer("general.quantization_version")));
        if (entry.TryGetProperty("sha256", out JsonElement digest))
            Assert.Equal(digest.GetString(), Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path))));
    }

    [Theory]
    [MemberData(nameof(Kept))]
    public void Logits_and_losses_of_a_quantised_file_are_those_of_exact_arithmetic(string model, GgufFileType type)
    {
        using var folder = new TempFolder();
        using var source = ModelLoader.Open(QuantGoldenModels.Path(model, type, folder));
        using var loaded = source.LoadToRun(exact: true);
        using var compute = new Compute(1);
        using var golden = SafetensorsReader.Open(Goldens.Path("quant_models/golden.safetensors"));
        int[] ids = Models.Ids(golden, $"{model}.ids");
        float[] expected = Models.Floats(golden, $"{model}-{type}.exact");
        compute.NextStep();
        var logits = loaded.Forward(compute, Tensor.FromIds(new Shape(1, ids.Length), ids));
        int vocabulary = source.Config.VocabSize;
        float worst = QuantGoldenModels.Positions.SelectMany((position, row) => Enumerable.Range(0, vocabulary)
            .Select(id => Math.Abs(expected[(row * vocabulary) + id]
                - logits.Data[(position * vocabulary) + id]))).Max();
        Assert.True(worst <= 1e-5f * QuantGoldenModels.LogitDeviation(model), $"{worst}");
        double loss = Enumerable.Range(0, ids.Length - 1).Average(position =>
        {
            float[] row = logits.Data.Slice(position * vocabulary, vocabulary).ToArray();
            double max = row.Max();
            return max + Math.Log(row.Sum(logit => Math.Exp(logit - max))) - row[ids[position + 1]];
        });
        Assert.Equal(QuantGoldenModels.Entry(model, type).GetProperty("nll").GetProperty("exact").GetDouble(), loss,
            1e-5);
    }

    /// <summary>
    /// The golden has the error of this arithmetic, activations in 8 bits, computed by another
    /// program.
    /// </summary>
    [Theory]
    [MemberData(nameof(Kept))]
    public void Logits_with_activations_in_8_bits_err_as_that_arithmetic_does(string model, GgufFileType type)
    {
        using var folder = new TempFolder();
        using var source = ModelLoader.Open(QuantGoldenModels.Path(model, type, folder));
        using var loaded = source.LoadToRun();
        using var golden = SafetensorsReader.Open(Goldens.Path("quant_models/golden.safetensors"));
        int[] ids = Models.Ids(golden, $"{model}.ids");
        float[] expected = Models.Floats(golden, $"{model}-{type}.exact");
        var (alone, shared) = (Logits(1), Logits(3));
        Assert.Equal(alone, shared);
        int vocabulary = source.Config.VocabSize;
        double[] errors = [.. QuantGoldenModels.Positions.SelectMany((position, row) => Enumerable.Range(0, vocabulary)
            .Select(id => Math.Abs(expected[(row * vocabulary) + id] - (double)alone[(position * vocabulary) + id])
                / QuantGoldenModels.LogitDeviation(model)))];
        JsonElement entry = QuantGoldenModels.Entry(model, type);
        Assert.InRange(Math.Sqrt(errors.Average(error => error * error)), 0, 1.5 * entry.GetProperty("rms_over_std")
            .GetProperty("nano8_of_exact").GetDouble());
        Assert.InRange(errors.Max(), 0, 2 * entry.GetProperty("max_over_std").GetProperty("nano8_of_exact")
            .GetDouble());

        float[] Logits(int threads)
        {
            using var compute = new Compute(threads);
            return loaded.Forward(compute, Tensor.FromIds(new Shape(1, ids.Length), ids)).Data.ToArray();
        }
    }

    /// <summary>
    /// Another program measured what keys and values in blocks cost: the root of the mean squared
    /// error of the logits over their deviation, all else exact. It took other weights of these
    /// models and other positions, so this shows the order of the error; CachedAttentionTests shows
    /// the bits.
    /// </summary>
    [Theory]
    [InlineData("llama256", GgufFileType.Q8_0, WeightType.Q8_0, 1.6e-3)]
    [InlineData("llama256", GgufFileType.Q8_0, WeightType.Q4_0, 3.1e-2)]
    [InlineData("gpt2_256", GgufFileType.Q4_K_M, WeightType.Q8_0, 1.8e-4)]
    [InlineData("gpt2_256", GgufFileType.Q4_K_M, WeightType.Q4_0, 3.0e-3)]
    public void Logits_over_a_cache_of_blocks_err_as_measured(string model, GgufFileType type, WeightType cacheType,
        double measured)
    {
        using var folder = new TempFolder();
        using var source = ModelLoader.Open(QuantGoldenModels.Path(model, type, folder));
        using var loaded = source.LoadToRun(exact: true);
        using var golden = SafetensorsReader.Open(Goldens.Path("quant_models/golden.safetensors"));
        int[] ids = Models.Ids(golden, $"{model}.ids");
        float[] expected = Models.Floats(golden, $"{model}-{type}.exact");
        ModelConfig config = source.Config;
        using var compute = new Compute(2);
        using var cache = new KvCache(config.Layers, ids.Length, config.KvHeads * config.HeadDim, type: cacheType);
        var logits = loaded.Forward(compute,
            Tensor.FromIds(new Shape(1, ids.Length), ids), new() { Cache = cache }).Data;
        double sum = 0;
        for (int row = 0; row < QuantGoldenModels.Positions.Count; row++)
            for (int id = 0; id < config.VocabSize; id++)
                sum += Math.Pow(expected[(row * config.VocabSize) + id]
                    - logits[(QuantGoldenModels.Positions[row] * config.VocabSize) + id], 2);
        Assert.InRange(Math.Sqrt(sum / expected.Length) / QuantGoldenModels.LogitDeviation(model), measured / 3,
            measured * 3);
    }

    [Theory]
    [MemberData(nameof(Kept))]
    public void Greedy_ids_of_a_quantised_file_are_those_of_exact_arithmetic(string model, GgufFileType type)
    {
        using var folder = new TempFolder();
        using var source = ModelLoader.Open(QuantGoldenModels.Path(model, type, folder));
        using var loaded = source.LoadToRun(exact: true);
        using var compute = new Compute(1);
        using var golden = SafetensorsReader.Open(Goldens.Path("quant_models/golden.safetensors"));
        JsonElement greedy = QuantGoldenModels.Entry(model, type).GetProperty("greedy");
        int[] expected = [.. greedy.GetProperty("exact").EnumerateArray().Select(id => id.GetInt32())];
        Assert.All(greedy.GetProperty("exact_leads").EnumerateArray(), lead => Assert.True(lead.GetDouble() > 1e-4));
        using var generator = new Generator(loaded, compute);
        Assert.Equal(expected, generator.Continue(
            Models.Ids(golden, $"{model}.ids")[..QuantGoldenModels.PromptLength],
            new SamplerOptions { Temperature = 0 }).Take(expected.Length));
    }
}
