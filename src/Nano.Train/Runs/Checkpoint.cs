using System.Runtime.InteropServices;
using System.Text;

namespace Nano;

/// <summary>
/// A run's state in a folder of its own, step-000250 for example: the model as a Hugging Face
/// directory, optimizer.safetensors with the optimizer's tensors, trainer.json with the step and
/// all options. The folder is written under another name, flushed and renamed; only then do the
/// files "latest" and, if its validation loss is the lowest so far, "best" name it, and only then
/// do older folders go, by being renamed first. So whenever the process dies, every folder without
/// ".tmp" is a whole checkpoint, and what "latest" and "best" name is there, or, where a step was
/// saved once more, beside it under the name of a folder that is being replaced.
/// </summary>
public static class Checkpoint
{
    private const int MostTries = 5;

    /// <summary>
    /// The folder inside a checkpoint that holds the averaged weights as a model, where a run keeps
    /// them.
    /// </summary>
    public const string AverageFolder = "ema";

    /// <summary>
    /// Saves and returns the checkpoint's folder. As many of the newest stay as the options say,
    /// and the best.
    /// </summary>
    /// <param name="run">The run's folder.</param>
    /// <param name="model">The weights.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <param name="state">All else.</param>
    /// <param name="isBest">Whether its validation loss is the lowest so far.</param>
    /// <param name="average">The averaged weights, to be opened as a model too, or null.</param>
    /// <param name="kept">Receives the new names of folders that would have gone but hold foreign files.</param>
    /// <param name="chatTemplate">The chat template of the model that the run started from, or null.</param>
    /// <exception cref="NanoException">It cannot be written; the previous checkpoint is untouched.</exception>
    public static string Save(string run, LanguageModel model, ITokenizer tokenizer, RunState state,
        bool isBest = false, LanguageModel? average = null,
        ICollection<string>? kept = null, string? chatTemplate = null)
    {
        string folder = Folder(run, state.Step), name = Path.GetFileName(folder);
        kept ??= [];
        try
        {
            CheckpointFolders.Clean(run, kept);
            // a folder of this step is whole; and equal, unless the run went back after it and came another
            // way
            if (!Holds(folder, state))
            {
                Write(Directory.CreateDirectory(folder + CheckpointFolders.Temporary).FullName, model, tokenizer, state,
                    average, chatTemplate);
                AtomicFolder.Swap(folder);
            }
            if (isBest)
                Point(run, ModelFolder.Best, name); // before "latest": a run that dies in between comes here again
            Point(run, ModelFolder.Latest, name);
            Rotate(run, state, kept);
            return folder;
        }
        catch (Exception e) when (AtomicFile.IsOfTheDisk(e) || e is NanoException)
        {
            try
            {
                CheckpointFolders.Clean(run, kept);
            }
            catch (Exception again) when (again is IOException or UnauthorizedAccessException)
            {
                // Nothing more can be done about the remains; the error that matters is the first.
            }
            throw new NanoException($"the checkpoint of step {state.Step} could not be saved in '{run}': {e.Message}",
                "the checkpoint before it is whole; make room or allow writing, then continue with `resume`", e);
        }
    }

    private static void Write(string folder, LanguageModel model, ITokenizer tokenizer, RunState state,
        LanguageModel? average, string? chatTemplate)
    {
        ModelDirectory.Save(folder, model, tokenizer, chatTemplate);
        if (average is not null)
            ModelDirectory.Save(Directory.CreateDirectory(Path.Combine(folder, AverageFolder)).FullName, average,
                tokenizer, chatTemplate);
        SafetensorsWriter.Write(Path.Combine(folder, CheckpointFolders.OptimizerFile),
            [.. state.Tensors.Select(slot => TypeOf(slot.Tensor) == SafetensorsType.I32
                ? new SafetensorsTensor(slot.Name, SafetensorsType.I32, slot.Tensor.Shape.ToArray(),
                    stream => stream.Write(MemoryMarshal.AsBytes(slot.Tensor.Ids)))
                : new SafetensorsTensor(slot.Name, slot.Tensor.Shape.ToArray(), () => slot.Tensor.Data))]);
        AtomicFile.Write(Path.Combine(folder, CheckpointFolders.StateFile),
            stream => RunStateFile.Write(stream, state));
    }

    /// <summary>True if a folder holds the checkpoint of a state.</summary>
    private static bool Holds(string folder, RunState state)
    {
        if (!CheckpointFolders.IsWhole(folder))
            return false;
        using var expected = new MemoryStream();
        RunStateFile.Write(expected, state);
        return File.ReadAllBytes(Path.Combine(folder, CheckpointFolders.StateFile)).AsSpan()
            .SequenceEqual(expected.GetBuffer().AsSpan(0, (int)expected.Length));
    }

    /// <summary>
    /// True if a run's folder has a checkpoint to resume from: the one that "latest" names or, if
    /// that is missing, any complete one.
    /// </summary>
    public static bool Exists(string run) => File.Exists(Path.Combine(run, ModelFolder.Latest))
        || CheckpointFolders.Newest(run) is not null;

    /// <summary>
    /// Refuses a folder that holds anything of a run's checkpoints, whole or not: a new run there
    /// would delete it.
    /// </summary>
    /// <exception cref="NanoException">It does.</exception>
    public static void RefuseRun(string run)
    {
        string[] files = [ModelFolder.Latest, ModelFolder.Best, CheckpointFolders.StateFile];
        if (files.Any(file => File.Exists(Path.Combine(run, file))) || CheckpointFolders.All(run).Any())
            throw new NanoException($"'{run}' already holds a run",
                "`resume` continues it, `overwrite` starts again, another `out` puts the new one elsewhere");
    }

    /// <summary>
    /// The folder of the newest checkpoint of a run: the one that "latest" names, or the newest
    /// whole one where there is no such file.
    /// </summary>
    /// <exception cref="NanoException">There is none.</exception>
    public static string Newest(string run)
    {
        if (!Exists(run))
            throw new NanoException($"there is no checkpoint to resume in '{run}'",
                "leave out `resume` to start a run there");
        return File.Exists(Path.Combine(run, ModelFolder.Latest)) ? ModelFolder.Resolve(run)
            : CheckpointFolders.Newest(run)!;
    }

    /// <summary>Reads the state of a run's newest checkpoint: everything but tensors.</summary>
    /// <exception cref="NanoException">There is none.</exception>
    /// <exception cref="BadFileException">It is damaged.</exception>
    public static RunState Read(string run)
    {
        for (int tries = 1; ; tries++)
        {
            string folder = Newest(run);
            try
            {
                return ReadIn(run, folder);
            }
            catch (NanoException) when (tries < MostTries && !Directory.Exists(folder))
            {
                // Another trainer has saved meanwhile, and deleted the checkpoint before.
            }
        }
    }

    private static RunState ReadIn(string run, string folder)
    {
        string path = Path.Combine(folder, CheckpointFolders.StateFile);
        var saved = RunStateFile.Read(path);
        string expected = Path.GetFullPath(Folder(run, saved.Step));
        return Path.GetFullPath(folder) == expected || Path.GetFullPath(folder) == AtomicFolder.OldOf(expected) ? saved
            : throw new BadFileException(path,
                $"it says step {saved.Step}, in the folder '{Path.GetFileName(folder)}'");
    }

    /// <summary>The chat template that the newest checkpoint of a run carries, or null.</summary>
    /// <exception cref="NanoException">There is no checkpoint, or the file cannot be read.</exception>
    public static string? ChatTemplate(string run) => ModelDirectory.ReadChatTemplate(Newest(run));

    /// <summary>Puts the newest checkpoint of a run into a model and its state.</summary>
    /// <exception cref="NanoException">There is none, or it was made with other options; each one
    /// that differs is listed.</exception>
    /// <exception cref="BadFileException">It is damaged.</exception>
    public static void Load(string run, LanguageModel model, RunState state)
    {
        var saved = Read(run);
        if (state.DifferencesFrom(saved) is { Count: > 0 } differences)
            throw new NanoException("the run to resume was started with other options: "
                + string.Join("; ", differences),
                "leave them out to continue the run as it was, or start another one with another `out`");
        string folder = Newest(run);
        using var loaded = ModelDirectory.Load(folder).Model;
        if (loaded.Config != model.Config)
            throw new BadFileException(Path.Combine(folder, "config.json"),
                "it describes another model than the run's options");
        using var tensors = OpenTensors(Path.Combine(folder, CheckpointFolders.OptimizerFile), state);
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

    /// <summary>The folder of the checkpoint after this many updates.</summary>
    public static string Folder(string run, long step) => CheckpointFolders.Of(run, step);

    /// <summary>
    /// Deletes every checkpoint of a run; what points to them first, so that it never points to a
    /// missing folder.
    /// </summary>
    /// <param name="run">The run's folder.</param>
    /// <param name="kept">Receives the new names of folders that hold foreign files and stay.</param>
    public static void DeleteAll(string run, ICollection<string>? kept = null)
    {
        File.Delete(Path.Combine(run, ModelFolder.Latest));
        File.Delete(Path.Combine(run, ModelFolder.Best));
        CheckpointFolders.DeleteOthers(run, new HashSet<string>(), kept ?? []);
        RemoveRemains(run);
    }

    /// <summary>Deletes all checkpoints but the newest up to the state's own step, and the best.</summary>
    private static void Rotate(string run, RunState state, ICollection<string> kept)
    {
        RemoveRemains(run);
        var newest = CheckpointFolders.All(run).Select(CheckpointFolders.StepOf).OfType<long>()
            .Where(step => step <= state.Step).OrderDescending().Take(state.Options.Keep);
        CheckpointFolders.DeleteOthers(run,
            new HashSet<string>([.. newest.Select(step => Path.GetFileName(Folder(run, step))), .. Best(run)]), kept);
    }

    /// <summary>The name of the best checkpoint's folder, if there is one that is named.</summary>
    private static string[] Best(string run)
    {
        string path = Path.Combine(run, ModelFolder.Best);
        try
        {
            return File.Exists(path) ? [ModelFolder.ReadPointer(path)] : [];
        }
        catch (BadFileException)
        {
            return []; // a spoilt pointer must not keep a run from saving
        }
    }

    private static void RemoveRemains(string run)
    {
        foreach (string pointer in (string[])[ModelFolder.Latest, ModelFolder.Best])
            AtomicFile.RemoveRemains(Path.Combine(run, pointer));
    }

    private static SafetensorsType TypeOf(Tensor tensor) =>
        tensor.Type == DType.Int32 ? SafetensorsType.I32 : SafetensorsType.F32;

    private static void Point(string run, string pointer, string name) =>
        AtomicFile.Write(Path.Combine(run, pointer), stream => stream.Write(Encoding.ASCII.GetBytes(name + "\n")));

    private static SafetensorsReader OpenTensors(string path, RunState state)
    {
        var tensors = SafetensorsReader.Open(path);
        foreach (var (name, tensor) in state.Tensors)
        {
            if (tensors.Entries.TryGetValue(name, out var entry) && entry.Type == TypeOf(tensor)
                && entry.Shape.SequenceEqual(tensor.Shape.ToArray()))
                continue;
            tensors.Dispose();
            throw new BadFileException(path,
                $"tensor '{name}' of type {TypeOf(tensor)} and shape {tensor.Shape} is missing");
        }
        return tensors;
    }
}
