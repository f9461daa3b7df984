namespace Nano;

/// <summary>A model that reads one text and writes another.</summary>
public interface IEncoderDecoder
{
    /// <summary>
    /// The likeliest continuation of what has been written about a text, token by token; what the text gives is
    /// computed once.
    /// </summary>
    /// <param name="c">The context to run in.</param>
    /// <param name="text">The ids of the text that is read.</param>
    /// <param name="written">The ids written so far, at least one.</param>
    /// <param name="count">The most tokens to write.</param>
    /// <param name="end">The id behind which nothing more is written, or null.</param>
    /// <returns>The new ids.</returns>
    IReadOnlyList<int> Write(Compute c, ReadOnlySpan<int> text, ReadOnlySpan<int> written, int count, int? end = null);
}
