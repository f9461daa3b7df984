using System.Text.Json;
using System.Text.Unicode;

namespace Nano;

/// <summary>
/// The JSON header of a safetensors file, parsed and checked. Every rule of the format is enforced here:
/// valid UTF-8 JSON that starts with '{', no key twice, known types, sizes that fit the shapes, and a buffer
/// that the tensors cover from its first byte to its last without hole or overlap.
/// </summary>
internal ref struct SafetensorsHeader
{
    /// <summary>The longest header the format allows, in bytes.</summary>
    public const int MaxBytes = 100_000_000;

    private readonly string path;
    private readonly long dataStart, dataBytes;
    private Utf8JsonReader json;

    /// <summary>The tensors by name, in header order.</summary>
    public Dictionary<string, SafetensorsEntry> Entries { get; } = new(StringComparer.Ordinal);

    /// <summary>The string pairs of "__metadata__"; empty where there are none.</summary>
    public Dictionary<string, string> Metadata { get; } = new(StringComparer.Ordinal);

    /// <summary>Parses a header.</summary>
    /// <param name="header">The header's bytes.</param>
    /// <param name="dataStart">The start of the data in the file.</param>
    /// <param name="dataBytes">Length of the data.</param>
    /// <param name="path">The file, for errors.</param>
    /// <exception cref="BadFileException">Any rule of the format is broken.</exception>
    public SafetensorsHeader(ReadOnlySpan<byte> header, long dataStart, long dataBytes, string path)
    {
        (this.path, this.dataStart, this.dataBytes) = (path, dataStart, dataBytes);
        if (header.Length == 0 || header[0] != '{')
            throw Bad("the header does not start with '{': this is not a safetensors file");
        if (!Utf8.IsValid(header))
            throw Bad("the header is not valid UTF-8");
        json = new Utf8JsonReader(header, new JsonReaderOptions { MaxDepth = 4 });
        try
        {
            ParseFile();
        }
        catch (JsonException e)
        {
            throw new BadFileException(path, $"the header is not valid JSON: {Quoted.Reason(e)}", e);
        }
        catch (InvalidOperationException e) // an escaped half of a surrogate pair
        {
            throw new BadFileException(path,
                $"the header holds a string that is not valid Unicode, before byte {8 + json.BytesConsumed}", e);
        }
        CheckCoverage();
    }

    private void ParseFile()
    {
        bool metadataSeen = false;
        json.Read();
        while (NextKey() is { } name)
        {
            if (name != "__metadata__")
                ParseTensor(name);
            else if (metadataSeen)
                throw Bad("'__metadata__' appears twice");
            else
            {
                metadataSeen = true;
                ParseMetadata();
            }
        }
        if (json.Read())
            throw Bad("there is more than one JSON value in the header");
    }

    private void ParseMetadata()
    {
        Expect(JsonTokenType.StartObject, "'__metadata__' is not an object");
        while (NextKey() is { } key)
        {
            Expect(JsonTokenType.String, $"'__metadata__': the value of {Quoted.Of(key)} is not a string");
            if (!Metadata.TryAdd(key, json.GetString()!))
                throw Bad($"'__metadata__': the key {Quoted.Of(key)} appears twice");
        }
    }

    private void ParseTensor(string name)
    {
        string what = $"tensor {Quoted.Of(name)}";
        SafetensorsType? type = null;
        List<long>? shape = null, range = null;
        Expect(JsonTokenType.StartObject, $"{what} is not described by an object");
        while (NextKey() is { } key)
        {
            if (key == "dtype" && type is null)
                type = ParseType(what);
            else if (key == "shape" && shape is null)
                shape = ParseSizes($"{what}: 'shape'");
            else if (key == "data_offsets" && range is null)
                range = ParseSizes($"{what}: 'data_offsets'");
            else
                throw Bad($"{what}: the key {Quoted.Of(key)} is unknown or appears twice");
        }
        if (type is null || shape is null || range is null)
            throw Bad($"{what}: '{(type is null ? "dtype" : shape is null ? "shape" : "data_offsets")}' is missing");
        if (range.Count != 2 || range[1] < range[0] || range[1] > dataBytes)
            throw Bad($"{what}: 'data_offsets' [{List(range)}] is not a begin and an end within the {dataBytes} "
                + "bytes of data");
        long bytes = SizeInBytes(type.Value, shape, what);
        if (bytes != range[1] - range[0])
            throw Bad($"{what}: {type} [{List(shape)}] takes {bytes} bytes, but 'data_offsets' [{List(range)}] "
                + $"gives {range[1] - range[0]}");
        if (!Entries.TryAdd(name, new SafetensorsEntry(name, type.Value, [.. shape], dataStart + range[0], bytes)))
            throw Bad($"{what} appears twice");
    }

    private SafetensorsType ParseType(string what)
    {
        Expect(JsonTokenType.String, $"{what}: 'dtype' is not a string");
        string name = json.GetString()!;
        return SafetensorsEntry.TryParseType(name, out SafetensorsType type)
            ? type
            : throw Bad($"{what}: the type {Quoted.Of(name)} is not supported; known are "
            + $"{string.Join(' ', Enum.GetNames<SafetensorsType>())}");
    }

    private List<long> ParseSizes(string what)
    {
        Expect(JsonTokenType.StartArray, $"{what} is not a list");
        var sizes = new List<long>();
        while (json.Read() && json.TokenType != JsonTokenType.EndArray)
        {
            if (json.TokenType != JsonTokenType.Number || !json.TryGetUInt64(out ulong size) || size > long.MaxValue)
                throw Bad($"{what} holds something other than a whole number from 0 to {long.MaxValue}, before byte "
                    + $"{8 + json.BytesConsumed}");
            sizes.Add((long)size);
        }
        return sizes;
    }

    private readonly long SizeInBytes(SafetensorsType type, List<long> shape, string what)
    {
        try
        {
            long bytes = SafetensorsEntry.SizeOf(type);
            foreach (long size in shape)
                bytes = checked(bytes * size);
            return bytes;
        }
        catch (OverflowException e)
        {
            throw new BadFileException(path,
                $"{what}: the shape [{List(shape)}] has more elements than 64 bits can count", e);
        }
    }

    private readonly void CheckCoverage()
    {
        SafetensorsEntry[] ordered = [.. Entries.Values.OrderBy(e => e.Offset).ThenBy(e => e.Bytes)];
        long covered = 0;
        foreach (SafetensorsEntry entry in ordered)
        {
            long begin = entry.Offset - dataStart;
            if (begin != covered)
                throw Bad($"tensor {Quoted.Of(entry.Name)} begins at byte {begin} of the data, "
                    + $"{(begin < covered ? "inside another tensor that" : "after a hole: what precedes it")} ends "
                    + $"at {covered}");
            covered += entry.Bytes;
        }
        if (covered != dataBytes)
            throw Bad($"the tensors end at byte {covered} of the data, but {dataBytes} bytes are there");
    }

    /// <summary>The next key of the current object with the reader on its value, or null at the object's end.</summary>
    private string? NextKey()
    {
        json.Read();
        if (json.TokenType == JsonTokenType.EndObject)
            return null;
        string key = json.GetString()!;
        json.Read();
        return key;
    }

    private readonly void Expect(JsonTokenType type, string problem)
    {
        if (json.TokenType != type)
            throw Bad(problem);
    }

    private readonly BadFileException Bad(string problem) => new(path, problem);

    /// <summary>The first few numbers, for a message.</summary>
    private static string List(List<long> sizes) => string.Join(", ", sizes.Take(8)) + (sizes.Count > 8 ? ", ..." : "");
}
