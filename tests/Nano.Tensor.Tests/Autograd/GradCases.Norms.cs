namespace Nano.Tests;

/// <summary>Norms of other forms, losses, sums of products by labels.</summary>
internal static partial class GradCases
{
    private static IEnumerable<GradCase> Norms()
    {
        foreach (int columns in new[] { 2, 5, 37 })
            yield return new($"l2 normalize of {columns}", typeof(L2NormalizeOp), r => [r.Normal(3, columns)],
                (c, x) => c.L2Normalize(x[0]), x => Normalized(x[0], columns), 3, columns == 2 ? 12 : 6);
        yield return new("rmsnorm plus one", typeof(RmsNormOp), r => [r.Normal(5, 37), r.Normal(37)],
            (c, x) => c.RmsNormPlusOne(x[0], x[1], 1e-5f),
            x => Reference.RmsNorm(x[0], [.. x[1].Select(w => 1 + w)], 1e-5f), 4, 5);
        yield return new("gated rmsnorm", typeof(RmsNormOp), r => [r.Normal(5, 37), r.Normal(5, 37), r.AroundOne(37)],
            (c, x) => c.GatedRmsNorm(x[0], x[1], x[2], 1e-5f),
            x => Reference.RmsNorm(Reference.SwiGlu(x[1], x[0]), x[2], 1e-5f), 6, 8);
        foreach (var (sizes, groups) in new[] { (new[] { 2, 6, 5, 3 }, 3), (new[] { 3, 4, 19 }, 1),
            (new[] { 2, 4, 7 }, 4), (new[] { 3, 6 }, 2) })
            yield return new($"group norm of [{string.Join(", ", sizes)}], {groups} groups", typeof(ChannelNormOp),
                r => [r.Normal(sizes), r.AroundOne(sizes[1]), r.Normal(sizes[1])],
                (c, x) => c.GroupNorm(x[0], x[1], x[2], groups, 1e-5f),
                x => ChannelNorm(x, sizes, place => (place[0] * groups) + (place[1] / (sizes[1] / groups))), 6, 12);
        foreach (int[] sizes in new[] { new[] { 3, 4, 5, 3 }, [5, 3, 7], [7, 5] })
        {
            yield return new($"batch norm of [{string.Join(", ", sizes)}]", typeof(ChannelNormOp),
                r => [r.Normal(sizes), r.AroundOne(sizes[1]), r.Normal(sizes[1])],
                (c, x) => c.BatchNorm(x[0], x[1], x[2],
                    (new Tensor(new Shape(sizes[1])), new Tensor(new Shape(sizes[1]))), true, 1e-5f),
                x => ChannelNorm(x, sizes, place => place[1]), 6, 8);
            yield return new($"batch norm of [{string.Join(", ", sizes)}], statistics given", typeof(ChannelNormOp),
                r => [r.Normal(sizes), r.AroundOne(sizes[1]), r.Normal(sizes[1])],
                (c, x) => c.BatchNorm(x[0], x[1], x[2], (Filled(sizes[1], 0.5f), Filled(sizes[1], 2)), false, 1e-5f),
                x => [.. ShapeReference.Places(sizes).Select((place, i) =>
                    ((x[0][i] - 0.5) / Math.Sqrt(2 + (double)1e-5f) * x[1][place[1]]) + x[2][place[1]])], 4, 6);
        }
    }

    private static Tensor Filled(int count, float value)
    {
        var tensor = new Tensor(new Shape(count));
        tensor.Data.Fill(value);
        return tensor;
    }

    private static double[] Normalized(double[] x, int columns) =>
        [.. x.Chunk(columns).SelectMany(row => row.Select(value => value / Math.Sqrt(row.Sum(v => v * v))))];

    /// <summary>x, w and b by the definition; the group of each place is given.</summary>
    private static double[] ChannelNorm(double[][] x, int[] sizes, Func<int[], int> group)
    {
        int[][] places = [.. ShapeReference.Places(sizes)];
        int[] groups = [.. places.Select(group)];
        var (sum, square, count) = (new double[groups.Max() + 1], new double[groups.Max() + 1],
            new int[groups.Max() + 1]);
        for (int i = 0; i < groups.Length; i++)
            (sum[groups[i]], count[groups[i]]) = (sum[groups[i]] + x[0][i], count[groups[i]] + 1);
        for (int i = 0; i < groups.Length; i++)
        {
            double distance = x[0][i] - (sum[groups[i]] / count[groups[i]]);
            square[groups[i]] += distance * distance;
        }
        return [.. groups.Select((g, i) => ((x[0][i] - (sum[g] / count[g])) / Math.Sqrt((square[g] / count[g])
            + (double)1e-5f) * x[1][places[i][1]]) + x[2][places[i][1]])];
    }

    private static IEnumerable<GradCase> PairLossCases()
    {
        GradCase Pair(string name, Func<Compute, Tensor, Tensor, Tensor> run, Func<double, double, double> term,
            Type? op = null) => new(name, op ?? typeof(ActivationOp), r => [r.Normal(5, 7), r.Normal(5, 7)],
            (c, x) => run(c, x[0], x[1]), x => [x[0].Zip(x[1], term).Average()], 3, 2);
        yield return Pair("mean squared error", (c, x, y) => c.MeanSquaredError(x, y), (x, y) => (x - y) * (x - y));
        yield return Pair("mean absolute error", (c, x, y) => c.MeanAbsoluteError(x, y), (x, y) => Math.Abs(x - y));
        yield return Pair("huber loss", (c, x, y) => c.HuberLoss(x, y, 0.7f),
            (x, y) => Reference.Activation(ActivationKind.Huber, x - y, 0.7f));
        yield return Pair("binary cross-entropy", (c, x, t) => c.BinaryCrossEntropy(x, c.Activation(
            ActivationKind.Sigmoid, t)), (x, t) => -(Sigmoid(t) * Math.Log(Sigmoid(x)))
                - ((1 - Sigmoid(t)) * Math.Log(1 - Sigmoid(x))));
        yield return new("log-softmax", typeof(MaxOp), r => [r.Normal(5, 7)], (c, x) => c.LogSoftmax(x[0]),
            x => [.. Reference.Softmax(x[0], 7).Select(p => Math.Log(p))], 4, 4);
        yield return new("kl divergence", typeof(MaxOp), r => [r.Normal(5, 7), r.Normal(5, 7)],
            (c, x) => c.KlDivergence(x[0], x[1]),
            x => [Reference.Softmax(x[0], 7).Zip(Reference.Softmax(x[1], 7), (p, q) => p * Math.Log(p / q)).Sum() / 5],
            4, 4);
    }

    private static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));

    private static IEnumerable<GradCase> Contrasts()
    {
        static double[] Cosines(double[] a, double[] b) =>
            Reference.MatMul(Normalized(a, 5), Normalized(b, 5), 1, 4, 4, 5, false, true);
        static double Entropy(double[] scores) => Reference.CrossEntropy(scores, [0, 1, 2, 3], 0)[0];

        yield return new("contrastive loss", typeof(L2NormalizeOp), r => [r.Normal(4, 5), r.Normal(4, 5), r.Normal()],
            (c, x) => c.ContrastiveLoss(x[0], x[1], x[2]),
            x =>
            {
                double[] scores = Reference.Scale(Cosines(x[0], x[1]), Math.Exp(x[2][0]));
                return [(Entropy(scores) + Entropy(ShapeReference.Permute(scores, [4, 4], [1, 0]))) / 2];
            }, 4, 6);
        yield return new("info nce", typeof(L2NormalizeOp), r => [r.Normal(4, 5), r.Normal(4, 5)],
            (c, x) => c.InfoNce(x[0], x[1], 0.3f),
            x => [Entropy(Reference.Scale(Cosines(x[0], x[1]), 1 / (double)0.3f))], 4, 8);
        yield return new("sigmoid pair loss", typeof(L2NormalizeOp),
            r => [r.Normal(4, 5), r.Normal(4, 5), r.Normal(), r.Normal()],
            (c, x) => c.SigmoidPairLoss(x[0], x[1], x[2], x[3]),
            x => [Cosines(x[0], x[1]).Select((cosine, i) =>
                -Math.Log(Sigmoid((i / 4 == i % 4 ? 1 : -1) * ((cosine * Math.Exp(x[2][0])) + x[3][0])))).Sum() / 4],
            8, 8);
        yield return new("triplet loss", typeof(SumAxesOp), r => [r.Normal(4, 5), r.Normal(4, 5), r.Normal(4, 5)],
            (c, x) => c.TripletLoss(x[0], x[1], x[2], 0.5f),
            x => [Enumerable.Range(0, 4).Average(row => Math.Max(0, 0.5 + Enumerable.Range(row * 5, 5)
                .Sum(i => Math.Pow(x[0][i] - x[1][i], 2) - Math.Pow(x[0][i] - x[2][i], 2))))], 6, 6);
    }

    private static IEnumerable<GradCase> Einsums()
    {
        foreach (string labels in new[] { "ij,jk->ik", "ij,kj->ki", "bij,bjk->bik", "bthd,bshd->bhts",
            "bhts,bshd->bthd", "ij,ij->", "i,j->ij", "ij,k->kj", "abc,cd->db", "ijk,ijk->ik" })
            yield return new($"einsum {labels}", typeof(MatMulOp),
                r => [r.Normal(Sizes(labels.Split(',')[0])), r.Normal(Sizes(labels.Split(',')[1].Split("->")[0]))],
                (c, x) => c.Einsum(labels, x[0], x[1]), x => Einsum(labels, x[0], x[1]), 6, 6);
    }

    /// <summary>A size for each letter.</summary>
    private static int[] Sizes(string labels) => [.. labels.Select(label => 2 + (label % 4))];

    /// <summary>The sum over all places of all letters, one product at a time.</summary>
    private static double[] Einsum(string labels, double[] a, double[] b)
    {
        string[] parts = labels.Split(',', '-', '>');
        string ofA = parts[0], ofB = parts[1], ofY = parts[^1],
            all = string.Concat((ofA + ofB).Distinct());
        var y = new double[Sizes(ofY).Aggregate(1, (n, size) => n * size)];
        foreach (int[] place in ShapeReference.Places(Sizes(all)))
        {
            int At(string some) => ShapeReference.At(Sizes(some), [.. some.Select(l => place[all.IndexOf(l)])]);
            y[At(ofY)] += a[At(ofA)] * b[At(ofB)];
        }
        return y;
    }
}
