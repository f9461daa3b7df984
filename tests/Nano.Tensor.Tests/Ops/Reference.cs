namespace Nano.Tests;

/// <summary>
/// Every op once more, in double precision and in the plainest loops, written from the formulas and
/// sharing nothing with src. Arrays are flattened row by row.
/// </summary>
internal static class Reference
{
    /// <summary>y[m, n] = b[n] + sum_k x[m, k] w[n, k].</summary>
    public static double[] Linear(double[] x, double[] w, double[]? b, int outputs, int inputs)
    {
        int rows = inputs == 0 ? 0 : x.Length / inputs;
        var y = new double[rows * outputs];
        for (int m = 0; m < rows; m++)
            for (int n = 0; n < outputs; n++)
            {
                double sum = b is null ? 0 : b[n];
                for (int k = 0; k < inputs; k++)
                    sum += x[(m * inputs) + k] * w[(n * inputs) + k];
                y[(m * outputs) + n] = sum;
            }
        return y;
    }

    /// <summary>
    /// y[i, m, n] = sum_k a[i, m, k] b[i, k, n], where a is stored as [k, m] and b as [n, k] if
    /// transposed.
    /// </summary>
    public static double[] MatMul(double[] a, double[] b, int batch, int rows, int columns, int depth, bool transposeA,
        bool transposeB)
    {
        var y = new double[batch * rows * columns];
        for (int i = 0; i < batch; i++)
            for (int m = 0; m < rows; m++)
                for (int n = 0; n < columns; n++)
                    for (int k = 0; k < depth; k++)
                    {
                        double left = a[(i * rows * depth) + (transposeA ? (k * rows) + m : (m * depth) + k)];
                        double right = b[(i * depth * columns) + (transposeB ? (n * depth) + k : (k * columns) + n)];
                        y[(i * rows * columns) + (m * columns) + n] += left * right;
                    }
        return y;
    }

    /// <summary>y[i] = a[i] + b[i], b repeated.</summary>
    public static double[] Add(double[] a, double[] b)
    {
        var y = new double[a.Length];
        for (int i = 0; i < y.Length; i++)
            y[i] = a[i] + b[i % b.Length];
        return y;
    }

    /// <summary>y[i] = a[i] b[i].</summary>
    public static double[] Multiply(double[] a, double[] b)
    {
        var y = new double[a.Length];
        for (int i = 0; i < y.Length; i++)
            y[i] = a[i] * b[i];
        return y;
    }

    /// <summary>y[i] = factor x[i].</summary>
    public static double[] Scale(double[] x, double factor)
    {
        var y = new double[x.Length];
        for (int i = 0; i < y.Length; i++)
            y[i] = factor * x[i];
        return y;
    }

    /// <summary>y[i] = f(x[i]).</summary>
    public static double[] Activation(ActivationKind kind, double[] x, double? parameter = null)
    {
        double p = parameter ?? (kind == ActivationKind.LeakyRelu ? 0.01f : 1);
        return Array.ConvertAll(x, value => Activation(kind, value, p));
    }

    public static double Activation(ActivationKind kind, double x, double p = 1) => kind switch
    {
        ActivationKind.Relu => x > 0 ? x : 0,
        ActivationKind.Sigmoid => 1 / (1 + Math.Exp(-x)),
        ActivationKind.Tanh => Math.Tanh(x),
        ActivationKind.Silu => x / (1 + Math.Exp(-x)),
        ActivationKind.GeluTanh => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + (0.044715 * x * x * x)))),
        ActivationKind.GeluErf => 0.5 * x * (1 + Erf(x / Math.Sqrt(2))),
        ActivationKind.QuickGelu => x / (1 + Math.Exp(-1.702 * x)),
        ActivationKind.Mish => x * Math.Tanh(Math.Log(1 + Math.Exp(x))),
        ActivationKind.Softplus => Math.Log(1 + Math.Exp(x)),
        ActivationKind.ReluSquared => x > 0 ? x * x : 0,
        ActivationKind.LeakyRelu => x > 0 ? x : p * x,
        ActivationKind.Elu => x > 0 ? x : p * (Math.Exp(x) - 1),
        ActivationKind.EluPlusOne => x > 0 ? x + 1 : Math.Exp(x),
        ActivationKind.SoftCap => p * Math.Tanh(x / p),
        ActivationKind.Huber => Math.Abs(x) <= p ? x * x / 2 : p * (Math.Abs(x) - (p / 2)),
        ActivationKind.Exp => Math.Exp(x),
        ActivationKind.Log => Math.Log(x),
        ActivationKind.Sqrt => Math.Sqrt(x),
        ActivationKind.Abs => Math.Abs(x),
        ActivationKind.Square => x * x,
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "no such activation"),
    };

    /// <summary>
    /// erf x = 2/sqrt(pi) exp(-x^2) sum_n 2^n x^(2n+1) / (1 3 5 .. (2n+1)): all terms of one sign,
    /// so nothing cancels.
    /// </summary>
    public static double Erf(double x)
    {
        if (Math.Abs(x) > 6)
            return Math.Sign(x); // 1 - erf 6 = 2e-17
        double term = x, sum = x;
        for (int n = 1; Math.Abs(term) > 1e-18 * Math.Abs(sum); n++)
        {
            term *= 2 * x * x / ((2 * n) + 1);
            sum += term;
        }
        return 2 / Math.Sqrt(Math.PI) * Math.Exp(-x * x) * sum;
    }

    /// <summary>y[i] = silu(gate[i]) up[i].</summary>
    public static double[] SwiGlu(double[] gate, double[] up) => Multiply(Activation(ActivationKind.Silu, gate), up);

    /// <summary>y[i, :] = w[ids[i], :].</summary>
    public static double[] Embedding(double[] w, int[] ids, int columns)
    {
        var y = new double[ids.Length * columns];
        for (int i = 0; i < ids.Length; i++)
            for (int c = 0; c < columns; c++)
                y[(i * columns) + c] = w[(ids[i] * columns) + c];
        return y;
    }

    /// <summary>(x - mean) / sqrt(variance + eps) w + b over each row.</summary>
    public static double[] LayerNorm(double[] x, double[] w, double[]? b, double epsilon)
    {
        int columns = w.Length;
        var y = new double[x.Length];
        for (int row = 0; row < x.Length; row += columns)
        {
            double mean = 0, variance = 0;
            for (int c = 0; c < columns; c++)
                mean += x[row + c] / columns;
            for (int c = 0; c < columns; c++)
                variance += (x[row + c] - mean) * (x[row + c] - mean) / columns;
            for (int c = 0; c < columns; c++)
                y[row + c] = ((x[row + c] - mean) / Math.Sqrt(variance + epsilon) * w[c]) + (b is null ? 0 : b[c]);
        }
        return y;
    }

    /// <summary>x / sqrt(mean(x^2) + eps) w over each row.</summary>
    public static double[] RmsNorm(double[] x, double[] w, double epsilon)
    {
        int columns = w.Length;
        var y = new double[x.Length];
        for (int row = 0; row < x.Length; row += columns)
        {
            double square = 0;
            for (int c = 0; c < columns; c++)
                square += x[row + c] * x[row + c] / columns;
            for (int c = 0; c < columns; c++)
                y[row + c] = x[row + c] / Math.Sqrt(square + epsilon) * w[c];
        }
        return y;
    }

    /// <summary>exp(x) / sum exp(x) over each row, less the row's maximum.</summary>
    public static double[] Softmax(double[] x, int columns)
    {
        var y = new double[x.Length];
        for (int row = 0; row < x.Length; row += columns)
        {
            double max = double.NegativeInfinity, sum = 0;
            for (int c = 0; c < columns; c++)
                max = Math.Max(max, x[row + c]);
            for (int c = 0; c < columns; c++)
                sum += Math.Exp(x[row + c] - max);
            for (int c = 0; c < columns; c++)
                y[row + c] = Math.Exp(x[row + c] - max) / sum;
        }
        return y;
    }

    /// <summary>
    /// Attention over q [B, Tq, H * D] and k, v [B, Tk, KV * D]: query i sees keys j &lt;= i + Tk -
    /// Tq, only the last of them with a window; head h uses key head h / (H / KV).
    /// </summary>
    public static double[] Attention(double[] q, double[] k, double[] v, int batch, int queries, int keys, int heads,
        int keyHeads, int headDim, double scale, int window = int.MaxValue)
    {
        var y = new double[q.Length];
        for (int b = 0; b < batch; b++)
            for (int h = 0; h < heads; h++)
                for (int i = 0; i < queries; i++)
                {
                    int visible = i + keys - queries + 1, keyHead = h / (heads / keyHeads);
                    int qi = ((((b * queries) + i) * heads) + h) * headDim;
                    var scores = new double[visible];
                    for (int j = 0; j < visible; j++)
                        if (j < visible - window)
                            scores[j] = double.NegativeInfinity;
                        else for (int d = 0; d < headDim; d++)
                            scores[j] += scale * q[qi + d]
                                * k[(((((b * keys) + j) * keyHeads) + keyHead) * headDim) + d];
                    double[] p = Softmax(scores, visible);
                    for (int j = 0; j < visible; j++)
                        for (int d = 0; d < headDim; d++)
                            y[qi + d] += p[j] * v[(((((b * keys) + j) * keyHeads) + keyHead) * headDim) + d];
                }
        return y;
    }

    /// <summary>
    /// Each pair of x [.., T, H * D] turned by positions[t] theta^(-2i/D); pairs are (i, i + D/2),
    /// or (2i, 2i + 1) if interleaved.
    /// </summary>
    public static double[] Rope(double[] x, int[] positions, int heads, int headDim, double theta, bool interleaved)
    {
        var y = new double[x.Length];
        for (int row = 0; row < x.Length / (heads * headDim); row++)
            for (int h = 0; h < heads; h++)
                for (int i = 0; i < headDim / 2; i++)
                {
                    double angle = positions[row % positions.Length] * Math.Pow(theta, -2.0 * i / headDim);
                    int head = ((row * heads) + h) * headDim;
                    int first = head + (interleaved ? 2 * i : i),
                        second = head + (interleaved ? (2 * i) + 1 : i + (headDim / 2));
                    y[first] = (x[first] * Math.Cos(angle)) - (x[second] * Math.Sin(angle));
                    y[second] = (x[second] * Math.Cos(angle)) + (x[first] * Math.Sin(angle));
                }
        return y;
    }

    /// <summary>
    /// sum over rows with a target other than -100 of -sum_j q_j log p_j + zLoss (log sum exp z)^2,
    /// over denominator (0: the number of such rows), where q is smoothing / V for each id and 1 -
    /// smoothing more for the target.
    /// </summary>
    public static double[] CrossEntropy(double[] logits, int[] targets, double denominator, double smoothing = 0,
        double zLoss = 0)
    {
        int columns = logits.Length / targets.Length, kept = 0;
        double loss = 0;
        for (int row = 0; row < targets.Length; row++)
        {
            if (targets[row] == -100)
                continue;
            kept++;
            double max = double.NegativeInfinity, sum = 0;
            for (int c = 0; c < columns; c++)
                max = Math.Max(max, logits[(row * columns) + c]);
            for (int c = 0; c < columns; c++)
                sum += Math.Exp(logits[(row * columns) + c] - max);
            double logSumExp = Math.Log(sum) + max;
            for (int c = 0; c < columns; c++)
                loss += ((smoothing / columns) + (c == targets[row] ? 1 - smoothing : 0))
                    * (logSumExp - logits[(row * columns) + c]);
            loss += zLoss * logSumExp * logSumExp;
        }
        return [loss / (denominator == 0 ? kept : denominator)];
    }

    /// <summary>The sum of all elements.</summary>
    public static double[] Sum(double[] x)
    {
        double sum = 0;
        foreach (double value in x)
            sum += value;
        return [sum];
    }

    /// <summary>Columns [start, start + count) of each row.</summary>
    public static double[] SliceColumns(double[] x, int columns, int start, int count)
    {
        var y = new double[x.Length / columns * count];
        for (int i = 0; i < y.Length; i++)
            y[i] = x[(i / count * columns) + start + (i % count)];
        return y;
    }
}
