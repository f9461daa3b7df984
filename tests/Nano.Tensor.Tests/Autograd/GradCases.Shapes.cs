namespace Nano.Tests;

/// <summary>Elements in other places, broadcasting, reductions.</summary>
internal static partial class GradCases
{
    private static IEnumerable<GradCase> Shapes()
    {
        foreach (int[] order in new int[][] { [1, 0], [0, 2, 1], [2, 0, 1], [1, 0, 2], [0, 2, 1, 3], [3, 1, 0, 2] })
        {
            int[] sizes = [.. new[] { 3, 5, 2, 7 }.Take(order.Length)];
            yield return new($"permute {string.Join(' ', order)}", typeof(PermuteOp), r => [r.Normal(sizes)],
                (c, x) => c.Permute(x[0], order), x => ShapeReference.Permute(x[0], sizes, order), 0, 0);
        }
        yield return new("transposed columns of an input", typeof(PermuteOp), r => [r.Normal(2, 4, 9)],
            (c, x) => c.Transpose(x[0].SliceColumns(3, 5)),
            x => ShapeReference.Permute(Reference.SliceColumns(x[0], 9, 3, 5), [2, 4, 5], [0, 2, 1]), 0, 0);
        int[] ids = [3, 0, 3, 1, 3];
        foreach (int axis in new[] { 0, 1, 2 })
        {
            int[] sizes = [.. Enumerable.Range(0, 3).Select(d => d == axis ? 4 : 3 + d)],
                picked = [.. sizes.Select((size, d) => d == axis ? 5 : size)];
            yield return new($"gather along {axis}", typeof(GatherOp), r => [r.Normal(sizes)],
                (c, x) => c.Gather(x[0], Tensor.FromIds(new Shape(5), ids), axis),
                x => ShapeReference.Gather(x[0], sizes, axis, ids), 0, 2);
            yield return new($"scatter-add along {axis}", typeof(ScatterAddOp), r => [r.Normal(picked)],
                (c, x) => c.ScatterAdd(x[0], Tensor.FromIds(new Shape(5), ids), axis, 4),
                x => ShapeReference.ScatterAdd(x[0], picked, axis, ids, 4), 2, 0);
            int[] other = [.. sizes.Select((size, d) => d == axis ? 2 : size)];
            yield return new($"concat along {axis}", typeof(ConcatOp), r => [r.Normal(sizes), r.Normal(other)],
                (c, x) => c.Concat(axis, x[0], x[1]),
                x => ShapeReference.Concat(x[0], sizes, x[1], other, axis), 0, 0);
            yield return new($"slice of dimension {axis}", typeof(ScaleOp), r => [r.Normal(sizes)],
                (c, x) => c.Scale(c.Slice(x[0], axis, 1, 2), 3),
                x => Reference.Scale(ShapeReference.Gather(x[0], sizes, axis, [1, 2]), 3), 1, 1);
        }
        yield return new("stack of three", typeof(ConcatOp), r => [r.Normal(3, 5), r.Normal(3, 5), r.Normal(3, 5)],
            (c, x) => c.Stack(1, x[0], x[1], x[2]),
            x => ShapeReference.Permute([.. x[0], .. x[1], .. x[2]], [3, 3, 5], [1, 0, 2]), 0, 0);
        yield return new("concat of columns of one tensor", typeof(ConcatOp), r => [r.Normal(4, 9)],
            (c, x) => c.Concat(1, x[0].SliceColumns(5, 4), x[0].SliceColumns(2, 4)),
            x => ShapeReference.Gather(x[0], [4, 9], 1, [5, 6, 7, 8, 2, 3, 4, 5]), 0, 1);
        foreach (var (name, run) in new (string, Func<Compute, Tensor, Tensor>)[]
        {
            ("activation", (c, x) => c.Activation(ActivationKind.Tanh, x)), ("scale", (c, x) => c.Scale(x, 2)),
            ("add", (c, x) => c.Add(x, x)), ("multiply", (c, x) => c.Multiply(x, x)), ("sum", (c, x) => c.Sum(x)),
            ("swiglu", (c, x) => c.SwiGlu(x, x)),
        })
            yield return new($"{name} of columns", typeof(PermuteOp), r => [r.Normal(4, 9)],
                (c, x) => run(c, x[0].SliceColumns(2, 5)), x => OfColumns(name, Reference.SliceColumns(x[0], 9, 2, 5)),
                6, 4);
    }

    private static double[] OfColumns(string name, double[] x) => name switch
    {
        "activation" => Reference.Activation(ActivationKind.Tanh, x),
        "scale" or "add" => Reference.Scale(x, 2),
        "multiply" => Reference.Multiply(x, x),
        "sum" => Reference.Sum(x),
        _ => Reference.SwiGlu(x, x),
    };

    private static IEnumerable<GradCase> Broadcasts()
    {
        foreach (var (a, b, y) in new (int[], int[], int[])[]
        {
            ([3, 7], [3, 7], [3, 7]), ([3, 7], [7], [3, 7]), ([7], [3, 7], [3, 7]), ([3, 7], [3, 1], [3, 7]),
            ([3, 1], [1, 7], [3, 7]), ([], [3, 7], [3, 7]), ([2, 3, 5, 7], [5, 1], [2, 3, 5, 7]),
            ([2, 1, 5, 7], [1, 3, 1, 1], [2, 3, 5, 7]), ([300], [2, 3, 1], [2, 3, 300]),
        })
        {
            string name = $"[{string.Join(", ", a)}] and [{string.Join(", ", b)}]";
            yield return Binary("add", typeof(AddOp), (c, x) => c.Add(x[0], x[1]), (p, q) => p + q, 1);
            yield return Binary("subtract", typeof(AddOp), (c, x) => c.Subtract(x[0], x[1]), (p, q) => p - q, 1);
            yield return Binary("multiply", typeof(MultiplyOp), (c, x) => c.Multiply(x[0], x[1]), (p, q) => p * q, 2);
            yield return Binary("divide", typeof(DivideOp), (c, x) => c.Divide(x[0], c.Activation(
                ActivationKind.EluPlusOne, x[1])), (p, q) => p / (q > 0 ? q + 1 : Math.Exp(q)), 4);

            GradCase Binary(string what, Type op, Func<Compute, Tensor[], Tensor> run, Func<double, double, double> f,
                double error) => new($"{what} {name} by broadcasting", op, r => [r.Normal(a), r.Normal(b)], run,
                x => ShapeReference.Broadcast(x[0], a, x[1], b, y, f), error,
                error + (y.Aggregate(1, (n, size) => n * size) / 8.0));
        }
        yield return new("expand", typeof(ExpandOp), r => [r.Normal(3, 1, 5)],
            (c, x) => c.Expand(x[0], new Shape(2, 3, 4, 5)),
            x => ShapeReference.Broadcast(x[0], [3, 1, 5], [0], [1], [2, 3, 4, 5], (p, _) => p), 0, 3);
        yield return new("scale and a term", typeof(ScaleOp), r => [r.Normal(3, 37)], (c, x) => c.Scale(x[0], -1.5f, 2),
            x => [.. x[0].Select(value => 2 - (1.5 * value))], 1, 1);
    }

    private static IEnumerable<GradCase> Reductions()
    {
        int[] sizes = [2, 3, 2, 19];
        foreach (int[] axes in new int[][] { [0], [1], [2], [3], [-1], [0, 1], [1, 3], [0, 2, 3], [0, 1, 2, 3], [] })
            foreach (bool keep in new[] { false, true })
            {
                string name = $"over {string.Join(' ', axes)}{(keep ? ", kept" : "")}";
                int[] known = [.. axes.Select(axis => (axis + 4) % 4)];
                yield return new($"sum {name}", typeof(SumAxesOp), r => [r.Normal(sizes)],
                    (c, x) => c.Sum(x[0], axes, keep), x => ShapeReference.Reduce(x[0], sizes, known, p => p.Sum()), 6,
                    1);
                yield return new($"mean {name}", typeof(SumAxesOp), r => [r.Normal(sizes)],
                    (c, x) => c.Mean(x[0], axes, keep),
                    x => ShapeReference.Reduce(x[0], sizes, known, p => p.Average()), 2, 2);
            }
        for (int axis = 0; axis < 4; axis++)
        {
            int along = axis;
            yield return new($"max over {axis}", typeof(MaxOp), r => [r.Normal(sizes)], (c, x) => c.Max(x[0], along),
                x => ShapeReference.Reduce(x[0], sizes, [along], p => p.Max()), 0, 0);
            yield return new($"variance over {axis}", typeof(SumAxesOp), r => [r.Normal(sizes)],
                (c, x) => c.Variance(x[0], along, keep: true),
                x => ShapeReference.Reduce(x[0], sizes, [along],
                    Variance), 4, 4);
        }
        static double Variance(double[] p)
        {
            double mean = p.Average();
            return p.Average(value => (value - mean) * (value - mean));
        }

        double[] mask = [1, 0, 1, 1, 0, 0, 1, 0];
        yield return new("masked mean", typeof(SumAxesOp), r => [r.Normal(2, 4, 5)],
            (c, x) => c.MaskedMean(x[0], Mask()),
            x => [.. Enumerable.Range(0, 10).Select(i => Enumerable.Range(0, 4)
                .Sum(t => mask[(i / 5 * 4) + t] * x[0][(((i / 5 * 4) + t) * 5) + (i % 5)])
                / mask[(i / 5 * 4)..((i / 5 * 4) + 4)].Sum())], 3, 2);
    }

    private static Tensor Mask()
    {
        var mask = Tensor.From(new Shape(2, 4), [1, 0, 1, 1, 0, 0, 1, 0]);
        mask.WantsGradient = false;
        return mask;
    }
}
