namespace Nano.Tests;

/// <summary>
/// The Llama family once more, in double precision and in the plainest loops, from the published
/// formulas; shares nothing with src but the config.
/// </summary>
internal sealed class LlamaReference(LanguageModel model, DecoderConfig config)
{
    /// <summary>The sums of the squared inputs of each linear layer's columns, by the layer's name.</summary>
    public Dictionary<string, double[]> SquaredInputs { get; } = [];

    /// <summary>The logits [T, V] of one sequence.</summary>
    public double[][] Logits(int[] ids)
    {
        double[][] table = Rows("model.embed_tokens.weight"), x = [.. ids.Select(id => (double[])table[id].Clone())];
        for (int layer = 0; layer < config.Layers; layer++)
        {
            string block = $"model.layers.{layer}.";
            AddTo(x, Attention(Array.ConvertAll(x, row => Norm(row, block + "input_layernorm.weight")), layer,
                block + "self_attn."));
            AddTo(x, Array.ConvertAll(x,
                row => Mlp(Norm(row, block + "post_attention_layernorm.weight"), block + "mlp.")));
        }
        double[][] head = config.TiedHead ? table : Rows("lm_head.weight");
        return Array.ConvertAll(x,
            row => Array.ConvertAll(head, weights => Dot(weights, Norm(row, "model.norm.weight"))));
    }

    private double[][] Attention(double[][] x, int layer, string name)
    {
        int D = config.HeadDim, group = config.Heads / config.KvHeads,
            window = layer < config.FirstWindowLayer || config.Window == 0 ? int.MaxValue : config.Window;
        double[][][] q = Heads("q"), k = Heads("k"), v = Heads("v");
        return [.. x.Select((_, i) => Linear([.. Enumerable.Range(0, config.Heads).SelectMany(h => Head(i, h))],
            name + "o_proj"))];

        double[] Head(int i, int h)
        {
            int[] seen = [.. Enumerable.Range(0, i + 1).Where(j => i - j < window)];
            double[] weights = [.. seen.Select(j => Math.Exp(Dot(q[i][h], k[j][h / group]) / Math.Sqrt(D)))];
            var sum = new double[D];
            for (int n = 0; n < seen.Length; n++)
                for (int d = 0; d < D; d++)
                    sum[d] += weights[n] / weights.Sum() * v[seen[n]][h / group][d];
            return sum;
        }

        // [T][head][D]
        double[][][] Heads(string kind) =>
            [.. x.Select((row, position) => Linear(row, name + kind + "_proj").Chunk(D).Select(head =>
            kind == "v" ? head : Turn(config.QkNorm ? Norm(head, name + kind + "_norm.weight") : head, position))
            .ToArray())];
    }

    private double[] Turn(double[] head, int position)
    {
        int half = head.Length / 2;
        double theta = config.RopeTheta, magnitude = 1;
        if (config.RopeScaling is RopeScaling.Dynamic dynamic && position >= dynamic.OriginalContext)
            theta *= Math.Pow((dynamic.Factor * (position + 1) / dynamic.OriginalContext) - dynamic.Factor + 1,
                head.Length / (head.Length - 2.0));
        double[] frequencies = config.RopeScaling?.Frequencies(head.Length, theta)
            ?? [.. Enumerable.Range(0, half).Select(i => Math.Pow(theta, -(double)i / half))];
        if (config.RopeScaling is RopeScaling.Yarn yarn)
            magnitude = (0.1 * Math.Log(yarn.Factor)) + 1;
        var turned = new double[head.Length];
        for (int i = 0; i < half; i++)
        {
            var (a, b) = config.Pairing == RopePairing.Interleaved ? (2 * i, (2 * i) + 1) : (i, i + half);
            double cos = magnitude * Math.Cos(position * frequencies[i]),
                sin = magnitude * Math.Sin(position * frequencies[i]);
            turned[a] = (head[a] * cos) - (head[b] * sin);
            turned[b] = (head[b] * cos) + (head[a] * sin);
        }
        return turned;
    }

    private double[] Mlp(double[] x, string name)
    {
        double[] gate = Linear(x, name + "gate_proj"), up = Linear(x, name + "up_proj");
        return Linear([.. gate.Zip(up, (g, u) => g / (1 + Math.Exp(-g)) * u)], name + "down_proj");
    }

    private double[] Norm(double[] x, string name)
    {
        double root = Math.Sqrt((Dot(x, x) / x.Length) + config.NormEpsilon);
        return [.. x.Zip(Values(name), (value, weight) => value / root * weight)];
    }

    private double[] Linear(double[] x, string name)
    {
        double[] before = SquaredInputs.GetValueOrDefault(name, new double[x.Length]);
        SquaredInputs[name] = [.. before.Zip(x, (sum, value) => sum + (value * value))];
        var bias = model.Parameters.All.Any(parameter => parameter.Name == name + ".bias")
            ? Values(name + ".bias") : null;
        return [.. Rows(name + ".weight").Select((weights, i) => Dot(weights, x) + (bias?[i] ?? 0))];
    }

    private double[][] Rows(string name) => [.. Values(name).Chunk(Find(name).Shape.Columns)];

    private double[] Values(string name) => Array.ConvertAll(Find(name).Data.ToArray(), value => (double)value);

    private Tensor Find(string name) => model.Parameters.All.Single(parameter => parameter.Name == name);

    private static double Dot(double[] a, double[] b) => a.Zip(b, (x, y) => x * y).Sum();

    private static void AddTo(double[][] x, double[][] branch)
    {
        for (int t = 0; t < x.Length; t++)
            for (int c = 0; c < x[t].Length; c++)
                x[t][c] += branch[t][c];
    }
}
