using System.Runtime.InteropServices;

namespace Nano.Tests;

/// <summary>Small runs, and ways to compare what they leave behind.</summary>
static class Runs
{
    public static Gpt2Config TinyModel { get; } = new()
    {
        VocabSize = 11,
        ContextLength = 12,
        Layers = 2,
        Heads = 2,
        Channels = 16
    };

    public static TrainOptions Tiny { get; } = new()
    {
        Preset = "tiny",
        Model = TinyModel,
        Batch = 4,
        Time = 8,
        Steps = 6,
        LearningRate = 1e-2,
        MinLearningRate = 1e-3,
        WarmupSteps = 2,
        EvalInterval = 2,
        EvalBatches = 2,
        Seed = 5,
    };

    /// <summary>A model as training starts with it.</summary>
    public static LanguageModel NewModel(TrainOptions options)
    {
        var model = LanguageModel.Create(options.Model);
        model.Initialize(options.Seed);
        return model;
    }

    /// <summary>Random ids below the vocabulary size.</summary>
    public static int[] RandomTokens(int count, int vocabSize)
    {
        var random = new Random(3);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(vocabSize))];
    }

    public static int[] Bits(ReadOnlySpan<float> values) => MemoryMarshal.Cast<float, int>(values).ToArray();

    /// <summary>The bits of every parameter, one after the other.</summary>
    public static int[] Bits(LanguageModel model) =>
        [.. model.Parameters.All.SelectMany(parameter => Bits(parameter.Data))];

    /// <summary>The bits of everything that an optimizer keeps.</summary>
    public static int[] Bits(IOptimizer optimizer) => [.. optimizer.State.SelectMany(slot => Bits(slot.Tensor))];

    /// <summary>The bits of a tensor of any type.</summary>
    public static int[] Bits(Tensor tensor) => tensor.Type == DType.Int32 ? tensor.Ids.ToArray() : Bits(tensor.Data);

    /// <summary>The content of every file of a folder by name, in hexadecimal.</summary>
    public static SortedDictionary<string, string> Files(string folder) =>
        new(Directory.GetFiles(folder).ToDictionary(path => Path.GetFileName(path),
            path => Convert.ToHexString(File.ReadAllBytes(path))), StringComparer.Ordinal);

    /// <summary>The names of the files and folders in a folder.</summary>
    public static IEnumerable<string> Names(string folder) =>
        Directory.GetFileSystemEntries(folder).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal);

    /// <summary>Copies a folder with everything in it.</summary>
    public static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string file in Directory.GetFiles(from))
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
        foreach (string folder in Directory.GetDirectories(from))
            Copy(folder, Path.Combine(to, Path.GetFileName(folder)));
    }
}
