namespace Nano;

/// <summary>Small files in which the system describes itself, such as those of /proc and /sys.</summary>
internal static class SystemFile
{
    /// <summary>The text of a file; null if it is not there or cannot be read.</summary>
    public static string? TryRead(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
