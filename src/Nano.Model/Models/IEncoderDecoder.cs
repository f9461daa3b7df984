namespace Nano;

/// <summary>A model that reads one thing, a text or a sound, and writes a text.</summary>
public interface IEncoderDecoder
{
    /// <summary>
    /// The likeliest continuation of what has been written about a source, token by token; what the source gives is
    /// computed once.
    /// </summary>
    /// <param name="c">The context to run in.</param>
    /// <param name="source">What is read, a batch of one row: input_ids [1, T], or input_features.</param>
    /// <param name="written">The ids written so far, at least one.</param>
    /// <param name="count">The most tokens to write.</param>
    /// <param name="end">The id behind which nothing more is written, or null.</param>
    /// <returns>The new ids.</returns>
    IReadOnlyList<int> Write(Compute c, Batch source, ReadOnlySpan<int> written, int count, int? end = null);
}

/// <summary>Texts for models that read them.</summary>
public static class EncoderDecoderExtensions
{
    /// <summary>The likeliest continuation of what has been written about a text.</summary>
    /// <param name="model">The model.</param>
    /// <param name="c">The context to run in.</param>
    /// <param name="text">The ids of the text that is read.</param>
    /// <param name="written">The ids written so far, at least one.</param>
    /// <param name="count">The most tokens to write.</param>
    /// <param name="end">The id behind which nothing more is written, or null.</param>
    /// <returns>The new ids.</returns>
    public static IReadOnlyList<int> Write(this IEncoderDecoder model, Compute c, ReadOnlySpan<int> text,
        ReadOnlySpan<int> written, int count, int? end = null) =>
        model.Write(c, new Batch(new Dictionary<string, Tensor>
        {
            ["input_ids"] = Tensor.FromIds(new Shape(1, text.Length), text),
        }), written, count, end);
}
