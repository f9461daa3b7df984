namespace Nano.Tests;

/// <summary>A fresh folder that is deleted with everything in it.</summary>
sealed class TempFolder : IDisposable
{
    public string Root { get; } = Directory.CreateTempSubdirectory("nano-test-").FullName;

    /// <summary>The path of a file in the folder.</summary>
    public string File(string name) => Path.Combine(Root, name);

    public void Dispose() => Directory.Delete(Root, recursive: true);
}
