using System.Diagnostics;

namespace Nano.Peers;

/// <summary>A foreign library and the project that makes a contender of it.</summary>
/// <param name="Name">The name of the library.</param>
/// <param name="Project">The name of the project.</param>
/// <param name="Folder">Its folder.</param>
internal sealed record Peer(string Name, string Project, string Folder)
{
    public static readonly Peer Torch = new("libtorch", "PeerTorch", "Torch"),
        LlamaCpp = new("llama.cpp", "PeerLlamaCpp", "LlamaCpp"),
        Tokenizers = new("Microsoft.ML.Tokenizers", "PeerTokenizers", "Tokenizers");

    /// <summary>Restores and builds it, from the root of the repository.</summary>
    /// <returns>The path of its executable.</returns>
    /// <exception cref="PeerException">It does not restore or build.</exception>
    public string Build()
    {
        var start = new ProcessStartInfo("dotnet", ["build", Path.Combine("bench", "Peers", Folder), "-c", "Release",
            "--nologo", "-v", "quiet"])
        { RedirectStandardOutput = true };
        using var build = Process.Start(start) ?? throw new PeerException("dotnet does not start");
        string output = build.StandardOutput.ReadToEnd();
        build.WaitForExit();
        if (build.ExitCode != 0)
            throw new PeerException("it does not restore or build: " + (output.Split('\n').FirstOrDefault(
                line => line.Contains("error", StringComparison.Ordinal))?.Trim() ?? "dotnet build says no more"));
        string name = OperatingSystem.IsWindows() ? Project + ".exe" : Project;
        return Directory.EnumerateDirectories(Path.Combine("artifacts", "bin", Project), "release*")
            .Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists)
            ?? throw new PeerException("its build has left no program");
    }
}
