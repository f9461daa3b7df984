using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>
/// y = h w[c] + b[c], h = (x - mean) / sqrt(var + eps), over x [B, C, ..]. The mean and the
/// variance are those of a group: some channels of one example (Wu and He, "Group Normalization",
/// 2018), or one channel of all examples (Ioffe and Szegedy, "Batch Normalization", 2015), whose
/// result for an example depends on the batch by nature.
/// <para>
/// Backward. With g = dy w and r = 1 / sqrt(var + eps): dx = r (g - mean(g) - h mean(g h)), the
/// means over the group; dw[c] and db[c] are the sums of dy h and dy over the channel. Where the
/// statistics are given, dx = r g.
/// </para>
/// A sum over a channel of an example is one row's; those of a group are added in the order of the
/// rows.
/// </summary>
/// <param name="X">x.</param>
/// <param name="Weight">w [C].</param>
/// <param name="Bias">b [C].</param>
/// <param name="Groups">Groups of channels of an example; 0: the channels of the batch.</param>
/// <param name="Epsilon">eps.</param>
/// <param name="IsGiven">True if the statistics do not depend on x.</param>
/// <param name="Mean">The mean of each group.</param>
/// <param name="Variance">The variance of each group.</param>
/// <param name="Y">y.</param>
internal readonly record struct ChannelNormOp(Tensor X, Tensor Weight, Tensor Bias, int Groups, float Epsilon,
    bool IsGiven, Tensor Mean, Tensor Variance, Tensor Y) : IOp
{
    public Tensor Output => Y;

    public bool WantsGradient => X.WantsGradient || Weight.WantsGradient || Bias.WantsGradient;

    public Work ForwardWork => Work.Of("channel norm forward", (IsGiven ? 3 : 7) * X.Length, X, Weight, Bias, Y, Mean,
        Variance);

    public Work? BackwardWork => Work.Of("channel norm backward", 12 * X.Length, X, Weight, Mean, Variance, Y, X,
        Weight, Bias);

    internal int Channels => X.Shape[1];

    /// <summary>
    /// The rows of x, one channel of one example each, and which of them form a group.
    /// </summary>
    private Layout Rows
    {
        get
        {
            int examples = X.Shape[0];
            nint places = Channels == 0 || examples == 0 ? 0 : (nint)(X.Length / ((long)examples * Channels));
            return Groups == 0 ? new(Channels, places, Channels, examples, Channels, 0)
                : new(Channels, places, (nint)examples * Groups, Channels / Groups, 1, Channels / Groups);
        }
    }

    internal unsafe void Forward(Compute compute)
    {
        var rows = Rows;
        if (!IsGiven)
            compute.For(rows.Groups, Compute.RowsPerChunk(rows.PerGroup * rows.Places), 0,
                new Statistics(rows, X.Pointer, Mean.Pointer, Variance.Pointer));
        compute.For(rows.Count, Compute.RowsPerChunk(rows.Places), 0, new Normalize(rows, X.Pointer, Weight.Pointer,
            Bias.Pointer, Epsilon, Mean.Pointer, Variance.Pointer, Y.Pointer));
    }

    public unsafe void Backward(Compute compute)
    {
        var rows = Rows;
        float* sums = compute.Shared((2 * rows.Count) + (2 * rows.Groups));
        float* means = sums + (2 * rows.Count), dy = Y.Gradient.Pointer;
        compute.For(rows.Count, Compute.RowsPerChunk(rows.Places), 0,
            new RowSums(rows, X.Pointer, dy, Epsilon, Mean.Pointer, Variance.Pointer, sums));
        if (!compute.OnlyPlans)
            AddSums(compute, rows, sums, means);
        if (X.WantsGradient)
            compute.For(rows.Count, Compute.RowsPerChunk(rows.Places), 0, new InputGradient(rows, X.Pointer, dy,
                Weight.Pointer, Epsilon, Mean.Pointer, Variance.Pointer, means, X.GradientFor(compute)));
    }

    /// <summary>
    /// dw, db, and of each group the means of g and of g h, from the sums of dy and dy h of each
    /// row.
    /// </summary>
    private unsafe void AddSums(Compute compute, Layout rows, float* sums, float* means)
    {
        GradientTarget dw = Weight.TargetIfWanted(compute), db = Bias.TargetIfWanted(compute);
        for (nint c = 0; c < rows.Channels; c++)
        {
            float ofWeight = 0, ofBias = 0;
            for (nint row = c; row < rows.Count; row += rows.Channels)
                (ofBias, ofWeight) = (ofBias + sums[2 * row], ofWeight + sums[(2 * row) + 1]);
            if (dw.Pointer != null)
                dw.Put<SimdScalar, float>(c, ofWeight);
            if (db.Pointer != null)
                db.Put<SimdScalar, float>(c, ofBias);
        }
        for (nint group = 0; group < rows.Groups; group++)
        {
            double g = 0, gh = 0;
            for (nint i = 0; i < rows.PerGroup && !IsGiven; i++)
            {
                nint row = rows.RowOf(group, i);
                double w = Weight.Pointer[row % rows.Channels];
                (g, gh) = (g + (w * sums[2 * row]), gh + (w * sums[(2 * row) + 1]));
            }
            double count = IsGiven ? 1 : rows.PerGroup * rows.Places;
            (means[2 * group], means[(2 * group) + 1]) = ((float)(g / count), (float)(gh / count));
        }
    }

    /// <summary>
    /// Rows of places, one for each channel of each example, and the groups that share statistics.
    /// </summary>
    private readonly record struct Layout(int Channels, nint Places, nint Groups, nint PerGroup, nint Step, nint Across)
    {
        public nint Count => Groups * PerGroup;

        /// <summary>
        /// A row of a group: channels that follow each other, or one channel of each example.
        /// </summary>
        public nint RowOf(nint group, nint i) => (group * nint.Max(1, Across)) + (i * Step);

        public nint GroupOf(nint row) => Across == 0 ? row % Channels : row / Across;
    }

    private readonly unsafe struct Statistics(Layout rows, float* x, float* mean, float* variance) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            nint n = rows.Places;
            for (nint group = begin; group < end; group++)
            {
                double sum = 0, square = 0, count = nint.Max(1, rows.PerGroup * n);
                for (nint i = 0; i < rows.PerGroup; i++)
                    sum += RowReduce.Sum<S, V, PlainTerm>(n, new PlainTerm(x + (rows.RowOf(group, i) * n)));
                float m = mean[group] = (float)(sum / count);
                for (nint i = 0; i < rows.PerGroup; i++)
                    square += RowReduce.Sum<S, V, LayerNormOp.SquaredDistance>(n,
                        new LayerNormOp.SquaredDistance(x + (rows.RowOf(group, i) * n), m));
                variance[group] = (float)(square / count);
            }
        }
    }

    private readonly unsafe struct Normalize(Layout rows, float* x, float* weight, float* bias, float epsilon,
        float* mean, float* variance, float* y) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (nint row = begin; row < end; row++)
            {
                nint group = rows.GroupOf(row), c = row % rows.Channels, at = row * rows.Places;
                new ElementwiseLoop<Affine>(new(x + at, mean[group],
                    weight[c] / MathF.Sqrt(variance[group] + epsilon), bias[c], y + at))
                    .Run<S, V>(0, rows.Places, scratch);
            }
        }
    }

    private readonly unsafe struct Affine(float* x, float mean, float factor, float bias, float* y) : IElementwise
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged =>
            S.Store(y + i, S.Fma(S.Subtract(S.Load(x + i), S.Splat(mean)), S.Splat(factor), S.Splat(bias)));
    }

    private readonly unsafe struct RowSums(Layout rows, float* x, float* dy, float epsilon, float* mean,
        float* variance, float* sums) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (nint row = begin; row < end; row++)
            {
                nint group = rows.GroupOf(row), at = row * rows.Places;
                var (plain, distance) = RowReduce.Sums<S, V, PlainTerm, TimesDistance>(rows.Places,
                    new PlainTerm(dy + at), new TimesDistance(dy + at, x + at, mean[group]));
                sums[2 * row] = plain;
                sums[(2 * row) + 1] = distance / MathF.Sqrt(variance[group] + epsilon);
            }
        }
    }

    private readonly unsafe struct TimesDistance(float* dy, float* x, float mean) : IRowTerm
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Fold<S, V>(V running, nint i) where S : ISimd<V> where V : unmanaged =>
            S.Fma(S.Load(dy + i), S.Subtract(S.Load(x + i), S.Splat(mean)), running);
    }

    private readonly unsafe struct InputGradient(Layout rows, float* x, float* dy, float* weight, float epsilon,
        float* mean, float* variance, float* means, GradientTarget dx) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (nint row = begin; row < end; row++)
            {
                nint group = rows.GroupOf(row), at = row * rows.Places;
                float r = 1 / MathF.Sqrt(variance[group] + epsilon);
                new ElementwiseLoop<Element>(new(x + at, dy + at, mean[group], r, weight[row % rows.Channels],
                    means[2 * group], means[(2 * group) + 1], dx.At(at))).Run<S, V>(0, rows.Places, scratch);
            }
        }
    }

    /// <summary>r (g - mean(g) - h mean(g h)) with g = dy w.</summary>
    private readonly unsafe struct Element(float* x, float* dy, float mean, float r, float weight, float meanG,
        float meanGh, GradientTarget dx) : IElementwise
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged
        {
            V h = S.Multiply(S.Subtract(S.Load(x + i), S.Splat(mean)), S.Splat(r));
            V g = S.Fma(S.Load(dy + i), S.Splat(weight), S.Splat(-meanG));
            dx.Put<S, V>(i, S.Multiply(S.Splat(r), S.Fma(h, S.Splat(-meanGh), g)));
        }
    }
}

/// <summary>Group and batch normalisation as methods of <see cref="Compute"/>.</summary>
public static class ChannelNormExtensions
{
    /// <summary>
    /// x [B, C, ..] normalised over groups of its channels, then scaled and shifted by channel.
    /// </summary>
    /// <exception cref="ArgumentException">The shapes do not fit, or the groups do not divide
    /// C.</exception>
    public static Tensor GroupNorm(this Compute compute, Tensor x, Tensor weight, Tensor bias, int groups,
        float epsilon)
    {
        Check("group norm", x, weight, bias);
        if (groups < 1 || x.Shape[1] % groups != 0)
            throw new ArgumentException($"group norm: {groups} groups do not divide the channels of {x}");
        var shape = new Shape(x.Shape[0], groups);
        var op = new ChannelNormOp(compute.Contiguous(x), weight, bias, groups, epsilon, false,
            compute.NewStatistic(shape), compute.NewStatistic(shape), compute.New(x.Shape));
        op.Forward(compute);
        compute.Record(op);
        return op.Y;
    }

    /// <summary>
    /// x [B, C, ..] normalised over the batch and all places of each channel, then scaled and
    /// shifted by channel.
    /// </summary>
    /// <param name="compute">The context to run in.</param>
    /// <param name="x">[B, C, ..].</param>
    /// <param name="weight">[C].</param>
    /// <param name="bias">[C].</param>
    /// <param name="running">The mean and the variance [C] of earlier batches. In training they
    /// move towards those of this batch, the variance as the unbiased one; else they are the ones
    /// that x is normalised by.</param>
    /// <param name="training">True to normalise by this batch.</param>
    /// <param name="epsilon">Added to the variance.</param>
    /// <param name="momentum">The share of this batch in the running statistics.</param>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public static Tensor BatchNorm(this Compute compute, Tensor x, Tensor weight, Tensor bias,
        (Tensor Mean, Tensor Variance) running, bool training, float epsilon, float momentum = 0.1f)
    {
        Check("batch norm", x, weight, bias);
        Check("batch norm", x, running.Mean, running.Variance);
        var (mean, variance) = training
            ? (compute.NewStatistic(weight.Shape), compute.NewStatistic(weight.Shape)) : running;
        var op = new ChannelNormOp(compute.Contiguous(x), weight, bias, 0, epsilon, !training, mean, variance,
            compute.New(x.Shape));
        op.Forward(compute);
        compute.Record(op);
        if (training && !compute.OnlyPlans)
        {
            double n = (double)x.Length / Math.Max(1, x.Shape[1]);
            Move(running.Mean.Data, mean.Data, momentum, 1);
            Move(running.Variance.Data, variance.Data, momentum, n > 1 ? (float)(n / (n - 1)) : 1);
        }
        return op.Y;
    }

    private static void Move(Span<float> running, ReadOnlySpan<float> now, float momentum, float factor)
    {
        for (int c = 0; c < running.Length; c++)
            running[c] += momentum * ((now[c] * factor) - running[c]);
    }

    private static void Check(string op, Tensor x, Tensor weight, Tensor bias)
    {
        if (x.Shape.Rank < 2 || weight.Shape != new Shape(x.Shape[1]) || bias.Shape != weight.Shape)
            throw new ArgumentException(
                $"{op}: x {x}, {weight} and {bias} do not fit; wanted [B, C, ..], [C] and [C]");
    }
}
