using System.Runtime.CompilerServices;

namespace Nano;

/// <summary>
/// loss = (1 / n) sum over kept rows of (log sum_j exp(z_j) - z_target), where rows with target -100 are not kept.
/// <para>
/// Backward: d/dz_j of log sum exp is softmax_j, so dz_j = (softmax_j - 1[j = target]) dloss / n; zero in rows that are not kept.
/// Softmax is computed again from the stored maximum m and l = log sum_j exp(z_j - m), so no probabilities are kept. The two stay apart:
/// m + l rounded to float32 would cost every probability of the row m's last digits (1e-5 of its value for logits around 100).
/// </para>
/// The sum over rows runs in row order in double precision.
/// </summary>
internal sealed record CrossEntropyOp(Tensor Logits, Tensor Targets, double Denominator, Tensor Max, Tensor LogSum, Tensor Loss) : Op(Loss)
{
    internal override Work ForwardWork => Work.Of("cross-entropy forward", 4 * Logits.Length, Logits, Targets, Max, LogSum);

    internal override Work? BackwardWork => Work.Of("cross-entropy backward", 4 * Logits.Length, Logits, Targets, Max, LogSum, Logits);

    public const int Ignore = -100;

    internal override unsafe void Backward(Compute compute)
    {
        int columns = Logits.Shape.Columns;
        float scale = (float)(Loss.Gradient.Data[0] / Denominator);
        compute.For((nint)Targets.Length, Compute.RowsPerChunk(columns), 0,
            new Gradients(Logits.Pointer, Targets.IdPointer, Max.Pointer, LogSum.Pointer, columns, scale, Logits.GradientFor(compute)));
    }

    /// <summary>What the sum is divided by: as given, or if that is 0, the number of kept rows. Refuses targets that are no ids.</summary>
    internal static double DenominatorFor(string op, Tensor targets, int vocabulary, double denominator)
    {
        int kept = 0;
        foreach (int target in targets.Ids)
        {
            if (target != Ignore && (uint)target >= (uint)vocabulary)
                throw new ArgumentException($"{op}: target {target} is not below the vocabulary size {vocabulary}");
            kept += target == Ignore ? 0 : 1;
        }
        if (kept == 0 && denominator == 0)
            throw new ArgumentException($"{op}: none of the {targets.Length} targets is kept, so there is no mean");
        return denominator == 0 ? kept : denominator;
    }

    /// <summary>loss = sum of nll, in row order, divided by the denominator.</summary>
    internal static void Mean(Tensor nll, double denominator, Tensor loss)
    {
        double sum = 0;
        foreach (float value in nll.Data)
            sum += value;
        loss.Data[0] = (float)(sum / denominator);
    }

    internal readonly unsafe struct Forward(float* logits, int* targets, int columns, float* max, float* logSum, float* nll) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (nint row = begin; row < end; row++)
            {
                float* z = logits + (row * columns);
                max[row] = RowReduce.Max<S, V>(columns, z);
                logSum[row] = SimdMath.Log<SimdScalar, float>(RowReduce.Sum<S, V, ExpSum>(columns, new ExpSum(z, max[row])));
                nll[row] = targets[row] == Ignore ? 0 : logSum[row] - (z[targets[row]] - max[row]);
            }
        }
    }

    private readonly unsafe struct ExpSum(float* x, float shift) : IRowTerm
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public V Fold<S, V>(V running, nint i) where S : ISimd<V> where V : unmanaged =>
            S.Add(running, SimdMath.ExpNonPositive<S, V>(S.Subtract(S.Load(x + i), S.Splat(shift))));
    }

    /// <summary>Where dlogits is the logits themselves, they become their own gradient.</summary>
    internal readonly unsafe struct Gradients(float* logits, int* targets, float* max, float* logSum, int columns, float scale, GradientTarget dlogits) : IKernel
    {
        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (nint row = begin; row < end; row++)
            {
                var dz = dlogits.At(row * columns);
                if (targets[row] == Ignore)
                {
                    if (!dz.Accumulate)
                        new Span<float>(dz.Pointer, columns).Clear();
                    continue;
                }
                new ElementwiseLoop<Element>(new Element(logits + (row * columns), max[row], logSum[row], scale, dz)).Run<S, V>(0, columns, scratch);
                dz.Pointer[targets[row]] -= scale;
            }
        }
    }

    private readonly unsafe struct Element(float* z, float max, float logSum, float scale, GradientTarget dz) : IElementwise
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At<S, V>(nint i) where S : ISimd<V> where V : unmanaged =>
            dz.Put<S, V>(i, S.Multiply(SimdMath.ExpNonPositive<S, V>(S.Subtract(S.Subtract(S.Load(z + i), S.Splat(max)), S.Splat(logSum))), S.Splat(scale)));
    }
}

public static class CrossEntropyExtensions
{
    /// <summary>
    /// Mean cross-entropy of logits [.., V] against targets [..] (ids below V, or -100 to leave a row out), in nats.
    /// </summary>
    /// <param name="compute">Where to run.</param>
    /// <param name="logits">Scores before softmax.</param>
    /// <param name="targets">The right id of each row.</param>
    /// <param name="denominator">What the sum is divided by; 0 means the number of kept rows. A micro-batch passes the count of its whole batch.</param>
    /// <returns>Loss: the mean, a scalar. Nll: the loss of each row [..], 0 where left out.</returns>
    /// <exception cref="ArgumentException">The shapes do not fit, a target is out of range, or no row is kept.</exception>
    public static unsafe (Tensor Loss, Tensor Nll) CrossEntropy(this Compute compute, Tensor logits, Tensor targets, double denominator = 0)
    {
        int columns = logits.Shape.Columns;
        if (targets.Length != logits.Shape.Rows)
            throw new ArgumentException($"cross-entropy: {targets.Length} targets {targets} for logits {logits}");
        denominator = CrossEntropyOp.DenominatorFor("cross-entropy", targets, columns, denominator);
        var (max, logSum) = (compute.New(targets.Shape), compute.New(targets.Shape));
        var (nll, loss) = (compute.New(targets.Shape), compute.New(new Shape()));
        compute.For((nint)targets.Length, Compute.RowsPerChunk(columns), 0,
            new CrossEntropyOp.Forward(logits.Contiguous("cross-entropy").Pointer, targets.IdPointer, columns, max.Pointer, logSum.Pointer, nll.Pointer));
        CrossEntropyOp.Mean(nll, denominator, loss);
        compute.Record(new CrossEntropyOp(logits, targets, denominator, max, logSum, loss));
        return (loss, nll);
    }
}
