namespace Nano;

/// <summary>
/// Bias and penalties: what changes logits before a token is chosen. Only the logits of tokens that
/// are named or have occurred change.
/// </summary>
internal sealed class LogitChanges(SamplerOptions options)
{
    private float[] changed = [];
    private int[] counts = []; // by id; zero between calls

    /// <summary>The changed logits, valid until the next call.</summary>
    /// <param name="logits">[V].</param>
    /// <param name="prompt">Tokens before the text.</param>
    /// <param name="text">Tokens of the text so far.</param>
    public ReadOnlySpan<float> Apply(ReadOnlySpan<float> logits, ReadOnlySpan<int> prompt, ReadOnlySpan<int> text)
    {
        if (changed.Length != logits.Length)
            (changed, counts) = (new float[logits.Length], new int[logits.Length]);
        logits.CopyTo(changed);
        foreach (var (id, bias) in options.LogitBias)
            changed[id] = (float)(changed[id] + bias);
        if (options.RepetitionPenalty != 1)
        {
            Repetition(prompt);
            Repetition(text);
            Forget(prompt);
            Forget(text);
        }
        if (options.PresencePenalty != 0 || options.FrequencyPenalty != 0)
            PresenceAndFrequency(text);
        return changed;
    }

    /// <summary>Once for each token, however often it occurs: the first time, its count is still 0.</summary>
    private void Repetition(ReadOnlySpan<int> ids)
    {
        foreach (int id in ids)
            if (counts[id]++ == 0)
                changed[id] = (float)(changed[id] < 0 ? changed[id] * options.RepetitionPenalty
                    : changed[id] / options.RepetitionPenalty);
    }

    /// <summary>OpenAI's definition: logit - count * frequency - (count > 0) * presence.</summary>
    private void PresenceAndFrequency(ReadOnlySpan<int> text)
    {
        foreach (int id in text)
            counts[id]++;
        foreach (int id in text)
        {
            if (counts[id] > 0)
                changed[id] = (float)(changed[id] - (counts[id] * options.FrequencyPenalty) - options.PresencePenalty);
            counts[id] = 0;
        }
    }

    private void Forget(ReadOnlySpan<int> ids)
    {
        foreach (int id in ids)
            counts[id] = 0;
    }
}
