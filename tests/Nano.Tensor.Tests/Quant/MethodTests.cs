using System.Text.Json;

namespace Nano.Tests;

/// <summary>Methods of quantisation against numpy in double precision, which did the same to one matrix.</summary>
public sealed class MethodTests : IDisposable
{
    const int Rows = 48, Columns = 128, Group = 32, Bits = 4;

    static readonly ParallelOptions Threads = new() { MaxDegreeOfParallelism = 2 };

    readonly SafetensorsReader goldens = SafetensorsReader.Open(Goldens.Path("quant/methods.safetensors"));
    readonly JsonElement figures =
        JsonDocument.Parse(File.ReadAllText(Goldens.Path("quant/methods.json"))).RootElement;
    readonly double[] w;

    public MethodTests() => w = Numbers("W");

    public void Dispose() => goldens.Dispose();

    /// <summary>Numbers as double; those stored as double lose what is beyond float32.</summary>
    double[] Numbers(string name)
    {
        var values = new float[goldens.Entries[name].Count];
        goldens.ReadFloat32(name, values);
        return [.. values.Select(value => (double)value)];
    }

    long[] Codes(string name)
    {
        var values = new long[goldens.Entries[name].Count];
        goldens.ReadInt64(name, values);
        return values;
    }

    double Figure(string name) => figures.GetProperty(name).GetDouble();

    static double[] Gram(double[] x)
    {
        var gram = new double[Columns * Columns];
        int tokens = x.Length / Columns;
        for (int i = 0; i < Columns; i++)
            for (int j = 0; j < Columns; j++)
            {
                double sum = 0;
                for (int t = 0; t < tokens; t++)
                    sum += x[(t * Columns) + i] * x[(t * Columns) + j];
                gram[(i * Columns) + j] = sum / tokens;
            }
        return gram;
    }

    static double[] Means(double[] x) =>
        [.. Enumerable.Range(0, Columns).Select(j => x.Where((_, i) => i % Columns == j).Average(Math.Abs))];

    static double[] Largest(double[] x) =>
        [.. Enumerable.Range(0, Columns).Select(j => x.Where((_, i) => i % Columns == j).Max(Math.Abs))];

    static double[] Product(double[] x, double[] weights)
    {
        int tokens = x.Length / Columns, rows = weights.Length / Columns;
        var y = new double[tokens * rows];
        for (int t = 0; t < tokens; t++)
            for (int n = 0; n < rows; n++)
                for (int k = 0; k < Columns; k++)
                    y[(t * rows) + n] += x[(t * Columns) + k] * weights[(n * Columns) + k];
        return y;
    }

    /// <summary>The mean squared difference of the outputs.</summary>
    double OutputError(string inputs, double[] weights) =>
        Product(Numbers(inputs), [.. weights.Zip(w, (a, b) => a - b)]).Average(d => d * d);

    static double[] Dequantised(GroupedMatrix matrix)
    {
        var all = new double[matrix.Rows * matrix.Columns];
        for (int row = 0; row < matrix.Rows; row++)
            matrix.Dequantise(row, all.AsSpan(row * matrix.Columns, matrix.Columns));
        return all;
    }

    static void Near(double[] expected, ReadOnlySpan<double> actual, double relative)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
            Assert.True(Math.Abs(expected[i] - actual[i]) <= relative * Math.Max(1e-3, Math.Abs(expected[i])),
                $"{i}: {expected[i]} {actual[i]}");
    }

    void AreGoldens(string name, GroupedMatrix made, double zeroBound = 0)
    {
        Assert.Equal(Codes($"{name}.codes"), made.AllCodes.ToArray().Select(code => (long)code));
        Near(Numbers($"{name}.scale"), name == "hqq" ? made.Scales.ToArray().Select(s => 1 / s).ToArray() : made.Scales,
            1e-6);
        Near(Numbers($"{name}.zero"), made.Zeros, zeroBound);
    }

    static void Around(double expected, double actual) => Assert.InRange(actual / expected, 1 - 1e-6, 1 + 1e-6);

    [Fact]
    public void Bytes_by_the_largest_magnitude_are_those_of_numpy()
    {
        var codes = new sbyte[w.Length];
        Around(Numbers("int8.absmax_tensor.scale")[0], IntBytes.Absmax(w, codes));
        Assert.Equal(Codes("int8.absmax_tensor.codes"), codes.Select(code => (long)code));
        double[] scales = Numbers("int8.absmax_row.scale");
        for (int row = 0; row < Rows; row++)
            Around(scales[row],
                IntBytes.Absmax(w.AsSpan(row * Columns, Columns), codes.AsSpan(row * Columns, Columns)));
        Assert.Equal(Codes("int8.absmax_row.codes"), codes.Select(code => (long)code));
        Assert.Equal(0, IntBytes.Absmax(new double[3], codes.AsSpan(0, 3)));
        Assert.Equal([0, 0, 0], codes[..3]);
    }

    [Fact]
    public void A_row_by_the_largest_magnitude_fits_bytes_without_a_sign()
    {
        var matrix = new GroupedMatrix(Rows, Columns, Group, 8);
        var codes = new sbyte[Columns];
        var back = new double[Columns];
        for (int row = 0; row < Rows; row++)
        {
            ReadOnlySpan<double> weights = w.AsSpan(row * Columns, Columns);
            IntBytes.AbsmaxRow(weights, matrix, row);
            double scale = matrix[row, 0].Scale;
            Assert.Equal((double)(Half)IntBytes.Absmax(weights, codes), scale);
            Assert.All(matrix.Row(row).ToArray(), code => Assert.InRange(code, 1, 255));
            matrix.Dequantise(row, back);
            for (int i = 0; i < Columns; i++)
                Assert.InRange(Math.Abs(back[i] - weights[i]), 0, 0.57 * scale);
        }
    }

    [Fact]
    public void Bytes_with_a_zero_point_are_those_of_numpy()
    {
        var codes = new byte[w.Length];
        GroupGrid grid = IntBytes.ZeroPoint(w, codes);
        Assert.Equal(Codes("int8.zeropoint.codes"), codes.Select(code => (long)code));
        Near(Numbers("int8.zeropoint.scale_zero"), [grid.Scale, grid.Zero], 1e-6);
    }

    [Fact]
    public void Products_with_outliers_apart_are_those_of_numpy()
    {
        double[] x = Numbers("X_outliers");
        bool[] outliers = LlmInt8.Outliers(x, Columns);
        Assert.Equal(figures.GetProperty("llmint8.outlier_columns").EnumerateArray().Select(k => k.GetInt32()),
            Enumerable.Range(0, Columns).Where(k => outliers[k]));
        double[] y = LlmInt8.Multiply(x, w, outliers), exact = Product(x, w);
        Near(Numbers("llmint8.y"), y, 1e-6);
        Near(Numbers("llmint8.naive"), LlmInt8.Multiply(x, w, new bool[Columns]), 1e-6);
        Around(Figure("llmint8.max_error"), y.Zip(exact, (a, b) => Math.Abs(a - b)).Max());
    }

    [Fact]
    public void Rounding_to_the_nearest_is_that_of_numpy()
    {
        var made = new GroupedMatrix(Rows, Columns, Group, Bits);
        for (int row = 0; row < Rows; row++)
            RoundToNearest.Quantise(w.AsSpan(row * Columns, Columns), made, row);
        AreGoldens("rtn", made);
        Around(Figure("rtn.mse_test"), OutputError("X_test", Dequantised(made)));
    }

    [Theory]
    [InlineData("gptq", false, 1)]
    [InlineData("gptq", false, 3)]
    [InlineData("gptq_actorder", true, 1)]
    [InlineData("gptq_actorder", true, 3)]
    public void Codes_of_gptq_are_those_of_numpy(string name, bool isOrdered, int threads)
    {
        var inputs = Gptq.Factor(Gram(Numbers("X_calibration")), Columns, isOrdered);
        if (isOrdered)
            Assert.Equal(Codes($"{name}.order"), inputs.Order.Select(column => (long)column));
        var made = new GroupedMatrix(Rows, Columns, Group, Bits);
        Gptq.Quantise(w, inputs, made, new ParallelOptions { MaxDegreeOfParallelism = threads });
        AreGoldens(name, made);
        Around(Figure($"{name}.mse_calibration"), OutputError("X_calibration", Dequantised(made)));
        Around(Figure($"{name}.mse_test"), OutputError("X_test", Dequantised(made)));
    }

    [Fact]
    public void The_factor_of_an_inverse_is_that_of_the_inverse()
    {
        double[] h = Gram(Numbers("X_calibration"));
        double more = Enumerable.Range(0, Columns).Average(i => h[(i * Columns) + i]) / 100;
        for (int i = 0; i < Columns; i++)
            h[(i * Columns) + i] += more;
        double[] lower = [.. h];
        double[] u = Triangular.InverseFactor(lower, Columns);
        // H (U^T U) = 1
        double worst = 0;
        for (int i = 0; i < Columns; i++)
            for (int j = 0; j < Columns; j++)
            {
                double sum = 0;
                for (int k = 0; k < Columns; k++)
                    for (int l = 0; l <= Math.Min(k, j); l++)
                        sum += h[(i * Columns) + k] * u[(l * Columns) + k] * u[(l * Columns) + j];
                worst = Math.Max(worst, Math.Abs(sum - (i == j ? 1 : 0)));
            }
        Assert.InRange(worst, 0, 1e-9);
        Assert.Throws<QuantisationException>(() => Triangular.InverseFactor([1, 0, 2, 1], 2));
        Assert.Throws<QuantisationException>(() => Triangular.InverseFactor([double.NaN], 1));
    }

    [Fact]
    public void Inputs_that_are_always_0_leave_rounding_to_the_nearest()
    {
        GroupedMatrix made = new(Rows, Columns, Group, Bits), plain = new(Rows, Columns, Group, Bits);
        Gptq.Quantise(w, Gptq.Factor(new double[Columns * Columns], Columns, isOrdered: true), made, Threads);
        for (int row = 0; row < Rows; row++)
            RoundToNearest.Quantise(w.AsSpan(row * Columns, Columns), plain, row);
        Assert.Equal(plain.AllCodes, made.AllCodes);
    }

    [Fact]
    public void Scales_of_awq_are_those_of_numpy()
    {
        double[] x = Numbers("X_calibration");
        var choice = Awq.Choose([w], Gram(x), Means(x), Group, Bits, Threads);
        Assert.Equal(Figure("awq.alpha"), choice.Power);
        Near(Numbers("awq.scale"), choice.Scales, 1e-6);
        double[] expected = [.. figures.GetProperty("awq.mse_by_alpha").EnumerateArray().Select(e => e.GetDouble())];
        for (int i = 0; i < expected.Length; i++)
            Around(expected[i], choice.Errors[i]);
        var made = new GroupedMatrix(Rows, Columns, Group, Bits);
        for (int row = 0; row < Rows; row++)
            RoundToNearest.Quantise([.. Enumerable.Range(0, Columns).Select(j => w[(row * Columns) + j]
                * choice.Scales[j])], made, row);
        double[] back = [.. Dequantised(made).Select((weight, i) => weight / choice.Scales[i % Columns])];
        Near(Numbers("awq.dequantized"), back, 1e-6);
        Around(Figure("awq.mse_test"), OutputError("X_test", back));
    }

    [Fact]
    public void Matrices_that_share_an_input_share_the_scales_of_the_smallest_total_error()
    {
        double[] x = Numbers("X_calibration"), half = [.. w.Take(w.Length / 2)], other = [.. w.Skip(w.Length / 2)];
        var (whole, parts) = (Awq.Choose([w], Gram(x), Means(x), Group, Bits, Threads),
            Awq.Choose([half, other], Gram(x), Means(x), Group, Bits, Threads));
        Assert.Equal(whole.Scales, parts.Scales);
        Assert.Equal(whole.Errors[0], parts.Errors[0], whole.Errors[0] * 1e-12);
    }

    [Fact]
    public void Scales_of_smoothquant_are_those_of_numpy()
    {
        double[] x = Numbers("X_outliers"), scales = SmoothQuant.Scales(Largest(x), Largest(w)), exact = Product(x, w);
        Near(Numbers("smooth.scale"), scales, 1e-6);
        double[] smoothed = [.. x.Select((value, i) => value / scales[i % Columns])],
            scaled = [.. w.Select((value, i) => value * scales[i % Columns])];
        double[] y = LlmInt8.Multiply(smoothed, scaled, new bool[Columns]);
        Near(Numbers("smooth.y"), y, 1e-6);
        Around(Figure("smooth.rms_error"), Math.Sqrt(y.Zip(exact, (a, b) => (a - b) * (a - b)).Average()));
        Assert.All(SmoothQuant.Scales([0, 1, 0], [1, 0, 0]), scale => Assert.True(double.IsFinite(scale) && scale > 0));
    }

    [Fact]
    public void Codes_of_hqq_are_those_of_numpy()
    {
        var made = new GroupedMatrix(Rows, Columns, Group, Bits);
        Assert.Equal((int)Figure("hqq.steps"), Hqq.Quantise(w, made));
        AreGoldens("hqq", made, 1e-6);
        double[] back = Dequantised(made);
        Around(Figure("hqq.mean_abs_error"), back.Zip(w, (a, b) => Math.Abs(a - b)).Average());
        Around(Figure("hqq.mse_test"), OutputError("X_test", back));
    }

    [Fact]
    public void Scales_in_float16_are_numbers_of_float16_and_hold_the_weights()
    {
        GroupedMatrix nearest = new(Rows, Columns, Group, Bits), hqq = new(Rows, Columns, Group, Bits);
        for (int row = 0; row < Rows; row++)
            RoundToNearest.Quantise(w.AsSpan(row * Columns, Columns), nearest, row, GridForm.Minimum);
        Hqq.Quantise(w, hqq, GridForm.Minimum);
        for (int i = 0; i < nearest.Scales.Length; i++)
        {
            Assert.Equal((double)(Half)nearest.Scales[i], nearest.Scales[i]);
            Assert.Equal((double)(Half)hqq.Scales[i], hqq.Scales[i], 1e-12);
            foreach (GroupedMatrix made in (GroupedMatrix[])[nearest, hqq])
            {
                double minimum = -made.Zeros[i] * made.Scales[i];
                Assert.Equal((double)(Half)minimum, minimum, 1e-12);
            }
        }
        double[] back = Dequantised(nearest);
        Assert.All(w.Zip(back, (a, b) => Math.Abs(a - b)).Zip(Enumerable.Range(0, w.Length)), pair =>
            Assert.InRange(pair.First, 0, nearest.Scales[pair.Second / Group] * 0.52));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Zeros_of_gptq_files_are_codes_from_1_on(double least)
    {
        // Weights without a sign: 0 would be code 0.
        double[] weights = [.. w.Take(Columns).Select(weight => Math.Abs(weight) + least)], back = new double[Columns];
        GroupedMatrix nearest = new(1, Columns, Group, Bits), hqq = new(1, Columns, Group, Bits);
        RoundToNearest.Quantise(weights, nearest, 0, GridForm.WholeZero);
        Hqq.Quantise(weights, hqq, GridForm.WholeZero);
        Assert.All([.. nearest.Zeros, .. hqq.Zeros], zero =>
        {
            Assert.Equal(Math.Round(zero), zero);
            Assert.InRange(zero, 1, 15);
        });
        nearest.Dequantise(0, back);
        for (int i = 0; i < Columns; i++)
            Assert.InRange(Math.Abs(back[i] - weights[i]), 0, 0.52 * nearest.Scales[i / Group]);
    }

    [Fact]
    public void Weights_that_no_grid_holds_are_refused()
    {
        double[] bad = [.. w];
        bad[70] = double.NaN;
        var matrix = new GroupedMatrix(1, Columns, Group, Bits);
        Assert.Throws<QuantisationException>(() => RoundToNearest.Quantise(bad.AsSpan(0, Columns), matrix, 0));
        Assert.Throws<QuantisationException>(() => Hqq.Quantise(bad[..Columns], matrix));
        bad[70] = 1e9;
        Assert.Throws<QuantisationException>(() =>
            RoundToNearest.Quantise(bad.AsSpan(0, Columns), matrix, 0, GridForm.Minimum));
        Assert.Throws<ArgumentException>(() => new GroupedMatrix(1, Columns, 33, 4));
        Assert.Throws<ArgumentOutOfRangeException>(() => new GroupedMatrix(1, Columns, Group, 9));
    }
}
