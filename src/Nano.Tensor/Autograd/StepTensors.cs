namespace Nano;

/// <summary>
/// The tensor objects of one step after another. While <see cref="Reuses"/> is true, an object serves
/// again in a later step, so that steps that repeat leave nothing to the garbage collector. Before that
/// it rests for some steps, in which its use as a tensor of the ended step is refused as ever.
/// </summary>
internal sealed class StepTensors(Arena arena)
{
    /// <summary>Steps from the one of a tensor to the one in which its object may serve again.</summary>
    public const int Rest = 4;

    private readonly Queue<Tensor> byAge = [];

    /// <summary>The memory of the step's elements.</summary>
    public Arena Arena => arena;

    /// <summary>
    /// True while nobody outside the running step receives its tensors. Otherwise each tensor is a new
    /// object, whose use is refused however long its step has ended.
    /// </summary>
    public bool Reuses { get; set; }

    /// <summary>An object for a tensor of the current step.</summary>
    public Tensor Next()
    {
        if (!Reuses)
            return new Tensor();
        var tensor = byAge.TryPeek(out var oldest) && arena.Generation - oldest.Generation >= Rest
            ? byAge.Dequeue() : new Tensor();
        byAge.Enqueue(tensor);
        return tensor;
    }
}
