namespace Nano;

/// <summary>Paths with all links resolved, to tell whether two names mean one place.</summary>
internal static class RealPath
{
    private const int MostLinks = 40; // as Linux: more are a loop

    private static readonly StringComparison Comparison = OperatingSystem.IsLinux()
        ? StringComparison.Ordinal : StringComparison.OrdinalIgnoreCase;

    /// <summary>The full path without links, also of something that does not exist.</summary>
    /// <exception cref="NanoException">Links lead in a circle.</exception>
    public static string Of(string path)
    {
        string full = Path.GetFullPath(path), resolved = Path.GetPathRoot(full)!;
        var names = new Stack<string>(Parts(full).Reverse());
        for (int links = 0; names.TryPop(out string? name);)
        {
            string next = name == ".." ? Path.GetDirectoryName(resolved) ?? resolved : Path.Combine(resolved, name);
            if (name == ".." || new FileInfo(next).LinkTarget is not { } target)
            {
                resolved = next;
                continue;
            }
            if (++links > MostLinks)
                throw new NanoException($"the links in '{path}' lead in a circle", "name the file or folder itself");
            if (Path.IsPathRooted(target))
                resolved = Path.GetPathRoot(target)!;
            foreach (string part in Parts(target).Reverse())
                names.Push(part);
        }
        return resolved;
    }

    /// <summary>
    /// True if a path is a folder or lies in it, after all links have been resolved.
    /// </summary>
    public static bool Contains(string folder, string path) => Lies(Of(path), Of(folder));

    /// <summary>True if a path is a folder or lies in it. Both must be free of links.</summary>
    public static bool Lies(string path, string folder) =>
        path.Equals(folder, Comparison)
        || path.StartsWith(Path.TrimEndingDirectorySeparator(folder) + Path.DirectorySeparatorChar, Comparison)
        || (Path.EndsInDirectorySeparator(folder) && path.StartsWith(folder, Comparison));

    /// <summary>The names in a path behind its root, ".." included.</summary>
    private static IEnumerable<string> Parts(string path) =>
        path[(Path.GetPathRoot(path)?.Length ?? 0)..].Split(Path.DirectorySeparatorChar,
            StringSplitOptions.RemoveEmptyEntries)
            .Where(name => name != ".");
}
