using System.Runtime.InteropServices;

namespace Nano.Tests;

/// <summary>Small models, and ways to compare what they compute.</summary>
static class Models
{
    public static Gpt2Config Small { get; } = new()
    {
        VocabSize = 11,
        ContextLength = 12,
        Layers = 2,
        Heads = 2,
        Channels = 8
    };

    /// <summary>The folder of the golden GPT-2.</summary>
    public static string GoldenFolder => Goldens.Path("gpt2_tiny");

    /// <summary>
    /// A model whose every parameter, biases and norms included, is random and large enough for its
    /// logits to differ clearly.
    /// </summary>
    public static LanguageModel Random(ModelConfig config, ulong seed = 1)
    {
        var model = LanguageModel.Create(config);
        for (int i = 0; i < model.Parameters.All.Count; i++)
            Philox.Normal(seed, (ulong)i, 0.3, model.Parameters.All[i].Data);
        return model;
    }

    /// <summary>Random ids below the vocabulary size.</summary>
    public static int[] RandomIds(int count, int vocabSize, int seed = 1)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(vocabSize))];
    }

    /// <summary>The logits [T, V] of one sequence, without cache or dropout.</summary>
    public static float[] Logits(LanguageModel model, Compute compute, params ReadOnlySpan<int> ids)
    {
        compute.NextStep();
        return model.Forward(compute, Tensor.FromIds(new Shape(1, ids.Length), ids)).Data.ToArray();
    }

    /// <summary>
    /// The bits of floats, so that equal means the same and not merely close (and NaN equals
    /// itself).
    /// </summary>
    public static int[] Bits(ReadOnlySpan<float> values) => MemoryMarshal.Cast<float, int>(values).ToArray();

    /// <summary>The bits of all parameters, by name.</summary>
    public static Dictionary<string, int[]> Bits(LanguageModel model) =>
        model.Parameters.All.ToDictionary(parameter => parameter.Name!, parameter => Bits(parameter.Data));

    /// <summary>A tensor of floats in a safetensors file.</summary>
    public static float[] Floats(SafetensorsReader file, string name)
    {
        var values = new float[file.Entries[name].Count];
        file.ReadFloat32(name, values);
        return values;
    }

    /// <summary>A tensor of ids in a safetensors file.</summary>
    public static int[] Ids(SafetensorsReader file, string name)
    {
        var values = new long[file.Entries[name].Count];
        file.ReadInt64(name, values);
        return Array.ConvertAll(values, value => checked((int)value));
    }
}
