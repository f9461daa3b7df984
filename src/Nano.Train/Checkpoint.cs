using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace Nano;

/// <summary>
/// A run's state in a folder of its own, step-000250 for example: the model as a Hugging Face directory, optimizer.safetensors with the optimizer's
/// tensors, trainer.json with the step and all options. The folder is written under another name, flushed and renamed; only then do the files
/// "latest" and, if its validation loss is the lowest so far, "best" name it, and only then do older folders go, by being renamed first. So whenever
/// the process dies, every folder without ".tmp" is a whole checkpoint, and what "latest" and "best" name is there.
/// </summary>
public static class Checkpoint
{
    private const string OptimizerFile = "optimizer.safetensors", StateFile = "trainer.json", Temporary = ".tmp", Replaced = ".old" + Temporary, Prefix = "step-";

    /// <summary>The folder inside a checkpoint that holds the averaged weights as a model, where a run keeps them.</summary>
    public const string AverageFolder = "ema";

    /// <summary>Saves and returns the checkpoint's folder. As many of the newest stay as the options say, and the best.</summary>
    /// <param name="run">The run's folder.</param>
    /// <param name="model">The weights.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <param name="state">All else.</param>
    /// <param name="isBest">Whether its validation loss is the lowest so far.</param>
    /// <param name="average">The averaged weights, to be opened as a model too, or null.</param>
    /// <param name="chatTemplate">The chat template of the model that the run started from, or null.</param>
    /// <exception cref="NanoException">It cannot be written; the previous checkpoint is untouched.</exception>
    public static string Save(string run, LanguageModel model, ITokenizer tokenizer, RunState state, bool isBest = false, LanguageModel? average = null,
        string? chatTemplate = null)
    {
        string folder = Folder(run, state.Step), name = Path.GetFileName(folder), temporary = folder + Temporary;
        try
        {
            if (Directory.Exists(temporary))
                Directory.Delete(temporary, recursive: true);
            if (!Holds(folder, state)) // a folder of this step is whole; and equal, unless the run went back after it and came another way
            {
                Directory.CreateDirectory(temporary);
                ModelDirectory.Save(temporary, model, tokenizer, chatTemplate);
                if (average is not null)
                    ModelDirectory.Save(Directory.CreateDirectory(Path.Combine(temporary, AverageFolder)).FullName, average, tokenizer, chatTemplate);
                SafetensorsWriter.Write(Path.Combine(temporary, OptimizerFile),
                    [.. state.Tensors.Select(slot => TypeOf(slot.Tensor) == SafetensorsType.I32
                        ? new SafetensorsTensor(slot.Name, SafetensorsType.I32, ModelDirectory.Dims(slot.Tensor.Shape), stream => stream.Write(MemoryMarshal.AsBytes(slot.Tensor.Ids)))
                        : new SafetensorsTensor(slot.Name, ModelDirectory.Dims(slot.Tensor.Shape), () => slot.Tensor.Data))]);
                AtomicFile.Write(Path.Combine(temporary, StateFile), stream => RunStateFile.Write(stream, state));
                if (Directory.Exists(folder))
                    Directory.Move(folder, folder + Replaced);
                Directory.Move(temporary, folder);
            }
            if (isBest)
                Point(run, ModelDirectory.Best, name); // before "latest": a run that dies in between comes here again
            Point(run, ModelDirectory.Latest, name);
            Rotate(run, state);
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

    /// <summary>Whether a folder is the checkpoint of a state.</summary>
    private static bool Holds(string folder, RunState state)
    {
        if (!Directory.Exists(folder))
            return false;
        using var expected = new MemoryStream();
        RunStateFile.Write(expected, state);
        return File.ReadAllBytes(Path.Combine(folder, StateFile)).AsSpan().SequenceEqual(expected.GetBuffer().AsSpan(0, (int)expected.Length));
    }

    /// <summary>Whether a run's folder has a checkpoint.</summary>
    public static bool Exists(string run) => File.Exists(Path.Combine(run, ModelDirectory.Latest));

    /// <summary>What the newest checkpoint of a run says of it: everything but tensors.</summary>
    /// <exception cref="NanoException">There is none.</exception>
    /// <exception cref="BadFileException">It is damaged.</exception>
    public static RunState Read(string run)
    {
        if (!Exists(run))
            throw new NanoException($"there is no checkpoint to resume in '{run}'", "leave out --resume to start a run there");
        string folder = ModelDirectory.Resolve(run), path = Path.Combine(folder, StateFile);
        var saved = RunStateFile.Read(path);
        return Path.GetFileName(folder) == Path.GetFileName(Folder(run, saved.Step)) ? saved
            : throw new BadFileException(path, $"it says step {saved.Step}, in the folder '{Path.GetFileName(folder)}'");
    }

    /// <summary>The chat template that the newest checkpoint of a run carries, or null.</summary>
    /// <exception cref="NanoException">There is no checkpoint, or the file cannot be read.</exception>
    public static string? ChatTemplate(string run) => ModelDirectory.ReadChatTemplate(Folder(run, Read(run).Step));

    /// <summary>Puts the newest checkpoint of a run into a model and its state.</summary>
    /// <exception cref="NanoException">There is none, or it was made with other options; each one that differs is listed.</exception>
    /// <exception cref="BadFileException">It is damaged.</exception>
    public static void Load(string run, LanguageModel model, RunState state)
    {
        var saved = Read(run);
        if (state.DifferencesFrom(saved) is { Count: > 0 } differences)
            throw new NanoException("the run to resume was started with other options: " + string.Join("; ", differences),
                "leave them out to continue the run as it was, or start another one with another --out");
        string folder = Folder(run, saved.Step);
        using var loaded = ModelDirectory.Load(folder).Model;
        if (loaded.Config != model.Config)
            throw new BadFileException(Path.Combine(folder, "config.json"), "it describes another model than the run's options");
        using var tensors = OpenTensors(Path.Combine(folder, OptimizerFile), state);
        // Every file is whole and fits: from here on nothing is left half loaded.
        for (int i = 0; i < loaded.Parameters.All.Count; i++)
            model.Parameters.All[i].CopyFrom(loaded.Parameters.All[i]);
        foreach (var (name, tensor) in state.Tensors)
            if (TypeOf(tensor) == SafetensorsType.I32)
                tensors.ReadInt32(name, tensor.Ids);
            else
                tensors.ReadFloat32(name, tensor.Data);
        state.Step = saved.Step;
        state.Numbers.Clear();
        foreach (var (name, value) in saved.Numbers)
            state.Numbers.Add(name, value);
    }

    /// <summary>Where the checkpoint after this many updates lies.</summary>
    public static string Folder(string run, long step) => Path.Combine(run, $"{Prefix}{step:D6}");

    /// <summary>Deletes every checkpoint of a run; what points to them first, so that it never points to a folder that is gone.</summary>
    public static void DeleteAll(string run)
    {
        File.Delete(Path.Combine(run, ModelDirectory.Latest));
        File.Delete(Path.Combine(run, ModelDirectory.Best));
        Delete(run, kept: []);
    }

    /// <summary>Deletes all checkpoints but the newest up to the state's own step, and the best.</summary>
    private static void Rotate(string run, RunState state)
    {
        foreach (string pointer in (string[])[ModelDirectory.Latest, ModelDirectory.Best])
            AtomicFile.RemoveRemains(Path.Combine(run, pointer));
        string best = Path.Combine(run, ModelDirectory.Best);
        var newest = Directory.EnumerateDirectories(run, Prefix + "*").Select(StepOf).OfType<long>().Where(step => step <= state.Step).OrderDescending().Take(state.Options.Keep);
        Delete(run, [.. newest.Select(step => Path.GetFileName(Folder(run, step))), .. File.Exists(best) ? new[] { File.ReadAllText(best).Trim() } : []]);
    }

    private static SafetensorsType TypeOf(Tensor tensor) => tensor.Type == DType.Int32 ? SafetensorsType.I32 : SafetensorsType.F32;

    private static void Delete(string run, HashSet<string> kept)
    {
        foreach (string old in Directory.EnumerateDirectories(run, Prefix + "*").Where(old => !kept.Contains(Path.GetFileName(old))).ToList())
        {
            string dying = old;
            if (StepOf(old) is not null)
            {
                dying += Temporary;
                if (Directory.Exists(dying))
                    Directory.Delete(dying, recursive: true);
                Directory.Move(old, dying);
            }
            else if (!old.EndsWith(Temporary, StringComparison.Ordinal) || StepOf(Path.GetFileName(old).Split('.')[0]) is null)
                continue; // none of ours
            if (Directory.Exists(dying))
                Directory.Delete(dying, recursive: true);
        }
    }

    /// <summary>The step whose checkpoint a folder of this name is, or null.</summary>
    private static long? StepOf(string folder) =>
        long.TryParse(Path.GetFileName(folder).AsSpan(Prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out long step) && Path.GetFileName(Folder("", step)) == Path.GetFileName(folder) ? step : null;

    private static void Point(string run, string pointer, string name) => AtomicFile.Write(Path.Combine(run, pointer), stream => stream.Write(Encoding.ASCII.GetBytes(name + "\n")));

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
}
