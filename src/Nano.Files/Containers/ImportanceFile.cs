using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Unicode;

namespace Nano;

/// <summary>The forms of a file that holds an importance matrix.</summary>
public enum ImportanceFormat
{
    /// <summary>A GGUF file of the type "imatrix".</summary>
    Gguf,

    /// <summary>The older form of llama.cpp, a plain list, usually named .dat.</summary>
    Binary,
}

/// <summary>
/// Importance matrices in files, as llama.cpp writes them: per tensor the sums of squared inputs
/// and the number of tokens in a GGUF file, or in the older form the means times the number of calls.
/// </summary>
public static class ImportanceFile
{
    private const string SumsSuffix = ".in_sum2", CountsSuffix = ".counts";
    private const string TypeKey = "general.type", Type = "imatrix";
    private const string DataSetsKey = "imatrix.datasets", ChunksKey = "imatrix.chunk_count",
        ChunkLengthKey = "imatrix.chunk_size";

    private const string MissingHint = "check the path; 'nano imatrix' makes such a file";

    // So that a tensor's name with the longer suffix is still one that GGUF allows.
    private const int MaxNameBytes = Gguf.MaxNameBytes - 8, MaxDataSetBytes = 1 << 16;

    // Length of a name, calls, number of values; and at least a byte and a value.
    private const int LeastEntryBytes = 17;

    /// <summary>Reads a file of either form.</summary>
    /// <exception cref="NanoException">The file is missing or unreadable.</exception>
    /// <exception cref="BadFileException">The file is malformed, or a number in it is negative or not finite.</exception>
    public static ImportanceMatrix Read(string path)
    {
        using (var file = new BinaryFile(path, MissingHint))
            if (file.Length < sizeof(uint) || file.UInt32(0) != Gguf.Magic)
                return ReadBinary(file);
        using var gguf = GgufReader.Open(path);
        return ReadGguf(gguf);
    }

    private static ImportanceMatrix ReadGguf(GgufReader file)
    {
        if (file.Metadata.String(TypeKey) is var type and not Type)
            throw new BadFileException(file.Path, $"it is no importance matrix: '{TypeKey}' is "
                + $"{(type is null ? "missing" : Quoted.Of(type))}; expected '{Type}'");
        var tensors = new Dictionary<string, ColumnImportance>(StringComparer.Ordinal);
        foreach (GgufTensor stored in file.Tensors.Values)
            if (NameOf(stored, SumsSuffix) is { } name)
                tensors.Add(name, Entry(file, name, stored));
            else if (NameOf(stored, CountsSuffix) is { } counted && !file.Tensors.ContainsKey(counted + SumsSuffix))
                throw new BadFileException(file.Path,
                    $"tensor {Quoted.Of(stored.Name)} has no sums: {Quoted.Of(counted + SumsSuffix)} is missing");
        if (tensors.Count == 0)
            throw new BadFileException(file.Path, $"it holds no tensor NAME{SumsSuffix}");
        return new ImportanceMatrix(tensors)
        {
            Path = file.Path,
            DataSets = file.Metadata.Strings(DataSetsKey) ?? [],
            Chunks = file.Metadata.Size(ChunksKey) ?? 0,
            ChunkLength = file.Metadata.Size(ChunkLengthKey) ?? 0,
        };
    }

    /// <summary>The name of the weight tensor that a stored one belongs to, or null.</summary>
    private static string? NameOf(GgufTensor stored, string suffix) =>
        stored.Name.Length > suffix.Length && stored.Name.EndsWith(suffix, StringComparison.Ordinal)
            ? stored.Name[..^suffix.Length] : null;

    private static ColumnImportance Entry(GgufReader file, string name, GgufTensor sums)
    {
        if (!file.Tensors.TryGetValue(name + CountsSuffix, out GgufTensor? counts))
            throw new BadFileException(file.Path,
                $"tensor {Quoted.Of(sums.Name)} has no counts: {Quoted.Of(name + CountsSuffix)} is missing");
        if (sums.Count == 0 || sums.Shape.Count == 0 || counts.Count != sums.Count / sums.Shape[^1])
            throw new BadFileException(file.Path, $"tensor {Quoted.Of(sums.Name)} has shape "
                + $"[{string.Join(", ", sums.Shape)}] and {Quoted.Of(counts.Name)} [{string.Join(", ", counts.Shape)}]; "
                + "expected a count for each row of sums");
        return new ColumnImportance(Floats(file, sums, 0), Floats(file, counts, 1));
    }

    /// <summary>The numbers of a tensor, all finite and zero or at least some number.</summary>
    private static float[] Floats(GgufReader file, GgufTensor tensor, float least)
    {
        if (tensor.Type != GgufTensorType.F32 || tensor.Count > int.MaxValue / sizeof(float))
            throw new BadFileException(file.Path,
                $"tensor {Quoted.Of(tensor.Name)} has {tensor.Count} elements of type {tensor.Type}; expected F32");
        var values = new float[tensor.Count];
        file.Copy(tensor.Offset, MemoryMarshal.AsBytes(values.AsSpan()));
        Check(file.Path, tensor.Name, values, least);
        return values;
    }

    private static void Check(string path, string tensor, ReadOnlySpan<float> values, float least)
    {
        for (int i = 0; i < values.Length; i++)
            if (!float.IsFinite(values[i]) || values[i] < 0 || (values[i] > 0 && values[i] < least))
                throw new BadFileException(path, FormattableString.Invariant($"tensor {Quoted.Of(tensor)}, value {i} ")
                    + FormattableString.Invariant($"is {values[i]}; expected a finite number of at least {least}, or 0"));
    }

    private static ImportanceMatrix ReadBinary(BinaryFile file)
    {
        int entries = file.Int32(0);
        if (entries < 1 || entries > (file.Length - sizeof(int)) / LeastEntryBytes)
            throw file.Bad($"it is no importance matrix: it neither starts with 'GGUF' nor with a number of tensors that "
                + $"its {file.Length} bytes hold, but with {entries}");
        long at = sizeof(int);
        var tensors = new Dictionary<string, ColumnImportance>(StringComparer.Ordinal);
        for (int i = 0; i < entries; i++)
        {
            string name = Text(file, ref at, $"the name of tensor {i}", 1, MaxNameBytes);
            if (!tensors.TryAdd(name, BinaryEntry(file, ref at, name)))
                throw file.Bad($"tensor {Quoted.Of(name)} appears twice");
        }
        int chunks = at < file.Length ? Number(file, ref at, "the number of chunks", 0, int.MaxValue) : 0;
        string dataSet = at < file.Length ? Text(file, ref at, "the name of the data set", 0, MaxDataSetBytes) : "";
        if (at < file.Length)
            throw file.Bad($"{file.Length - at} bytes lie behind its end, from byte {at} on");
        return new ImportanceMatrix(tensors)
        {
            Path = file.Path,
            DataSets = dataSet.Length > 0 ? [dataSet] : [],
            Chunks = chunks,
        };
    }

    private static ColumnImportance BinaryEntry(BinaryFile file, ref long at, string name)
    {
        int calls = Number(file, ref at, $"the calls of {Quoted.Of(name)}", 0, int.MaxValue),
            count = Number(file, ref at, $"the number of values of {Quoted.Of(name)}", 1, int.MaxValue / sizeof(float));
        if (count > (file.Length - at) / sizeof(float))
            throw file.Bad($"tensor {Quoted.Of(name)} claims {count} values at byte {at}, where {file.Length - at} bytes "
                + "are left");
        var values = new float[count];
        file.Copy(at, MemoryMarshal.AsBytes(values.AsSpan()));
        at += (long)count * sizeof(float);
        Check(file.Path, name, values, 0);
        return new ColumnImportance(values, [Math.Max(1, calls)]); // a value of no calls is the mean itself
    }

    private static int Number(BinaryFile file, ref long at, string what, int least, int most)
    {
        int value = file.Int32(at);
        if (value < least || value > most)
            throw file.Bad($"{what} at byte {at} is {value}; expected {least} to {most}");
        at += sizeof(int);
        return value;
    }

    private static string Text(BinaryFile file, ref long at, string what, int least, int most)
    {
        int length = Number(file, ref at, $"the length of {what}", least, most);
        ReadOnlySpan<byte> utf8 = file.Slice(at, length);
        if (!Utf8.IsValid(utf8))
            throw file.Bad($"{what} at byte {at} is not valid UTF-8");
        at += length;
        return Encoding.UTF8.GetString(utf8);
    }

    /// <summary>Writes a file whole or not at all; the older form holds one data set and forgets which values belong to
    /// which expert.</summary>
    /// <exception cref="NanoException">The file cannot be written.</exception>
    public static void Write(string path, ImportanceMatrix matrix, ImportanceFormat format = ImportanceFormat.Gguf)
    {
        var sorted = matrix.Tensors.OrderBy(entry => entry.Key, StringComparer.Ordinal).ToList();
        if (format == ImportanceFormat.Binary)
        {
            AtomicFile.Write(path, stream => WriteBinary(stream, matrix, sorted));
            return;
        }
        var metadata = new GgufMetadata(path);
        metadata.Set(TypeKey, Type);
        metadata.Set(DataSetsKey, matrix.DataSets);
        metadata.Set(ChunksKey, (uint)matrix.Chunks);
        metadata.Set(ChunkLengthKey, (uint)matrix.ChunkLength);
        GgufWriter.Write(path, metadata, [.. sorted.SelectMany(entry => (GgufTensorToWrite[])
        [
            Stored(entry.Key + SumsSuffix, entry.Value.Sums, entry.Value.Counts.Length, entry.Value.Columns),
            Stored(entry.Key + CountsSuffix, entry.Value.Counts, entry.Value.Counts.Length, 1),
        ])]);
    }

    /// <summary>A matrix; of a single row as a vector, as llama.cpp stores it.</summary>
    private static GgufTensorToWrite Stored(string name, float[] values, int rows, int columns) => new(name,
        GgufTensorType.F32, rows == 1 ? [columns] : [rows, columns],
        stream => stream.Write(MemoryMarshal.AsBytes(values.AsSpan())));

    private static void WriteBinary(Stream stream, ImportanceMatrix matrix,
        List<KeyValuePair<string, ColumnImportance>> tensors)
    {
        Write(stream, tensors.Count);
        foreach (var (name, importance) in tensors)
        {
            float most = importance.Counts.Max();
            int calls = (int)MathF.Ceiling(most / Math.Max(1, matrix.ChunkLength));
            float[] values = importance.Means();
            for (int i = 0; i < values.Length && calls > 0; i++)
                values[i] *= calls;
            Write(stream, name);
            Write(stream, calls);
            Write(stream, values.Length);
            stream.Write(MemoryMarshal.AsBytes(values.AsSpan()));
        }
        Write(stream, matrix.Chunks);
        Write(stream, matrix.DataSets.Count > 0 ? matrix.DataSets[^1] : "");
    }

    private static void Write(Stream stream, string text)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        Write(stream, utf8.Length);
        stream.Write(utf8);
    }

    private static void Write(Stream stream, int value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
        stream.Write(bytes);
    }
}
