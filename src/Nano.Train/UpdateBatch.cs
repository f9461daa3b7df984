namespace Nano;

/// <summary>
/// The tokens of one update: ids and targets [rows, T]; a micro-batch is B consecutive rows. Here is what must not depend on the split:
/// the count of targets that every micro-batch divides its losses by, and the row each one begins with, which decides its dropout masks.
/// </summary>
internal sealed class UpdateBatch
{
    /// <summary>A target that is left out of the loss.</summary>
    public const int Ignored = -100;

    private readonly Tensor targets;
    private readonly (Tensor Ids, Tensor Targets)[] micro;
    private readonly int rows; // of a micro-batch

    public UpdateBatch(TrainOptions options)
    {
        rows = options.Batch;
        var shape = new Shape(checked(options.Accumulate * rows), options.Time);
        var ids = new Tensor(shape, DType.Int32);
        targets = new Tensor(shape, DType.Int32);
        micro = [.. Enumerable.Range(0, options.Accumulate).Select(i => (ids.SliceRows(i * rows, rows), targets.SliceRows(i * rows, rows)))];
    }

    /// <summary>How many micro-batches there are.</summary>
    public int Count => micro.Length;

    /// <summary>Ids and targets [B, T] of a micro-batch.</summary>
    public (Tensor Ids, Tensor Targets) this[int i] => micro[i];

    /// <summary>The row of the whole batch that a micro-batch begins with.</summary>
    public long FirstRow(int i) => (long)i * rows;

    /// <summary>Targets of the whole batch that are not left out: the denominator of its mean loss.</summary>
    public int KeptTargets() => targets.Ids.Length - targets.Ids.Count(Ignored);

    /// <summary>Bytes held.</summary>
    public long ReservedBytes => 2 * sizeof(int) * targets.Length;
}
