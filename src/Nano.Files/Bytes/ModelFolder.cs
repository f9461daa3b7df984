using System.Text;

namespace Nano;

/// <summary>
/// A folder that holds a model, by the file config.json in it, or the folder of a run, whose files "latest" and "best"
/// name the folders of checkpoints.
/// </summary>
public static class ModelFolder
{
    /// <summary>The file that makes a folder a model.</summary>
    internal const string ConfigFile = "config.json";

    private const int MaxPointerBytes = 1 << 12;

    /// <summary>The file in a run's folder that names the folder of the newest checkpoint.</summary>
    public const string Latest = "latest";

    /// <summary>
    /// The file in a run's folder that names the folder of the checkpoint with the lowest
    /// validation loss; its path is that of a model.
    /// </summary>
    public const string Best = "best";

    /// <summary>
    /// The folder that holds config.json for a path given by a user: a model folder, a run folder
    /// (its newest checkpoint), RUN/best, or a file in a model folder.
    /// </summary>
    /// <exception cref="NanoException">There is no model.</exception>
    public static string Resolve(string path)
    {
        string folder = File.Exists(path) ? Path.GetDirectoryName(Path.GetFullPath(path))! : path;
        string pointer = Path.Combine(folder, IsPointer(path) ? Path.GetFileName(path) : Latest);
        if (File.Exists(pointer))
        {
            folder = Path.Combine(folder, ReadPointer(pointer));
            if (AtomicFolder.IsInterrupted(folder))
                folder = AtomicFolder.OldOf(folder); // as whole as the new one, which is about to take its place
        }
        return File.Exists(Path.Combine(folder, ConfigFile)) ? folder
            : throw new NanoException($"there is no model at '{path}': no config.json",
                "train one with 'nano train', or give the folder of a model");
    }

    /// <summary>The name of a folder in the file "latest" or "best".</summary>
    /// <exception cref="BadFileException">It holds none.</exception>
    /// <exception cref="NanoException">It cannot be read.</exception>
    internal static string ReadPointer(string path)
    {
        string name = Encoding.UTF8.GetString(InputFile.ReadUtf8(path, MaxPointerBytes, "check the path")).Trim();
        return name.Length is 0 or > 100 || name is "." or ".." || name != Path.GetFileName(name)
            || name.Any(char.IsControl)
            ? throw new BadFileException(path, "it does not name a checkpoint folder") : name;
    }

    /// <summary>
    /// True if a path names an existing file that points to a checkpoint (latest or best).
    /// </summary>
    internal static bool IsPointer(string path) => Path.GetFileName(path) is Latest or Best && File.Exists(path);
}
