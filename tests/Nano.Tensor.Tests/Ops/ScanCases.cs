namespace Nano.Tests;

/// <summary>Recurrent, scan and image ops as rows of the tables that list all ops.</summary>
internal static class ScanCases
{
    private const int Columns = 40;

    /// <summary>An op on inputs that all get gradients.</summary>
    public sealed record Case(string Name, Func<Random, Tensor[]> Inputs, Func<Compute, Tensor[], Tensor> Run);

    /// <summary>An op over sizes: the shapes of its inputs and of its output.</summary>
    public sealed record Sized(string Name, int[] Sizes, Func<int[], int[][]> Shapes,
        Func<Compute, Tensor[], Tensor> Run, Func<int[], int[]> Output);

    /// <summary>
    /// An op on parts of x [B, T, 40] and of its other operands from y, which may be x; rows of the batch are
    /// independent. Random numbers give its parameters.
    /// </summary>
    public sealed record Row(string Name, Func<Compute, Tensor, Tensor, Random, Tensor> Run, int Columns = Columns);

    public static Row[] Rows { get; } =
    [
        new("selective scan", (c, x, y, r) => c.SelectiveScan(x.SliceColumns(0, 17), y.SliceColumns(17, 17),
            r.Normal(17, 3), y.SliceColumns(34, 3), y.SliceColumns(37, 3), r.Normal(17), logA: true).Y),
        new("final state of a selective scan", (c, x, y, r) => c.SelectiveScan(x.SliceColumns(0, 17),
            y.SliceColumns(17, 17), r.Normal(17, 6), y.SliceColumns(34, 6), y.SliceColumns(34, 6)).State),
        new("causal convolution", (c, x, y, r) =>
            c.DepthwiseCausalConv(x, r.Normal(Columns, 1, 4), r.Normal(Columns)).Y),
        .. Enum.GetValues<CellKind>().Select(kind => new Row($"{kind} cell",
            (c, x, y, r) => Recurrent(c, kind, x, Weights(r, kind, Columns, 5), 0))),
        new("ssd", (c, x, y, r) => c.Ssd(x.SliceColumns(0, 20), y.SliceColumns(20, 4), r.Normal(4),
            y.SliceColumns(24, 8), y.SliceColumns(32, 8), 2, r.Normal(4), logA: true).Y),
        new("retention", (c, x, y, r) => c.Retention(x.SliceColumns(0, 6), y.SliceColumns(6, 6),
            y.SliceColumns(12, 28), Tensor.From(new Shape(2), [0.5f, 0.9f])).Y),
        new("linear attention", (c, x, y, r) =>
            c.LinearAttention(x.SliceColumns(0, 6), y.SliceColumns(6, 6), y.SliceColumns(12, 28), 2).Y),
        new("wkv7", (c, x, y, r) => c.Wkv7(x.SliceColumns(0, 4), y.SliceColumns(4, 4), y.SliceColumns(8, 4),
            y.SliceColumns(12, 20), y.SliceColumns(32, 4), y.SliceColumns(36, 4), 2).Y),
        new("gated delta rule", (c, x, y, r) => c.GatedDeltaRule(x.SliceColumns(0, 8), y.SliceColumns(8, 8),
            y.SliceColumns(16, 20), y.SliceColumns(36, 2), y.SliceColumns(38, 2)).Y),
        new("convolution of signals", (c, x, y, r) =>
            c.Conv(x, r.Normal(5, 7, 3), r.Normal(5), new ConvOptions(2, 1))),
        new("convolution of images", (c, x, y, r) => c.Conv(x.Reshape(new Shape(x.Shape[0], 7, 5, 8)),
            r.Normal(5, 7, 3, 2), r.Normal(5), new ConvOptions(1, 1))),
        new("largest of windows", (c, x, y, r) => c.Pool(PoolKind.Max, x, 4, 2)),
        new("mean of windows", (c, x, y, r) => c.Pool(PoolKind.Average, x.Reshape(new Shape(x.Shape[0], 7, 4, 10)), 2)),
    ];

    /// <summary>Weights of a layer of I inputs and H units, with biases.</summary>
    public static Tensor[] Weights(Random r, CellKind kind, int inputs, int width)
    {
        int gates = GatesOf(kind) * width;
        return [r.Normal(gates, inputs), r.Normal(gates, width), r.Normal(gates), r.Normal(gates)];
    }

    private static int GatesOf(CellKind kind) => kind switch { CellKind.Lstm => 4, CellKind.Gru => 3, _ => 1 };

    /// <summary>A recurrent layer with the weights from an index of x on.</summary>
    public static Tensor Recurrent(Compute c, CellKind kind, Tensor x, Tensor[] all, int first, Tensor? lengths = null,
        bool reverse = false)
    {
        var weights = new RecurrentWeights(all[first], all[first + 1], all[first + 2], all[first + 3]);
        return kind switch
        {
            CellKind.Lstm => c.Lstm(x, weights, null, null, lengths, reverse).Y,
            CellKind.Gru => c.Gru(x, weights, null, lengths, reverse).Y,
            _ => c.Rnn(x, weights, null, lengths, reverse).Y,
        };
    }

    private static readonly Tensor Lengths = Tensor.FromIds(new Shape(13), [9, 1, 0, 9, 5, 6, 7, 8, 9, 2, 3, 4, 9]),
        Gammas = Tensor.From(new Shape(3), [0.5f, 0.9f, 0.99f]);

    /// <summary>Sizes for several chunks of work: many heads and channels, times beyond a retained state.</summary>
    public static Case[] All { get; } =
    [
        new("selective scan", r => [r.Normal(3, 37, 151), Steps(r.Normal(3, 37, 151)), r.Normal(151, 5),
            r.Normal(3, 37, 5), r.Normal(3, 37, 5), r.Normal(151), r.Normal(3, 5, 151)],
            (c, x) => c.SelectiveScan(x[0], x[1], x[2], x[3], x[4], x[5], x[6], logA: true).Y),
        new("final state of a selective scan", r => [r.Normal(2, 35, 67), Steps(r.Normal(2, 35, 67)), r.Normal(67, 3),
            r.Normal(2, 35, 3)],
            (c, x) => c.SelectiveScan(x[0], x[1], x[2], x[3], x[3], logA: true).State),
        new("causal convolution", r => [r.Normal(3, 70, 151), r.Normal(151, 1, 4), r.Normal(151), r.Normal(3, 3, 151)],
            (c, x) => c.DepthwiseCausalConv(x[0], x[1], x[2], x[3]).Y),
        .. from kind in Enum.GetValues<CellKind>()
           from reverse in new[] { false, true }
           select new Case($"{kind} cell{(reverse ? " in reverse" : "")}",
               r => [r.Normal(13, 9, 21), .. Weights(r, kind, 21, 67)], (c, x) => Recurrent(c, kind, x[0], x, 1,
                   Lengths, reverse)),
        new("ssd", r => [r.Normal(2, 37, 6 * 21), Steps(r.Normal(2, 37, 6)), r.Normal(6), r.Normal(2, 37, 2 * 5),
            r.Normal(2, 37, 2 * 5), r.Normal(6)],
            (c, x) => c.Ssd(x[0], x[1], x[2], x[3], x[4], 2, x[5], logA: true).Y),
        new("retention", r => [r.Normal(2, 37, 3 * 5), r.Normal(2, 37, 3 * 5), r.Normal(2, 37, 3 * 21)],
            (c, x) => c.Retention(x[0], x[1], x[2], Gammas).Y),
        new("linear attention", r => [r.Normal(2, 37, 3 * 5), r.Normal(2, 37, 3 * 5), r.Normal(2, 37, 3 * 21)],
            (c, x) => c.LinearAttention(x[0], x[1], c.Scale(x[2], 1), 3).Y), // a view of an input would be an object
        new("wkv7", r => [.. Enumerable.Range(0, 6).Select(i => Steps(r.Normal(2, 37, 3 * (i == 3 ? 21 : 5))))],
            (c, x) => c.Wkv7(x[0], x[1], x[2], x[3], x[4], x[5], 3).Y),
        new("gated delta rule", r => [r.Normal(2, 37, 3 * 5), Steps(r.Normal(2, 37, 3 * 5)), r.Normal(2, 37, 3 * 21),
            Steps(r.Normal(2, 37, 3)), Steps(r.Normal(2, 37, 3))],
            (c, x) => c.GatedDeltaRule(x[0], x[1], x[2], x[3], x[4]).Y),
        new("convolution", r => [r.Normal(3, 4, 19, 23), r.Normal(6, 2, 3, 3), r.Normal(6)],
            (c, x) => c.Conv(x[0], x[1], x[2], new ConvOptions(2, 1, 2, 2))),
        new("convolution of signals", r => [r.Normal(3, 4, 131), r.Normal(5, 4, 3), r.Normal(5)],
            (c, x) => c.Conv(x[0], x[1], x[2], new ConvOptions(1, 1))),
        .. Enum.GetValues<PoolKind>().Select(kind => new Case($"{kind} of windows", r => [r.Normal(3, 40, 19, 23)],
            (c, x) => c.Pool(kind, x[0], 3, 2))),
    ];

    /// <summary>Positive steps below 0.2.</summary>
    private static Tensor Steps(Tensor x)
    {
        foreach (ref float value in x.Data)
            value = 0.2f / (1 + MathF.Abs(value));
        return x;
    }

    /// <summary>A small selective scan from no state: two steps of three channels with four numbers each.</summary>
    public static (Tensor Y, Tensor State) SelectiveScan(Compute c, Random r) => c.SelectiveScan(r.Normal(1, 2, 3),
        r.Normal(1, 2, 3), r.Normal(3, 4), r.Normal(1, 2, 4), r.Normal(1, 2, 4), r.Normal(3));

    public static Sized[] Empty { get; } =
    [
        new("selective scan [B, T, C], N", [2, 3, 4, 5], s => [[s[0], s[1], s[2]], [s[0], s[1], s[2]], [s[2], s[3]],
            [s[0], s[1], s[3]], [s[0], s[1], s[3]], [s[2]], [s[0], s[3], s[2]]],
            (c, x) => c.SelectiveScan(x[0], x[1], x[2], x[3], x[4], x[5], x[6]).Y, s => s[..3]),
        new("final state of a selective scan", [2, 3, 4, 5], s => [[s[0], s[1], s[2]], [s[0], s[1], s[2]],
            [s[2], s[3]], [s[0], s[1], s[3]]],
            (c, x) => c.SelectiveScan(x[0], x[1], x[2], x[3], x[3]).State, s => [s[0], s[3], s[2]]),
        new("causal convolution [B, T, C]", [2, 3, 4], s => [s, [s[2], 1, 4], [s[2]], [s[0], 3, s[2]]],
            (c, x) => c.DepthwiseCausalConv(x[0], x[1], x[2], x[3]).Y, s => s),
        .. Enum.GetValues<CellKind>().Select(kind => new Sized($"{kind} cell [B, T, I], H", [2, 3, 4, 5], s => [s[..3],
            [GatesOf(kind) * s[3], s[2]], [GatesOf(kind) * s[3], s[3]], [GatesOf(kind) * s[3]], [GatesOf(kind) * s[3]]],
            (c, x) => Recurrent(c, kind, x[0], x, 1), s => [s[0], s[1], s[3]])),
        new("ssd [B, T], N, P", [2, 3, 4, 5], s => [[s[0], s[1], 2 * s[3]], [s[0], s[1], 2], [2], [s[0], s[1], s[2]],
            [s[0], s[1], s[2]], [2]], (c, x) => c.Ssd(x[0], x[1], x[2], x[3], x[4], 1, x[5]).Y,
            s => [s[0], s[1], 2 * s[3]]),
        new("retention [B, T], N, P", [2, 3, 4, 5], s => [[s[0], s[1], 2 * s[2]], [s[0], s[1], 2 * s[2]],
            [s[0], s[1], 2 * s[3]]],
            (c, x) => c.Retention(x[0], x[1], x[2], Tensor.From(new Shape(2), [0.5f, 0.9f])).Y,
            s => [s[0], s[1], 2 * s[3]]),
        new("linear attention [B, T], N, P", [2, 3, 4, 5], s => [[s[0], s[1], 2 * s[2]], [s[0], s[1], 2 * s[2]],
            [s[0], s[1], 2 * s[3]]], (c, x) => c.LinearAttention(x[0], x[1], x[2], 2).Y, s => [s[0], s[1], 2 * s[3]]),
        new("wkv7 [B, T], N, P", [2, 3, 4, 5], s => [.. Enumerable.Range(0, 6).Select(i =>
            (int[])[s[0], s[1], 2 * (i == 3 ? s[3] : s[2])])],
            (c, x) => c.Wkv7(x[0], x[1], x[2], x[3], x[4], x[5], 2).Y, s => [s[0], s[1], 2 * s[3]]),
        new("gated delta rule [B, T], N, P", [2, 3, 4, 5], s => [[s[0], s[1], 2 * s[2]], [s[0], s[1], 2 * s[2]],
            [s[0], s[1], 2 * s[3]], [s[0], s[1], 2], [s[0], s[1], 2]],
            (c, x) => c.GatedDeltaRule(x[0], x[1], x[2], x[3], x[4]).Y, s => [s[0], s[1], 2 * s[3]]),
        new("convolution [B, C, L], O", [2, 3, 4, 5], s => [s[..3], [s[3], s[1], 1], [s[3]]],
            (c, x) => c.Conv(x[0], x[1], x[2]), s => [s[0], s[3], s[2]]),
        new("pool [B, C, L]", [2, 3, 4], s => [s], (c, x) => c.Pool(PoolKind.Max, x[0], 2, 1),
            s => [s[0], s[1], Math.Max(0, s[2] - 1)]),
    ];
}
