namespace Nano;

public static partial class BenchCases
{
    /// <summary>
    /// Update rules that treat each element alone, on tensors that fit no cache; AdamW is among the
    /// other ops.
    /// </summary>
    private static IEnumerable<BenchCase> Updates(int rows, int columns) =>
    [
        // Parameter and state are read and written, the gradient is read. Two moments of a byte each are half
        // a float to read and half to write.
        Update("sgd", rows, columns, flops: 5, streams: 5,
            (c, p, g, m, _) => c.Sgd(p, g, m, new SgdNumbers(1e-3, 0.9, false, 0, 0.5)),
            (p, g, m) => p - (1e-3 * ((0.9 * m) + (0.5 * g)))),
        Update("adagrad", rows, columns, flops: 7, streams: 5,
            (c, p, g, _, v) => c.AdaGrad(p, g, v, new AdaGradNumbers(1e-3, 1, 1, 1e-8, 0, 0.5)),
            (p, g, _) => p - (1e-3 * 0.5 * g / (Math.Sqrt(StartSquare + Square(0.5 * g)) + 1e-8))),
        Update("adam", rows, columns, flops: 15, streams: 7,
            (c, p, g, m, v) => c.Adam(p, g, m, v, new AdamWNumbers(1e-3, 0.9, 0.95, 1e-8, 0, 0.5, 10)),
            (p, g, m) => p - (1e-3 * ((0.9 * m) + (0.05 * g)) / (1 - Math.Pow(0.9, 10))
                / (Math.Sqrt(((0.95 * StartSquare) + (0.05 * Square(0.5 * g))) / (1 - Math.Pow(0.95, 10))) + 1e-8))),
        Update("lion", rows, columns, flops: 9, streams: 5,
            (c, p, g, m, _) => c.Lion(p, g, m, new LionNumbers(1e-3, 0.9, 0.99, 0.1, 0.5)),
            (p, g, m) => (p * (1 - 1e-4)) - (1e-3 * Math.Sign((0.9 * m) + (0.05 * g)))),
        Update("sophia", rows, columns, flops: 10, streams: 6,
            (c, p, g, m, v) => c.Sophia(p, g, m, v, new SophiaNumbers(1e-3, 0.96, 0.05, 1e-12, 0.1, 0.5)),
            (p, g, m) => (p * (1 - 1e-4))
                - (1e-3 * Math.Clamp(((0.96 * m) + (0.02 * g)) / (0.05 * StartSquare), -1, 1))),
        new("ops", "update", "adamw8bit", $"{rows} x {columns}", 20.0 * rows * columns,
            sizeof(float) * 4.0 * rows * columns, BenchBound.Triad, () => AdamW8Bit(rows, columns)),
    ];

    private const double StartSquare = 0.01;

    /// <summary>
    /// A rule over (parameter, gradient, mean, square), and the parameter it must give from
    /// (parameter, gradient, mean) and squares of <see cref="StartSquare"/>.
    /// </summary>
    private static BenchCase Update(string name, int rows, int columns, int flops, int streams,
        Action<Compute, Tensor, Tensor, Tensor, Tensor> run, Func<double, double, double, double> expected) =>
        new("ops", "update", name, $"{rows} x {columns}", (double)rows * columns * flops,
            sizeof(float) * (double)rows * columns * streams, BenchBound.Triad, () =>
        {
            Tensor g = BenchData.Random(1, rows, columns), p0 = BenchData.Random(2, rows, columns),
                m0 = BenchData.Random(3, rows, columns);
            Tensor p = BenchData.Copy(p0), m = BenchData.Copy(m0), v = new(p.Shape);
            return new BenchWork(c => run(c, p, g, m, v),
                () => [new("parameter", p, i => Sized(expected(At(p0, i), At(g, i), At(m0, i))))])
            {
                Twin = c => // timing continues from the present values; checking restarts
                {
                    p.CopyFrom(p0);
                    m.CopyFrom(m0);
                    v.Data.Fill((float)StartSquare);
                    run(c, p, g, m, v);
                },
            };
        });

    private static BenchWork AdamW8Bit(int rows, int columns)
    {
        Tensor g = BenchData.Random(1, rows, columns), p0 = BenchData.Random(2, rows, columns), p = BenchData.Copy(p0);
        var (codes, roots) = AdamW8BitExtensions.Moment8BitShapes(p.Length);
        (Tensor Codes, Tensor Roots) m = (new(codes, DType.Int32), new(roots)),
            v = (new(codes, DType.Int32), new(roots));
        void Step(Compute c) => c.AdamW8Bit(p, g, m, v, new AdamWNumbers(1e-3, 0.9, 0.95, 1e-8, 0.1, 0.5, 1));
        void Restart(Compute c)
        {
            p.CopyFrom(p0);
            foreach (var (tensor, scale) in new[] { m, v })
            {
                tensor.Ids.Clear();
                scale.Data.Clear();
            }
            Step(c);
        }
        return new BenchWork(Step,
            () => [new("parameter", p,
                i => Sized((At(p0, i) * (1 - 1e-4)) - (1e-3 * 0.5 * At(g, i) / (Math.Abs(0.5 * At(g, i)) + 1e-8))))])
        {
            Twin = Restart
        };
    }
}
