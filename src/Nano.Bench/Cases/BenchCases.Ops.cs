namespace Nano;

public static partial class BenchCases
{
    /// <summary>
    /// The memory-bound cases: every op of a training step that is not a product, on tensors too
    /// large for any cache, forward and backward.
    /// </summary>
    public static IEnumerable<BenchCase> Ops() => Ops(rows: 8192, wide: 3072, channels: 768, vocabulary: 50257);

    /// <summary>The memory-bound ops at given sizes.</summary>
    internal static IEnumerable<BenchCase> Ops(int rows, int wide, int channels, int vocabulary) =>
    [
        Op("add", rows, wide, flops: 1, streams: 3, Add),
        Op("add backward", rows, wide, flops: 0, streams: 2, AddBackward), // a adopts dy, db is a copy of it
        Op("multiply", rows, wide, flops: 1, streams: 3, Multiply),
        Op("multiply backward", rows, wide, flops: 2, streams: 5, MultiplyBackward),
        Op("gelu", rows, wide, flops: 9, streams: 2, Gelu),
        Op("gelu backward", rows, wide, flops: 16, streams: 3, GeluBackward),
        Op("swiglu", rows, wide, flops: 5, streams: 3, SwiGlu),
        Op("swiglu backward", rows, wide, flops: 10, streams: 5, SwiGluBackward),
        Op("softmax", 4 * rows, channels, flops: 5, streams: 2, Softmax),
        Op("softmax backward", 4 * rows, channels, flops: 4, streams: 3, SoftmaxBackward),
        Op("layer norm", 4 * rows, channels, flops: 8, streams: 2, (r, c) => Norm(r, c, rms: false)),
        Op("layer norm backward", 4 * rows, channels, flops: 18, streams: 3, (r, c) => NormBackward(r, c, rms: false)),
        Op("rms norm", 4 * rows, channels, flops: 4, streams: 2, (r, c) => Norm(r, c, rms: true)),
        Op("rms norm backward", 4 * rows, channels, flops: 13, streams: 3, (r, c) => NormBackward(r, c, rms: true)),
        Op("cross-entropy", channels, vocabulary, flops: 4, streams: 1, CrossEntropy),
        Op("cross-entropy backward", channels, vocabulary, flops: 4, streams: 2, CrossEntropyBackward),
        new("ops", "stream", "embedding backward", $"{rows} of {vocabulary} x {channels}", (double)rows * channels,
            sizeof(float) * ((double)rows + vocabulary) * channels, BenchBound.Triad,
            () => EmbeddingBackward(rows, channels, vocabulary)),
        // parameter and both moments are read and written, the gradient read
        Op("adamw", rows / 2, wide, flops: 14, streams: 7, AdamW),
        Op("sum of squares", 2 * rows, wide, flops: 2, streams: 1, SumOfSquares),
        .. Updates(rows, wide),
    ];

    /// <summary>
    /// An op over rows x columns with the given flops and floats of compulsory traffic per
    /// element; one stream is only read.
    /// </summary>
    private static BenchCase Op(string name, int rows, int columns, int flops, int streams,
        Func<int, int, BenchWork> create) => new("ops", "stream", name, $"{rows} x {columns}",
        (double)rows * columns * flops, sizeof(float) * (double)rows * columns * streams,
        streams == 1 ? BenchBound.Read : BenchBound.Triad, () => create(rows, columns));

    /// <summary>A forward op of one output.</summary>
    private static BenchWork Forward(Func<Compute, Tensor> run, Func<long, (double, double)> expected,
        params Tensor[] inputs)
    {
        Tensor? y = null;
        return new BenchWork(c =>
        {
            c.NextStep();
            y = run(c);
        }, () => [new("output", y!, expected)])
        { Inputs = () => inputs, Result = () => y! };
    }

    private static BenchWork Add(int rows, int columns)
    {
        Tensor a = BenchData.Random(1, rows, columns), b = BenchData.Random(2, rows, columns);
        return Forward(c => c.Add(a, b), i => Sized((double)At(a, i) + At(b, i)), a, b);
    }

    private static BenchWork AddBackward(int rows, int columns)
    {
        Tensor a = BenchData.Random(1, rows, columns), b = BenchData.Random(2, rows, columns),
            dy = BenchData.Random(3, rows, columns);
        return Backward(c => c.Add(a, b), dy,
            () => [new("da", a.Gradient, i => Sized(At(dy, i))), new("db", b.Gradient, i => Sized(At(dy, i)))]);
    }

    private static BenchWork Multiply(int rows, int columns)
    {
        Tensor a = BenchData.Random(1, rows, columns), b = BenchData.Random(2, rows, columns);
        return Forward(c => c.Multiply(a, b), i => Sized((double)At(a, i) * At(b, i)), a, b);
    }

    private static BenchWork MultiplyBackward(int rows, int columns)
    {
        Tensor a = BenchData.Random(1, rows, columns), b = BenchData.Random(2, rows, columns),
            dy = BenchData.Random(3, rows, columns);
        return Backward(c => c.Multiply(a, b), dy, () =>
            [new("da", a.Gradient, i => Sized((double)At(dy, i) * At(b, i))),
                new("db", b.Gradient, i => Sized((double)At(dy, i) * At(a, i)))]);
    }

    private static BenchWork Gelu(int rows, int columns)
    {
        var x = BenchData.Random(1, rows, columns);
        return Forward(c => c.Activation(ActivationKind.GeluTanh, x), i => Sized(Gelu(At(x, i))), x);
    }

    private static BenchWork GeluBackward(int rows, int columns)
    {
        Tensor x = BenchData.Random(1, rows, columns), dy = BenchData.Random(3, rows, columns);
        return Backward(c => c.Activation(ActivationKind.GeluTanh, x), dy,
            () => [new("dx", x.Gradient, i => (At(dy, i) * Slope(Gelu, At(x, i)), Math.Abs(At(dy, i))))]);
    }

    private static BenchWork SwiGlu(int rows, int columns)
    {
        Tensor gate = BenchData.Random(1, rows, columns), up = BenchData.Random(2, rows, columns);
        return Forward(c => c.SwiGlu(gate, up), i => Sized(Silu(At(gate, i)) * At(up, i)), gate, up);
    }

    private static BenchWork SwiGluBackward(int rows, int columns)
    {
        Tensor gate = BenchData.Random(1, rows, columns), up = BenchData.Random(2, rows, columns),
            dy = BenchData.Random(3, rows, columns);
        return Backward(c => c.SwiGlu(gate, up), dy, () =>
        [
            new("dgate", gate.Gradient,
                i => ((double)At(dy, i) * At(up, i) * Slope(Silu, At(gate, i)),
                    Math.Abs((double)At(dy, i) * At(up, i)))),
            new("dup", up.Gradient, i => Sized(At(dy, i) * Silu(At(gate, i)))),
        ]);
    }

    private static BenchWork CrossEntropy(int rows, int columns)
    {
        Tensor logits = BenchData.Random(1, rows, columns), targets = BenchData.RandomIds(2, columns, rows),
            nll = null!;
        return new BenchWork(c =>
        {
            c.NextStep();
            nll = c.CrossEntropy(logits, targets).Nll;
        }, () => [new("nll", nll,
            row => Sized(LogSumExp(logits, row) - At(logits, (row * columns) + targets.Ids[(int)row])))]);
    }

    private static BenchWork CrossEntropyBackward(int rows, int columns)
    {
        Tensor logits = BenchData.Random(1, rows, columns), targets = BenchData.RandomIds(2, columns, rows);
        var one = Tensor.From(new Shape(), [1f]);
        return Backward(c => c.CrossEntropy(logits, targets).Loss, one, () => [new("dlogits", logits.Gradient, i =>
        {
            long row = i / columns;
            double p = Math.Exp(At(logits, i) - LogSumExp(logits, row));
            return Sized((p - (i % columns == targets.Ids[(int)row] ? 1 : 0)) / rows);
        })]);
    }

    private static BenchWork EmbeddingBackward(int rows, int columns, int vocabulary)
    {
        Tensor weight = BenchData.Random(1, vocabulary, columns), dy = BenchData.Random(3, rows, columns),
            ids = BenchData.RandomIds(2, vocabulary / 8, rows);
        return Backward(c => c.Embedding(weight, ids), dy, () => [new("dweight", weight.Gradient, i =>
        {
            double sum = 0, size = 0;
            for (int row = 0; row < rows; row++)
                if (ids.Ids[row] == i / columns)
                {
                    sum += At(dy, (row * columns) + (i % columns));
                    size += Math.Abs(At(dy, (row * columns) + (i % columns)));
                }
            return (sum, size);
        })]);
    }

    private static BenchWork AdamW(int rows, int columns)
    {
        Tensor g = BenchData.Random(1, rows, columns), p0 = BenchData.Random(2, rows, columns),
            m0 = BenchData.Random(3, rows, columns);
        Tensor p = BenchData.Copy(p0), m = BenchData.Copy(m0), v = new(p.Shape), v0 = new(p.Shape);
        v0.Data.Fill(0.01f);
        var numbers = new AdamWNumbers(1e-3, 0.9, 0.95, 1e-8, 0.1, 0.5, 10);
        void Step(Compute c) => c.AdamW(p, g, m, v, numbers);
        void Restart(Compute c) // timing continues from the present values; checking restarts
        {
            p.CopyFrom(p0);
            m.CopyFrom(m0);
            v.CopyFrom(v0);
            Step(c);
        }
        return new BenchWork(Step, () =>
        [
            new("mean", m, i => Sized((0.9 * At(m0, i)) + (0.1 * 0.5 * At(g, i)))),
            new("square", v, i => Sized((0.95 * 0.01) + (0.05 * Square(0.5 * At(g, i))))),
            new("parameter", p, i =>
            {
                double mean = ((0.9 * At(m0, i)) + (0.1 * 0.5 * At(g, i))) / (1 - Math.Pow(0.9, 10)),
                    square = ((0.95 * 0.01) + (0.05 * Square(0.5 * At(g, i)))) / (1 - Math.Pow(0.95, 10));
                return Sized((At(p0, i) * (1 - (1e-3 * 0.1))) - (1e-3 * mean / (Math.Sqrt(square) + 1e-8)));
            }),
        ])
        { Twin = Restart, AdamW = new(p0, g, m0, v0, numbers) };
    }

    private static BenchWork SumOfSquares(int rows, int columns)
    {
        var x = BenchData.Random(1, rows, columns);
        var sum = new Tensor(new Shape());
        return new BenchWork(c =>
        {
            c.NextStep();
            sum.Data[0] = (float)c.SumOfSquares(x);
        }, () => [new("sum", sum, _ =>
        {
            double total = 0;
            foreach (float value in x.Data)
                total += Square(value);
            return Sized(total);
        })])
        // others add fifty million numbers in float32 all the way
        { Inputs = () => [x], Result = () => sum, Record = c => c.Sum(c.Multiply(x, x)), PeerTolerance = 0.01f };
    }
}
