namespace Nano;

/// <summary>The result of a pull.</summary>
/// <param name="Folder">The folder of the model.</param>
/// <param name="Commit">The commit that it is of.</param>
/// <param name="Files">Its files.</param>
/// <param name="FetchedBytes">Bytes that were downloaded.</param>
public sealed record PulledModel(string Folder, string Commit, IReadOnlyList<HubFile> Files, long FetchedBytes);

/// <summary>
/// Copies a model from the hub into the data folder: configuration, tokenizer, weights as
/// safetensors (one file, or those that an index names).
/// </summary>
/// <param name="hub">The hub.</param>
/// <param name="data">The data folder; the model goes to models/OWNER/MODEL in it.</param>
public sealed class ModelPull(HubClient hub, string data)
{
    private const string Weights = "model.safetensors", Index = "model.safetensors.index.json";

    private static readonly string[] Texts =
    [
        "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "tokenizer.model",
        "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt", "chat_template.jinja",
    ];

    /// <summary>
    /// Fetches what is missing or different. Files that are here with the right digest are left
    /// alone.
    /// </summary>
    /// <param name="name">The name of the model.</param>
    /// <param name="chosen">The files to fetch; if empty, those a model needs.</param>
    /// <param name="progress">Told how far each file is.</param>
    /// <param name="cancellation">Cancels.</param>
    /// <exception cref="NanoException">There is no such model or file, it may not be had, the hub
    /// fails, a digest is wrong, or the disk refuses.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; the received bytes are kept, and the
    /// next pull continues from there.</exception>
    public async Task<PulledModel> PullAsync(HubModelName name, IReadOnlyCollection<string> chosen,
        IProgress<DownloadProgress>? progress, CancellationToken cancellation)
    {
        string commit = await hub.ResolveAsync(name, cancellation).ConfigureAwait(false), folder = name.FolderIn(data);
        var listed = new Dictionary<string, HubFile>(StringComparer.Ordinal);
        foreach (var file in await hub.ListAsync(name, commit, cancellation).ConfigureAwait(false))
            listed[file.Name] = file;
        var download = new HubDownload(hub, name, progress);
        var done = new List<HubFile>();
        long fetched = 0;
        var wanted = new Queue<HubFile>((chosen.Count > 0 ? chosen : Needed(name, listed))
            .Select(file => Find(name, listed, file)));
        while (wanted.TryDequeue(out var file))
        {
            string path = file.PathIn(folder);
            if (!await HubDownload.IsHereAsync(file, path, cancellation).ConfigureAwait(false))
            {
                var url = hub.UrlOf(name, commit, file);
                await download.FetchAsync(file, url, folder, cancellation).ConfigureAwait(false);
                fetched += file.Bytes;
            }
            done.Add(file);
            if (file.Name == Index && chosen.Count == 0)
                foreach (string shard in Shards(path))
                    wanted.Enqueue(Find(name, listed, shard));
        }
        return new PulledModel(folder, commit, done, fetched);
    }

    private static IEnumerable<string> Needed(HubModelName name, Dictionary<string, HubFile> listed)
    {
        if (!listed.ContainsKey("config.json") || !(listed.ContainsKey(Weights) || listed.ContainsKey(Index)))
        {
            string[] others = [.. listed.Keys
                .Where(file => Path.GetExtension(file) is ".gguf" or ".safetensors" or ".bin" or ".pth" or ".pt"
                    or ".h5" or ".msgpack").Take(10)];
            string names = string.Join(", ", others.Select(other => Quoted.Of(other)));
            throw new NanoException($"'{name}' has no config.json with {Weights} or {Index}", others.Length == 0
                ? "choose a model with safetensors weights" : $"`file` NAME fetches a file that it has: {names}");
        }
        return Texts.Where(listed.ContainsKey).Append(listed.ContainsKey(Weights) ? Weights : Index);
    }

    private static HubFile Find(HubModelName name, Dictionary<string, HubFile> listed, string file) =>
        listed.TryGetValue(file, out var found) ? found
        : throw new NanoException($"'{name}' has no file {Quoted.Of(file)}",
            NearestMatch.Hint(file, listed.Keys, "files"));

    /// <summary>The files that an index says the tensors are in.</summary>
    private static IEnumerable<string> Shards(string path) =>
        SafetensorsIndex.Read(path).Values.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal);
}
