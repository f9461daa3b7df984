using System.Diagnostics;
using System.Text;

namespace Nano;

/// <summary>The speed of a tokenizer on one thread.</summary>
/// <param name="Bytes">UTF-8 bytes of the text.</param>
/// <param name="Tokens">Ids that it becomes.</param>
/// <param name="EncodeSeconds">Median processor time of encoding all of it.</param>
/// <param name="DecodeSeconds">Median processor time of decoding all ids.</param>
/// <param name="Allocated">Managed bytes that one encoding allocates, the ids it returns among them.</param>
/// <param name="Runs">Wall time of a million times one character, without any pause between, once.</param>
public sealed record TokenizerSpeed(long Bytes, int Tokens, double EncodeSeconds, double DecodeSeconds, long Allocated,
    IReadOnlyList<(string Character, double Seconds)> Runs)
{
    /// <summary>10^6 bytes of text a second.</summary>
    public double EncodeMegabytesPerSecond => Bytes / EncodeSeconds / 1e6;

    /// <summary>10^6 bytes of text a second.</summary>
    public double DecodeMegabytesPerSecond => Bytes / DecodeSeconds / 1e6;
}

/// <summary>Measures tokenizers, after proving that the text comes back.</summary>
public static class TokenizerBench
{
    private const int RunLength = 1_000_000;

    private static readonly string[] Characters = ["a", "^", " ", "\u4E2D", "\U0001F600"];

    /// <exception cref="NanoException">The text does not come back.</exception>
    public static TokenizerSpeed Measure(ITokenizer tokenizer, string text)
    {
        int[] ids = tokenizer.Encode(text);
        if (tokenizer.Decode(ids) != text)
            throw new NanoException("the text does not come back from its ids",
                "has it characters that the tokenizer normalizes away?");
        double[] seconds = BenchTimer.Medians(processorTime: true, minSeconds: 1,
            new Contender(null, () => tokenizer.Encode(text)), new Contender(null, () => tokenizer.Decode(ids)));
        long before = GC.GetAllocatedBytesForCurrentThread();
        tokenizer.Encode(text);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        var runs = new List<(string, double)>();
        foreach (string character in Characters)
        {
            string run = string.Concat(Enumerable.Repeat(character, RunLength));
            long start = Stopwatch.GetTimestamp();
            tokenizer.Encode(run);
            runs.Add((character, Stopwatch.GetElapsedTime(start).TotalSeconds));
        }
        return new TokenizerSpeed(Encoding.UTF8.GetByteCount(text), ids.Length, seconds[0], seconds[1],
            allocated, runs);
    }
}
