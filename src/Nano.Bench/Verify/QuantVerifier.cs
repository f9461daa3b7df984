using System.Runtime.InteropServices;
using System.Text.Json;

namespace Nano;

/// <summary>
/// Formats of quantised weights against golden values: the floats of their blocks and the bytes of
/// their quantiser bit for bit, with and without importance, and products with a row of floats.
/// </summary>
internal sealed class QuantVerifier : IDisposable
{
    // Of the sum of |w| |x|: float32 against double precision, and activations in 8 bits.
    private const double ExactProduct = 1e-6, IntegerProduct = 5e-3, TernaryProduct = 1e-2;

    private readonly JsonElement index;
    private readonly SafetensorsReader golden;
    private readonly float[] x;
    private readonly Compute compute;
    private readonly List<Compute> widths = [.. SimdWidths.All.Select(width => new Compute(1, width))];

    private QuantVerifier(string directory, JsonElement index, Compute compute)
    {
        (this.index, this.compute) = (index, compute);
        golden = SafetensorsReader.Open(Path.Combine(directory, "quant.safetensors"));
        x = golden.Entries.ContainsKey("x") ? Floats("x")
            : throw new BadFileException(golden.Path, "the rows, tensor 'x', are missing");
    }

    /// <summary>Checks every type of the index.</summary>
    /// <exception cref="NanoException">A file is missing.</exception>
    /// <exception cref="BadFileException">A file is damaged, or names a type that is not known here.</exception>
    public static IReadOnlyList<GoldenCheck> Run(string directory, GoldenIndex index, Compute compute)
    {
        using var verifier = new QuantVerifier(directory, index.Root, compute);
        var checks = new List<GoldenCheck>();
        foreach (var type in index.Read("types", () => index.Root.GetProperty("types").EnumerateObject().ToList()))
            checks.AddRange(index.Read($"type {type.Name}", () => verifier.Check(type).ToList()));
        return checks.Count > 0 ? checks : throw new BadFileException(index.Path, "it holds no types");
    }

    private IEnumerable<GoldenCheck> Check(JsonProperty type)
    {
        var format = FormatOf(type.Name);
        yield return Sizes(type, format);
        foreach (var check in Rows(type, format))
            yield return check;
        if (golden.Entries.ContainsKey($"imatrix.{type.Name}.bytes"))
            yield return WithImportance(type.Name, format);
        if (golden.Entries.ContainsKey($"half.{type.Name}"))
            yield return Edges(type.Name, format);
        var products = index.GetProperty("dots").EnumerateArray()
            .Where(entry => entry.GetProperty("type").GetString() == type.Name).ToList();
        if (products.Count > 0)
            foreach (var check in Products(type, format, products))
                yield return check;
    }

    private static BlockFormat FormatOf(string name) =>
        Enum.TryParse(name, ignoreCase: true, out WeightType type) && Enum.IsDefined(type)
            && $"{type}".Equals(name, StringComparison.OrdinalIgnoreCase) ? BlockFormat.Of(type)
            : throw new ArgumentException($"the type is not known here; known: {Gguf.Supported}");

    private static GoldenCheck Sizes(JsonProperty type, BlockFormat format)
    {
        int wrong = (type.Value.GetProperty("block").GetInt32() == format.Weights ? 0 : 1)
            + (type.Value.GetProperty("block_bytes").GetInt32() == format.Bytes ? 0 : 1)
            + (type.Value.GetProperty("ggml_type").GetInt32() == (int?)Gguf.TypeOf(format.Type) ? 0 : 1);
        return new(type.Name, "sizes and number of the type that differ", 3, wrong, 0);
    }

    /// <summary>All rows that the type's blocks divide and C defines.</summary>
    private IEnumerable<GoldenCheck> Rows(JsonProperty type, BlockFormat format)
    {
        byte[] stored = Bytes($"{type.Name}.bytes");
        float[]? floats = golden.Entries.ContainsKey($"{type.Name}.dequantized")
            ? Floats($"{type.Name}.dequantized") : null;
        Difference read = new(), written = new();
        int number = 0;
        foreach (var (row, place) in index.GetProperty("rows").EnumerateArray()
            .Zip(type.Value.GetProperty("rows").EnumerateArray()))
        {
            string name = $"row {number++} ({row.GetProperty("kind").GetString()})";
            if (place.ValueKind == JsonValueKind.Null || !row.GetProperty("defined").GetBoolean())
                continue;
            var weights = Row(row);
            var blocks = stored.AsSpan(place[0].GetInt32(), checked((int)format.BytesOf(weights.Length)));
            written.Add(blocks, Quantised(format, weights), name);
            if (floats is null)
                continue;
            var dequantised = new float[weights.Length];
            format.Dequantise(blocks, dequantised);
            read.Add(MemoryMarshal.Cast<float, int>(floats.AsSpan(place[1].GetInt32(), weights.Length)),
                MemoryMarshal.Cast<float, int>(dequantised), name);
        }
        if (floats is not null)
            yield return read.Check(type.Name, "dequantised floats that differ");
        yield return written.Check(type.Name, "quantised bytes that differ");
    }

    private GoldenCheck WithImportance(string name, BlockFormat format)
    {
        var row = Row(index.GetProperty("rows")[index.GetProperty("imatrix_row").GetInt32()]);
        var written = new Difference();
        written.Add(Bytes($"imatrix.{name}.bytes"), Quantised(format, row, Floats("imatrix")), "the row");
        return written.Check(name, "bytes with importance that differ");
    }

    /// <summary>Bit patterns of plain numbers at the edges of the type; any NaN is as good as another.</summary>
    private GoldenCheck Edges(string name, BlockFormat format)
    {
        float[] edges = Floats("half.x");
        byte[] made = Quantised(format, edges);
        long[] expected = Integers($"half.{name}");
        var back = new float[1];
        var difference = new Difference();
        for (int i = 0; i < edges.Length; i++)
        {
            var bits = made.AsSpan(i * format.Bytes, format.Bytes);
            format.Dequantise(BitConverter.GetBytes((ushort)expected[i]), back);
            bool isNaN = float.IsNaN(edges[i]) && float.IsNaN(back[0]);
            format.Dequantise(bits, back);
            difference.Add([(int)expected[i]],
                [isNaN && float.IsNaN(back[0]) ? (int)expected[i] : BitConverter.ToUInt16(bits)], $"number {i}");
        }
        return difference.Check(name, "edge numbers that differ");
    }

    /// <summary>Products of one row: by dequantised floats, and by whole numbers at every width.</summary>
    private IEnumerable<GoldenCheck> Products(JsonProperty type, BlockFormat format, List<JsonElement> products)
    {
        double exact = 0, same = 0, whole = 0;
        int differing = 0;
        foreach (var product in products)
        {
            int number = product.GetProperty("w_row").GetInt32();
            int length = index.GetProperty("rows")[number].GetProperty("length").GetInt32();
            var blocks = Bytes($"{type.Name}.bytes").AsSpan(type.Value.GetProperty("rows")[number][0].GetInt32(),
                (int)format.BytesOf(length));
            using var arena = new Arena();
            var (plain, packed) = (new Tensor(new Shape(1, length)), QuantPanels.New(arena, new Shape(1, length),
                format.Type));
            format.Dequantise(blocks, plain.Data);
            QuantPanels.Of(packed).Pack(0, blocks);
            var row = Tensor.From(new Shape(1, length), Floats($"dot.x{product.GetProperty("x").GetInt32()}"));
            double Number(string name) => product.GetProperty(name).GetDouble();
            double size = Number("abs_sum");
            exact = Math.Max(exact, Math.Abs(Product(compute, row, plain) - Number("exact")) / size);
            float[] sums = [.. widths.Select(width => Product(width, row, packed))];
            differing += sums.Count(sum => BitConverter.SingleToInt32Bits(sum)
                != BitConverter.SingleToInt32Bits(sums[0]));
            same = Math.Max(same, Math.Abs(sums[0] - Number("exact_with_nano_activations")) / size);
            whole = Math.Max(whole, Math.Abs(sums[0] - Number("exact")) / size);
        }
        bool isTernary = format.Type is WeightType.TQ1_0 or WeightType.TQ2_0;
        yield return new(type.Name, "products, exact path, of sum |w||x|", products.Count, exact, ExactProduct);
        yield return new(type.Name, "products, integer path with its own activations", products.Count, same,
            ExactProduct);
        yield return new(type.Name, "products, integer path, of sum |w||x|", products.Count, whole,
            isTernary ? TernaryProduct : IntegerProduct);
        yield return new(type.Name, "products that differ between SIMD widths", products.Count * widths.Count,
            differing, 0);
    }

    private static float Product(Compute compute, Tensor x, Tensor weight)
    {
        float product = compute.Linear(x, weight, null).Data[0];
        compute.NextStep();
        return product;
    }

    private float[] Row(JsonElement row) =>
        x.AsSpan(row.GetProperty("offset").GetInt32(), row.GetProperty("length").GetInt32()).ToArray();

    /// <summary>The bytes that a quantiser writes; none of a row that it refuses.</summary>
    private static byte[] Quantised(BlockFormat format, float[] row, float[]? importance = null)
    {
        var bytes = new byte[format.BytesOf(row.Length)];
        try
        {
            format.Quantise(row, bytes, importance);
            return bytes;
        }
        catch (QuantisationException)
        {
            return [];
        }
    }

    private float[] Floats(string name)
    {
        var values = new float[Count(name)];
        golden.ReadFloat32(name, values);
        return values;
    }

    private byte[] Bytes(string name) => Array.ConvertAll(Integers(name), value => checked((byte)value));

    private long[] Integers(string name)
    {
        var values = new long[Count(name)];
        golden.ReadInt64(name, values);
        return values;
    }

    private long Count(string name) => golden.Entries.TryGetValue(name, out var entry) ? entry.Count
        : throw new BadFileException(golden.Path, $"tensor {Quoted.Of(name)} is missing");

    public void Dispose()
    {
        widths.ForEach(width => width.Dispose());
        golden.Dispose();
    }

    /// <summary>A count of numbers that should be equal and are not.</summary>
    private sealed class Difference
    {
        private long items, wrong;
        private string? first;

        public void Add<T>(ReadOnlySpan<T> expected, ReadOnlySpan<T> actual, string place) where T : IEquatable<T>
        {
            long before = wrong;
            for (int i = 0; i < expected.Length; i++)
                if (actual.Length != expected.Length || !expected[i].Equals(actual[i]))
                    wrong++;
            items += expected.Length;
            if (wrong > before)
                first ??= place;
        }

        public GoldenCheck Check(string of, string name) => new(of, name, items, wrong, 0)
        {
            Note = first is null ? null : $"first in {first}"
        };
    }
}
