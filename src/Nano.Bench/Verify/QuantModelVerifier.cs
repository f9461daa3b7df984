using System.Text.Json;

namespace Nano;

/// <summary>
/// Quantised models against golden values: types and bytes of their tensors, logits and losses by
/// dequantised weights and by whole numbers, and greedy continuations.
/// </summary>
internal sealed class QuantModelVerifier : IDisposable
{
    // Logits in units of their standard deviation; losses in nats; leads of the likeliest id in logits.
    private const double ExactLogits = 1e-5, Losses = 2e-3, ExactLead = 1e-4;
    private const double OfRms = 1.5, OfLargest = 2, OfFloat32 = 4, LeastRms = 1e-3, OfLlamaCpp = 2.5, LeadsOfRms = 6;

    private readonly JsonElement index;
    private readonly SafetensorsReader golden;
    private readonly QuantModelFiles files;
    private readonly Compute compute;
    private readonly int[] positions;

    private QuantModelVerifier(string directory, JsonElement index, Compute compute, string dataFolder)
    {
        (this.index, this.compute) = (index, compute);
        positions = [.. index.GetProperty("positions").EnumerateArray().Select(position => position.GetInt32())];
        golden = SafetensorsReader.Open(Path.Combine(directory, "golden.safetensors"));
        files = new QuantModelFiles(directory, dataFolder);
    }

    /// <summary>Checks every file of every model of the index.</summary>
    /// <param name="directory">The folder.</param>
    /// <param name="index">Its index.</param>
    /// <param name="compute">The context to run in.</param>
    /// <param name="dataFolder">The folder of public files.</param>
    /// <exception cref="NanoException">A file is missing.</exception>
    /// <exception cref="BadFileException">A file is damaged, or names a type that is not known here.</exception>
    public static IReadOnlyList<GoldenCheck> Run(string directory, GoldenIndex index, Compute compute,
        string dataFolder)
    {
        using var verifier = index.Read("positions",
            () => new QuantModelVerifier(directory, index.Root, compute, dataFolder));
        var checks = new List<GoldenCheck>();
        foreach (var model in index.Read("models", () => index.Root.GetProperty("models").EnumerateArray().ToList()))
            foreach (var entry in index.Read("models", () => model.GetProperty("files").EnumerateArray().ToList()))
            {
                string of = index.Read("models", () => $"{model.GetProperty("name").GetString()} "
                    + entry.GetProperty("type").GetString());
                checks.AddRange(index.Read(of, () => verifier.Check(of, model, entry).ToList()));
            }
        return checks.Count > 0 ? checks : throw new BadFileException(index.Path, "it holds no models");
    }

    private IEnumerable<GoldenCheck> Check(string of, JsonElement model, JsonElement entry)
    {
        string? kept = files.Kept(entry), made = files.Make(entry);
        if (kept is not null)
            foreach (var check in QuantModelFiles.Compare(of, "the file", kept, entry))
                yield return check;
        if (made is not null)
            foreach (var check in QuantModelFiles.Compare(of, "quantised again", made, entry))
                yield return check;
        else if (model.GetProperty("files").EnumerateArray().Select(files.Kept).FirstOrDefault(path => path is not null)
            is { } other)
            yield return QuantModelFiles.CompareMix(of, other, entry);
        else
            yield return GoldenCheck.Skip(of, "types and bytes",
                "neither its source nor a file of the model is at hand");
        if (!entry.TryGetProperty("nll", out _))
            yield break;
        if ((kept ?? made) is not { } path)
        {
            yield return GoldenCheck.Skip(of, "logits, losses and ids", "neither the file nor its source is at hand");
            yield break;
        }
        var values = new Values(model.GetProperty("name").GetString()!, entry,
            model.GetProperty("logit_std").GetDouble());
        foreach (bool exact in (bool[])[true, false])
            foreach (var check in Run(of, path, values, exact))
                yield return check;
    }

    /// <summary>The golden values of a file.</summary>
    private sealed record Values(string Model, JsonElement Entry, double Deviation)
    {
        /// <summary>The name of a tensor of logits.</summary>
        public string Logits(string arithmetic) => $"{Model}-{Entry.GetProperty("type").GetString()}.{arithmetic}";

        /// <summary>An error that golden values have among themselves, over the deviation.</summary>
        public double Error(string measure, string of) => Entry.GetProperty(measure).GetProperty(of).GetDouble();
    }

    /// <summary>Runs a file, with weights dequantised or with activations in 8 bits.</summary>
    private IEnumerable<GoldenCheck> Run(string of, string path, Values values, bool isExact)
    {
        using var source = ModelLoader.Open(path);
        using var loaded = source.LoadToRun(isExact);
        int[] ids = Ids($"{values.Model}.ids");
        var (logits, loss) = QuantLosses.Of(loaded, ids, compute);
        int vocabulary = source.Config.VocabSize;
        string name = isExact ? "exact path" : "integer path";
        foreach (var check in Logits(of, values, logits, vocabulary, isExact))
            yield return check;
        yield return new(of, $"{name}, loss, nats", ids.Length - 1,
            Math.Abs(loss - values.Entry.GetProperty("nll").GetProperty("exact").GetDouble()), Losses);
        yield return Greedy(of, values, loaded, ids, isExact);
    }

    private IEnumerable<GoldenCheck> Logits(string of, Values values, float[] logits, int vocabulary, bool isExact)
    {
        var (rms, largest) = Error(logits, values, "exact", vocabulary);
        int count = positions.Length * vocabulary;
        if (isExact)
        {
            yield return new(of, "exact path, largest error of logits", count, largest, ExactLogits);
            yield break;
        }
        yield return new(of, "integer path, rms error of logits", count, rms,
            OfRms * values.Error("rms_over_std", "nano8_of_exact"));
        yield return new(of, "integer path, largest error of logits", count, largest,
            OfLargest * values.Error("max_over_std", "nano8_of_exact"));
        yield return new(of, "integer path, rms to that arithmetic in float64", count,
            Error(logits, values, "nano8", vocabulary).Rms,
            Math.Max(OfFloat32 * values.Error("rms_over_std", "float32_nano8_of_nano8"), LeastRms));
        yield return new(of, "integer path, rms to llama.cpp", count,
            Error(logits, values, "llamacpp", vocabulary).Rms,
            OfLlamaCpp * values.Error("rms_over_std", "llamacpp_of_exact"));
    }

    /// <summary>The error of logits at some positions, in units of the standard deviation of all.</summary>
    private (double Rms, double Largest) Error(float[] logits, Values values, string arithmetic, int vocabulary)
    {
        float[] expected = new float[Count(values.Logits(arithmetic))];
        golden.ReadFloat32(values.Logits(arithmetic), expected);
        if (expected.Length != positions.Length * vocabulary)
            throw new BadFileException(golden.Path, $"tensor {Quoted.Of(values.Logits(arithmetic))} has "
                + $"{expected.Length} elements; expected {positions.Length} positions of {vocabulary}");
        double squares = 0, largest = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            double error = (logits[(positions[i / vocabulary] * vocabulary) + (i % vocabulary)] - (double)expected[i])
                / values.Deviation;
            squares += error * error;
            largest = Math.Max(largest, Math.Abs(error));
        }
        return (Math.Sqrt(squares / expected.Length), largest);
    }

    /// <summary>
    /// The likeliest continuation; the comparison ends before the first id whose lead is too small
    /// to be told apart by this arithmetic.
    /// </summary>
    private GoldenCheck Greedy(string of, Values values, LanguageModel model, int[] ids, bool isExact)
    {
        var greedy = values.Entry.GetProperty("greedy");
        double lead = isExact ? ExactLead
            : LeadsOfRms * values.Error("rms_over_std", "nano8_of_exact") * values.Deviation;
        int[] expected = [.. greedy.GetProperty("exact").EnumerateArray().Select(id => id.GetInt32())
            .Zip(greedy.GetProperty("exact_leads").EnumerateArray().Select(number => number.GetDouble()))
            .TakeWhile(pair => pair.Second > lead).Select(pair => pair.First)];
        int[] prompt = ids[..index.GetProperty("greedy_prompt").GetInt32()];
        using var generator = new Generator(model, compute);
        int same = generator.Continue(prompt, new SamplerOptions { Temperature = 0 }).Take(expected.Length)
            .Zip(expected).Count(pair => pair.First == pair.Second);
        return new(of, $"{(isExact ? "exact" : "integer")} path, greedy ids that differ", expected.Length,
            expected.Length - same, 0);
    }

    private int[] Ids(string name)
    {
        var ids = new long[Count(name)];
        golden.ReadInt64(name, ids);
        return Array.ConvertAll(ids, id => checked((int)id));
    }

    private long Count(string name) => golden.Entries.TryGetValue(name, out var entry) ? entry.Count
        : throw new BadFileException(golden.Path, $"tensor {Quoted.Of(name)} is missing");

    public void Dispose()
    {
        files.Dispose();
        golden.Dispose();
    }
}
