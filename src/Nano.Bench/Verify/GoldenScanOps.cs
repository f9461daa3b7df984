namespace Nano;

/// <summary>Golden cases of recurrent nets, scans, convolutions and pools.</summary>
internal static class GoldenScanOps
{
    /// <summary>[B, H, T, D] and [B, T, H, D].</summary>
    private static readonly (int, int) Times = (1, 2);

    /// <summary>[.., keys, values] and [.., values, keys].</summary>
    private static readonly (int, int) State = (2, 3);

    /// <summary>Runs one case; null if its op is not among these.</summary>
    public static Dictionary<string, float[]>? Run(GoldenOp test, Compute compute)
    {
        var run = new GoldenRun(test, compute);
        return test.Op switch
        {
            "selective_scan" => SelectiveScan(run),
            "ssd" => Ssd(run),
            "wkv7" => Wkv7(run),
            "retention" => Retention(run),
            "linear_attention" => LinearAttention(run),
            "gated_delta_rule" => DeltaRule(run),
            "lstm" => Lstm(run),
            "lstm_cell" => LstmCell(run),
            "gru" => Gru(run),
            "gru_cell" => GruCell(run),
            "conv1d" or "conv2d" => Conv(run),
            "max_pool2d" => Pool(run, PoolKind.Max),
            "avg_pool2d" => Pool(run, PoolKind.Average),
            "causal_conv1d" => Simple(run, compute.Activation(ActivationKind.Silu,
                compute.DepthwiseCausalConv(run.Input("x"), run.Input("w"), run.Input("b")).Y)),
            _ => null,
        };
    }

    private static Dictionary<string, float[]> Simple(GoldenRun run, Tensor y, (int, int) exchanged = default)
    {
        run.Output("y", y, exchanged);
        return run.Differentiate(y, exchanged);
    }

    private static Dictionary<string, float[]> SelectiveScan(GoldenRun run)
    {
        var (y, state) = run.Compute.SelectiveScan(run.Input("u"), run.Input("dt"), run.Input("A"), run.Input("B"),
            run.Input("C"), run.Input("D"), run.Optional("h0", (1, 2)));
        run.Output("state", state, (1, 2));
        return Simple(run, y);
    }

    private static Dictionary<string, float[]> Ssd(GoldenRun run)
    {
        int groups = run.Test.ShapeOf("B")[2];
        var (y, state) = run.Compute.Ssd(Flat(run.Input("x")), run.Input("dt"), run.Input("A"), Flat(run.Input("B")),
            Flat(run.Input("C")), groups, run.Input("D"));
        run.Output("state", state, State);
        return Simple(run, y);
    }

    private static Dictionary<string, float[]> Wkv7(GoldenRun run)
    {
        var (y, state) = run.Compute.Wkv7(Flat(run.Input("r")), Flat(run.Input("w")), Flat(run.Input("k")),
            Flat(run.Input("v")), Flat(run.Input("a")), Flat(run.Input("b")), run.Test.ShapeOf("state")[1]);
        run.Output("state", state, State);
        return Simple(run, y);
    }

    private static Dictionary<string, float[]> Retention(GoldenRun run)
    {
        var (q, k, v) = (run.Input("q", Times), run.Input("k", Times), run.Input("v", Times));
        float[] gammas = [.. run.Test.Attributes.GetProperty("gamma").EnumerateArray().Select(g => g.GetSingle())];
        var (y, state) = run.Compute.Retention(run.Compute.Scale(Flat(q), 1 / MathF.Sqrt(q.Shape[3])), Flat(k), Flat(v),
            Tensor.From(new Shape(gammas.Length), gammas));
        run.Output("state", state);
        return Simple(run, y.Reshape(v.Shape), Times);
    }

    private static Dictionary<string, float[]> LinearAttention(GoldenRun run)
    {
        var (q, k, v) = (run.Input("q", Times), run.Input("k", Times), run.Input("v", Times));
        var (y, state) = run.Compute.LinearAttention(Flat(q), Flat(k), Flat(v), q.Shape[2]);
        run.Output("state", run.Compute.Contiguous(state.SliceColumns(0, v.Shape[3])));
        run.Output("norm", run.Compute.Contiguous(state.SliceColumns(v.Shape[3], 1)));
        return Simple(run, y.Reshape(v.Shape), Times);
    }

    private static Dictionary<string, float[]> DeltaRule(GoldenRun run)
    {
        var c = run.Compute;
        var (q, k, v) = (run.Input("q", Times), run.Input("k", Times), run.Input("v", Times));
        // exp(-softplus(x)) is the sigmoid of -x
        var decay = c.Activation(ActivationKind.Sigmoid, c.Scale(run.Input("alpha", Times), -1));
        var rate = c.Activation(ActivationKind.Sigmoid, run.Input("beta", Times));
        var (y, state) = c.GatedDeltaRule(Flat(c.Scale(OfLengthOne(c, q), 1 / MathF.Sqrt(q.Shape[3]))),
            Flat(OfLengthOne(c, k)), Flat(v), decay, rate);
        run.Output("state", state, State);
        return Simple(run, y.Reshape(v.Shape), Times);
    }

    private static Dictionary<string, float[]> Lstm(GoldenRun run)
    {
        var (y, h, c) = run.Compute.Lstm(run.Input("x"), Weights(run), run.Input("h"), run.Input("c"), Lengths(run),
            IsReverse(run));
        run.Output("h2", h);
        run.Output("c2", c);
        return Simple(run, y);
    }

    private static Dictionary<string, float[]> LstmCell(GoldenRun run)
    {
        var c = run.Compute;
        var (_, h, memory) = c.Lstm(OneStep(run.Input("x")), Weights(run), run.Input("h"), run.Input("c"));
        var both = c.Stack(0, h, memory);
        run.Output("h2", h);
        run.Output("c2", memory);
        run.Output("both", both);
        return run.Differentiate(both);
    }

    private static Dictionary<string, float[]> Gru(GoldenRun run)
    {
        var (y, h) = run.Compute.Gru(run.Input("x"), Weights(run), run.Input("h"), Lengths(run), IsReverse(run));
        run.Output("h2", h);
        return Simple(run, y);
    }

    private static Dictionary<string, float[]> GruCell(GoldenRun run)
    {
        var h = run.Compute.Gru(OneStep(run.Input("x")), Weights(run), run.Input("h")).H;
        run.Output("h2", h);
        return run.Differentiate(h);
    }

    private static Dictionary<string, float[]> Conv(GoldenRun run) => Simple(run, run.Compute.Conv(run.Input("x"),
        run.Input("w"), run.Optional("b"), new ConvOptions(run.Number("stride", 1), run.Number("padding", 0),
            run.Number("dilation", 1), run.Number("groups", 1))));

    private static Dictionary<string, float[]> Pool(GoldenRun run, PoolKind kind) =>
        Simple(run, run.Compute.Pool(kind, run.Input("x"), run.Number("kernel", 0), run.Number("stride", 0)));

    /// <summary>[B, T, H, D] as [B, T, H D].</summary>
    private static Tensor Flat(Tensor x) => x.Reshape(new Shape(x.Shape[0], x.Shape[1], x.Shape[2] * x.Shape[3]));

    /// <summary>[B, in] as [B, 1, in].</summary>
    private static Tensor OneStep(Tensor x) => x.Reshape(new Shape(x.Shape[0], 1, x.Shape[1]));

    /// <summary>x / sqrt(sum x^2 + 1e-6), by a norm over the mean.</summary>
    private static Tensor OfLengthOne(Compute compute, Tensor x)
    {
        int columns = x.Shape.Columns;
        var weight = new Tensor(new Shape(columns)) { WantsGradient = false };
        weight.Data.Fill(1 / MathF.Sqrt(columns));
        return compute.RmsNorm(x, weight, 1e-6f / columns);
    }

    private static RecurrentWeights Weights(GoldenRun run) => new(run.Input("weight_ih"), run.Input("weight_hh"),
        run.Input("bias_ih"), run.Input("bias_hh"));

    private static bool IsReverse(GoldenRun run) =>
        run.Test.Attributes.GetProperty("direction").GetString() == "reverse";

    private static Tensor Lengths(GoldenRun run)
    {
        int[] lengths = [.. run.Test.Attributes.GetProperty("lengths").EnumerateArray().Select(x => x.GetInt32())];
        return Tensor.FromIds(new Shape(lengths.Length), lengths);
    }
}
