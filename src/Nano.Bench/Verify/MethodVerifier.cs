namespace Nano;

/// <summary>
/// Methods of quantisation against golden values of one matrix W [N, K] with inputs, computed in double precision:
/// their codes, scales, zeros and products.
/// </summary>
internal sealed class MethodVerifier : IDisposable
{
    /// <summary>Stored numbers are read as float32.</summary>
    private const double Rounding = 1e-6;

    private const int Bits = 4;

    private readonly SafetensorsReader golden;
    private readonly double[] w;
    private readonly int rows, columns;

    private MethodVerifier(string path)
    {
        golden = SafetensorsReader.Open(path);
        (rows, columns) = golden.Entries.TryGetValue("W", out var matrix) && matrix.Shape.Count == 2
            ? ((int)matrix.Shape[0], (int)matrix.Shape[1])
            : throw new BadFileException(path, "the matrix, tensor 'W', is missing");
        w = Numbers("W");
    }

    /// <summary>Checks the methods whose values the file holds.</summary>
    /// <exception cref="BadFileException">The file is damaged, or lacks a part of a method.</exception>
    public static IReadOnlyList<GoldenCheck> Run(string path)
    {
        using var verifier = new MethodVerifier(path);
        (string Mark, Func<IEnumerable<GoldenCheck>> Check)[] methods =
        [
            ("int8.absmax_row.codes", verifier.Bytes), ("nf4.packed", verifier.NormalFloats),
            ("llmint8.y", verifier.Outliers), ("rtn.codes", verifier.Nearest),
            ("gptq.codes", () => verifier.OfGptq("gptq", isOrdered: false)),
            ("gptq_actorder.codes", () => verifier.OfGptq("gptq_actorder", isOrdered: true)),
            ("awq.scale", verifier.OfAwq), ("smooth.y", verifier.Smoothed), ("hqq.codes", verifier.OfHqq),
        ];
        return [.. methods.Where(method => verifier.golden.Entries.ContainsKey(method.Mark))
            .SelectMany(method => method.Check())];
    }

    /// <inheritdoc/>
    public void Dispose() => golden.Dispose();

    private IEnumerable<GoldenCheck> Bytes()
    {
        var codes = new sbyte[w.Length];
        var scales = new double[rows];
        double whole = IntBytes.Absmax(w, codes);
        yield return Differing("int8", "int8.absmax_tensor.codes", [.. codes]);
        yield return Near("int8", "int8.absmax_tensor.scale", [whole]);
        for (int row = 0; row < rows; row++)
            scales[row] = IntBytes.Absmax(w.AsSpan(row * columns, columns), codes.AsSpan(row * columns, columns));
        yield return Differing("int8", "int8.absmax_row.codes", [.. codes]);
        yield return Near("int8", "int8.absmax_row.scale", scales);
        var unsigned = new byte[w.Length];
        GroupGrid grid = IntBytes.ZeroPoint(w, unsigned);
        yield return Differing("int8", "int8.zeropoint.codes", [.. unsigned]);
        yield return Near("int8", "int8.zeropoint.scale_zero", [grid.Scale, grid.Zero]);
    }

    private IEnumerable<GoldenCheck> NormalFloats()
    {
        float[] weights = [.. w.Select(x => (float)x)], magnitudes = new float[w.Length / NormalFloat4.Block];
        var codes = new byte[NormalFloat4.BytesOf(w.Length)];
        NormalFloat4.Quantise(weights, codes, magnitudes);
        yield return Differing("nf4", "nf4.packed", [.. codes]);
        NormalFloat4.Dequantise(codes, magnitudes, weights);
        yield return Near("nf4", "nf4.dequantized", [.. weights.Select(x => (double)x)]);
        var (doubled, scales) = (new byte[magnitudes.Length], new float[(magnitudes.Length + 255) / 256]);
        float mean = NormalFloat4.QuantiseMagnitudes(magnitudes, doubled, scales);
        yield return Differing("nf4", "double.codes", [.. doubled]);
        yield return Near("nf4", "double.offset", [mean]);
    }

    private IEnumerable<GoldenCheck> Outliers()
    {
        double[] x = Numbers("X_outliers");
        yield return Near("LLM.int8()", "llmint8.y", LlmInt8.Multiply(x, w, LlmInt8.Outliers(x, columns)));
        yield return Near("LLM.int8()", "llmint8.naive", LlmInt8.Multiply(x, w, new bool[columns]));
    }

    private IEnumerable<GoldenCheck> Nearest()
    {
        var made = Matrix("rtn");
        for (int row = 0; row < rows; row++)
            RoundToNearest.Quantise(w.AsSpan(row * columns, columns), made, row);
        return Grouped("rtn", made, made.Scales.ToArray());
    }

    private IEnumerable<GoldenCheck> OfGptq(string name, bool isOrdered)
    {
        var made = Matrix(name);
        Gptq.Quantise(w, Gptq.Factor(Gram(Numbers("X_calibration")), columns, isOrdered), made, new ParallelOptions());
        return Grouped(name, made, made.Scales.ToArray());
    }

    private IEnumerable<GoldenCheck> OfAwq()
    {
        double[] x = Numbers("X_calibration");
        double[] means = [.. Enumerable.Range(0, columns).Select(j => Column(x, j).Average(Math.Abs))];
        var choice = Awq.Choose([w], Gram(x), means, columns / Groups("rtn"), Bits, new ParallelOptions());
        yield return Near("awq", "awq.scale", choice.Scales);
    }

    private IEnumerable<GoldenCheck> Smoothed()
    {
        double[] x = Numbers("X_outliers"), scales = SmoothQuant.Scales(Largest(x), Largest(w));
        yield return Near("smoothquant", "smooth.scale", scales);
        double[] inputs = [.. x.Select((value, i) => value / scales[i % columns])],
            weights = [.. w.Select((value, i) => value * scales[i % columns])];
        yield return Near("smoothquant", "smooth.y", LlmInt8.Multiply(inputs, weights, new bool[columns]));
    }

    private IEnumerable<GoldenCheck> OfHqq()
    {
        var made = Matrix("hqq");
        Hqq.Quantise(w, made);
        return Grouped("hqq", made, [.. made.Scales.ToArray().Select(scale => 1 / scale)]);
    }

    private IEnumerable<GoldenCheck> Grouped(string name, GroupedMatrix made, double[] scales) =>
    [
        Differing(name, $"{name}.codes", [.. made.AllCodes.ToArray()]), Near(name, $"{name}.scale", scales),
        Near(name, $"{name}.zero", made.Zeros.ToArray()),
    ];

    private GroupedMatrix Matrix(string name) => new(rows, columns, columns / Groups(name), Bits);

    private int Groups(string name) => Math.Max(1, Numbers($"{name}.scale").Length / rows);

    private IEnumerable<double> Column(double[] x, int column) => x.Where((_, i) => i % columns == column);

    private double[] Largest(double[] x) =>
        [.. Enumerable.Range(0, columns).Select(j => Column(x, j).Max(Math.Abs))];

    /// <summary>X'X over the number of tokens, [K, K].</summary>
    private double[] Gram(double[] x)
    {
        var gram = new double[columns * columns];
        for (int t = 0; t < x.Length; t += columns)
            for (int i = 0; i < columns; i++)
                for (int j = 0; j < columns; j++)
                    gram[(i * columns) + j] += x[t + i] * x[t + j] * columns / x.Length;
        return gram;
    }

    private GoldenCheck Differing(string of, string name, long[] actual)
    {
        var expected = new long[Entry(name).Count];
        golden.ReadInt64(name, expected);
        long wrong = actual.Length != expected.Length ? expected.Length
            : actual.Zip(expected).LongCount(pair => pair.First != pair.Second);
        return new(of, $"{name} that differ", expected.Length, wrong, 0);
    }

    /// <summary>The largest difference, relative where numbers are large.</summary>
    private GoldenCheck Near(string of, string name, double[] actual)
    {
        double[] expected = Numbers(name);
        double worst = actual.Length != expected.Length ? double.NaN : actual.Zip(expected)
            .Max(pair => Math.Abs(pair.First - pair.Second) / Math.Max(1e-3, Math.Abs(pair.Second)));
        return new(of, $"{name}, relative", expected.Length, worst, Rounding);
    }

    private double[] Numbers(string name)
    {
        var values = new float[Entry(name).Count];
        golden.ReadFloat32(name, values);
        return [.. values.Select(value => (double)value)];
    }

    private SafetensorsEntry Entry(string name) => golden.Entries.TryGetValue(name, out var entry) ? entry
        : throw new BadFileException(golden.Path, $"tensor '{name}' is missing");
}
