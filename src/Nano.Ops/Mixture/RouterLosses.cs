namespace Nano;

/// <summary>
/// The balance loss of routers (Fedus et al., "Switch Transformers", 2021, as transformers computes it): the logits of
/// all layers are one list of n tokens; f(slot, e) is the share of tokens whose slot-th choice is e, P(e) the mean of
/// p = softmax(z), and the loss E sum over slots and e of f(slot, e) P(e), which is k when experts are used evenly.
/// Backward: f is a count and has no gradient, so dp_e = E / n sum_slot f(slot, e) =: g_e and
/// dz_e = p_e (g_e - sum_j p_j g_j). A product of two means over a batch: of its parts it is another loss. Tokens that
/// a mask hides count nowhere.
/// </summary>
internal readonly record struct BalanceLossOp(Tensor[] Logits, Tensor? Mask, float[] Gradients, Tensor Loss) : IOp
{
    public Tensor Output => Loss;

    public bool WantsGradient => Array.Exists(Logits, logits => logits.WantsGradient);

    public Work ForwardWork => Work.Of("balance loss forward", Logits.Sum(logits => logits.Length));

    public Work? BackwardWork => Work.Of("balance loss backward", Logits.Sum(logits => logits.Length));

    public void Backward(Compute compute)
    {
        float upstream = Loss.Gradient.Data[0];
        Span<float> p = stackalloc float[Gradients.Length];
        foreach (var logits in Logits)
        {
            if (!logits.WantsGradient)
                continue;
            var target = logits.GradientFor(compute);
            for (int row = 0; row < logits.Shape.Rows; row++)
            {
                RouterLosses.Softmax(logits.Data.Slice(row * p.Length, p.Length), p);
                double mean = 0;
                for (int e = 0; e < p.Length; e++)
                    mean += (double)p[e] * Gradients[e];
                float factor = RouterLosses.IsHidden(Mask, row) ? 0 : upstream;
                for (int e = 0; e < p.Length; e++)
                    RouterLosses.Put(target, (row * p.Length) + e, factor * (float)(p[e] * (Gradients[e] - mean)));
            }
        }
    }
}

/// <summary>
/// The z-loss of routers (Zoph et al., "ST-MoE", 2022): the mean of L^2 over the tokens of all layers, L = log sum_e
/// exp(z_e). Backward: dz_e = 2 L p_e / n.
/// </summary>
internal readonly record struct RouterZLossOp(Tensor[] Logits, Tensor Loss) : IOp
{
    public Tensor Output => Loss;

    public bool WantsGradient => Array.Exists(Logits, logits => logits.WantsGradient);

    public Work ForwardWork => Work.Of("router z-loss forward", Logits.Sum(logits => logits.Length));

    public Work? BackwardWork => Work.Of("router z-loss backward", Logits.Sum(logits => logits.Length));

    public void Backward(Compute compute)
    {
        float factor = 2 * Loss.Gradient.Data[0] / Math.Max(1, Logits.Sum(logits => logits.Shape.Rows));
        Span<float> p = stackalloc float[Logits[0].Shape.Columns];
        foreach (var logits in Logits)
        {
            if (!logits.WantsGradient)
                continue;
            var target = logits.GradientFor(compute);
            for (int row = 0; row < logits.Shape.Rows; row++)
            {
                double logSum = RouterLosses.Softmax(logits.Data.Slice(row * p.Length, p.Length), p);
                for (int e = 0; e < p.Length; e++)
                    RouterLosses.Put(target, (row * p.Length) + e, (float)(factor * logSum * p[e]));
            }
        }
    }
}

/// <summary>Losses that keep routers in balance, as methods of <see cref="Compute"/>.</summary>
public static class RouterLosses
{
    private const int MostExperts = 4096;

    /// <summary>The balance loss over the routers of all layers.</summary>
    /// <param name="compute">The context to run in.</param>
    /// <param name="logits">Logits [n, E] of each layer.</param>
    /// <param name="experts">Choices [n, k] of each.</param>
    /// <param name="mask">Numbers [n] of which a 0 hides a token in every layer; null for none.</param>
    /// <exception cref="ArgumentException">The tensors do not fit each other.</exception>
    public static Tensor BalanceLoss(this Compute compute, IReadOnlyList<Tensor> logits, IReadOnlyList<Tensor> experts,
        Tensor? mask = null)
    {
        int count = Check("balance loss", logits);
        if (experts.Count != logits.Count || !logits.Zip(experts, (z, chosen) => chosen.Shape.Rank == 2
            && chosen.Shape[0] == z.Shape[0] && (mask is null || mask.Length == z.Shape[0])).All(fits => fits))
            throw new ArgumentException($"balance loss: choices {string.Join(", ", experts)} do not fit logits "
                + string.Join(", ", logits) + (mask is null ? "" : $" and a mask {mask}"));
        long tokens = Math.Max(1, logits.Sum(tensor => Seen(tensor, mask)));
        var (chosen, mean) = (new long[count], new double[count]);
        Span<float> p = stackalloc float[count];
        for (int layer = 0; layer < logits.Count && !compute.OnlyPlans; layer++)
        {
            int k = experts[layer].Shape[1];
            for (int row = 0; row < logits[layer].Shape.Rows; row++)
            {
                if (IsHidden(mask, row))
                    continue;
                foreach (int e in experts[layer].Ids.Slice(row * k, k))
                    chosen[e]++;
                Softmax(logits[layer].Data.Slice(row * count, count), p);
                for (int e = 0; e < count; e++)
                    mean[e] += p[e];
            }
        }
        double sum = 0;
        var gradients = new float[count];
        for (int e = 0; e < count; e++)
        {
            sum += (double)chosen[e] / tokens * (mean[e] / tokens);
            gradients[e] = (float)((double)count / tokens * chosen[e] / tokens);
        }
        var loss = compute.New(new Shape());
        if (!compute.OnlyPlans)
            loss.Data[0] = (float)(count * sum);
        compute.Record(new BalanceLossOp([.. logits], mask, gradients, loss));
        return loss;
    }

    /// <summary>The z-loss over the routers of all layers.</summary>
    /// <param name="compute">The context to run in.</param>
    /// <param name="logits">Logits [n, E] of each layer.</param>
    /// <exception cref="ArgumentException">The tensors do not fit each other.</exception>
    public static Tensor RouterZLoss(this Compute compute, IReadOnlyList<Tensor> logits)
    {
        int count = Check("router z-loss", logits);
        double sum = 0;
        Span<float> p = stackalloc float[count];
        foreach (var tensor in logits)
            for (int row = 0; row < tensor.Shape.Rows && !compute.OnlyPlans; row++)
            {
                double logSum = Softmax(tensor.Data.Slice(row * count, count), p);
                sum += logSum * logSum;
            }
        var loss = compute.New(new Shape());
        if (!compute.OnlyPlans)
            loss.Data[0] = (float)(sum / Math.Max(1, logits.Sum(tensor => tensor.Shape.Rows)));
        compute.Record(new RouterZLossOp([.. logits], loss));
        return loss;
    }

    /// <summary>True if a mask hides a token.</summary>
    internal static bool IsHidden(Tensor? mask, int row) => mask is not null && mask.Data[row] == 0;

    /// <summary>The tokens of a layer that a mask leaves.</summary>
    private static long Seen(Tensor logits, Tensor? mask)
    {
        long seen = 0;
        for (int row = 0; row < logits.Shape[0]; row++)
            seen += IsHidden(mask, row) ? 0 : 1;
        return seen;
    }

    internal static int Check(string op, IReadOnlyList<Tensor> logits)
    {
        int count = logits.Count == 0 || logits[0].Shape.Rank != 2 ? 0 : logits[0].Shape[1];
        return count is > 0 and <= MostExperts
            && logits.All(tensor => tensor.Shape.Rank == 2 && tensor.Shape[1] == count) ? count
            : throw new ArgumentException($"{op}: wanted logits [n, E] of each layer, got {string.Join(", ", logits)}");
    }

    /// <summary>Softmax of a row; returns the log of the sum of exponentials.</summary>
    internal static double Softmax(ReadOnlySpan<float> z, Span<float> p)
    {
        float max = float.NegativeInfinity, sum = 0;
        foreach (float value in z)
            max = Math.Max(max, value);
        for (int e = 0; e < p.Length; e++)
            sum += p[e] = SimdMath.ExpNonPositive<SimdScalar, float>(z[e] - max);
        for (int e = 0; e < p.Length; e++)
            p[e] /= sum;
        return max + (double)SimdMath.Log<SimdScalar, float>(sum);
    }

    internal static unsafe void Put(GradientTarget target, int at, float value) =>
        target.Put<SimdScalar, float>(at, value);
}
