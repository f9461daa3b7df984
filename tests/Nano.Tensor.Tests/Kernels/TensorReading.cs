namespace Nano.Tests;

internal static class TensorReading
{
    /// <summary>A copy of the elements; the tensor stays alive while it is read.</summary>
    public static float[] ToArray(this Tensor tensor)
    {
        var values = tensor.Data.ToArray();
        GC.KeepAlive(tensor);
        return values;
    }
}
