using System.Text.Json;

namespace Nano;

/// <summary>
/// A folder of op cases: index.json says what each case computes, ops.safetensors holds tensor
/// "case.name" for each of its names.
/// </summary>
internal sealed class GoldenOps : IDisposable
{
    private const int MaxIndexBytes = 64 << 20;

    private readonly SafetensorsReader tensors;

    private GoldenOps(string indexPath, SafetensorsReader tensors)
    {
        (IndexPath, this.tensors) = (indexPath, tensors);
    }

    /// <summary>For error messages.</summary>
    public string IndexPath { get; }

    /// <summary>In the order of the index.</summary>
    public IReadOnlyList<GoldenOp> Cases { get; private set; } = [];

    /// <summary>Reads the index and opens the tensor file.</summary>
    /// <exception cref="NanoException">A file is missing.</exception>
    /// <exception cref="BadFileException">A file is malformed, or the index holds no cases.</exception>
    public static GoldenOps Open(string directory)
    {
        string indexPath = Path.Combine(directory, "index.json");
        if (!File.Exists(indexPath))
            throw new NanoException($"'{indexPath}' is missing",
                "give a folder of op cases: index.json and ops.safetensors");
        var golden = new GoldenOps(indexPath, SafetensorsReader.Open(Path.Combine(directory, "ops.safetensors")));
        try
        {
            using var index = InputFile.ReadJson(indexPath, MaxIndexBytes, "give a folder of op cases");
            golden.Cases = [.. index.RootElement.GetProperty("cases").EnumerateArray()
                .Select(entry => new GoldenOp(entry.Clone(), golden.tensors))];
            if (golden.Cases.Count == 0)
                throw new BadFileException(indexPath, "it holds no cases");
            return golden;
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException)
        {
            golden.Dispose();
            throw new BadFileException(indexPath, Quoted.Reason(e), e);
        }
        catch
        {
            golden.Dispose();
            throw;
        }
    }

    public void Dispose() => tensors.Dispose();
}

/// <summary>One case: an op, its attributes, and the names of the tensors that go in and must come out.</summary>
internal sealed class GoldenOp
{
    private readonly JsonElement entry;
    private readonly SafetensorsReader tensors;

    public GoldenOp(JsonElement entry, SafetensorsReader tensors)
    {
        (this.entry, this.tensors) = (entry, tensors);
        Name = entry.GetProperty("case").GetString()!;
        Op = entry.GetProperty("op").GetString()!;
        Inputs = Strings("inputs");
        Gradients = Strings("grads");
        Expected = [.. Strings("outputs"), .. Gradients];
    }

    public string Name { get; }

    public string Op { get; }

    public JsonElement Attributes => entry.GetProperty("attrs");

    public IReadOnlyList<string> Inputs { get; }

    /// <summary>Gradients to compare: "d" and the name of an input. None where the case is forward only.</summary>
    public IReadOnlyList<string> Gradients { get; }

    /// <summary>Everything to compare: outputs, then gradients.</summary>
    public IReadOnlyList<string> Expected { get; }

    /// <summary>The tensor that holds the gradient fed in at the first output, or "1 (scalar)".</summary>
    public string Upstream => entry.GetProperty("upstream").GetString()!;

    /// <summary>The largest error of float32 PyTorch in a tensor of this case.</summary>
    public double ReferenceError(string name) => entry.GetProperty("f32_err").GetProperty(name)[1].GetDouble();

    /// <summary>The sizes of a tensor of this case.</summary>
    public Shape ShapeOf(string name) =>
        tensors.Entries.TryGetValue(FullName(name), out var found)
            ? new Shape([.. found.Shape.Select(size => checked((int)size))])
            : throw new ArgumentException($"tensor {Quoted.Of(FullName(name))} is not in ops.safetensors");

    /// <summary>The elements of a float tensor.</summary>
    public float[] Floats(string name)
    {
        var values = new float[ShapeOf(name).Length];
        tensors.ReadFloat32(FullName(name), values);
        return values;
    }

    /// <summary>The elements of an integer tensor.</summary>
    public int[] Integers(string name)
    {
        var values = new long[ShapeOf(name).Length];
        tensors.ReadInt64(FullName(name), values);
        return Array.ConvertAll(values, value => checked((int)value));
    }

    private string FullName(string name) => $"{Name}.{name}";

    private string[] Strings(string key) => entry.TryGetProperty(key, out var list)
        ? [.. list.EnumerateArray().Select(name => name.GetString()!)] : [];
}
