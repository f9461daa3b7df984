namespace Nano;

public static partial class BenchCases
{
    /// <summary>
    /// A weight read for few tokens comes from memory, not from a cache: copies of it take turns
    /// until they fill this much.
    /// </summary>
    private const double OutOfCache = 128e6;

    /// <summary>
    /// Matrix products: the linear layers of GPT-2 124M and Llama 3.2 1B (forward and both
    /// gradients), squares, the layers of the small Shakespeare model, and few tokens at a time.
    /// </summary>
    public static IEnumerable<BenchCase> Gemm()
    {
        (int N, int K)[] gpt2 = [(2304, 768), (768, 768), (3072, 768), (768, 3072), (50257, 768)];
        (int N, int K)[] llama = [(2048, 2048), (512, 2048), (8192, 2048), (2048, 8192)];
        (int N, int K)[] small = [(384, 128), (128, 128), (512, 128), (128, 512)];
        foreach (int m in (int[])[64, 256, 1024])
        {
            foreach (var (n, k) in gpt2)
                foreach (var product in Enum.GetValues<GemmProduct>())
                    yield return Gemm("gpt2", new(product, m, n, k));
            foreach (var (n, k) in llama)
                foreach (var product in Enum.GetValues<GemmProduct>())
                    yield return Gemm("llama", new(product, m, n, k));
        }
        foreach (int size in (int[])[64, 1024, 2048])
            yield return Gemm("square", new(GemmProduct.Forward, size, size, size));
        foreach (var (n, k) in small)
            foreach (var product in Enum.GetValues<GemmProduct>())
                yield return Gemm("char", new(product, 768, n, k));
        foreach (var (n, k) in ((int, int)[])[(3072, 768), (768, 3072), (50257, 768)])
            foreach (int m in (int[])[1, 2, 4, 8, 16])
                yield return Gemm("skinny", new(GemmProduct.Forward, m, n, k));
    }

    /// <summary>One matrix product. With 16 tokens or fewer, reading the weight is what takes time.</summary>
    public static BenchCase Gemm(string family, GemmSizes sizes)
    {
        var (product, m, n, k) = sizes;
        string name = product switch { GemmProduct.Forward => "forward", GemmProduct.InputGradient => "dX", _ => "dW" };
        return new BenchCase("gemm", family, name, $"{m} x {n} x {k}", 2.0 * m * n * k,
            sizeof(float) * (((double)m * k) + ((double)n * k) + ((double)m * n)),
            m <= 16 ? BenchBound.Read : BenchBound.Arithmetic, () => GemmWork(sizes))
        { Gemm = sizes };
    }

    private static BenchWork GemmWork(GemmSizes sizes)
    {
        var (product, m, n, k) = sizes;
        bool transposeA = product == GemmProduct.WeightGradient, transposeB = product == GemmProduct.Forward;
        var (rows, columns, depth) = product switch
        {
            GemmProduct.Forward => (m, n, k),
            GemmProduct.InputGradient =>
            (m, k, n),
            _ => (n, k, m)
        };
        var a = transposeA ? BenchData.Random(1, depth, rows) : BenchData.Random(1, rows, depth);
        var b = transposeB ? BenchData.Random(2, columns, depth) : BenchData.Random(2, depth, columns);
        int copies = m > 16 ? 1 : (int)Math.Ceiling(OutOfCache / (sizeof(float) * b.Length));
        Tensor[][] inputs = [.. Enumerable.Range(0, copies)
            .Select(copy => new[] { a, copy == 0 ? b : BenchData.Copy(b) })];
        int next = 0;
        Tensor[] Next() => inputs[next = (next + 1) % copies];

        int[] shown = Spread(rows, (int)Math.Clamp(ScalarFlops / (2.0 * columns * depth), 1, rows));
        var part = shown.Length == rows ? a : transposeA ? TakeColumns(a, shown) : TakeRows(a, shown);
        Tensor? result = null, checkedRows = null;
        return new BenchWork(c =>
        {
            var operands = Next();
            c.NextStep();
            result = c.MatMul(operands[0], operands[1], transposeA, transposeB);
            checkedRows = null;
        }, () => [new BenchOutput("product", checkedRows ??= TakeRows(result!, shown), Expected)])
        {
            Part = c =>
            {
                c.NextStep();
                checkedRows = c.MatMul(part, b, transposeA, transposeB);
            },
            Inputs = Next,
            Result = () => result!,
        };

        (double, double) Expected(long i)
        {
            int row = shown[i / columns], column = (int)(i % columns);
            double sum = 0, size = 0;
            for (int d = 0; d < depth; d++)
            {
                double term = (double)a.Data[transposeA ? (d * rows) + row : (row * depth) + d]
                    * b.Data[transposeB ? (column * depth) + d : (d * columns) + column];
                sum += term;
                size += Math.Abs(term);
            }
            return (sum, size);
        }
    }

    /// <summary>Indices from 0 to length - 1, evenly spread, both ends included.</summary>
    private static int[] Spread(int length, int count) =>
        count == 1 ? [length - 1]
            : [.. Enumerable.Range(0, count).Select(i => (int)((long)i * (length - 1) / (count - 1)))];

    private static Tensor TakeRows(Tensor from, int[] rows)
    {
        int columns = from.Shape.Columns;
        var taken = new Tensor(new Shape(rows.Length, columns));
        for (int i = 0; i < rows.Length; i++)
            from.Data.Slice(rows[i] * columns, columns).CopyTo(taken.Data[(i * columns)..]);
        return taken;
    }

    private static Tensor TakeColumns(Tensor from, int[] columns)
    {
        var (rows, width) = (from.Shape[0], from.Shape.Columns);
        var taken = new Tensor(new Shape(rows, columns.Length));
        for (int row = 0; row < rows; row++)
            for (int i = 0; i < columns.Length; i++)
                taken.Data[(row * columns.Length) + i] = from.Data[(row * width) + columns[i]];
        return taken;
    }
}
