namespace Nano;

/// <summary>Copies of tensors that outlive the step in which these were computed.</summary>
internal static class Copies
{
    /// <summary>The values of a tensor in memory of an arena.</summary>
    public static Tensor CopyTo(this Tensor tensor, Arena arena)
    {
        var copy = new Tensor(arena, tensor.Shape);
        copy.CopyFrom(tensor);
        return copy;
    }
}
