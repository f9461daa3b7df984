namespace Nano.Tests;

/// <summary>
/// The table of gradient checks: at least one case for each op. See <see cref="GradCheckTests"/>.
/// </summary>
internal static partial class GradCases
{
    public static IReadOnlyList<GradCase> All { get; } = [.. Products(), .. Elementwise(), .. Activations(), .. Rows(),
        .. Losses(), .. Attentions(), .. AttentionOptionCases(), .. Views(), .. Repeats(), .. Stored(), .. Shapes(),
        .. Broadcasts(), .. Reductions(), .. Norms(), .. PairLossCases(), .. Contrasts(), .. Einsums(), .. Scans(),
        .. MatrixScans(), .. Recurrences(), .. Images(), .. Mixtures()];

    private static IEnumerable<GradCase> Products()
    {
        yield return Linear("linear", 13, 19, 37, true, 4, 6);
        yield return Linear("linear without bias", 5, 7, 3, false, 3, 3);
        yield return Linear("linear, one row", 1, 33, 35, true, 5, 4);
        yield return Linear("linear, two blocks of k", 2, 515, 3, true, 10, 2);
        yield return Linear("linear, one input", 15, 1, 2, true, 1, 4);
        foreach (bool transposeA in new[] { false, true })
            foreach (bool transposeB in new[] { false, true })
            {
                string name = $"matmul {(transposeA ? "a^T" : "a")} {(transposeB ? "b^T" : "b")}";
                yield return MatMul(name, [], 1, 13, 35, 6, transposeA, transposeB);
                yield return MatMul(name + ", batch [3]", [3], 3, 5, 7, 4, transposeA, transposeB);
                yield return MatMul(name + ", batch [2, 2]", [2, 2], 4, 3, 5, 9, transposeA, transposeB);
            }
    }

    private static GradCase Linear(string name, int rows, int inputs, int outputs, bool bias, double output,
        double gradient) => new(name, typeof(LinearOp),
        r => bias ? [r.Normal(rows, inputs), r.Normal(outputs, inputs), r.Normal(outputs)]
            : [r.Normal(rows, inputs), r.Normal(outputs, inputs)],
        (c, x) => c.Linear(x[0], x[1], bias ? x[2] : null),
        x => Reference.Linear(x[0], x[1], bias ? x[2] : null, outputs, inputs), output, gradient);

    private static GradCase MatMul(string name, int[] batch, int count, int m, int n, int k, bool transposeA,
        bool transposeB) => new(name, typeof(MatMulOp),
        r => [r.Normal([.. batch, transposeA ? k : m, transposeA ? m : k]),
            r.Normal([.. batch, transposeB ? n : k, transposeB ? k : n])],
        (c, x) => c.MatMul(x[0], x[1], transposeA, transposeB),
        x => Reference.MatMul(x[0], x[1], count, m, n, k, transposeA, transposeB), 3, 4);

    private static IEnumerable<GradCase> Elementwise()
    {
        int[] ids = [3, 0, 3, 3, 10, 7];
        yield return new("add", typeof(AddOp), r => [r.Normal(3, 5, 7), r.Normal(3, 5, 7)], (c, x) => c.Add(x[0], x[1]),
            x => Reference.Add(x[0], x[1]), 1, 0);
        yield return new("add a row", typeof(AddOp), r => [r.Normal(5, 37), r.Normal(37)], (c, x) => c.Add(x[0], x[1]),
            x => Reference.Add(x[0], x[1]), 1, 2);
        yield return new("add a matrix", typeof(AddOp), r => [r.Normal(4, 5, 7), r.Normal(5, 7)],
            (c, x) => c.Add(x[0], x[1]), x => Reference.Add(x[0], x[1]), 1, 2);
        yield return new("add a scalar", typeof(AddOp), r => [r.Normal(5, 7), r.Normal()], (c, x) => c.Add(x[0], x[1]),
            x => Reference.Add(x[0], x[1]), 1, 12);
        yield return new("multiply", typeof(MultiplyOp), r => [r.Normal(3, 37), r.Normal(3, 37)],
            (c, x) => c.Multiply(x[0], x[1]), x => Reference.Multiply(x[0], x[1]), 1, 1);
        yield return new("scale", typeof(ScaleOp), r => [r.Normal(3, 37)], (c, x) => c.Scale(x[0], -1.7f),
            x => Reference.Scale(x[0], -1.7f), 1, 1);
        yield return new("embedding", typeof(EmbeddingOp), r => [r.Normal(11, 67)],
            (c, x) => c.Embedding(x[0], Tensor.FromIds(new Shape(2, 3), ids)),
            x => Reference.Embedding(x[0], ids, 67), 0, 2);
        yield return new("dropout", typeof(DropoutOp), r => [r.Normal(5, 13)], (c, x) => c.Dropout(x[0], 0.3f, 5, 9),
            x => Reference.Multiply(x[0], Mask(x[0].Length)), 2, 2);
    }

    /// <summary>
    /// The mask of the dropout case: the op itself on ones, forward only, tells what is kept; the
    /// factor is the exact 1 / (1 - p).
    /// </summary>
    private static double[] Mask(int length)
    {
        using var compute = new Compute(1, SimdWidth.Scalar);
        var ones = new Tensor(new Shape(length));
        ones.Data.Fill(1);
        return Array.ConvertAll(compute.Dropout(ones, 0.3f, 5, 9).Doubles(),
            kept => kept == 0 ? 0 : 1 / (1 - (double)0.3f));
    }

    private static IEnumerable<GradCase> Activations()
    {
        foreach (var kind in Enum.GetValues<ActivationKind>())
            yield return new($"activation {kind}", typeof(ActivationOp), r => [AwayFromZero(r.Normal(3, 37))],
                (c, x) => c.Activation(kind, HasRoot(kind) ? c.Square(x[0]) : x[0]),
                x => Reference.Activation(kind, HasRoot(kind) ? Reference.Multiply(x[0], x[0]) : x[0]),
                kind == ActivationKind.Relu ? 0 : 3, kind == ActivationKind.Relu ? 0 : HasRoot(kind) ? 6 : 4);
        foreach (var (kind, parameter) in new[] { (ActivationKind.LeakyRelu, 0.3f), (ActivationKind.Elu, 1.7f),
            (ActivationKind.SoftCap, 5), (ActivationKind.Huber, 0.4f) })
            yield return new($"activation {kind}, parameter given", typeof(ActivationOp),
                r => [AwayFromZero(r.Normal(3, 37))], (c, x) => c.Activation(kind, x[0], parameter),
                x => Reference.Activation(kind, x[0], parameter), 3, 4);
        foreach (var kind in Gates)
            yield return new($"gated {kind}", typeof(GatedOp),
                r => [AwayFromZero(r.Normal(3, 37)), r.Normal(3, 37)], (c, x) => c.Gated(kind, x[0], x[1]),
                x => Reference.Multiply(Reference.Activation(kind, x[0]), x[1]), 3, 4);
    }

    /// <summary>The functions that a gate may have.</summary>
    public static ActivationKind[] Gates => [ActivationKind.Silu, ActivationKind.GeluTanh,
        ActivationKind.GeluErf, ActivationKind.Relu, ActivationKind.ReluSquared, ActivationKind.Sigmoid];

    /// <summary>True for the functions of positive numbers alone.</summary>
    private static bool HasRoot(ActivationKind kind) => kind is ActivationKind.Log or ActivationKind.Sqrt;

    /// <summary>
    /// Moves inputs off the kink of ReLU, where a difference quotient is neither slope.
    /// </summary>
    private static Tensor AwayFromZero(Tensor x)
    {
        foreach (ref float value in x.Data)
            value = MathF.CopySign(MathF.Abs(value) + 0.01f, value);
        return x;
    }

    private static IEnumerable<GradCase> Rows()
    {
        foreach (int columns in new[] { 2, 5, 37, 130 })
        {
            yield return new($"layernorm of {columns}", typeof(LayerNormOp),
                r => [r.Normal(3, columns), r.AroundOne(columns), r.Normal(columns)],
                (c, x) => c.LayerNorm(x[0], x[1], x[2], 1e-5f), x => Reference.LayerNorm(x[0], x[1], x[2], 1e-5f), 4,
                columns == 2 ? 12 : 4);
            yield return new($"layernorm of {columns} without bias", typeof(LayerNormOp),
                r => [r.Normal(2, 3, columns), r.AroundOne(columns)],
                (c, x) => c.LayerNorm(x[0], x[1], null, 1e-5f), x => Reference.LayerNorm(x[0], x[1], null, 1e-5f), 4,
                columns == 2 ? 12 : 4);
            yield return new($"rmsnorm of {columns}", typeof(RmsNormOp),
                r => [r.Normal(5, columns), r.AroundOne(columns)],
                (c, x) => c.RmsNorm(x[0], x[1], 1e-5f), x => Reference.RmsNorm(x[0], x[1], 1e-5f), 3, 4);
            yield return new($"softmax of {columns}", typeof(SoftmaxOp), r => [r.Normal(3, columns)],
                (c, x) => c.Softmax(x[0]), x => Reference.Softmax(x[0], columns), 2, 2);
        }
        foreach (var pairing in Enum.GetValues<RopePairing>())
            foreach (int headDim in new[] { 2, 6, 36 })
                yield return new($"rope {pairing} {headDim}", typeof(RopeOp), r => [r.Normal(2, 3, 3 * headDim)],
                    (c, x) => c.Rope(x[0], new RopeTable(RopeTable.InverseFrequencies(headDim, 10000),
                        [5, 900, 8191]), pairing),
                    x => Reference.Rope(x[0], [5, 900, 8191], 3, headDim, 10000, pairing == RopePairing.Interleaved), 3,
                    2);
    }

    private static IEnumerable<GradCase> Losses()
    {
        yield return new("sum", typeof(SumOp), r => [r.Normal(3, 37)], (c, x) => c.Sum(x[0]),
            x => Reference.Sum(x[0]), 4, 0);
        yield return new("mean", typeof(SumOp), r => [r.Normal(2, 3, 19)], (c, x) => c.Mean(x[0]),
            x => Reference.Scale(Reference.Sum(x[0]), 1.0 / x[0].Length), 1, 1);
        yield return CrossEntropy("cross-entropy", 1, 0, 0, 0);
        yield return CrossEntropy("cross-entropy, rows left out", 1, 0, 3, 0);
        yield return CrossEntropy("cross-entropy, given denominator", 1, 0, 3, 11);
        yield return CrossEntropy("cross-entropy, wide logits", 20, 0, 0, 1);
        yield return CrossEntropy("cross-entropy, logits around -40", 1, -40, 0, 1);
        yield return CrossEntropy("cross-entropy, smoothed", 1, 0, 3, 11, smoothing: 0.1);
        yield return CrossEntropy("cross-entropy, smoothed, logits around -40", 1, -40, 0, 1, smoothing: 0.9);
        yield return CrossEntropy("cross-entropy, z-loss", 1, 0, 3, 0, zLoss: 0.02);
        yield return CrossEntropy("cross-entropy, z-loss, logits around -40", 1, -40, 0, 0, zLoss: 1e-3);
        yield return CrossEntropy("cross-entropy, smoothed, z-loss, wide logits", 20, 0, 3, 1, smoothing: 0.3,
            zLoss: 0.01);
        yield return LinearCrossEntropy("linear cross-entropy, smoothed, z-loss", 7, 3, 11, 0, smoothing: 0.1,
            zLoss: 0.05);
        yield return LinearCrossEntropy("linear cross-entropy, smoothed, z-loss, in chunks", 45, 4, 0, 32,
            smoothing: 0.2, zLoss: 0.01);
        yield return LinearCrossEntropy("linear cross-entropy", 7, 0, 0, 0);
        yield return LinearCrossEntropy("linear cross-entropy, rows left out", 7, 3, 0, 0);
        yield return LinearCrossEntropy("linear cross-entropy, given denominator", 7, 3, 11, 0);
        yield return LinearCrossEntropy("linear cross-entropy, in chunks", 45, 0, 0, 32);
    }

    private static GradCase CrossEntropy(string name, float spread, float offset, int leaveOut, double denominator,
        double smoothing = 0, double zLoss = 0)
    {
        int[] targets = new Random(3).Ids(7, 37, leaveOut);
        return new(name, typeof(CrossEntropyOp), r => [Affine(r.Normal(7, 37), spread, offset)],
            (c, x) => c.CrossEntropy(x[0], Tensor.FromIds(new Shape(7), targets),
                new LossOptions(denominator, smoothing, zLoss)).Loss,
            x => Reference.CrossEntropy(x[0], targets, denominator, smoothing, zLoss), 2, 4);
    }

    private static GradCase LinearCrossEntropy(string name, int rows, int leaveOut, double denominator,
        int rowsPerChunk, double smoothing = 0, double zLoss = 0)
    {
        int[] targets = new Random(3).Ids(rows, 37, leaveOut);
        return new(name, typeof(LinearCrossEntropyOp), r => [r.Normal(rows, 5), r.Normal(37, 5)],
            (c, x) => c.LinearCrossEntropy(x[0], x[1], Tensor.FromIds(new Shape(rows), targets),
                new LossOptions(denominator, smoothing, zLoss), rowsPerChunk).Loss,
            x => Reference.CrossEntropy(Reference.Linear(x[0], x[1], null, 37, 5), targets, denominator, smoothing,
                zLoss), 2, 4);
    }

    private static Tensor Affine(Tensor x, float factor, float offset)
    {
        foreach (ref float value in x.Data)
            value = (factor * value) + offset;
        return x;
    }
}
