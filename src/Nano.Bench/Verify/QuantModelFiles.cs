using System.Security.Cryptography;
using System.Text.Json;

namespace Nano;

/// <summary>
/// The files of one model of a folder of quantised models: those that lie there, their sources, and
/// files quantised again from these, which exist as long as this object.
/// </summary>
internal sealed class QuantModelFiles : IDisposable
{
    private const int DigestDigits = 16;

    private readonly string directory, dataFolder;
    private readonly DirectoryInfo made = Directory.CreateTempSubdirectory("nano-verify-");

    /// <param name="directory">The folder.</param>
    /// <param name="dataFolder">The folder of public files.</param>
    public QuantModelFiles(string directory, string dataFolder) =>
        (this.directory, this.dataFolder) = (directory, dataFolder);

    /// <summary>The path of a file as the index names it, or null where it is not at hand.</summary>
    public string? Find(string? name)
    {
        const string publicFiles = "data/";
        if (string.IsNullOrEmpty(name) || Path.IsPathRooted(name) || name.Split('/', '\\').Contains(".."))
            return null;
        string[] places = [Path.Combine(directory, name), Path.Combine(directory, "..", "..", name),
            .. name.StartsWith(publicFiles, StringComparison.Ordinal)
                ? [Path.Combine(dataFolder, name[publicFiles.Length..])] : Array.Empty<string>()];
        return places.FirstOrDefault(File.Exists);
    }

    /// <summary>The path of the file of an entry that lies there, or null.</summary>
    public string? Kept(JsonElement entry) => Find(entry.GetProperty("file").GetString());

    /// <summary>Quantises the source of an entry again; null where the source is not at hand.</summary>
    public string? Make(JsonElement entry)
    {
        if (Find(entry.GetProperty("quantised_from").GetString()) is not { } from)
            return null;
        string path = Path.Combine(made.FullName, "made.gguf");
        using var source = ModelLoader.Open(from);
        GgufModel.Quantise(path, source, new QuantisationOptions { FileType = TypeOf(entry), Requantises = true });
        return path;
    }

    /// <summary>The type of an entry's file.</summary>
    public static GgufFileType TypeOf(JsonElement entry) =>
        (GgufFileType)entry.GetProperty("file_type").GetInt32() is var type && Enum.IsDefined(type) ? type
            : throw new ArgumentException($"file_type {(int)type} is not known here");

    /// <summary>Types and bytes of all tensors of a file beside those of the index.</summary>
    public static IEnumerable<GoldenCheck> Compare(string of, string name, string path, JsonElement entry)
    {
        using var file = GgufReader.Open(path);
        yield return Compare(of, $"{name}, types that differ", entry.GetProperty("tensor_types"),
            file.Tensors.Values.ToDictionary(tensor => tensor.Name, tensor => Name(tensor.Type)));
        yield return Compare(of, $"{name}, tensors whose bytes differ", entry.GetProperty("tensor_sha256"),
            file.Tensors.Values.ToDictionary(tensor => tensor.Name, tensor => Digest(file, tensor)));
    }

    /// <summary>The types that the mix of an entry's file gives to the tensors of a file of another type.</summary>
    /// <param name="of">The model and type.</param>
    /// <param name="kept">A file of the model, in which tensors that are never quantised have their types.</param>
    /// <param name="entry">The entry.</param>
    public static GoldenCheck CompareMix(string of, string kept, JsonElement entry)
    {
        using var source = ModelLoader.Open(kept);
        using var file = GgufReader.Open(kept);
        var mix = QuantMix.Of(source.Config, TypeOf(entry), hasImportance: false);
        var blocks = source.Config.ParameterShapes()
            .ToDictionary(shape => GgufNames.Of(shape.Name, shape.Facts), shape => shape.Facts.Block);
        return Compare(of, "types chosen that differ", entry.GetProperty("tensor_types"), file.Tensors.Values
            .ToDictionary(tensor => tensor.Name, tensor => Name(Gguf.TypeOf(mix.TypeOf(tensor.Name,
                blocks.GetValueOrDefault(tensor.Name), new Shape([.. tensor.Shape.Select(size => (int)size)]),
                Gguf.WeightTypeOf(tensor.Type)!.Value))!.Value)));
    }

    private static GoldenCheck Compare(string of, string name, JsonElement expected, Dictionary<string, string> actual)
    {
        var entries = expected.EnumerateObject().ToDictionary(entry => entry.Name, entry => entry.Value.GetString());
        List<string> wrong = [.. entries.Keys.Union(actual.Keys)
            .Where(tensor => entries.GetValueOrDefault(tensor) != actual.GetValueOrDefault(tensor))];
        return new(of, name, entries.Count, wrong.Count, 0)
        {
            Note = wrong.Count == 0 ? null : $"first {wrong[0]}: {actual.GetValueOrDefault(wrong[0]) ?? "none"}, "
                + $"expected {entries.GetValueOrDefault(wrong[0]) ?? "none"}"
        };
    }

    private static string Name(GgufTensorType type) => $"{type}".ToLowerInvariant();

    /// <summary>The first digits of the digest of a tensor's bytes.</summary>
    private static string Digest(GgufReader file, GgufTensor tensor)
    {
        var (elements, size) = Gguf.BlockOf(tensor.Type)
            ?? throw new ArgumentException($"tensor {Quoted.Of(tensor.Name)} is of type {tensor.Type}");
        using var digest = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] chunk = new byte[1 << 20];
        for (long at = 0, bytes = tensor.Count / elements * size; at < bytes; at += chunk.Length)
        {
            var part = chunk.AsSpan(0, (int)Math.Min(chunk.Length, bytes - at));
            file.Copy(tensor.Offset + at, part);
            digest.AppendData(part);
        }
        return Convert.ToHexStringLower(digest.GetHashAndReset())[..DigestDigits];
    }

    public void Dispose() => made.Delete(recursive: true);
}
