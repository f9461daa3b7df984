namespace Nano.Tests;

/// <summary>
/// Attention with all its options, and its gradients, in double precision, with the whole Tq x Tk
/// matrix of probabilities and the softmax derivative in its textbook form. Inputs are q
/// [B, Tq, H * D], k [B, Tk, KV * D], v [B, Tk, KV * Dv] and, where the options have them, the table
/// of biases [buckets, H] and the sinks [H], flattened.
/// </summary>
internal sealed record NaiveAttention(int Batch, int Queries, int Keys, int HeadDim, int ValueDim,
    AttentionOptions Options, bool IsBidirectional = false)
{
    private int Heads => Options.Heads;

    private int FirstPosition => Options.IsCausal ? Keys - Queries : 0;

    public Tensor[] Inputs(Random r)
    {
        int keyHeads = Options.KeyHeads;
        var all = new List<Tensor> { r.Normal(Batch, Queries, Heads * HeadDim), r.Normal(Batch, Keys,
            keyHeads * HeadDim), r.Normal(Batch, Keys, keyHeads * ValueDim) };
        if (Options.RelativeBias is { } bias)
            all.Add(r.Normal(bias.Table.Shape[0], Heads));
        if (Options.LearnedSink is not null)
            all.Add(r.Normal(Heads));
        return [.. all];
    }

    /// <summary>The op under test; its table and sinks are the last inputs.</summary>
    public Tensor Run(Compute c, Tensor[] x)
    {
        var options = Options;
        if (options.RelativeBias is { } bias)
            options = options with { RelativeBias = new RelativeBias(x[3], IsBidirectional, bias.MaxDistance) };
        if (options.LearnedSink is not null)
            options = options with { LearnedSink = x[^1] };
        return c.Attention(x[0], x[1], x[2], options);
    }

    public double[] Forward(double[][] x) => Compute(x, null).Y;

    /// <summary>The output and the gradients of all inputs.</summary>
    public (double[] Y, double[][] Gradients) Compute(double[][] x, double[]? dy)
    {
        var y = new double[Batch * Queries * Heads * ValueDim];
        double[][] gradients = [.. x.Select(input => new double[input.Length])];
        for (int b = 0; b < Batch; b++)
            for (int h = 0; h < Heads; h++)
                for (int i = 0; i < Queries; i++)
                    Query(x, dy, y, gradients, b, h, i);
        return (y, gradients);
    }

    private bool Sees(int b, int i, int j)
    {
        int position = FirstPosition + i;
        return j < (Options.Lengths is { } lengths ? lengths.Ids[b] : Keys)
            && (!Options.IsCausal || (j <= position
                && (Options.Window == 0 || j > (long)position - Options.Window || j < Options.Sinks)));
    }

    private void Query(double[][] x, double[]? dy, double[] y, double[][] gradients, int b, int h, int i)
    {
        double scale = Options.Scale == 0 ? 1 / Math.Sqrt(HeadDim) : Options.Scale, cap = Options.SoftCap;
        int keyHead = h / (Heads / Options.KeyHeads), qi = ((((b * Queries) + i) * Heads) + h) * HeadDim,
            yi = ((((b * Queries) + i) * Heads) + h) * ValueDim;
        var (p, dp, slope) = (new double[Keys + 1], new double[Keys + 1], new double[Keys]);
        for (int j = 0; j < Keys; j++)
        {
            p[j] = double.NegativeInfinity;
            if (!Sees(b, i, j))
                continue;
            double s = 0;
            for (int d = 0; d < HeadDim; d++)
                s += scale * x[0][qi + d] * x[1][Key(b, j, keyHead, HeadDim) + d];
            double t = cap == 0 ? 0 : Math.Tanh(s / cap);
            slope[j] = 1 - (t * t);
            p[j] = (cap == 0 ? s : cap * t) + Bias(x, h, j - FirstPosition - i);
        }
        p[Keys] = Options.LearnedSink is null ? double.NegativeInfinity : x[^1][h];
        double max = p.Max(), sum = 0;
        if (double.IsNegativeInfinity(max))
            return;
        for (int j = 0; j <= Keys; j++)
            sum += p[j] = Math.Exp(p[j] - max);
        double mean = 0;
        for (int j = 0; j <= Keys; j++)
        {
            p[j] /= sum;
            for (int d = 0; j < Keys && d < ValueDim; d++)
            {
                int value = Key(b, j, keyHead, ValueDim) + d;
                y[yi + d] += p[j] * x[2][value];
                if (dy is null)
                    continue;
                dp[j] += dy[yi + d] * x[2][value];
                gradients[2][value] += p[j] * dy[yi + d];
            }
            mean += p[j] * dp[j];
        }
        for (int j = 0; j < Keys && dy is not null; j++)
        {
            double ds = p[j] * (dp[j] - mean);
            if (Options.RelativeBias is not null)
                gradients[3][(BucketOf(j - FirstPosition - i) * Heads) + h] += ds;
            for (int d = 0; d < HeadDim; d++)
            {
                int key = Key(b, j, keyHead, HeadDim) + d;
                gradients[0][qi + d] += scale * ds * slope[j] * x[1][key];
                gradients[1][key] += scale * ds * slope[j] * x[0][qi + d];
            }
        }
        if (Options.LearnedSink is not null && dy is not null)
            gradients[^1][h] -= p[Keys] * mean;
    }

    private int Key(int b, int j, int keyHead, int dim) => ((((b * Keys) + j) * Options.KeyHeads) + keyHead) * dim;

    private double Bias(double[][] x, int h, int distance) =>
        (Options.Slopes is { } slopes ? slopes.Data[h] * (double)distance : 0)
            + (Options.RelativeBias is null ? 0 : x[3][(BucketOf(distance) * Heads) + h]);

    /// <summary>The bucket of T5: exact for short distances, then logarithmic, half of them for keys behind.</summary>
    private int BucketOf(int distance)
    {
        int count = Options.RelativeBias!.Table.Shape[0], bucket = 0;
        if (IsBidirectional)
        {
            count /= 2;
            bucket = distance > 0 ? count : 0;
            distance = -Math.Abs(distance);
        }
        int far = Math.Max(0, -distance), exact = count / 2;
        if (far < exact)
            return bucket + far;
        double power = Math.Log(far / (double)exact) / Math.Log(Options.RelativeBias.MaxDistance / (double)exact);
        return bucket + Math.Min(count - 1, (int)(exact + (power * (count - exact))));
    }
}
