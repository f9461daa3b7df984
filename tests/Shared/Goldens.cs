namespace Nano.Tests;

/// <summary>
/// Finds the golden files, which stay in tests/goldens instead of being copied next to every test
/// binary.
/// </summary>
static class Goldens
{
    static readonly string Folder = FindFolder();

    /// <summary>The full path of a golden file, e.g. "formats/dtypes.safetensors".</summary>
    public static string Path(string relative) => System.IO.Path.Combine(Folder, relative);

    /// <summary>The folders of models of other architectures, by name.</summary>
    public static IEnumerable<string> ZooModels =>
        ((string[])["zoo", "zoo_more"]).SelectMany(folder => Directory.EnumerateDirectories(Path(folder)))
            .Select(folder => System.IO.Path.GetFileName(folder)).Order();

    /// <summary>The full path of one of them.</summary>
    public static string Zoo(string name) =>
        Directory.Exists(Path("zoo/" + name)) ? Path("zoo/" + name) : Path("zoo_more/" + name);

    static string FindFolder()
    {
        for (DirectoryInfo? at = new(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            string candidate = System.IO.Path.Combine(at.FullName, "tests", "goldens");
            if (Directory.Exists(candidate))
                return candidate;
        }
        throw new DirectoryNotFoundException($"no folder tests/goldens above {AppContext.BaseDirectory}");
    }
}
