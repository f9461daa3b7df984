namespace Nano;

/// <summary>
/// Scales of channels, moved from what makes a vector into what reads it: the channel is divided, its weights are
/// multiplied, and the model computes the function that it did.
/// </summary>
internal static class InputScales
{
    /// <summary>Moves scales.</summary>
    /// <param name="parameters">The model's parameters by name.</param>
    /// <param name="input">The vector, with what makes and what reads it.</param>
    /// <param name="scales">One per channel.</param>
    public static void Move(IReadOnlyDictionary<string, Tensor> parameters, SharedInput input, double[] scales)
    {
        foreach (string maker in input.Makers)
        {
            Tensor tensor = parameters[maker];
            int columns = tensor.Shape.Rank == 1 ? 1 : tensor.Shape[1];
            Span<float> rows = tensor.Data.Slice(input.FirstRow * columns, scales.Length * columns);
            for (int i = 0; i < rows.Length; i++)
                rows[i] = (float)(rows[i] / scales[i / columns]);
        }
        foreach (string weight in input.Weights)
        {
            Span<float> matrix = parameters[weight].Data;
            for (int i = 0; i < matrix.Length; i++)
                matrix[i] = (float)(matrix[i] * scales[i % scales.Length]);
        }
    }
}
