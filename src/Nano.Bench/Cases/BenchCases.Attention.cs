namespace Nano;

public static partial class BenchCases
{
    /// <summary>
    /// Causal attention at 1,024 tokens or one longer sequence: 12 heads of 64 (GPT-2) and 8 of 128
    /// (Llama's head size), forward and backward.
    /// </summary>
    public static IEnumerable<BenchCase> Attention()
    {
        foreach (var (heads, headDim) in ((int, int)[])[(12, 64), (8, 128)])
            foreach (int time in (int[])[64, 256, 512, 1024, 4096])
                foreach (bool backward in (bool[])[false, true])
                    yield return Attention(Math.Max(1, 1024 / time), time, heads, headDim, backward);
        foreach (var (heads, headDim) in ((int, int)[])[(12, 64), (8, 128)])
            foreach (int keys in (int[])[128, 1024, 4096])
                yield return AttentionStep(keys, heads, headDim);
    }

    /// <summary>
    /// Attention of one new token to a cache of keys and values, which come from memory: one run after another
    /// reads another cache, as the layers of a model do. Bytes: keys and values once.
    /// </summary>
    private static BenchCase AttentionStep(int keys, int heads, int headDim)
    {
        double bytes = 2.0 * sizeof(float) * keys * heads * headDim;
        return new BenchCase("attention", headDim == 64 ? "gpt2" : "llama", "step",
            $"keys {keys} H {heads} D {headDim}", 4.0 * keys * headDim * heads, bytes, BenchBound.Read, () => AttentionStepWork(keys, heads, headDim, bytes));
    }

    private static BenchWork AttentionStepWork(int keys, int heads, int headDim, double bytes)
    {
        const double OutOfCache = 256e6;
        int channels = heads * headDim, next = 0;
        var caches = new (Tensor K, Tensor V)[1 + (int)(OutOfCache / bytes)];
        for (int i = 0; i < caches.Length; i++)
            caches[i] = (BenchData.Random(1, 1, keys, channels), BenchData.Random(2, 1, keys, channels));
        // The token is the last row of a whole text, whose other rows nobody asks for.
        var q = BenchData.Random(3, 1, keys, channels);
        var token = q.Reshape(new Shape(keys, channels)).SliceRows(keys - 1, 1).Reshape(new Shape(1, 1, channels));
        var reference = new AttentionReference([q, caches[0].K, caches[0].V, q], heads);
        Tensor? y = null;
        return new BenchWork(
            c =>
            {
                var (k, v) = caches[next++ % caches.Length];
                y = c.CausalAttention(token, k, v, heads, heads);
            },
            () => [new("y", y!, i => reference.Output(((keys - 1L) * channels) + i), 1e-4)])
        {
            Prepare = c => c.NextStep(),
        };
    }

    /// <summary>
    /// One attention case. Flops are causal: forward two products of T x T / 2 x D multiply-adds
    /// per head, backward five. Bytes: q, k, v and y once, backward q, k, v, y, dy, dq, dk and dv.
    /// </summary>
    public static BenchCase Attention(int batch, int time, int heads, int headDim, bool backward)
    {
        double forwardFlops = 4.0 * time * time / 2 * headDim * heads * batch,
            tensorBytes = sizeof(float) * (double)batch * time * heads * headDim;
        return new BenchCase("attention", headDim == 64 ? "gpt2" : "llama", backward ? "backward" : "forward",
            $"B {batch} T {time} H {heads} D {headDim}",
            backward ? 2.5 * forwardFlops : forwardFlops, (backward ? 8 : 4) * tensorBytes, BenchBound.Arithmetic,
            () => AttentionWork(batch, time, heads, headDim, backward));
    }

    private static BenchWork AttentionWork(int batch, int time, int heads, int headDim, bool backward)
    {
        int channels = heads * headDim;
        // q, k, v, dy
        Tensor[] all = [.. Enumerable.Range(1, 4).Select(seed => BenchData.Random((ulong)seed, batch, time, channels))];
        // Where all heads would take scalar code too long, the last head of the last entry is checked: heads
        // do not know of each other.
        bool whole = 4.0 * time * time / 2 * channels * batch * (backward ? 3.5 : 1) <= 4 * ScalarFlops;
        var (checkedBatch, checkedHeads) = whole ? (batch, heads) : (1, 1);
        Tensor[] part = whole ? all : Array.ConvertAll(all, LastHead);
        var reference = new AttentionReference(part, checkedHeads);
        Tensor? y = null;
        Tensor[] seen = all;
        Tensor Forward(Compute c) =>
            y = c.CausalAttention(seen[0], seen[1], seen[2], seen == part ? checkedHeads : heads,
                seen == part ? checkedHeads : heads);
        void Prepare(Compute c)
        {
            if (backward)
                RecordForward(c, Forward, seen[3]);
            else
                c.NextStep();
        }
        void Run(Compute c)
        {
            if (backward)
                RunBackward(c);
            else
                Forward(c);
        }
        Tensor Checked(Tensor of) => seen == part ? of : LastHead(of);
        return new BenchWork(Run, () => backward
            ? [new("dq", Checked(seen[0].Gradient), reference.QueryGradient, 1e-4),
                new("dk", Checked(seen[1].Gradient), reference.KeyGradient, 1e-4),
               new("dv", Checked(seen[2].Gradient), reference.ValueGradient, 1e-4)]
            : [new("y", Checked(y!), reference.Output, 1e-4)])
        {
            Prepare = Prepare,
            Part = c =>
            {
                seen = part;
                Prepare(c);
                Run(c);
            },
            Twin = c =>
            {
                seen = all;
                Prepare(c);
                Run(c);
            },
        };

        Tensor LastHead(Tensor from)
        {
            var head = new Tensor(new Shape(1, time, headDim));
            head.CopyFrom(from.SliceRows(batch - 1, 1).SliceColumns(channels - headDim, headDim));
            return head;
        }
    }
}

/// <summary>
/// Causal attention and its gradients in double precision, element by element, from the formulas:
/// p_ij = softmax_j(q_i k_j / sqrt D), y_i = sum_j p_ij v_j, dv_j = sum_i p_ij dy_i, ds_ij = p_ij
/// (dy_i v_j - sum_l p_il dy_i v_l), dq_i = sum_j ds_ij k_j / sqrt D, dk_j = sum_i ds_ij q_i / sqrt
/// D.
/// </summary>
internal sealed class AttentionReference(Tensor[] inputs, int heads)
{
    private readonly Tensor q = inputs[0], k = inputs[1], v = inputs[2], dy = inputs[3];
    private readonly int time = inputs[0].Shape[1], channels = inputs[0].Shape[2], headDim = inputs[0].Shape[2] / heads;
    private readonly Dictionary<(int Start, int Row), (double[] P, double[] S)> rows = [];

    public (double Value, double Scale) Output(long i) => At(i, (start, t, d) =>
        Sum(0, t, j => (Row(start, t).P[j], v.Data[start + (j * channels) + d])));

    public (double Value, double Scale) QueryGradient(long i) => At(i, (start, t, d) =>
        Sum(0, t, j => (Row(start, t).S[j], k.Data[start + (j * channels) + d] / Math.Sqrt(headDim))));

    public (double Value, double Scale) KeyGradient(long i) => At(i, (start, t, d) =>
        Sum(t, time - 1, r => (Row(start, r).S[t], q.Data[start + (r * channels) + d] / Math.Sqrt(headDim))));

    public (double Value, double Scale) ValueGradient(long i) => At(i, (start, t, d) =>
        Sum(t, time - 1, r => (Row(start, r).P[t], dy.Data[start + (r * channels) + d])));

    /// <summary>
    /// Splits an element's index into the start of its head in its entry, its row and its place in
    /// the head.
    /// </summary>
    private (double, double) At(long i, Func<int, int, int, (double, double)> element)
    {
        int entry = (int)(i / ((long)time * channels)), t = (int)(i / channels % time), c = (int)(i % channels);
        return element((entry * time * channels) + (c / headDim * headDim), t, c % headDim);
    }

    private static (double, double) Sum(int first, int last, Func<int, (double, double)> term)
    {
        double sum = 0, size = 0;
        for (int i = first; i <= last; i++)
        {
            var (a, b) = term(i);
            sum += a * b;
            size += Math.Abs(a * b);
        }
        return (sum, size + 1e-3); // probabilities carry errors of their own, relative to 1
    }

    /// <summary>Row i of p and ds of one head.</summary>
    private (double[] P, double[] S) Row(int start, int i)
    {
        if (rows.TryGetValue((start, i), out var known))
            return known;
        double[] p = new double[i + 1], s = new double[i + 1];
        for (int j = 0; j <= i; j++)
            p[j] = Dot(q, k, start, i, j) / Math.Sqrt(headDim);
        double max = p.Max(), sum = 0, mean = 0;
        for (int j = 0; j <= i; j++)
            sum += p[j] = Math.Exp(p[j] - max);
        for (int j = 0; j <= i; j++)
        {
            p[j] /= sum;
            s[j] = Dot(dy, v, start, i, j);
            mean += p[j] * s[j];
        }
        for (int j = 0; j <= i; j++)
            s[j] = p[j] * (s[j] - mean);
        if (rows.Count < 16_384)
            rows[(start, i)] = (p, s);
        return (p, s);
    }

    private double Dot(Tensor a, Tensor b, int start, int i, int j)
    {
        ReadOnlySpan<float> x = a.Data.Slice(start + (i * channels), headDim),
            y = b.Data.Slice(start + (j * channels), headDim);
        double sum = 0;
        for (int d = 0; d < headDim; d++)
            sum += (double)x[d] * y[d];
        return sum;
    }
}
