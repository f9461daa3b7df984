using System.Text.Json;

namespace Nano;

/// <summary>
/// A run's state in a folder of its own, step-000250 for example: the model as a Hugging Face directory, optimizer.safetensors with both
/// moments, trainer.json with the step and the options. The folder is written under another name, flushed and renamed, and only
/// then does the file "latest" point to it and the folder before it go: whenever the process dies, the newest whole checkpoint is there.
/// </summary>
public static class Checkpoint
{
    private const string OptimizerFile = "optimizer.safetensors", StateFile = "trainer.json";

    /// <summary>Saves after <paramref name="step"/> updates and returns the checkpoint's folder.</summary>
    /// <exception cref="NanoException">It cannot be written; the previous checkpoint is untouched.</exception>
    public static string Save(string run, long step, LanguageModel model, ITokenizer tokenizer, AdamW optimizer, IReadOnlyDictionary<string, string> options)
    {
        string folder = Folder(run, step), name = Path.GetFileName(folder), temporary = folder + ".tmp";
        try
        {
            if (Directory.Exists(temporary))
                Directory.Delete(temporary, recursive: true);
            if (!Directory.Exists(folder)) // a folder of this step is whole, and equal: a run is a function of its options
            {
                Directory.CreateDirectory(temporary);
                ModelDirectory.Save(temporary, model, tokenizer);
                SafetensorsWriter.Write(Path.Combine(temporary, OptimizerFile),
                    [.. optimizer.State.Select(slot => new SafetensorsTensor(slot.Name, ModelDirectory.Dims(slot.Tensor.Shape), () => slot.Tensor.Data))]);
                AtomicFile.Write(Path.Combine(temporary, StateFile), stream => WriteState(stream, step, options));
                Directory.Move(temporary, folder);
            }
            AtomicFile.Write(Path.Combine(run, ModelDirectory.Latest), stream => stream.Write(System.Text.Encoding.ASCII.GetBytes(name + "\n")));
            DeleteFolders(run, except: name);
            return folder;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NanoException)
        {
            try
            {
                Directory.Delete(temporary, recursive: true);
            }
            catch (Exception again) when (again is IOException or UnauthorizedAccessException)
            {
                // Nothing more can be done about the remains; the error that matters is the first.
            }
            throw new NanoException($"the checkpoint of step {step} could not be saved in '{run}': {e.Message}",
                "the checkpoint before it is whole; make room or allow writing, then continue with --resume", e);
        }
    }

    /// <summary>Whether a run's folder has a checkpoint.</summary>
    public static bool Exists(string run) => File.Exists(Path.Combine(run, ModelDirectory.Latest));

    /// <summary>Puts the newest checkpoint of a run into a model and its optimizer, and returns the number of updates done.</summary>
    /// <exception cref="NanoException">There is none, or it was made with other options; each one that differs is listed.</exception>
    /// <exception cref="BadFileException">It is damaged.</exception>
    public static long Load(string run, LanguageModel model, AdamW optimizer, IReadOnlyDictionary<string, string> options)
    {
        if (!Exists(run))
            throw new NanoException($"there is no checkpoint to resume in '{run}'", "leave out --resume to start a run there");
        string folder = ModelDirectory.Resolve(run), statePath = Path.Combine(folder, StateFile);
        long step = ReadState(statePath, options);
        if (Path.GetFileName(folder) != Path.GetFileName(Folder(run, step)))
            throw new BadFileException(statePath, $"it says step {step}, in the folder '{Path.GetFileName(folder)}'");
        using var saved = ModelDirectory.Load(folder).Model;
        if (saved.Config != model.Config)
            throw new BadFileException(Path.Combine(folder, "config.json"), "it describes another model than the run's options");
        using var moments = OpenMoments(Path.Combine(folder, OptimizerFile), optimizer);
        // Every file is whole and fits: from here on nothing is left half loaded.
        for (int i = 0; i < saved.Parameters.All.Count; i++)
            model.Parameters.All[i].CopyFrom(saved.Parameters.All[i]);
        foreach (var (name, tensor) in optimizer.State)
            moments.ReadFloat32(name, tensor.Data);
        optimizer.StepCount = step;
        return step;
    }

    /// <summary>Where the checkpoint after this many updates lies.</summary>
    public static string Folder(string run, long step) => Path.Combine(run, $"step-{step:D6}");

    /// <summary>Deletes every checkpoint of a run; "latest" first, so that it never points to a folder that is gone.</summary>
    public static void DeleteAll(string run)
    {
        File.Delete(Path.Combine(run, ModelDirectory.Latest));
        DeleteFolders(run, except: null);
    }

    private static void DeleteFolders(string run, string? except)
    {
        foreach (string old in Directory.EnumerateDirectories(run, "step-*").Where(old => Path.GetFileName(old) != except).ToList())
            Directory.Delete(old, recursive: true);
    }

    private static SafetensorsReader OpenMoments(string path, AdamW optimizer)
    {
        var moments = SafetensorsReader.Open(path);
        foreach (var (name, tensor) in optimizer.State)
        {
            if (moments.Entries.TryGetValue(name, out var entry) && entry.Type == SafetensorsType.F32 && entry.Shape.SequenceEqual(ModelDirectory.Dims(tensor.Shape)))
                continue;
            moments.Dispose();
            throw new BadFileException(path, $"tensor '{name}' of type F32 and shape {tensor.Shape} is missing");
        }
        return moments;
    }

    private static void WriteState(Stream stream, long step, IReadOnlyDictionary<string, string> options)
    {
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true, NewLine = "\n" });
        json.WriteStartObject();
        json.WriteNumber("version", 1);
        json.WriteNumber("step", step);
        json.WriteStartObject("options");
        foreach (var (key, value) in options)
            json.WriteString(key, value);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static long ReadState(string path, IReadOnlyDictionary<string, string> options)
    {
        long step;
        var saved = new Dictionary<string, string>(StringComparer.Ordinal);
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(path));
            if (json.RootElement.GetProperty("version").GetInt32() != 1)
                throw new BadFileException(path, "it is of a later version of Nano");
            step = json.RootElement.GetProperty("step").GetInt64();
            foreach (var option in json.RootElement.GetProperty("options").EnumerateObject())
                saved[option.Name] = option.Value.GetString() ?? "";
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException and not BadFileException or FileNotFoundException)
        {
            throw new BadFileException(path, $"not a trainer state: {e.Message}", e);
        }
        if (step < 0)
            throw new BadFileException(path, $"step {step} is negative");
        var differences = options.Keys.Union(saved.Keys).Where(key => saved.GetValueOrDefault(key) != options.GetValueOrDefault(key))
            .Select(key => $"{key} was {saved.GetValueOrDefault(key, "not set")} and is now {options.GetValueOrDefault(key, "not set")}").ToList();
        return differences.Count == 0 ? step
            : throw new NanoException("the run to resume was started with other options: " + string.Join("; ", differences), "use the same options, or another --out");
    }
}
