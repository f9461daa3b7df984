using System.Text.Json;

namespace Nano.Tests;

/// <summary>
/// ggml's bytes and floats of all its formats (goldens/quant): rows of weights, what its quantiser
/// writes of them, and what it reads back.
/// </summary>
sealed class QuantGoldens : IDisposable
{
    readonly SafetensorsReader file = SafetensorsReader.Open(Goldens.Path("quant/quant.safetensors"));
    readonly JsonElement index =
        JsonDocument.Parse(File.ReadAllText(Goldens.Path("quant/index.json"))).RootElement;

    /// <summary>A row of weights in one format.</summary>
    public sealed record Row(string Kind, bool IsDefined, float[] Weights, byte[] Bytes, float[]? Dequantised);

    /// <summary>All formats of blocks that ggml has.</summary>
    public static IReadOnlyList<WeightType> Types { get; } =
        [.. Enum.GetValues<WeightType>().Where(type => WeightTypes.IsQuantised(type) && Gguf.TypeOf(type) is not null)];

    public static TheoryData<WeightType> AllTypes => [.. Types];

    /// <summary>The rows that fit a format's blocks.</summary>
    public IEnumerable<Row> Rows(WeightType type)
    {
        string name = Name(type);
        JsonElement format = index.GetProperty("types").GetProperty(name);
        int block = format.GetProperty("block").GetInt32(), size = format.GetProperty("block_bytes").GetInt32();
        float[] x = Floats("x");
        float[]? dequantised = file.Entries.ContainsKey($"{name}.dequantized") ? Floats($"{name}.dequantized") : null;
        byte[] bytes = Bytes($"{name}.bytes");
        foreach ((JsonElement row, JsonElement place) in index.GetProperty("rows").EnumerateArray()
            .Zip(format.GetProperty("rows").EnumerateArray()))
        {
            if (place.ValueKind == JsonValueKind.Null)
                continue;
            int offset = row.GetProperty("offset").GetInt32(), length = row.GetProperty("length").GetInt32(),
                from = place[0].GetInt32(), floats = place[1].GetInt32();
            yield return new Row(row.GetProperty("kind").GetString()!, row.GetProperty("defined").GetBoolean(),
                x[offset..(offset + length)], bytes[from..(from + (length / block * size))],
                dequantised?[floats..(floats + length)]);
        }
    }

    /// <summary>The row that is quantised with importance.</summary>
    public float[] ImportantRow
    {
        get
        {
            JsonElement row = index.GetProperty("rows")[index.GetProperty("imatrix_row").GetInt32()];
            int offset = row.GetProperty("offset").GetInt32();
            return Floats("x")[offset..(offset + row.GetProperty("length").GetInt32())];
        }
    }

    /// <summary>The numbers of a format in the index: ggml's number, weights and bytes of a block.</summary>
    public (int GgmlType, int Weights, int Bytes) Sizes(WeightType type)
    {
        JsonElement format = index.GetProperty("types").GetProperty(Name(type));
        return (format.GetProperty("ggml_type").GetInt32(), format.GetProperty("block").GetInt32(),
            format.GetProperty("block_bytes").GetInt32());
    }

    public bool Has(string name) => file.Entries.ContainsKey(name);

    public float[] Floats(string name)
    {
        var values = new float[file.Entries[name].Count];
        file.ReadFloat32(name, values);
        return values;
    }

    public byte[] Bytes(string name) => [.. Integers(name).Select(value => (byte)value)];

    public ushort[] Words(string name) => [.. Integers(name).Select(value => (ushort)value)];

    long[] Integers(string name)
    {
        var values = new long[file.Entries[name].Count];
        file.ReadInt64(name, values);
        return values;
    }

    public static string Name(WeightType type) => type.ToString().ToLowerInvariant();

    public void Dispose() => file.Dispose();
}
