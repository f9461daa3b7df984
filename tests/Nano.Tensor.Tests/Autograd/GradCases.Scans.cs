namespace Nano.Tests;

/// <summary>Scans and recurrences.</summary>
internal static partial class GradCases
{
    private static IEnumerable<GradCase> Scans()
    {
        yield return SelectiveScan("selective scan", 2, 5, 3, 2, false);
        yield return SelectiveScan("selective scan from a state, two blocks and chunks", 1, 35, 67, 2, true);
        yield return new("selective scan of log A and columns, without D", typeof(SelectiveScanOp),
            r => [r.Normal(1, 6, 11), Small(r.Normal(1, 6, 5)), r.Normal(5, 3)],
            (c, x) => c.SelectiveScan(x[0].SliceColumns(0, 5), x[1], x[2], x[0].SliceColumns(5, 3),
                x[0].SliceColumns(8, 3), logA: true).Y,
            x => ScanReference.SelectiveScan(Reference.SliceColumns(x[0], 11, 0, 5), x[1],
                [.. x[2].Select(value => -Math.Exp(value))], Reference.SliceColumns(x[0], 11, 5, 3),
                Reference.SliceColumns(x[0], 11, 8, 3), null, null, 1, 6, 5, 3)[..30], 6, 12);
        yield return new("final state of a selective scan", typeof(FinalStateOp),
            r => [r.Normal(2, 3, 5), Small(r.Normal(2, 3, 5)), Negative(r.Normal(5, 2)), r.Normal(2, 3, 2),
                r.Normal(2, 2, 5)],
            (c, x) => c.SelectiveScan(x[0], x[1], x[2], x[3], x[3], null, x[4]).State,
            x => ScanReference.SelectiveScan(x[0], x[1], x[2], x[3], x[3], null, x[4], 2, 3, 5, 2)[30..], 6, 12);
        yield return CausalConv("causal convolution", 2, 7, 19, 4, true, false);
        yield return CausalConv("causal convolution from a tail, without bias", 2, 3, 5, 4, false, true);
        yield return CausalConv("causal convolution, one step, one tap", 2, 1, 5, 1, true, false);
        yield return new("causal convolution and its tail", typeof(DepthwiseCausalConvOp),
            r => [r.Normal(2, 2, 5), r.Normal(5, 1, 4), r.Normal(2, 3, 5)], (c, x) =>
            {
                var (y, tail) = c.DepthwiseCausalConv(x[0], x[1], null, x[2]);
                return c.Add(c.DepthwiseCausalConv(y, x[1], null, tail).Y, y);
            },
            x =>
            {
                double[] y = ScanReference.CausalConv(x[0], x[1], null, x[2], 2, 2, 5, 4);
                double[] tail = [.. x[2][10..15], .. x[0][..10], .. x[2][25..], .. x[0][10..]];
                return Reference.Add(ScanReference.CausalConv(y, x[1], null, tail, 2, 2, 5, 4), y);
            }, 4, 8);
    }

    private static IEnumerable<GradCase> MatrixScans()
    {
        yield return Ssd("ssd", 2, 5, 4, 2, 3, 2, true, false);
        yield return Ssd("ssd from a state, two chunks", 1, 34, 2, 1, 2, 19, false, true);
        yield return Retention("retention", 2, 5, 3, 2, 5, false);
        yield return Retention("retention from a state, two chunks", 1, 34, 1, 3, 18, true);
        yield return LinearAttention("linear attention", 2, 6, 2, 3, 5, false);
        yield return LinearAttention("linear attention from a state", 1, 4, 1, 2, 17, true);
        yield return Wkv7("wkv7", 2, 5, 2, 3, 5, false);
        yield return Wkv7("wkv7 from a state, two chunks", 1, 34, 1, 2, 17, true);
        yield return DeltaRule("gated delta rule", 2, 5, 2, 3, 5, false);
        yield return DeltaRule("gated delta rule from a state, two chunks", 1, 34, 1, 2, 17, true);
    }

    private static Tensor[] State(Random r, bool state, int batch, int heads, int keys, int values) =>
        state ? [r.Normal(batch, heads, keys, values)] : [];

    private static GradCase Ssd(string name, int batch, int times, int heads, int groups, int keys, int values,
        bool skip, bool state) => new(name, typeof(SsdOp),
        r => [r.Normal(batch, times, heads * values), Small(r.Normal(batch, times, heads)), Negative(r.Normal(heads)),
            r.Normal(batch, times, groups * keys), r.Normal(batch, times, groups * keys),
            .. skip ? [r.Normal(heads)] : Array.Empty<Tensor>(), .. State(r, state, batch, heads, keys, values)],
        (c, x) => c.Ssd(x[0], x[1], x[2], x[3], x[4], groups, skip ? x[5] : null, state ? x[^1] : null).Y,
        x =>
        {
            double[] y = ScanReference.Matrix(x[4], state ? x[^1] : null, batch, times, heads, groups, keys, values,
                (at, head, s) =>
                {
                    double dt = x[1][(at * heads) + head];
                    double[] v = [.. ScanReference.Head(x[0], at, heads, head, values).ToArray().Select(u => dt * u)];
                    ScanReference.Decay(s, Math.Exp(dt * x[2][head]),
                        ScanReference.Head(x[3], at, groups, head / (heads / groups), keys), v);
                })[..x[0].Length];
            for (int i = 0; skip && i < y.Length; i++)
                y[i] += x[5][i / values % heads] * x[0][i];
            return y;
        }, 8, 24);

    private static GradCase Retention(string name, int batch, int times, int heads, int keys, int values, bool state)
    {
        float[] gammas = [.. Enumerable.Range(0, heads).Select(head => 1 - MathF.Pow(2, -2 - head))];
        return new(name, typeof(RetentionOp),
            r => [r.Normal(batch, times, heads * keys), r.Normal(batch, times, heads * keys),
                r.Normal(batch, times, heads * values), .. State(r, state, batch, heads, keys, values)],
            (c, x) => c.Retention(x[0], x[1], x[2], Tensor.From(new Shape(heads), gammas), state ? x[3] : null).Y,
            x => ScanReference.Matrix(x[0], state ? x[3] : null, batch, times, heads, heads, keys, values,
                (at, head, s) => ScanReference.Decay(s, gammas[head], ScanReference.Head(x[1], at, heads, head, keys),
                    ScanReference.Head(x[2], at, heads, head, values)))[..x[2].Length], 8, 16);
    }

    private static GradCase LinearAttention(string name, int batch, int times, int heads, int keys, int values,
        bool state) => new(name, typeof(RetentionOp),
        r => [AwayFromZero(r.Normal(batch, times, heads * keys)), AwayFromZero(r.Normal(batch, times, heads * keys)),
            r.Normal(batch, times, heads * values),
            .. State(r, state, batch, heads, keys, values + 1).Select(s => Scaled(Negative(s), -1))],
        (c, x) => c.LinearAttention(x[0], x[1], x[2], heads, state ? x[3] : null).Y,
        x =>
        {
            double[] q = [.. x[0].Select(Phi)], k = [.. x[1].Select(Phi)];
            double[] sums = ScanReference.Matrix(q, state ? x[3] : null, batch, times, heads, heads, keys, values + 1,
                (at, head, s) => ScanReference.Decay(s, 1, ScanReference.Head(k, at, heads, head, keys),
                    [.. ScanReference.Head(x[2], at, heads, head, values), 1]));
            return [.. Enumerable.Range(0, x[2].Length).Select(i =>
                sums[(i / values * (values + 1)) + (i % values)] / sums[(i / values * (values + 1)) + values])];
        }, 8, 24);

    private static double Phi(double x) => x > 0 ? x + 1 : Math.Exp(x);

    private static GradCase Wkv7(string name, int batch, int times, int heads, int keys, int values, bool state) =>
        new(name, typeof(Wkv7Op),
            r => [.. Enumerable.Range(0, 6).Select(i => Scaled(r.Normal(batch, times, heads * (i == 3 ? values : keys)),
                i >= 4 ? 0.4f : 1)), .. State(r, state, batch, heads, keys, values)],
            (c, x) => c.Wkv7(x[0], x[1], x[2], x[3], x[4], x[5], heads, state ? x[6] : null).Y,
            x => ScanReference.Matrix(x[0], state ? x[6] : null, batch, times, heads, heads, keys, values,
                (at, head, s) =>
                {
                    var v = ScanReference.Head(x[3], at, heads, head, values);
                    double[] held = ScanReference.Under(s, ScanReference.Head(x[4], at, heads, head, keys));
                    for (int n = 0; n < keys; n++)
                    {
                        int i = (((at * heads) + head) * keys) + n;
                        double decay = Math.Exp(-Math.Exp(-0.5) * ScanReference.Sigmoid(x[1][i]));
                        for (int p = 0; p < values; p++)
                            s[n, p] = (decay * s[n, p]) + (x[5][i] * held[p]) + (x[2][i] * v[p]);
                    }
                })[..x[3].Length], 8, 24);

    private static GradCase DeltaRule(string name, int batch, int times, int heads, int keys, int values, bool state) =>
        new(name, typeof(GatedDeltaRuleOp),
            r => [r.Normal(batch, times, heads * keys), Scaled(r.Normal(batch, times, heads * keys), 0.5f),
                r.Normal(batch, times, heads * values), Small(r.Normal(batch, times, heads)),
                Small(r.Normal(batch, times, heads)), .. State(r, state, batch, heads, keys, values)],
            (c, x) => c.GatedDeltaRule(x[0], x[1], x[2], x[3], x[4], state ? x[5] : null).Y,
            x => ScanReference.Matrix(x[0], state ? x[5] : null, batch, times, heads, heads, keys, values,
                (at, head, s) =>
                {
                    var (k, v) = (ScanReference.Head(x[1], at, heads, head, keys).ToArray(),
                        ScanReference.Head(x[2], at, heads, head, values).ToArray());
                    double a = x[3][(at * heads) + head], rate = x[4][(at * heads) + head];
                    double[] held = ScanReference.Under(s, k);
                    ScanReference.Decay(s, a, k, [.. v.Select((value, p) => rate * (value - (a * held[p])))]);
                })[..x[2].Length], 8, 24);

    private static IEnumerable<GradCase> Recurrences()
    {
        foreach (var kind in Enum.GetValues<CellKind>())
        {
            yield return Recurrent($"{kind} over rows", kind, 2, 4, 3, 5, [4, 4], false);
            yield return Recurrent($"{kind} over rows of some lengths", kind, 3, 4, 2, 19, [2, 4, 0], false);
            yield return Recurrent($"{kind} in reverse", kind, 2, 5, 3, 5, [5, 3], true);
        }
        yield return new("memory of an LSTM", typeof(RecurrentOp), r => RecurrentInputs(r, CellKind.Lstm, 2, 3, 2, 5),
            (c, x) => c.Lstm(x[0], new(x[1], x[2], x[3], x[4]), x[5], x[6]).C,
            x => ScanReference.Recurrent(CellKind.Lstm, x, 2, 3, 2, 5, [3, 3], false)[40..], 6, 16);
        yield return new("an LSTM after another, without biases", typeof(RecurrentOp),
            r => [.. RecurrentInputs(r, CellKind.Lstm, 2, 3, 5, 5)[..3]], (c, x) =>
            {
                var (y, h, memory) = c.Lstm(x[0], new(x[1], x[2]));
                return c.Lstm(y, new(x[1], x[2]), h, memory).Y;
            },
            x =>
            {
                double[] none = new double[20], start = new double[10];
                double[] first = ScanReference.Recurrent(CellKind.Lstm, [.. x, none, none, start, start], 2, 3, 5, 5,
                    [3, 3], false);
                return ScanReference.Recurrent(CellKind.Lstm,
                    [first[..30], x[1], x[2], none, none, first[30..40], first[40..]], 2, 3, 5, 5, [3, 3], false)[..30];
            }, 8, 24);
    }

    private static Tensor[] RecurrentInputs(Random r, CellKind kind, int batch, int times, int inputs, int width)
    {
        int gates = kind switch { CellKind.Lstm => 4, CellKind.Gru => 3, _ => 1 } * width;
        Tensor[] all = [r.Normal(batch, times, inputs), r.Normal(gates, inputs),
            Scaled(r.Normal(gates, width), 1 / MathF.Sqrt(width)),
            r.Normal(gates), r.Normal(gates), r.Normal(batch, width), r.Normal(batch, width)];
        return kind == CellKind.Lstm ? all : all[..^1];
    }

    private static Tensor Scaled(Tensor x, float factor)
    {
        foreach (ref float value in x.Data)
            value *= factor;
        return x;
    }

    private static GradCase Recurrent(string name, CellKind kind, int batch, int times, int inputs, int width,
        int[] lengths, bool reverse) => new(name, typeof(RecurrentOp),
        r => RecurrentInputs(r, kind, batch, times, inputs, width), (c, x) =>
        {
            var weights = new RecurrentWeights(x[1], x[2], x[3], x[4]);
            var ids = lengths.All(length => length == times) ? null : Tensor.FromIds(new Shape(batch), lengths);
            return kind switch
            {
                CellKind.Lstm => c.Lstm(x[0], weights, x[5], x[6], ids, reverse).Y,
                CellKind.Gru => c.Gru(x[0], weights, x[5], ids, reverse).Y,
                _ => c.Rnn(x[0], weights, x[5], ids, reverse).Y,
            };
        },
        x => ScanReference.Recurrent(kind, x, batch, times, inputs, width, lengths, reverse)[..(batch * times * width)],
        8, 24);

    /// <summary>Numbers in which exponentials stay small: 0.1 to 0.4.</summary>
    private static Tensor Small(Tensor x)
    {
        foreach (ref float value in x.Data)
            value = 0.1f + (0.3f / (1 + MathF.Abs(value)));
        return x;
    }

    /// <summary>Slopes of states that decay.</summary>
    private static Tensor Negative(Tensor x)
    {
        foreach (ref float value in x.Data)
            value = -MathF.Abs(value);
        return x;
    }

    private static GradCase SelectiveScan(string name, int batch, int times, int channels, int keys, bool state) =>
        new(name, typeof(SelectiveScanOp),
            r => [r.Normal(batch, times, channels), Small(r.Normal(batch, times, channels)),
                Negative(r.Normal(channels, keys)),
                r.Normal(batch, times, keys), r.Normal(batch, times, keys), r.Normal(channels),
                .. state ? [r.Normal(batch, keys, channels)] : Array.Empty<Tensor>()],
            (c, x) => c.SelectiveScan(x[0], x[1], x[2], x[3], x[4], x[5], state ? x[6] : null).Y,
            x => ScanReference.SelectiveScan(x[0], x[1], x[2], x[3], x[4], x[5], state ? x[6] : null, batch, times,
                channels, keys)[..(batch * times * channels)], 6, 16);

    private static GradCase CausalConv(string name, int batch, int times, int channels, int kernel, bool bias,
        bool tail) => new(name, typeof(DepthwiseCausalConvOp),
        r => [r.Normal(batch, times, channels), r.Normal(channels, 1, kernel),
            bias ? r.Normal(channels) : r.Normal(batch, kernel - 1, channels)],
        (c, x) => c.DepthwiseCausalConv(x[0], x[1], bias ? x[2] : null, tail ? x[2] : null).Y,
        x => ScanReference.CausalConv(x[0], x[1], bias ? x[2] : null, tail ? x[2] : null, batch, times, channels,
            kernel), 3, 6);
}
