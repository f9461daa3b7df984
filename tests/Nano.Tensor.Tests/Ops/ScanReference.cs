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

    /// <summary>
    /// y [B, T, H], then h and c [B, H] after the last step, of a recurrent net. x holds: x, weight_ih, weight_hh,
    /// bias_ih, bias_hh, h and, for an LSTM, c.
    /// </summary>
    public static double[] Recurrent(CellKind kind, double[][] x, int batch, int times, int inputs, int width,
        int[] lengths, bool reverse)
    {
        int gates = kind switch { CellKind.Lstm => 4, CellKind.Gru => 3, _ => 1 } * width;
        var y = new double[batch * times * width];
        double[] states = (double[])x[5].Clone(), memory = kind == CellKind.Lstm ? (double[])x[6].Clone() : [];
        for (int row = 0; row < batch; row++)
            for (int step = 0; step < lengths[row]; step++)
            {
                int at = (row * times) + (reverse ? lengths[row] - 1 - step : step);
                double[] h = states[(row * width)..((row + 1) * width)];
                double[] a = Linear(x[0][(at * inputs)..((at + 1) * inputs)], x[1], x[3], gates, inputs),
                    b = Linear(h, x[2], x[4], gates, width);
                for (int i = 0; i < width; i++)
                {
                    double Gate(int gate) => Sigmoid(a[(gate * width) + i] + b[(gate * width) + i]);
                    int last = i + (2 * width);
                    ref double state = ref states[(row * width) + i];
                    if (kind == CellKind.Lstm)
                    {
                        ref double c = ref memory[(row * width) + i];
                        c = (Gate(1) * c) + (Gate(0) * Math.Tanh(a[last] + b[last]));
                        state = Gate(3) * Math.Tanh(c);
                    }
                    else if (kind == CellKind.Gru)
                        state = ((1 - Gate(1)) * Math.Tanh(a[last] + (Gate(0) * b[last]))) + (Gate(1) * h[i]);
                    else
                        state = Math.Tanh(a[i] + b[i]);
                    y[(at * width) + i] = state;
                }
            }
        return [.. y, .. states, .. memory];
    }

    private static double[] Linear(double[] x, double[] w, double[] b, int outputs, int inputs) =>
        Reference.Linear(x, w, b, outputs, inputs);

    public static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));

    /// <summary>
    /// y [B, T, H P], then the final state [B, H, N, P], of a scan whose state is a matrix S [N, P] per head: a step
    /// changes the matrix of a head, given the row of the batch and time as one number; then y = S^T q.
    /// </summary>
    public static double[] Matrix(double[] q, double[]? initial, int batch, int times, int heads, int groups, int keys,
        int values, Action<int, int, double[,]> step)
    {
        var y = new double[batch * times * heads * values];
        var final = new double[batch * heads * keys * values];
        for (int i = 0; i < batch * heads; i++)
        {
            int row = i / heads, head = i % heads, group = head / (heads / groups);
            var s = new double[keys, values];
            for (int n = 0; n < keys * values; n++)
                s[n / values, n % values] = initial is null ? 0 : initial[(i * keys * values) + n];
            for (int t = 0; t < times; t++)
            {
                int at = (row * times) + t;
                step(at, head, s);
                for (int p = 0; p < values; p++)
                    for (int n = 0; n < keys; n++)
                        y[(((at * heads) + head) * values) + p] += s[n, p] * q[(((at * groups) + group) * keys) + n];
            }
            for (int n = 0; n < keys * values; n++)
                final[(i * keys * values) + n] = s[n / values, n % values];
        }
        return [.. y, .. final];
    }

    /// <summary>S = a S + k v^T.</summary>
    public static void Decay(double[,] s, double a, ReadOnlySpan<double> k, ReadOnlySpan<double> v)
    {
        for (int n = 0; n < k.Length; n++)
            for (int p = 0; p < v.Length; p++)
                s[n, p] = (a * s[n, p]) + (k[n] * v[p]);
    }

    /// <summary>S^T k.</summary>
    public static double[] Under(double[,] s, ReadOnlySpan<double> k)
    {
        var held = new double[s.GetLength(1)];
        for (int n = 0; n < k.Length; n++)
            for (int p = 0; p < held.Length; p++)
                held[p] += s[n, p] * k[n];
        return held;
    }

    /// <summary>Numbers of a head: row at of [.., heads, width].</summary>
    public static ReadOnlySpan<double> Head(double[] x, int at, int heads, int head, int width) =>
        x.AsSpan(((at * heads) + head) * width, width);
}
