namespace Nano.Cli;

/// <summary>Models that are named as on the hub, OWNER/MODEL, where a path may stand.</summary>
internal static class HubModels
{
    /// <summary>
    /// The path of a model: what is there under this name, or else the folder to which 'nano pull'
    /// copies the model of this name, fetched now if it is not there.
    /// </summary>
    /// <exception cref="NanoException">There is neither, or the hub fails.</exception>
    public static string Find(string name, TextWriter human)
    {
        if (FindLocal(name) is { } path)
            return path;
        if (!HubModelName.IsWithOwner(name) || Directory.Exists(name.Split('/')[0]))
            return name; // a path; opening it says what is missing
        human.WriteLine($"fetching {name} from the hub");
        using var hub = Open(null);
        using var stop = new GentleStop(null, Signals.All);
        try
        {
            return new ModelPull(hub, CorpusStore.DefaultFolder)
                .PullAsync(HubModelName.Parse(name), [], new DownloadLine(human), stop.Token).GetAwaiter()
                .GetResult().Folder;
        }
        catch (OperationCanceledException e) when (stop.IsAsked)
        {
            throw new NanoException($"stopped while {name} was fetched", "the same command continues the download", e);
        }
    }

    /// <summary>
    /// The path of a model that is on this machine: under this name, or in the folder of 'nano
    /// pull'; null if it is in neither.
    /// </summary>
    public static string? FindLocal(string name)
    {
        if (Path.Exists(name))
            return name;
        string? pulled = HubModelName.IsWithOwner(name)
            ? HubModelName.Parse(name).FolderIn(CorpusStore.DefaultFolder) : null;
        return File.Exists(Path.Combine(pulled ?? "", "config.json")) ? pulled : null;
    }

    /// <summary>The hub at an address, or else at HF_ENDPOINT or the public one.</summary>
    public static HubClient Open(string? endpoint) =>
        new((endpoint ?? Variable("HF_ENDPOINT")) is { } address ? HubClient.ParseEndpoint(address) : null,
            Variable("HF_TOKEN"));

    private static string? Variable(string name) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;
}
