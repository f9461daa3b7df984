using System.Text.Json;

namespace Nano.Tests;

/// <summary>Cases of recurrent, scan and image ops in double precision (goldens/zoo_scans).</summary>
internal sealed class ScanGoldens : IDisposable
{
    private readonly SafetensorsReader file = SafetensorsReader.Open(Goldens.Path("zoo_scans/ops.safetensors"));

    public static IReadOnlyList<JsonElement> Cases { get; } =
        [.. JsonDocument.Parse(File.ReadAllText(Goldens.Path("zoo_scans/index.json"))).RootElement.GetProperty("cases")
            .EnumerateArray()];

    public static JsonElement Case(string name) => Cases.Single(c => c.GetProperty("case").GetString() == name);

    /// <summary>A tensor of a case, with two dimensions exchanged if asked for.</summary>
    public Tensor Read(JsonElement test, string name, (int, int) exchanged = default)
    {
        var sizes = test.GetProperty("shapes").GetProperty(name).EnumerateArray().Select(d => d.GetInt32()).ToArray();
        var values = new float[sizes.Aggregate(1, (a, b) => a * b)];
        file.ReadFloat32($"{test.GetProperty("case").GetString()}.{name}", values);
        return Exchanged(Tensor.From(new Shape(sizes), values), exchanged);
    }

    /// <summary>A copy with two dimensions exchanged.</summary>
    public static Tensor Exchanged(Tensor from, (int A, int B) dims)
    {
        if (dims.A == dims.B)
            return from.Copy();
        int rank = from.Shape.Rank;
        var order = Enumerable.Range(0, rank).Select(i => i == dims.A ? dims.B : i == dims.B ? dims.A : i).ToArray();
        var sizes = order.Select(i => from.Shape[i]).ToArray();
        var to = new Tensor(new Shape(sizes));
        for (int i = 0; i < to.Length; i++)
        {
            var at = new int[rank];
            for (int d = rank - 1, rest = i; d >= 0; rest /= sizes[d], d--)
                at[order[d]] = rest % sizes[d];
            int source = 0;
            for (int d = 0; d < rank; d++)
                source = (source * from.Shape[d]) + at[d];
            to.Data[i] = from.Data[source];
        }
        return to;
    }

    /// <summary>Within ten times the error of PyTorch in float32, and 1e-6 of the largest value.</summary>
    public void AssertClose(JsonElement test, string name, Tensor actual, string what)
    {
        var expected = Read(test, name);
        double reference = test.GetProperty("f32_err").GetProperty(name)[1].GetDouble(), error = 0, scale = 0;
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            double difference = Math.Abs((double)actual.Data[i] - expected.Data[i]);
            error = double.IsFinite(difference) ? Math.Max(error, difference) : double.PositiveInfinity;
            scale = Math.Max(scale, Math.Abs(expected.Data[i]));
        }
        Assert.True(error <= (10 * reference) + (1e-6 * scale),
            $"{test.GetProperty("case").GetString()}.{name}, {what}: off by {error}, PyTorch by {reference}");
    }

    public void Dispose() => file.Dispose();
}
