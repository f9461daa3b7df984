namespace Nano;

/// <summary>A tensor as a file holds it.</summary>
/// <param name="Name">Its name in the file.</param>
/// <param name="Type">The type of its elements or blocks, as the format names it.</param>
/// <param name="Shape">Sizes, slowest dimension first.</param>
/// <param name="Count">Number of elements.</param>
/// <param name="Bytes">Length in bytes; null where the layout of the type is not known.</param>
public sealed record StoredTensor(string Name, string Type, IReadOnlyList<long> Shape, long Count, long? Bytes);

/// <summary>The tensors of one type in a file.</summary>
/// <param name="Type">The type.</param>
/// <param name="Tensors">Number of tensors.</param>
/// <param name="Count">Number of their elements.</param>
/// <param name="Bytes">Their length in bytes; null where the layout of the type is not known.</param>
public sealed record StoredType(string Type, int Tensors, long Count, long? Bytes)
{
    /// <summary>Bits of an element.</summary>
    public double? BitsPerWeight => Count > 0 ? 8.0 * Bytes / Count : null;
}

/// <summary>
/// The tensors of the files of a model, whatever they are called and whether a model that is known
/// here is made of them.
/// </summary>
public static class StoredTensors
{
    /// <summary>
    /// The tensors of a GGUF or safetensors file, in the order of the file, or those of whatever
    /// else <see cref="ModelLoader"/> opens.
    /// </summary>
    /// <exception cref="NanoException">There is no such file.</exception>
    /// <exception cref="BadFileException">A file is malformed.</exception>
    public static IReadOnlyList<StoredTensor> Of(string path)
    {
        switch (ModelLoader.FormatOf(path))
        {
            case ModelFormat.Gguf:
                using (var file = GgufReader.Open(path))
                    return [.. file.Tensors.Values.Select(Of)];
            case ModelFormat.Safetensors:
                bool isFile = File.Exists(path) && path.EndsWith(".safetensors", StringComparison.Ordinal);
                using (var files = new SafetensorsSet(isFile ? path : ModelFolder.Resolve(path)))
                    return [.. files.Entries.Select(entry =>
                        new StoredTensor(entry.Name, $"{entry.Type}", entry.Shape, entry.Count, entry.Bytes))];
            default:
                using (var source = ModelLoader.Open(path))
                    return [.. source.Tensors.Select(tensor => new StoredTensor(tensor.Name, $"{tensor.Type}",
                        [.. tensor.Shape.ToArray().Select(size => (long)size)], tensor.Shape.Length, tensor.Bytes))];
        }
    }

    private static StoredTensor Of(GgufTensor tensor) => new(tensor.Name, $"{tensor.Type}", tensor.Shape, tensor.Count,
        Gguf.BlockOf(tensor.Type) is var (elements, bytes) ? tensor.Count / elements * bytes : null);

    /// <summary>The types of some tensors, that with the most bytes first.</summary>
    public static IReadOnlyList<StoredType> ByType(IReadOnlyList<StoredTensor> tensors) =>
    [
        .. tensors.GroupBy(tensor => tensor.Type).Select(group => new StoredType(group.Key, group.Count(),
                group.Sum(tensor => tensor.Count),
                group.Any(tensor => tensor.Bytes is null) ? null : group.Sum(tensor => tensor.Bytes)))
            .OrderByDescending(type => type.Bytes).ThenBy(type => type.Type, StringComparer.Ordinal),
    ];
}
