namespace Nano.Tests;

/// <summary>Published models in the data folder; tests that need one skip where it is not.</summary>
static class PublicFiles
{
    /// <summary>The path of a file below $NANO_DATA; skips the test where there is none.</summary>
    public static string Path(string relative)
    {
        string? folder = Environment.GetEnvironmentVariable("NANO_DATA");
        string path = System.IO.Path.Combine(folder ?? "", relative);
        Assert.SkipUnless(folder is not null && File.Exists(path),
            $"{relative} is not in the folder that NANO_DATA names");
        return path;
    }
}
