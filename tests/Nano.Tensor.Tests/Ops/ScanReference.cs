namespace Nano.Tests;

/// <summary>The scans and recurrences in double precision and in the plainest loops.</summary>
internal static class ScanReference
{
    /// <summary>y [B, T, C] of the selective scan, then the final state [B, N, C].</summary>
    public static double[] SelectiveScan(double[] u, double[] dt, double[] a, double[] b, double[] c, double[]? d,
        double[]? initial, int batch, int times, int channels, int keys)
    {
        var y = new double[batch * times * channels];
        var h = initial is null ? new double[batch * keys * channels] : (double[])initial.Clone();
        for (int row = 0; row < batch; row++)
            for (int t = 0; t < times; t++)
                for (int i = 0; i < channels; i++)
                {
                    int at = (row * times) + t, x = (at * channels) + i;
                    y[x] = d is null ? 0 : d[i] * u[x];
                    for (int n = 0; n < keys; n++)
                    {
                        ref double state = ref h[(((row * keys) + n) * channels) + i];
                        state = (Math.Exp(dt[x] * a[(i * keys) + n]) * state) + (dt[x] * u[x] * b[(at * keys) + n]);
                        y[x] += c[(at * keys) + n] * state;
                    }
                }
        return [.. y, .. h];
    }

    /// <summary>y [B, T, C] of the causal convolution, inputs before the first from the tail [B, K - 1, C].</summary>
    public static double[] CausalConv(double[] x, double[] w, double[]? b, double[]? tail, int batch, int times,
        int channels, int kernel)
    {
        var y = new double[batch * times * channels];
        for (int row = 0; row < batch; row++)
            for (int t = 0; t < times; t++)
                for (int c = 0; c < channels; c++)
                {
                    double sum = b is null ? 0 : b[c];
                    for (int k = 0; k < kernel; k++)
                    {
                        int from = t - kernel + 1 + k;
                        double input = from >= 0 ? x[(((row * times) + from) * channels) + c]
                            : tail is null ? 0 : tail[(((row * (kernel - 1)) + from + kernel - 1) * channels) + c];
                        sum += w[(c * kernel) + k] * input;
                    }
                    y[(((row * times) + t) * channels) + c] = sum;
                }
        return y;
    }
}
