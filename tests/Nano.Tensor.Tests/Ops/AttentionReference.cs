namespace Nano.Tests;

/// <summary>
/// Causal attention and its gradients in double precision, with the whole T x T matrix and the
/// softmax derivative in its textbook form, ds_ij = p_ij (dp_ij - sum_l p_il dp_il). With a window
/// w, query i sees keys i - w + 1 to i. q [B, T, H * D], k and v [B, T, KV * D], flattened.
/// </summary>
internal sealed class AttentionReference
{
    private readonly int batch, times, heads, keyHeads, headDim, window;
    private readonly double[] q, k, v, dy;

    public AttentionReference(Tensor q, Tensor k, Tensor v, Tensor dy, int heads, int keyHeads, int window = 0)
    {
        this.window = window == 0 ? int.MaxValue : window;
        (batch, times, this.heads, this.keyHeads, headDim) =
            (q.Shape[0], q.Shape[1], heads, keyHeads, q.Shape[2] / heads);
        (this.q, this.k, this.v, this.dy) = (q.Doubles(), k.Doubles(), v.Doubles(), dy.Doubles());
        (Y, DQ, DK, DV) = (new double[this.q.Length], new double[this.q.Length], new double[this.k.Length],
            new double[this.k.Length]);
        for (int b = 0; b < batch; b++)
            for (int h = 0; h < heads; h++)
                for (int i = 0; i < times; i++)
                    Query(b, h, i);
    }

    public double[] Y { get; }

    public double[] DQ { get; }

    public double[] DK { get; }

    public double[] DV { get; }

    private void Query(int b, int h, int i)
    {
        int query = ((((b * times) + i) * heads) + h) * headDim;
        double scale = 1 / Math.Sqrt(headDim), sum = 0, mean = 0;
        int first = Math.Max(0, i - window + 1);
        var (p, dp) = (new double[i + 1], new double[i + 1]);
        for (int j = first; j <= i; j++)
            sum += p[j] = Math.Exp(scale * Dot(q, query, k, Key(b, h, j)));
        for (int j = first; j <= i; j++)
        {
            p[j] /= sum;
            dp[j] = Dot(dy, query, v, Key(b, h, j));
            mean += p[j] * dp[j];
        }
        for (int j = first; j <= i; j++)
            for (int d = 0; d < headDim; d++)
            {
                int key = Key(b, h, j) + d;
                double ds = p[j] * (dp[j] - mean);
                Y[query + d] += p[j] * v[key];
                DV[key] += p[j] * dy[query + d];
                DQ[query + d] += scale * ds * k[key];
                DK[key] += scale * ds * q[query + d];
            }
    }

    private int Key(int b, int h, int j) => ((((b * times) + j) * keyHeads) + (h / (heads / keyHeads))) * headDim;

    private double Dot(double[] a, int aStart, double[] b, int bStart)
    {
        double sum = 0;
        for (int d = 0; d < headDim; d++)
            sum += a[aStart + d] * b[bStart + d];
        return sum;
    }
}
