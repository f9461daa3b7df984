using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Nano;

/// <summary>
/// The tensors of a model folder, in one safetensors file or in several with an index (format: as
/// transformers writes them).
/// </summary>
internal sealed partial class SafetensorsSet : IDisposable
{
    private readonly List<SafetensorsReader> files = [];
    private readonly Dictionary<string, SafetensorsReader> fileOf = new(StringComparer.Ordinal);

    /// <summary>Opens a file on its own, or what a folder holds.</summary>
    /// <exception cref="NanoException">There is nothing, or it is unreadable.</exception>
    /// <exception cref="BadFileException">A file is malformed, or index and files disagree.</exception>
    public SafetensorsSet(string path)
    {
        try
        {
            string single = Directory.Exists(path) ? System.IO.Path.Combine(path, SafetensorsIndex.SingleFile) : path,
                index = System.IO.Path.Combine(path, SafetensorsIndex.IndexFile);
            if (!File.Exists(single) && File.Exists(index))
                OpenShards(Path = index, path);
            else if (!File.Exists(single) && File.Exists(System.IO.Path.Combine(path, "pytorch_model.bin")))
                throw new NanoException(
                    $"'{path}' holds its weights as pytorch_model.bin, a pickle, which is a program rather than data",
                    "open it where it is from and save it as safetensors");
            else
                Add(SafetensorsReader.Open(Path = single));
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The file, or the index of several.</summary>
    public string Path { get; }

    /// <summary>The names of all tensors.</summary>
    public IReadOnlyCollection<string> Names => fileOf.Keys;

    /// <summary>All tensors, file by file.</summary>
    public IEnumerable<SafetensorsEntry> Entries => files.SelectMany(file => file.Entries.Values);

    /// <summary>True if the tensor exists.</summary>
    public bool Has(string name) => fileOf.ContainsKey(name);

    /// <summary>A tensor that is there.</summary>
    /// <exception cref="BadFileException">Its type is not one of floating-point numbers.</exception>
    public ModelTensor Tensor(string name) => ModelTensor.Of(fileOf[name], fileOf[name].Entries[name]);

    /// <summary>A tensor that is there, as its file holds it.</summary>
    public SafetensorsPart Stored(string name) => new(fileOf[name], fileOf[name].Entries[name]);

    /// <summary>The sizes of a tensor that is there.</summary>
    public IReadOnlyList<long> Sizes(string name) => fileOf[name].Entries[name].Shape;

    /// <summary>The file of a tensor that is there, for errors.</summary>
    public string FileOf(string name) => fileOf[name].Path;

    private void Add(SafetensorsReader file)
    {
        files.Add(file);
        foreach (string name in file.Entries.Keys)
            if (!fileOf.TryAdd(name, file))
                throw new BadFileException(file.Path,
                    $"tensor {Quoted.Of(name)} is in '{System.IO.Path.GetFileName(fileOf[name].Path)}' too");
    }

    private void OpenShards(string index, string folder)
    {
        var placed = SafetensorsIndex.Read(index);
        foreach (string shard in placed.Values.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal))
        {
            if (shard.Length > 255 || shard != System.IO.Path.GetFileName(shard)
                || !shard.EndsWith(".safetensors", StringComparison.Ordinal))
                throw new BadFileException(index,
                    $"{Quoted.Of(shard)} is not the name of a safetensors file beside it");
            if (!File.Exists(System.IO.Path.Combine(folder, shard)))
                throw new BadFileException(index, $"the file {Quoted.Of(shard)} that it names is missing");
            Add(SafetensorsReader.Open(System.IO.Path.Combine(folder, shard)));
        }
        foreach ((string name, string shard) in placed)
            if (!fileOf.TryGetValue(name, out var file) || System.IO.Path.GetFileName(file.Path) != shard)
                throw new BadFileException(index,
                    $"tensor {Quoted.Of(name)} should be in {Quoted.Of(shard)}, but is not");
        if (fileOf.Keys.FirstOrDefault(name => !placed.ContainsKey(name)) is { } stray)
            throw new BadFileException(index,
                $"tensor {Quoted.Of(stray)} of '{System.IO.Path.GetFileName(fileOf[stray].Path)}' is not listed");
    }

    /// <summary>True if a file's name is one that <see cref="Write"/> gives to weights.</summary>
    public static bool IsWritten(string name) => name == SafetensorsIndex.SingleFile || WrittenShard().IsMatch(name);

    [GeneratedRegex(@"^model-\d{5,}-of-\d{5,}\.safetensors\z", RegexOptions.CultureInvariant)]
    private static partial Regex WrittenShard();

    /// <summary>
    /// Writes tensors as one file, or as several and an index where they are more than a number of
    /// bytes.
    /// </summary>
    /// <param name="folder">An existing folder.</param>
    /// <param name="tensors">The tensors under the names that the files give them.</param>
    /// <param name="maxBytes">The most bytes of tensors in one file; a larger tensor has a file of
    /// its own.</param>
    public static void Write(string folder, IReadOnlyList<SafetensorsTensor> tensors, long maxBytes)
    {
        var shards = new List<List<SafetensorsTensor>>();
        long bytes = 0, total = 0;
        foreach (SafetensorsTensor tensor in tensors)
        {
            long size = SafetensorsWriter.Bytes(tensor);
            if (shards.Count == 0 || bytes + size > maxBytes)
            {
                shards.Add([]);
                bytes = 0;
            }
            shards[^1].Add(tensor);
            bytes += size;
            total += size;
        }
        if (shards.Count <= 1)
        {
            SafetensorsWriter.Write(System.IO.Path.Combine(folder, SafetensorsIndex.SingleFile), tensors);
            return;
        }
        var map = new SortedDictionary<string, string>(StringComparer.Ordinal);
        for (int i = 0; i < shards.Count; i++)
        {
            string name = $"model-{i + 1:D5}-of-{shards.Count:D5}.safetensors";
            SafetensorsWriter.Write(System.IO.Path.Combine(folder, name), shards[i]);
            foreach (SafetensorsTensor tensor in shards[i])
                map.Add(tensor.Name, name);
        }
        var index = new JsonObject
        {
            ["metadata"] = new JsonObject { ["total_size"] = total },
            ["weight_map"] = new JsonObject(
                map.Select(pair => KeyValuePair.Create<string, JsonNode?>(pair.Key, pair.Value))),
        };
        AtomicFile.Write(System.IO.Path.Combine(folder, SafetensorsIndex.IndexFile), stream =>
        {
            using var json = new Utf8JsonWriter(stream, Indented);
            index.WriteTo(json);
        });
    }

    private static readonly JsonWriterOptions Indented = new() { Indented = true, NewLine = "\n" };

    public void Dispose()
    {
        foreach (SafetensorsReader file in files)
            file.Dispose();
    }
}

/// <summary>A tensor as a file holds it.</summary>
/// <param name="File">The file.</param>
/// <param name="Entry">Its type, shape and position.</param>
internal readonly record struct SafetensorsPart(SafetensorsReader File, SafetensorsEntry Entry)
{
    /// <summary>Copies elements of 32 bits from one on.</summary>
    public void Read(long start, Span<int> destination) =>
        File.ReadWeights(Entry, start, MemoryMarshal.AsBytes(destination));
}
