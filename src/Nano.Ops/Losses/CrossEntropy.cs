using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>
/// loss = (1 / n) sum over counted rows of (nll + additional terms), with nll = -log p_target
/// and -log p_j = log sum_k exp(z_k) - z_j =: L - z_j; rows with target -100 are ignored. With
/// label smoothing s and z-loss c (see <see cref="LossOptions"/>) a row's loss is (1 - s) (L -
/// z_target) + s mean_j (L - z_j) + c L^2 = L - (1 - s) z_target - s mean(z) + c L^2.
/// <para>
/// Backward: d/dz_j of L is softmax_j, so dz_j = (softmax_j (1 + 2 c L) - (1 - s) 1[j = target] - s
/// / V) dloss / n; zero in ignored rows. Softmax is computed again from the stored
/// maximum m and l = log sum_j exp(z_j - m), so no probabilities are retained. The two stay apart:
/// m +
/// l rounded to float32 would cost every probability of the row m's last digits (1e-5 of its value
/// for logits around 100).
/// </para>
/// The sum over rows runs in row order in double precision.
/// </summary>
internal readonly record struct CrossEntropyOp(Tensor Logits, Tensor Targets, LossOptions Options, Tensor Max,
    Tensor LogSum, Tensor Loss) : IOp
{
    public Tensor Output => Loss;

    public bool WantsGradient => Logits.WantsGradient;

    public Work ForwardWork =>
        Work.Of("cross-entropy forward", 4 * Logits.Length, Logits, Targets, Max, LogSum);

    public Work? BackwardWork =>
        Work.Of("cross-entropy backward", 4 * Logits.Length, Logits, Targets, Max, LogSum, Logits);

    public const int Ignore = -100;

    public unsafe void Backward(Compute compute)
    {
        int columns = Logits.Shape.Columns;
        float scale = (float)(Loss.Gradient.Data[0] / Options.Denominator);
        compute.For((nint)Targets.Length, Compute.RowsPerChunk(columns), 0,
            new Gradients(Logits.Pointer, Targets.IdPointer, Max.Pointer, LogSum.Pointer, columns, scale, Options,
                Logits.GradientFor(compute)));
    }

    /// <summary>loss = sum over rows, in their order, divided by the denominator.</summary>
    internal static void Mean(Tensor rows, double denominator, Tensor loss)
    {
        double sum = 0;
        foreach (float value in rows.Data)
            sum += value;
        loss.Data[0] = (float)(sum / denominator);
    }

    /// <summary>Maximum, log of the sum and nll of each row; if there is a place for it, also the whole loss.</summary>
    internal readonly unsafe struct Forward(float* logits, int* targets, int columns, float* max, float* logSum,
        float* nll, float* loss, LossOptions options) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (nint row = begin; row < end; row++)
            {
                float* z = logits + (row * columns);
                max[row] = RowReduce.Max<S, V>(columns, z);
                logSum[row] = SimdMath.Log<SimdScalar, float>(
                    RowReduce.Sum<S, V, ExpSum>(columns, new ExpSum(z, max[row])));
                nll[row] = targets[row] == Ignore ? 0 : logSum[row] - (z[targets[row]] - max[row]);
                if (loss != null)
                    loss[row] = targets[row] == Ignore ? 0 : WholeLoss<S, V>(z, row);
            }
        }

        /// <summary>L - mean(z) is l - mean(z - m).</summary>
        private float WholeLoss<S, V>(float* z, nint row) where S : ISimd<V> where V : unmanaged
        {
            double whole = (1 - options.LabelSmoothing) * nll[row];
            if (options.LabelSmoothing != 0)
                whole += options.LabelSmoothing * (logSum[row]
                    - ((double)RowReduce.Sum<S, V, Shifted>(columns, new Shifted(z, max[row])) / columns));
            if (options.ZLoss != 0)
                whole += options.ZLoss * LogSumExp(max[row], logSum[row]) * LogSumExp(max[row], logSum[row]);
            return (float)whole;
        }
    }

    private static double LogSumExp(float max, float logSum) => (double)max + logSum;

    private readonly unsafe struct Shifted(float* x, float shift) : IRowTerm
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Fold<S, V>(V running, nint i) where S : ISimd<V> where V : unmanaged =>
            S.Add(running, S.Subtract(S.Load(x + i), S.Splat(shift)));
    }

    private readonly unsafe struct ExpSum(float* x, float shift) : IRowTerm
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Fold<S, V>(V running, nint i) where S : ISimd<V> where V : unmanaged =>
            S.Add(running, SimdMath.ExpNonPositive<S, V>(S.Subtract(S.Load(x + i), S.Splat(shift))));
    }

    /// <summary>
    /// The gradient of the logits. If dlogits is the logits themselves, they are overwritten by
    /// their own gradient.
    /// </summary>
    internal readonly unsafe struct Gradients(float* logits, int* targets, float* max, float* logSum, int columns,
        float scale, LossOptions options, GradientTarget dlogits) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            // Without smoothing -0 is added to every product, the one number that changes nothing.
            float onTarget = (float)(scale * (1 - options.LabelSmoothing)),
                onEach = options.LabelSmoothing == 0 ? -0f : (float)(-scale * options.LabelSmoothing / columns);
            for (nint row = begin; row < end; row++)
            {
                var dz = dlogits.At(row * columns);
                if (targets[row] == Ignore)
                {
                    if (!dz.Accumulate)
                        new Span<float>(dz.Pointer, columns).Clear();
                    continue;
                }
                float onSoftmax = options.ZLoss == 0 ? scale
                    : (float)(scale * (1 + (2 * options.ZLoss * LogSumExp(max[row], logSum[row]))));
                new ElementwiseLoop<Element>(new Element(logits + (row * columns), max[row], logSum[row], onSoftmax,
                    onEach, dz)).Run<S, V>(0, columns, scratch);
                dz.Pointer[targets[row]] -= onTarget;
            }
        }
    }

    private readonly unsafe struct Element(float* z, float max, float logSum, float onSoftmax, float onEach,
        GradientTarget dz) : IElementwise
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged
        {
            V softmax = SimdMath.ExpNonPositive<S, V>(
                S.Subtract(S.Subtract(S.Load(z + i), S.Splat(max)), S.Splat(logSum)));
            dz.Put<S, V>(i, S.Fma(softmax, S.Splat(onSoftmax), S.Splat(onEach)));
        }
    }
}

/// <summary>Cross-entropy as a method of <see cref="Compute"/>.</summary>
public static class CrossEntropyExtensions
{
    /// <summary>The number of targets that are not left out.</summary>
    public static int Counted(Tensor targets)
    {
        int counted = 0;
        foreach (int target in targets.Ids)
            counted += target == CrossEntropyOp.Ignore ? 0 : 1;
        return counted;
    }

    /// <summary>
    /// Mean cross-entropy of logits [.., V] against targets [..] (ids below V, or -100 to leave a
    /// row out), in nats, with what the options add to it.
    /// </summary>
    /// <param name="compute">The context to run in.</param>
    /// <param name="logits">Scores before softmax.</param>
    /// <param name="targets">The right id of each row.</param>
    /// <param name="options">Additional terms and the denominator.</param>
    /// <returns>Loss: what the options ask for, a scalar. Nll: -log p of each row's target [..], 0
    /// where left out, whatever the options.</returns>
    /// <exception cref="ArgumentException">The shapes do not fit, a target is out of range, or no
    /// row is counted.</exception>
    public static unsafe (Tensor Loss, Tensor Nll) CrossEntropy(this Compute compute, Tensor logits, Tensor targets,
        LossOptions options = default)
    {
        int columns = logits.Shape.Columns;
        if (targets.Length != logits.Shape.Rows)
            throw new ArgumentException($"cross-entropy: {targets.Length} targets {targets} for logits {logits}");
        if (options.Draw is not null)
            throw new ArgumentException("cross-entropy: labels are drawn by linear-cross-entropy only");
        options = options.Checked("cross-entropy", targets, columns);
        var (max, logSum) = (compute.NewStatistic(targets.Shape), compute.NewStatistic(targets.Shape));
        var (nll, loss) = (compute.New(targets.Shape), compute.New(new Shape()));
        var whole = options.IsPlain ? nll : compute.New(targets.Shape);
        compute.For((nint)targets.Length, Compute.RowsPerChunk(columns), 0,
            new CrossEntropyOp.Forward(logits.Contiguous("cross-entropy").Pointer, targets.IdPointer, columns,
                max.Pointer, logSum.Pointer, nll.Pointer, whole == nll ? null : whole.Pointer, options));
        CrossEntropyOp.Mean(whole, options.Denominator, loss);
        nll.WantsGradient = false; // it is for reading only
        compute.Record(new CrossEntropyOp(logits, targets, options, max, logSum, loss));
        return (loss, nll);
    }
}
