namespace Nano;

/// <summary>The scores by which a router chooses experts.</summary>
public enum RouterScoring
{
    /// <summary>Softmax over all experts (Mixtral, Qwen3, Switch).</summary>
    Softmax,

    /// <summary>The sigmoid of each expert's logit alone (DeepSeek-V3).</summary>
    Sigmoid,
}

/// <summary>The rule by which a router chooses and weighs experts.</summary>
/// <param name="Chosen">k, experts of each token.</param>
/// <param name="Scoring">The scores.</param>
/// <param name="Normalises">True if the weights of the chosen are divided by their sum.</param>
/// <param name="Factor">Factor on the weights.</param>
/// <param name="Groups">Groups of neighbouring experts; a group is worth its two best.</param>
/// <param name="GroupsChosen">Groups whose experts can be chosen.</param>
public sealed record RouterRule(int Chosen, RouterScoring Scoring = RouterScoring.Softmax, bool Normalises = true,
    float Factor = 1, int Groups = 1, int GroupsChosen = 1);

/// <summary>
/// A router: of logits z [n, E] the k experts of each token, best first, and their weights [n, k]. p = softmax(z), or
/// s = sigmoid(z); the largest are chosen, of equals the first; with a bias (DeepSeek-V3) the largest of s + bias
/// within the groups that survive, yet weights come from s.
/// <code>
/// softmax, divided by the sum   w_e = p_e / sum p;        dz_e = w_e (dw_e - sum_j w_j dw_j), others 0
/// softmax                       w_e = p_e;                dz_e = p_e ([chosen] dw_e - sum_j p_j dw_j)
/// sigmoid, divided by S = sum s w_e = a s_e / (S + 1e-20); ds_e = (a dw_e - sum_j dw_j w_j) / S, dz = ds s (1 - s)
/// </code>
/// A factor a multiplies every weight. The choice itself has no gradient. Shazeer et al., "Outrageously Large Neural
/// Networks", 2017; Jiang et al., "Mixtral of Experts", 2024; DeepSeek-AI, "DeepSeek-V3", 2024.
/// </summary>
internal readonly record struct RouterOp(Tensor Logits, RouterRule Rule, Tensor Scores, Tensor Experts,
    Tensor Weights) : IOp
{
    public Tensor Output => Weights;

    public bool WantsGradient => Logits.WantsGradient;

    public Work ForwardWork => Work.Of("router forward", 4 * Logits.Length, Logits, Scores, Weights);

    public Work? BackwardWork => Work.Of("router backward", 4 * Logits.Length, Scores, Weights, Logits);

    public unsafe void Backward(Compute compute) => compute.For((nint)Logits.Shape.Rows,
        Compute.RowsPerChunk(Logits.Shape.Columns), 0, new Gradients(Rule, Logits.Shape.Columns, Scores.Pointer,
            Experts.IdPointer, Weights.Pointer, Weights.Gradient.Pointer, Logits.GradientFor(compute)));

    internal readonly unsafe struct Forward(RouterShape rule, int count, float* logits, float* bias, float* scores,
        int* experts, float* weights) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            Span<float> choice = stackalloc float[count];
            for (nint row = begin; row < end; row++)
            {
                var s = new Span<float>(scores + (row * count), count);
                Score(new ReadOnlySpan<float>(logits + (row * count), count), s);
                s.CopyTo(choice);
                for (int e = 0; bias != null && e < count; e++)
                    choice[e] += bias[e];
                DropGroups(choice);
                var chosen = new Span<int>(experts + (row * rule.Chosen), rule.Chosen);
                float sum = 0;
                for (int i = 0; i < chosen.Length; i++)
                {
                    chosen[i] = Best(choice);
                    choice[chosen[i]] = float.NegativeInfinity;
                    sum += s[chosen[i]];
                }
                float factor = rule.Normalises ? rule.Factor / (sum + (rule.IsSigmoid ? 1e-20f : 0)) : rule.Factor;
                for (int i = 0; i < chosen.Length; i++)
                    weights[(row * rule.Chosen) + i] = s[chosen[i]] * factor;
            }
        }

        private void Score(ReadOnlySpan<float> z, Span<float> s)
        {
            if (rule.IsSigmoid)
            {
                for (int e = 0; e < s.Length; e++)
                    s[e] = SimdMath.Sigmoid<SimdScalar, float>(z[e]);
                return;
            }
            float max = float.NegativeInfinity, sum = 0;
            foreach (float value in z)
                max = Math.Max(max, value);
            for (int e = 0; e < s.Length; e++)
                sum += s[e] = SimdMath.ExpNonPositive<SimdScalar, float>(z[e] - max);
            for (int e = 0; e < s.Length; e++)
                s[e] /= sum;
        }

        /// <summary>Leaves only the experts of the best groups to be chosen.</summary>
        private void DropGroups(Span<float> choice)
        {
            if (rule.Groups == 1)
                return;
            int size = choice.Length / rule.Groups;
            Span<float> worth = stackalloc float[rule.Groups];
            for (int g = 0; g < worth.Length; g++)
            {
                float first = float.NegativeInfinity, second = float.NegativeInfinity;
                foreach (float value in choice.Slice(g * size, size))
                    (first, second) = value > first ? (value, first) : (first, Math.Max(second, value));
                worth[g] = first + second;
            }
            Span<bool> survives = stackalloc bool[rule.Groups];
            for (int i = 0; i < rule.GroupsChosen; i++)
            {
                int best = Best(worth);
                (survives[best], worth[best]) = (true, float.NegativeInfinity);
            }
            for (int e = 0; e < choice.Length; e++)
                if (!survives[e / size])
                    choice[e] = float.NegativeInfinity;
        }

        /// <summary>The place of the largest, of equals the first; a NaN counts as the least.</summary>
        private static int Best(ReadOnlySpan<float> values)
        {
            int best = 0;
            for (int e = 1; e < values.Length; e++)
                if (values[e] > values[best] || float.IsNaN(values[best]))
                    best = e;
            return best;
        }
    }

    private readonly unsafe struct Gradients(RouterShape rule, int count, float* scores, int* experts, float* weights,
        float* dw, GradientTarget dz) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            Span<float> ofChosen = stackalloc float[count];
            for (nint row = begin; row < end; row++)
            {
                float* s = scores + (row * count), w = weights + (row * rule.Chosen), d = dw + (row * rule.Chosen);
                int* chosen = experts + (row * rule.Chosen);
                ofChosen.Clear();
                float sum = 0, common = 0; // of chosen scores; of weights times their gradients
                for (int i = 0; i < rule.Chosen; i++)
                {
                    sum += s[chosen[i]];
                    common += w[i] * d[i];
                    ofChosen[chosen[i]] = rule.Factor * d[i];
                }
                if (rule.Normalises) // gradients of the chosen scores alone
                    for (int i = 0; i < rule.Chosen; i++)
                        ofChosen[chosen[i]] = (ofChosen[chosen[i]] - common) / sum;
                float through = rule.Normalises ? 0 : common;
                for (int e = 0; e < count; e++)
                    dz.Put<SimdScalar, float>((row * count) + e, rule.IsSigmoid ? ofChosen[e] * s[e] * (1 - s[e])
                        : s[e] * (ofChosen[e] - through));
            }
        }
    }
}

/// <summary>A <see cref="RouterRule"/> as kernels have it.</summary>
internal readonly struct RouterShape(RouterRule rule)
{
    public readonly int Chosen = rule.Chosen, Groups = rule.Groups, GroupsChosen = rule.GroupsChosen;
    public readonly bool IsSigmoid = rule.Scoring == RouterScoring.Sigmoid, Normalises = rule.Normalises;
    public readonly float Factor = rule.Factor;

    public static implicit operator RouterShape(RouterRule rule) => new(rule);
}

/// <summary>Routers as a method of <see cref="Compute"/>.</summary>
public static class RouterExtensions
{
    private const int MostExperts = 4096;

    /// <summary>The experts of each token, best first, and their weights.</summary>
    /// <param name="compute">The context to run in.</param>
    /// <param name="logits">[n, E]</param>
    /// <param name="rule">The rule.</param>
    /// <param name="bias">Numbers [E] that are added to scores when experts are chosen, or null.</param>
    /// <returns>Experts [n, k], whole numbers; weights [n, k].</returns>
    /// <exception cref="ArgumentException">The rule asks for more experts or groups than there are, or the groups do
    /// not divide the experts.</exception>
    public static unsafe (Tensor Experts, Tensor Weights) Router(this Compute compute, Tensor logits, RouterRule rule,
        Tensor? bias = null)
    {
        int count = logits.Shape.Rank == 2 ? logits.Shape[1] : 0, size = rule.Groups > 0 ? count / rule.Groups : 0;
        if (count is < 1 or > MostExperts || rule.Chosen < 1 || rule.Groups < 1 || count % rule.Groups != 0
            || rule.GroupsChosen < 1 || rule.GroupsChosen > rule.Groups || rule.Chosen > rule.GroupsChosen * size
            || (bias is not null && bias.Length != count))
            throw new ArgumentException($"router: {rule.Chosen} experts of each token, of {rule.GroupsChosen} of "
                + $"{rule.Groups} groups, do not fit logits {logits}" + (bias is null ? "" : $" and a bias {bias}"));
        int n = logits.Shape[0];
        var scores = compute.New(logits.Shape);
        var experts = compute.New(new Shape(n, rule.Chosen), DType.Int32);
        var weights = compute.New(new Shape(n, rule.Chosen));
        compute.For(n, Compute.RowsPerChunk(count), 0, new RouterOp.Forward(rule, count,
            logits.Contiguous("router").Pointer, bias is null ? null : bias.Contiguous("router").Pointer,
            scores.Pointer, experts.IdPointer, weights.Pointer));
        compute.Record(new RouterOp(logits, rule, scores, experts, weights));
        return (experts, weights);
    }
}
