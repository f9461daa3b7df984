using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Nano;

/// <summary>
/// A run's state in a folder of its own, step-000250 for example: the model as a Hugging Face directory, optimizer.safetensors with the
/// optimizer's state, trainer.json with the step and the options. The folder is written under another name, flushed and renamed, and only
/// then does the file "latest" point to it and the folder before it go: whenever the process dies, the newest whole checkpoint is there.
/// </summary>
public static class Checkpoint
{
    private const string OptimizerFile = "optimizer.safetensors", StateFile = "trainer.json";

    /// <summary>Saves and returns the checkpoint's folder.</summary>
    /// <exception cref="NanoException">It cannot be written; the previous checkpoint is untouched.</exception>
    public static string Save(string run, LanguageModel model, ITokenizer tokenizer, RunState state)
    {
        string folder = Folder(run, state.Step), name = Path.GetFileName(folder), temporary = folder + ".tmp";
        try
        {
            if (Directory.Exists(temporary))
                Directory.Delete(temporary, recursive: true);
            if (!Directory.Exists(folder)) // a folder of this step is whole, and equal: a run is a function of its options
            {
                Directory.CreateDirectory(temporary);
                ModelDirectory.Save(temporary, model, tokenizer);
                SafetensorsWriter.Write(Path.Combine(temporary, OptimizerFile),
                    [.. state.Tensors.Select(slot => TypeOf(slot.Tensor) == SafetensorsType.I32
                        ? new SafetensorsTensor(slot.Name, SafetensorsType.I32, ModelDirectory.Dims(slot.Tensor.Shape), stream => stream.Write(MemoryMarshal.AsBytes(slot.Tensor.Ids)))
                        : new SafetensorsTensor(slot.Name, ModelDirectory.Dims(slot.Tensor.Shape), () => slot.Tensor.Data))]);
                AtomicFile.Write(Path.Combine(temporary, StateFile), stream => WriteState(stream, state));
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
            throw new NanoException($"the checkpoint of step {state.Step} could not be saved in '{run}': {e.Message}",
                "the checkpoint before it is whole; make room or allow writing, then continue with --resume", e);
        }
    }

    /// <summary>Whether a run's folder has a checkpoint.</summary>
    public static bool Exists(string run) => File.Exists(Path.Combine(run, ModelDirectory.Latest));

    /// <summary>Puts the newest checkpoint of a run into a model and its state.</summary>
    /// <exception cref="NanoException">There is none, or it was made with other options; each one that differs is listed.</exception>
    /// <exception cref="BadFileException">It is damaged.</exception>
    public static void Load(string run, LanguageModel model, RunState state)
    {
        if (!Exists(run))
            throw new NanoException($"there is no checkpoint to resume in '{run}'", "leave out --resume to start a run there");
        string folder = ModelDirectory.Resolve(run), statePath = Path.Combine(folder, StateFile);
        var (step, numbers) = ReadState(statePath, state.Options);
        if (Path.GetFileName(folder) != Path.GetFileName(Folder(run, step)))
            throw new BadFileException(statePath, $"it says step {step}, in the folder '{Path.GetFileName(folder)}'");
        using var saved = ModelDirectory.Load(folder).Model;
        if (saved.Config != model.Config)
            throw new BadFileException(Path.Combine(folder, "config.json"), "it describes another model than the run's options");
        using var tensors = OpenTensors(Path.Combine(folder, OptimizerFile), state);
        // Every file is whole and fits: from here on nothing is left half loaded.
        for (int i = 0; i < saved.Parameters.All.Count; i++)
            model.Parameters.All[i].CopyFrom(saved.Parameters.All[i]);
        foreach (var (name, tensor) in state.Tensors)
            if (TypeOf(tensor) == SafetensorsType.I32)
                tensors.ReadInt32(name, tensor.Ids);
            else
                tensors.ReadFloat32(name, tensor.Data);
        state.Step = step;
        state.Numbers.Clear();
        foreach (var (name, value) in numbers)
            state.Numbers.Add(name, value);
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

    private static SafetensorsType TypeOf(Tensor tensor) => tensor.Type == DType.Int32 ? SafetensorsType.I32 : SafetensorsType.F32;

    private static SafetensorsReader OpenTensors(string path, RunState state)
    {
        var tensors = SafetensorsReader.Open(path);
        foreach (var (name, tensor) in state.Tensors)
        {
            if (tensors.Entries.TryGetValue(name, out var entry) && entry.Type == TypeOf(tensor) && entry.Shape.SequenceEqual(ModelDirectory.Dims(tensor.Shape)))
                continue;
            tensors.Dispose();
            throw new BadFileException(path, $"tensor '{name}' of type {TypeOf(tensor)} and shape {tensor.Shape} is missing");
        }
        return tensors;
    }

    private static void WriteState(Stream stream, RunState state)
    {
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true, NewLine = "\n" });
        json.WriteStartObject();
        json.WriteNumber("version", 1);
        json.WriteNumber("step", state.Step);
        json.WriteStartObject("options");
        foreach (var (key, value) in state.Options)
            json.WriteString(key, value);
        json.WriteEndObject();
        json.WriteStartObject("numbers");
        foreach (var (key, value) in state.Numbers)
            json.WriteString(key, value.ToString("R", CultureInfo.InvariantCulture));
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static (long Step, Dictionary<string, double> Numbers) ReadState(string path, IReadOnlyDictionary<string, string> options)
    {
        long step;
        var saved = new Dictionary<string, string>(StringComparer.Ordinal);
        var numbers = new Dictionary<string, double>(StringComparer.Ordinal);
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(path));
            if (json.RootElement.GetProperty("version").GetInt32() != 1)
                throw new BadFileException(path, "it is of a later version of Nano");
            step = json.RootElement.GetProperty("step").GetInt64();
            foreach (var option in json.RootElement.GetProperty("options").EnumerateObject())
                saved[option.Name] = option.Value.GetString() ?? "";
            foreach (var number in json.RootElement.GetProperty("numbers").EnumerateObject())
                numbers[number.Name] = double.Parse(number.Value.GetString() ?? "", CultureInfo.InvariantCulture);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException and not BadFileException or FileNotFoundException)
        {
            throw new BadFileException(path, $"not a trainer state: {e.Message}", e);
        }
        if (step < 0)
            throw new BadFileException(path, $"step {step} is negative");
        var differences = options.Keys.Union(saved.Keys).Where(key => saved.GetValueOrDefault(key) != options.GetValueOrDefault(key))
            .Select(key => $"{key} was {saved.GetValueOrDefault(key, "not set")} and is now {options.GetValueOrDefault(key, "not set")}").ToList();
        return differences.Count == 0 ? (step, numbers)
            : throw new NanoException("the run to resume was started with other options: " + string.Join("; ", differences), "use the same options, or another --out");
    }
}
