using System.Globalization;

namespace Nano;

/// <summary>
/// The folders in a run's folder that hold checkpoints: which there are, which are whole, and how
/// they go. Only files that a checkpoint has are deleted; a folder with anything else in it is
/// renamed to "step-000250.kept" and stays for good. Links are not followed.
/// </summary>
internal static class CheckpointFolders
{
    /// <summary>The name of a folder that is being written or deleted, behind that of the checkpoint.</summary>
    public const string Temporary = ".tmp";

    /// <summary>The file that holds the optimizer's tensors.</summary>
    public const string OptimizerFile = "optimizer.safetensors";

    /// <summary>The file that holds the rest of a run's state.</summary>
    public const string StateFile = "trainer.json";

    private const string Prefix = "step-", Kept = ".kept";

    private static readonly string[] ModelFiles = [ModelFolder.ConfigFile, SafetensorsIndex.SingleFile,
        ModelDirectory.TokenizerFile, ModelDirectory.ChatTemplateFile];

    private static readonly string[] Own = [StateFile, OptimizerFile, .. ModelFiles,
        .. ModelFiles.Select(file => $"{Checkpoint.AverageFolder}/{file}")];

    /// <summary>The folder of the checkpoint after this many updates.</summary>
    public static string Of(string run, long step) => Path.Combine(run, $"{Prefix}{step:D6}");

    /// <summary>The step whose checkpoint a folder of this name is, or null.</summary>
    public static long? StepOf(string folder) =>
        Path.GetFileName(folder) is var name && name.StartsWith(Prefix, StringComparison.Ordinal)
        && long.TryParse(name.AsSpan(Prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out long step)
        && Path.GetFileName(Of("", step)) == name ? step : null;

    /// <summary>Every checkpoint of a run, whole or not.</summary>
    public static IEnumerable<string> All(string run) => Below(run).Where(folder => StepOf(folder) is not null);

    /// <summary>The newest checkpoint that has all its files, or null.</summary>
    public static string? Newest(string run) => All(run).Where(IsWhole).MaxBy(StepOf);

    /// <summary>True if a folder has every file of a checkpoint.</summary>
    public static bool IsWhole(string folder) =>
        ((string[])[StateFile, OptimizerFile, ModelFolder.ConfigFile, SafetensorsIndex.SingleFile])
            .All(file => File.Exists(Path.Combine(folder, file)));

    /// <summary>
    /// Puts right what a killed process left: a folder that was being replaced is there again, and
    /// what was being written or deleted goes.
    /// </summary>
    /// <param name="run">The run's folder.</param>
    /// <param name="kept">Receives the new names of folders with foreign files.</param>
    /// <exception cref="IOException">The system refuses.</exception>
    public static void Clean(string run, ICollection<string> kept)
    {
        string[] remains = [.. Below(run)
            .Where(folder => folder.EndsWith(Temporary, StringComparison.Ordinal) && StepOf(Base(folder)) is not null)];
        foreach (string folder in remains.Select(Base).Distinct().Where(AtomicFolder.IsInterrupted))
            Directory.Move(Directory.Exists(folder + Temporary) ? folder + Temporary
                : AtomicFolder.OldOf(folder), folder);
        foreach (string folder in remains.Where(Directory.Exists))
            Delete(folder, kept);
    }

    /// <summary>Deletes the checkpoints whose names are not among some.</summary>
    /// <param name="run">The run's folder.</param>
    /// <param name="names">Those that stay.</param>
    /// <param name="kept">Receives the new names of folders with foreign files.</param>
    /// <exception cref="IOException">The system refuses.</exception>
    public static void DeleteOthers(string run, IReadOnlySet<string> names, ICollection<string> kept)
    {
        Clean(run, kept);
        foreach (string folder in All(run).Where(folder => !names.Contains(Path.GetFileName(folder))).ToList())
        {
            Directory.Move(folder, folder + Temporary); // no half of a checkpoint shall have its name
            Delete(folder + Temporary, kept);
        }
    }

    /// <summary>Deletes a folder, or renames it where it holds something foreign.</summary>
    private static void Delete(string folder, ICollection<string> kept)
    {
        try
        {
            AtomicFolder.Delete(folder, Own);
        }
        catch (NanoException)
        {
            string name = Base(folder) + Kept;
            for (int i = 2; Path.Exists(name); i++)
                name = string.Create(CultureInfo.InvariantCulture, $"{Base(folder)}{Kept}-{i}");
            Directory.Move(folder, name);
            kept.Add(name);
        }
    }

    /// <summary>A path without what stands behind the first point of its last name.</summary>
    private static string Base(string folder) =>
        Path.Combine(Path.GetDirectoryName(folder) ?? "", Path.GetFileName(folder).Split('.')[0]);

    private static IEnumerable<string> Below(string run) =>
        Directory.Exists(run) ? Directory.EnumerateDirectories(run, Prefix + "*")
            .Where(folder => new DirectoryInfo(folder).LinkTarget is null) : [];
}
