namespace Nano;

/// <summary>
/// The head and the loss in one: logits z = x W^T and their cross-entropy, see
/// <see cref="LinearOp"/> and <see cref="CrossEntropyOp"/>, whose bits these are. Only a chunk of
/// rows of z exists at a time (Hsu et al., "Liger Kernel", 2024): a vocabulary of 50,257 makes z
/// and its gradient the largest tensors of a step otherwise.
/// <para>
/// Backward. While a chunk of z is there, z becomes dz in place, and dx = dz W and dW += dz^T x
/// follow at once, in row order; computing z again later would cost a third more. So with a tape
/// the gradient of W is added in the forward pass, for a loss whose own gradient is 1.
/// </para>
/// </summary>
internal readonly record struct LinearCrossEntropyOp(Tensor X, Tensor Weight, Tensor Targets, LossOptions Options,
    Tensor? DX, Tensor Loss) : IOp
{
    public Tensor Output => Loss;

    public bool WantsGradient => X.WantsGradient || Weight.WantsGradient;

    /// <summary>
    /// Floats of logits per chunk at most: 64 MiB. Each chunk reads the weight and its gradient again.
    /// </summary>
    private const int ChunkFloats = 1 << 24;

    /// <summary>The sum of the rows' losses; the products record laps of their own.</summary>
    public Work ForwardWork => Work.Of("mean loss", X.Shape.Rows);

    public Work? BackwardWork => Work.Of("head gradient handed on", 0);

    public void Backward(Compute compute)
    {
        if (Loss.Gradient.Data[0] is not 1 and var upstream)
            throw new InvalidOperationException(
                $"linear-cross-entropy: the backward pass must start at this loss, with a gradient of 1, got "
                + $"{upstream}; scale by the denominator, or use linear and cross-entropy");
        if (DX is null)
            return;
        if (!X.TryAdoptGradient(DX))
            compute.Accumulate(DX, X.GradientFor(compute));
        compute.Release(DX);
    }

    /// <summary>Rows of a chunk, a multiple of 32; chunks are about equal, and the last may be shorter.</summary>
    internal static int RowsPerChunk(int rows, int vocabulary)
    {
        int most = Math.Max(32, ChunkFloats / Math.Max(1, vocabulary) / 32 * 32);
        int chunks = Math.Max(1, (rows + most - 1) / most);
        return Math.Max(32, ((rows + chunks - 1) / chunks + 31) / 32 * 32);
    }

    /// <summary>Rows of logits to loss, and then to their gradient in place while they are in the cache.</summary>
    internal readonly struct LossAndGradient(CrossEntropyOp.Forward loss, CrossEntropyOp.Gradients gradients) : IKernel
    {
        private readonly CrossEntropyOp.Forward loss = loss;
        private readonly CrossEntropyOp.Gradients gradients = gradients;

        public void Run<S, V>(nint begin, nint end, Scratch scratch) where S : ISimd<V> where V : unmanaged
        {
            for (nint row = begin; row < end; row++)
            {
                loss.Run<S, V>(row, row + 1, scratch);
                gradients.Run<S, V>(row, row + 1, scratch);
            }
        }
    }
}

/// <summary>Head and loss in one as a method of <see cref="Compute"/>.</summary>
public static class LinearCrossEntropyExtensions
{
    /// <summary>
    /// Mean cross-entropy of the logits x W^T against targets, in nats, with what the options add
    /// to it, without ever holding all logits. With a tape, the gradient of the weight is added
    /// here and not in the backward pass, which must start at this loss.
    /// </summary>
    /// <param name="compute">The context to run in.</param>
    /// <param name="x">[.., K], contiguous.</param>
    /// <param name="weight">[V, K]</param>
    /// <param name="targets">The right id of each row, [..]; -100 leaves a row out.</param>
    /// <param name="options">Additional terms and the denominator.</param>
    /// <returns>Loss: what the options ask for, a scalar. Nll: -log p of each row's target [..], 0
    /// where left out, whatever the options.</returns>
    /// <exception cref="ArgumentException">The shapes do not fit, a target is out of range, or no
    /// row is counted.</exception>
    public static (Tensor Loss, Tensor Nll) LinearCrossEntropy(this Compute compute, Tensor x, Tensor weight,
        Tensor targets, LossOptions options = default)
    {
        compute.WatchLinear?.Invoke(weight, x);
        return compute.LinearCrossEntropy(x, weight, targets, options, rowsPerChunk: 0);
    }

    /// <summary>
    /// The op with a given number of rows per chunk, which changes no bit; 0 for the default.
    /// </summary>
    internal static (Tensor Loss, Tensor Nll) LinearCrossEntropy(this Compute compute, Tensor x, Tensor weight,
        Tensor targets, LossOptions options, int rowsPerChunk)
    {
        var rows = compute.Differentiates ? compute.Widened(weight) : weight;
        var result = ByChunks(compute, x, rows, targets, options, rowsPerChunk);
        compute.Release(rows, weight);
        return result;
    }

    private static unsafe (Tensor Loss, Tensor Nll) ByChunks(Compute compute, Tensor x, Tensor weight,
        Tensor targets, LossOptions options, int rowsPerChunk)
    {
        CheckShapes(x, weight, targets);
        int rows = checked((int)x.Shape.Rows), n = weight.Shape[0], k = weight.Shape[1];
        options = options.Checked("linear-cross-entropy", targets, n);
        float* px = x.Contiguous("linear-cross-entropy").Pointer;
        if (rowsPerChunk == 0)
            rowsPerChunk = LinearCrossEntropyOp.RowsPerChunk(rows, n);
        var (nll, loss) = (compute.New(targets.Shape), compute.New(new Shape()));
        var whole = options.IsPlain ? nll : compute.New(targets.Shape);
        var dx = compute.Tape is null || !x.WantsGradient ? null : compute.New(x.Shape);
        var dw = compute.Tape is null ? default : weight.TargetIfWanted(compute);
        bool differentiates = dx is not null || dw.Pointer != null;
        Tensor max = compute.New(targets.Shape), logSum = compute.New(targets.Shape),
            logits = compute.New(new Shape(Math.Min(rows, rowsPerChunk), n));
        int first = 0;
        do // once even if there are no rows: then the gradient of the weight is zero
        {
            int m = Math.Min(rowsPerChunk, rows - first);
            float* a = px + ((nint)first * k), z = logits.Pointer;
            LinearProduct.Forward(compute, m, new(a, k), weight, new(z, n));
            compute.Profiler?.Lap(Work.Of("linear forward", m, n, k));
            if (options.Draw is { } labels)
                compute.For(m, Compute.RowsPerChunk(n), Scratch.RoundUp(n),
                    new DrawLabels(z, n, labels, first, targets.IdPointer + first));
            var forward = new CrossEntropyOp.Forward(z, targets.IdPointer + first, n, max.Pointer + first,
                logSum.Pointer + first, nll.Pointer + first, whole == nll ? null : whole.Pointer + first, options);
            if (!differentiates)
            {
                compute.For(m, Compute.RowsPerChunk(n), 0, forward);
                compute.Profiler?.Lap(new Work("cross-entropy forward", 5.0 * m * n, 1.0 * sizeof(float) * m * n));
                continue;
            }
            var gradients = new CrossEntropyOp.Gradients(z, targets.IdPointer + first, max.Pointer + first,
                logSum.Pointer + first, n, (float)(1 / options.Denominator), options, new(z, false));
            compute.For(m, Compute.RowsPerChunk(n), 0, new LinearCrossEntropyOp.LossAndGradient(forward, gradients));
            compute.Profiler?.Lap(new Work("cross-entropy both ways", 15.0 * m * n, 2.0 * sizeof(float) * m * n));
            if (dx is not null)
            {
                LinearProduct.Run(compute, m, k, n, new(z, n), new(weight.Pointer, k),
                    new(dx.Pointer + ((nint)first * k), k));
                compute.Profiler?.Lap(Work.Of("linear dX", m, k, n));
            }
            if (dw.Pointer != null)
            {
                LinearProduct.Run(compute, n, k, m, new(z, 1, n), new(a, k), new(dw.Pointer, k),
                    accumulate: dw.Accumulate || first > 0);
                compute.Profiler?.Lap(Work.Of("linear dW", n, k, m));
            }
        }
        while ((first += rowsPerChunk) < rows);
        compute.Release(logits);
        compute.Release(logSum);
        compute.Release(max);
        CrossEntropyOp.Mean(whole, options.Denominator, loss);
        nll.WantsGradient = loss.WantsGradient = false; // nll is for reading only; loss wants one where it is recorded
        if (compute.Tape is not null)
            compute.Record(new LinearCrossEntropyOp(x, weight, targets, options, dx, loss));
        GC.KeepAlive(x); // kernels had only their addresses
        GC.KeepAlive(weight);
        GC.KeepAlive(targets);
        return (loss, nll);
    }

    private static void CheckShapes(Tensor x, Tensor weight, Tensor targets)
    {
        if (weight.Shape.Rank != 2 || x.Shape.Columns != weight.Shape[1] || targets.Length != x.Shape.Rows)
            throw new ArgumentException($"linear-cross-entropy: x {x}, weight {weight}, targets {targets} do not fit; "
                + "wanted [.., K], [V, K], [..]");
        _ = weight.Contiguous("linear-cross-entropy");
    }
}
