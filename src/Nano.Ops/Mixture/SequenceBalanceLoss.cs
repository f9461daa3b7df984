namespace Nano;

/// <summary>
/// The balance loss of routers within each sequence (DeepSeek-AI, "DeepSeek-V3", 2024, equations 17 to 20): with s the
/// scores of a router and q_e = s_e / sum s, of a sequence of T tokens f_e = E / (k T) times those that chose e, and
/// P_e the mean of q_e, the loss is the sum over e of f_e P_e, which is 1 when experts are used evenly. It is averaged
/// over sequences and added up over layers, so that the parts of a batch have the mean of the whole.
/// Backward: f is a count and has no gradient, so of N sequences dq_e = f_e / (T N) =: g_e. Softmax: q = p and
/// dz_e = p_e (g_e - sum_j p_j g_j); sigmoid: ds_e = (g_e - sum_j q_j g_j) / sum s and dz = ds s (1 - s).
/// </summary>
internal readonly record struct SequenceBalanceLossOp(Tensor[] Logits, RouterScoring Scoring, int Length,
    float[][] Gradients, Tensor Loss) : IOp
{
    public Tensor Output => Loss;

    public bool WantsGradient => Array.Exists(Logits, logits => logits.WantsGradient);

    public Work ForwardWork => Work.Of("sequence balance loss forward", Logits.Sum(logits => logits.Length));

    public Work? BackwardWork => Work.Of("sequence balance loss backward", Logits.Sum(logits => logits.Length));

    public void Backward(Compute compute)
    {
        float upstream = Loss.Gradient.Data[0];
        int count = Logits[0].Shape[1];
        Span<float> s = stackalloc float[count];
        for (int layer = 0; layer < Logits.Length; layer++)
        {
            var logits = Logits[layer];
            if (!logits.WantsGradient)
                continue;
            var target = logits.GradientFor(compute);
            for (int row = 0; row < logits.Shape[0]; row++)
            {
                var g = Gradients[layer].AsSpan(row / Length * count, count);
                double sum = Scores(Scoring, logits.Data.Slice(row * count, count), s), mean = 0;
                for (int e = 0; e < count; e++)
                    mean += s[e] / sum * g[e];
                for (int e = 0; e < count; e++)
                    RouterLosses.Put(target, (row * count) + e, upstream * (float)(s[e] * (g[e] - mean)
                        * (Scoring == RouterScoring.Sigmoid ? (1 - s[e]) / sum : 1)));
            }
        }
    }

    /// <summary>The scores of a row; returns their sum.</summary>
    internal static double Scores(RouterScoring scoring, ReadOnlySpan<float> z, Span<float> s)
    {
        if (scoring == RouterScoring.Softmax)
        {
            RouterLosses.Softmax(z, s);
            return 1;
        }
        double sum = 0;
        for (int e = 0; e < s.Length; e++)
            sum += s[e] = SimdMath.Sigmoid<SimdScalar, float>(z[e]);
        return sum + 1e-20;
    }
}

/// <summary>The balance loss within sequences as a method of <see cref="Compute"/>.</summary>
public static class SequenceBalanceLossExtensions
{
    /// <summary>The balance loss within each sequence, averaged over sequences and added up over layers.</summary>
    /// <param name="compute">The context to run in.</param>
    /// <param name="logits">Logits [N T, E] of each layer, sequence after sequence.</param>
    /// <param name="experts">Choices [N T, k] of each.</param>
    /// <param name="scoring">The scores of the routers.</param>
    /// <param name="length">T, tokens of a sequence.</param>
    /// <exception cref="ArgumentException">The tensors do not fit each other or the length.</exception>
    public static Tensor SequenceBalanceLoss(this Compute compute, IReadOnlyList<Tensor> logits,
        IReadOnlyList<Tensor> experts, RouterScoring scoring, int length)
    {
        int count = RouterLosses.Check("sequence balance loss", logits);
        if (experts.Count != logits.Count || length < 1 || !logits.Zip(experts, (z, chosen) =>
            chosen.Shape.Rank == 2 && chosen.Shape[0] == z.Shape[0] && z.Shape[0] % length == 0).All(fits => fits))
            throw new ArgumentException($"sequence balance loss: choices {string.Join(", ", experts)} and logits "
                + $"{string.Join(", ", logits)} do not fit sequences of {length} tokens");
        double sum = 0;
        var gradients = new float[logits.Count][];
        for (int layer = 0; layer < gradients.Length; layer++)
        {
            gradients[layer] = new float[logits[layer].Shape[0] / length * count];
            if (!compute.OnlyPlans)
                sum += Layer(logits[layer], experts[layer], scoring, length, gradients[layer]);
        }
        var loss = compute.New(new Shape());
        if (!compute.OnlyPlans)
            loss.Data[0] = (float)sum;
        compute.Record(new SequenceBalanceLossOp([.. logits], scoring, length, gradients, loss));
        return loss;
    }

    /// <summary>The mean loss of a layer's sequences, and of each the gradients of its q.</summary>
    private static double Layer(Tensor logits, Tensor experts, RouterScoring scoring, int length, float[] gradients)
    {
        int count = logits.Shape[1], k = experts.Shape[1], sequences = logits.Shape[0] / length;
        double sum = 0;
        Span<float> s = stackalloc float[count];
        Span<double> mean = stackalloc double[count];
        Span<int> chosen = stackalloc int[count];
        for (int sequence = 0; sequence < sequences; sequence++)
        {
            mean.Clear();
            chosen.Clear();
            foreach (int e in experts.Ids.Slice(sequence * length * k, length * k))
                chosen[e]++;
            for (int row = sequence * length; row < (sequence + 1) * length; row++)
            {
                double total = SequenceBalanceLossOp.Scores(scoring, logits.Data.Slice(row * count, count), s);
                for (int e = 0; e < count; e++)
                    mean[e] += s[e] / total;
            }
            for (int e = 0; e < count; e++)
            {
                double share = (double)count * chosen[e] / ((double)k * length);
                sum += share * mean[e] / length;
                gradients[(sequence * count) + e] = (float)(share / ((double)length * sequences));
            }
        }
        return sequences == 0 ? 0 : sum / sequences;
    }
}
