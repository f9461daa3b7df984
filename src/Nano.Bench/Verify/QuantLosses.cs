using System.Text.Json;

namespace Nano;

/// <summary>The loss of a quantised model on the ids of its golden values, in nats.</summary>
/// <param name="Model">The model.</param>
/// <param name="Type">The type of the file.</param>
/// <param name="BitsPerWeight">Bits of all tensors over the number of their elements.</param>
/// <param name="Exact">The loss by dequantised weights.</param>
/// <param name="Integer">The loss by whole numbers, with activations in 8 bits.</param>
/// <param name="LlamaCpp">llama.cpp's, where the index has it.</param>
/// <param name="Source">The loss of the model before quantisation, where the index has it.</param>
public sealed record QuantLoss(string Model, string Type, double BitsPerWeight, double Exact, double Integer,
    double? LlamaCpp, double? Source);

/// <summary>
/// Losses of all models and types of a folder of quantised models: of those that lie there, and of
/// those that are quantised again from their sources.
/// </summary>
public static class QuantLosses
{
    /// <summary>
    /// The losses of a folder, in the order of its index; none of files that are not at hand.
    /// </summary>
    /// <param name="directory">The folder.</param>
    /// <param name="compute">The context to run in.</param>
    /// <param name="dataFolder">The folder of public files.</param>
    /// <exception cref="NanoException">A file is missing.</exception>
    /// <exception cref="BadFileException">A file is damaged.</exception>
    public static IReadOnlyList<QuantLoss> Of(string directory, Compute compute, string dataFolder)
    {
        using var index = GoldenIndex.Open(Path.Combine(directory, "index.json"));
        return index.Read("models", () =>
        {
            using var golden = SafetensorsReader.Open(Path.Combine(directory, "golden.safetensors"));
            using var files = new QuantModelFiles(directory, dataFolder);
            var losses = new List<QuantLoss>();
            foreach (var model in index.Root.GetProperty("models").EnumerateArray())
                foreach (var entry in model.GetProperty("files").EnumerateArray())
                    if ((files.Kept(entry) ?? files.Make(entry)) is { } path)
                        losses.Add(Measure(model, entry, path, golden, compute));
            return losses;
        });
    }

    private static QuantLoss Measure(JsonElement model, JsonElement entry, string path, SafetensorsReader golden,
        Compute compute)
    {
        string name = model.GetProperty("name").GetString()!;
        var tensors = StoredTensors.Of(path);
        long[] ids = new long[golden.Entries[$"{name}.ids"].Count];
        golden.ReadInt64($"{name}.ids", ids);
        double Loss(bool isExact)
        {
            using var source = ModelLoader.Open(path);
            using var loaded = source.LoadToRun(isExact);
            return Of(loaded, Array.ConvertAll(ids, id => checked((int)id)), compute).Loss;
        }
        return new QuantLoss(name, entry.GetProperty("type").GetString()!,
            8.0 * tensors.Sum(tensor => tensor.Bytes ?? 0) / tensors.Sum(tensor => tensor.Count), Loss(true),
            Loss(false), entry.TryGetProperty("nll", out var nll) ? nll.GetProperty("llamacpp").GetDouble() : null,
            model.TryGetProperty("nll_source", out var before) ? before.GetDouble() : null);
    }

    /// <summary>
    /// The logits of some ids, and the mean loss of all but the first, in double precision.
    /// </summary>
    internal static (float[] Logits, double Loss) Of(LanguageModel model, int[] ids, Compute compute)
    {
        compute.NextStep();
        float[] logits = model.Forward(compute, Tensor.FromIds(new Shape(1, ids.Length), ids)).Data.ToArray();
        compute.NextStep();
        int vocabulary = model.Config.VocabSize;
        double sum = 0;
        for (int i = 1; i < ids.Length; i++)
        {
            var row = logits.AsSpan((i - 1) * vocabulary, vocabulary);
            double largest = double.NegativeInfinity, total = 0;
            foreach (float logit in row)
                largest = Math.Max(largest, logit);
            foreach (float logit in row)
                total += Math.Exp(logit - largest);
            sum += largest + Math.Log(total) - row[ids[i]];
        }
        return (logits, sum / (ids.Length - 1));
    }
}
