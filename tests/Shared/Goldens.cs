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
