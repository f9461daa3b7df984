namespace Nano;

/// <summary>
/// The tokens of one update: ids and targets [rows, T]; a micro-batch is B consecutive rows. Here
/// is what must not depend on the split: the count of targets that every micro-batch divides its
/// losses by, and the row each one begins with, which decides its dropout masks.
/// </summary>
public sealed class UpdateBatch
{
    /// <summary>A target that is left out of the loss.</summary>
    public const int Ignored = -100;

    private readonly Action<long, Tensor, Tensor> fill;
    private readonly Tensor targets;
    private readonly (Tensor Ids, Tensor Targets)[] micro;
    private readonly int rows; // of a micro-batch

    /// <param name="options">The numbers of rows, tokens and micro-batches.</param>
    /// <param name="fill">Fills ids and targets [B, T] of the micro-batch with this number, counted
    /// through the whole run; a target of -100 is left out of the loss.</param>
    public UpdateBatch(TrainOptions options, Action<long, Tensor, Tensor> fill)
    {
        (rows, this.fill) = (options.Batch, fill);
        var shape = new Shape(checked(options.Accumulate * rows), options.Time);
        var ids = new Tensor(shape, DType.Int32);
        targets = new Tensor(shape, DType.Int32);
        micro = [.. Enumerable.Range(0, options.Accumulate)
            .Select(i => (ids.SliceRows(i * rows, rows), targets.SliceRows(i * rows, rows)))];
    }

    /// <summary>Number of micro-batches.</summary>
    public int Count => micro.Length;

    /// <summary>Ids and targets [B, T] of a micro-batch.</summary>
    public (Tensor Ids, Tensor Targets) this[int i] => micro[i];

    /// <summary>The row of the whole batch that a micro-batch begins with.</summary>
    public long FirstRow(int i) => (long)i * rows;

    /// <summary>
    /// Reads the batch of step number <paramref name="step"/> (from 0) and returns the number of
    /// its counted targets.
    /// </summary>
    /// <param name="step">The step.</param>
    /// <param name="skippedBatches">Number of batches that the run has skipped.</param>
    /// <exception cref="NanoException">None counts.</exception>
    public int Read(long step, long skippedBatches)
    {
        for (int i = 0; i < Count; i++)
            fill(((step + skippedBatches) * Count) + i, micro[i].Ids, micro[i].Targets);
        return CountedTargets() is > 0 and var counted ? counted
            : throw new NanoException($"step {step + 1}: every target of its batch is left out, so there is no loss");
    }

    /// <summary>Targets of the whole batch that are not left out: the denominator of its mean loss.</summary>
    public int CountedTargets() => targets.Ids.Length - targets.Ids.Count(Ignored);

    /// <summary>Bytes held.</summary>
    public long ReservedBytes => 2 * sizeof(int) * targets.Length;
}
