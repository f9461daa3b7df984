namespace Nano;

/// <summary>
/// A model on the CPU and its cache: one pass over the weights serves all rows, and each attends to
/// its own keys and values.
/// </summary>
internal sealed class ModelDecoder(LanguageModel model, Compute compute, WeightType cacheType = WeightType.F32)
    : IDecoder
{
    private readonly WeightType cacheType = model.Config.FittingCache(cacheType);
    private KvCache? cache;

    public ModelConfig Config => model.Config;

    private KvCache Cache => cache ?? throw new InvalidOperationException("no memory has been reserved for rows");

    public void Reserve(int rows, int positions)
    {
        if (cache is null || cache.Rows < rows || cache.Capacity < positions)
        {
            cache?.Dispose();
            cache = null;
            cache = Config.NewCache(rows, positions, cacheType);
        }
        cache.Clear();
    }

    public int LengthOf(int row) => Cache.LengthOf(row);

    public void Clear(int row) => Cache.Clear(row);

    public void CopyRow(int from, int to, int start) => Cache.CopyRow(from, to, start);

    public Tensor Next(ReadOnlySpan<int> rows, ReadOnlySpan<int> ids)
    {
        var tape = compute.Tape; // a trainer's, while it shows samples
        compute.Tape = null;
        try
        {
            compute.NextStep();
            compute.StepTensors.Reuses = true;
            Cache.Select(rows);
            var input = compute.New(new Shape(rows.Length, ids.Length / rows.Length), DType.Int32);
            ids.CopyTo(input.Ids);
            return model.NextLogits(compute, input, Cache);
        }
        finally
        {
            compute.StepTensors.Reuses = false;
            compute.Tape = tape;
        }
    }

    public void Dispose() => cache?.Dispose();
}
