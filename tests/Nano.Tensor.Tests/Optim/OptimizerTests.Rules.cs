namespace Nano.Tests;

/// <summary>What only some of the rules have: factored, orthogonal, curved and quantised state.</summary>
public partial class OptimizerTests
{
    [Fact]
    public void A_factored_state_has_a_float_per_row_and_column()
    {
        Tensor[] parameters = NewParameters();
        using var optimizer = OptimizerKind.Create(parameters, OptimizerKind.Get("adafactor").Defaults);
        Assert.Equal(Shapes.Sum(shape => shape.Shape.Rank == 2 ? shape.Shape[0] + shape.Shape[1] : shape.Shape[0]),
            optimizer.State.Sum(slot => slot.Tensor.Length));
    }

    [Fact]
    public void Muon_keeps_a_velocity_for_a_blocks_matrices_and_two_moments_for_the_rest()
    {
        using var optimizer =
            OptimizerKind.Create(NewParameters([.. Shapes, ("model.embed_tokens.weight", new Shape(3, 2)),
                ("model.layers.1.mlp.up_proj.weight", new Shape(3, 2)), ("lm_head.weight", new Shape(3, 2))]),
            OptimizerKind.Get("muon").Defaults);
        Assert.Equal(["h.0.attn.c_attn.weight", "h.0.attn.c_proj.weight", "h.0.mlp.c_fc.weight",
            "h.0.mlp.c_proj.weight", "model.layers.1.mlp.up_proj.weight"],
            optimizer.State.Where(slot => slot.Name.EndsWith(".velocity", StringComparison.Ordinal))
                .Select(slot => slot.Name[..^9]));
        Assert.Equal(["wte.weight", "h.0.mlp.c_proj.bias", "ln_f.weight", "model.embed_tokens.weight",
            "lm_head.weight"],
            optimizer.State.Where(slot => slot.Name.EndsWith(".square", StringComparison.Ordinal))
                .Select(slot => slot.Name[..^7]));
    }

    [Theory]
    [InlineData(40, 40)]
    [InlineData(17, 90)]
    [InlineData(90, 17)]
    public void Newton_and_Schulz_bring_singular_values_near_1_and_turn_nothing(int m, int n)
    {
        // U S V^T of rotations in planes, with singular values from 1 down to 1/4.
        double[,] x = new double[m, n];
        for (int i = 0; i < Math.Min(m, n); i++)
            x[i, i] = 0.25 + (0.75 * i / Math.Min(m, n));
        double[,] identity = (double[,])x.Clone();
        for (int i = 0; i < Math.Min(m, n); i++)
            identity[i, i] = 1;
        Rotate(x);
        Rotate(identity); // U V^T
        var matrix = new Tensor(new Shape(m, n));
        for (int i = 0; i < m * n; i++)
            matrix.Data[i] = (float)x[i / n, i % n];
        using var compute = new Compute(2);
        compute.Orthogonalize(matrix);
        // <O, U V^T> is the sum of the singular values, |O|^2 that of their squares: all between 0.6 and 1.3,
        // and nothing beside U V^T's directions.
        double along = 0, squares = 0;
        for (int i = 0; i < m * n; i++)
        {
            along += matrix.Data[i] * identity[i / n, i % n];
            squares += (double)matrix.Data[i] * matrix.Data[i];
        }
        int rank = Math.Min(m, n);
        Assert.InRange(along / rank, 0.6, 1.3);
        Assert.InRange(squares / rank, 0.36, 1.69);
        Assert.InRange((squares / rank) - (along / rank * along / rank), -1e-4, 0.05); // their variance

        static void Rotate(double[,] x)
        {
            int m = x.GetLength(0), n = x.GetLength(1);
            for (int i = 0; i + 1 < m; i++)
                for (int c = 0; c < n; c++)
                    (x[i, c], x[i + 1, c]) =
                        ((0.8 * x[i, c]) - (0.6 * x[i + 1, c]), (0.6 * x[i, c]) + (0.8 * x[i + 1, c]));
            for (int i = 0; i + 1 < n; i++)
                for (int r = 0; r < m; r++)
                    (x[r, i], x[r, i + 1]) =
                        ((0.6 * x[r, i]) - (0.8 * x[r, i + 1]), (0.8 * x[r, i]) + (0.6 * x[r, i + 1]));
        }
    }

    [Fact]
    public void A_matrix_of_zeros_stays()
    {
        var matrix = new Tensor(new Shape(5, 9));
        using var compute = new Compute(1);
        compute.Orthogonalize(matrix);
        Assert.All(matrix.Data.ToArray(), value => Assert.Equal(0, value));
    }

    [Fact]
    public void Sophias_published_rule_in_double_is_followed()
    {
        const double b1 = 0.8, b2 = 0.9, rho = 0.4, epsilon = 1e-3, decay = 0.3, rate = 0.02, scale = 0.5;
        Tensor[] parameters = NewParameters();
        using var compute = new Compute(2);
        using var optimizer = new Sophia(parameters, new OptimizerOptions("sophia", b1, b2, epsilon, decay, Rho: rho));
        double[][] expected =
            [.. parameters.Select(parameter => parameter.Data.ToArray().Select(value => (double)value).ToArray())];
        double[][] m = [.. expected.Select(p => new double[p.Length])],
            h = [.. expected.Select(p => new double[p.Length])];
        int clipped = 0, free = 0;
        for (int step = 1; step <= 24; step++)
        {
            bool asked = false;
            optimizer.BeforeStep(compute, () =>
            {
                asked = true;
                GiveGradients(parameters, 1000 + step);
                return 50;
            });
            Assert.Equal(step is 1 or 11 or 21, asked); // t mod k = 1 for k = 10
            if (asked)
            {
                for (int i = 0; i < parameters.Length; i++)
                    for (int e = 0; e < h[i].Length; e++)
                        h[i][e] = (b2 * h[i][e])
                            + ((1 - b2) * 50 * parameters[i].Gradient.Data[e] * parameters[i].Gradient.Data[e]);
            }
            GiveGradients(parameters, step);
            optimizer.Step(compute, rate, scale);
            for (int i = 0; i < parameters.Length; i++)
                for (int e = 0; e < m[i].Length; e++)
                {
                    m[i][e] = (b1 * m[i][e]) + ((1 - b1) * scale * parameters[i].Gradient.Data[e]);
                    expected[i][e] -= rate * (parameters[i].Shape.Rank >= 2 ? decay : 0) * expected[i][e];
                    double ratio = m[i][e] / Math.Max(rho * h[i][e], epsilon);
                    _ = Math.Abs(ratio) > 1 ? clipped++ : free++;
                    expected[i][e] -= rate * Math.Clamp(ratio, -1, 1);
                    Assert.True(Math.Abs(expected[i][e] - parameters[i].Data[e]) < 2e-6,
                        $"step {step}, {parameters[i].Name}[{e}]: {parameters[i].Data[e]}, by the paper "
                        + $"{expected[i][e]}");
                }
        }
        Assert.True(clipped > 100 && free > 100, $"{clipped} clipped, {free} not");
    }

    [Fact]
    public void Moments_of_8_bits_are_the_nearest_codes_and_never_lose_a_second_moment()
    {
        var parameter = NewParameters([("w", new Shape(3, 2049))]); // three blocks and a tail
        using var compute = new Compute(2);
        using var optimizer = OptimizerKind.Create(parameter,
            new OptimizerOptions("adamw8bit", Beta1: 0.8, Beta2: 0.9));
        GiveGradients(parameter, 1);
        float[] g = parameter[0].Gradient.Data.ToArray();
        for (int i = 0; i < 2048; i++)
            g[i] *= i % 5 == 0 ? 1e-6f : 1; // far below the largest of its block
        g[17] = 0;
        g.CopyTo(parameter[0].Gradient.Data);
        optimizer.Step(compute, 0.01, 1);
        var state = optimizer.State.ToDictionary(slot => slot.Name, slot => slot.Tensor);
        byte[] mean = [.. System.Runtime.InteropServices.MemoryMarshal.AsBytes(state["w.mean.codes"].Ids)],
            square = [.. System.Runtime.InteropServices.MemoryMarshal.AsBytes(state["w.square.codes"].Ids)];
        for (int i = 0; i < g.Length; i++)
        {
            double[] block = [.. g.Skip(i / 2048 * 2048).Take(2048).Select(value => (double)value)];
            double m = 0.2 * g[i], v = 0.1 * g[i] * g[i], largestMean = 0.2 * block.Max(Math.Abs),
                largestSquare = 0.1 * block.Max(value => value * value);
            // The code of m is its root's share of the largest root, in 127ths; that of v its fourth root's,
            // in 255ths, and at least 1 above zero.
            Assert.Equal(127 * Math.Sign(m) * Math.Sqrt(Math.Abs(m) / largestMean), (sbyte)mean[i], 0.501);
            Assert.Equal(Math.Max(v > 0 ? 1 : 0, 255 * Math.Pow(v / largestSquare, 0.25)), square[i], 0.501);
            Assert.Equal(g[i] == 0, square[i] == 0);
        }
        Assert.Equal(4, state["w.mean.roots"].Length);
        Assert.Equal(Math.Sqrt(0.2 * g[..2048].Max(Math.Abs)), state["w.mean.roots"].Data[0], 1e-6);
    }

    [Fact]
    public void Moments_of_8_bits_move_weights_about_as_floats_do()
    {
        (string, Shape)[] shapes = [("w", new Shape(64, 100))];
        Tensor[] floats = NewParameters(shapes), bytes = NewParameters(shapes), start = NewParameters(shapes);
        using var compute = new Compute(2);
        using var expected = OptimizerKind.Create(floats, new OptimizerOptions("adamw"));
        using var actual = OptimizerKind.Create(bytes, new OptimizerOptions("adamw8bit"));
        for (int step = 1; step <= 30; step++)
        {
            GiveGradients(floats, step);
            GiveGradients(bytes, step);
            expected.Step(compute, 0.01, 1);
            actual.Step(compute, 0.01, 1);
        }
        double difference = 0, way = 0;
        for (int i = 0; i < 6400; i++)
        {
            difference += Math.Abs(bytes[0].Data[i] - floats[0].Data[i]);
            way += Math.Abs(floats[0].Data[i] - start[0].Data[i]);
        }
        Assert.InRange(difference / way, 1e-6, 0.1);
        // Two bytes per element and, for each of four blocks, two floats: 2.01 bytes instead of 8.
        Assert.Equal((2 * 6400) + (2 * 4 * sizeof(float)),
            actual.State.Sum(slot => slot.Tensor.Length * sizeof(float)));
        Assert.Equal(8 * 6400, expected.State.Sum(slot => slot.Tensor.Length * sizeof(float)));
    }
}
