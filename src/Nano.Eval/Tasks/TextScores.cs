using System.Text.Encodings.Web;
using System.Text.Json;

namespace Nano;

/// <summary>A text that was made, and what it should have been.</summary>
/// <param name="Prediction">The text.</param>
/// <param name="References">At least one.</param>
public sealed record TextPair(string Prediction, IReadOnlyList<string> References)
{
    /// <summary>
    /// Reads a file of JSON lines such as {"prediction": "A cat sat.", "references": ["The cat
    /// sat."]}; other keys are ignored.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="limit">The most lines to read; null for all.</param>
    /// <exception cref="NanoException">The file is missing or cannot be read.</exception>
    /// <exception cref="BadFileException">A line is not a pair; the message gives its number.</exception>
    public static IReadOnlyList<TextPair> Read(string path, int? limit = null) =>
        JsonLines.Read(path, line => new TextPair(line.Text("prediction"), line.Texts("references", 1)), limit);

    /// <summary>Writes pairs as <see cref="Read"/> reads them, whole or not at all.</summary>
    /// <exception cref="NanoException">The file cannot be written.</exception>
    public static void Write(string path, IReadOnlyList<TextPair> pairs) => AtomicFile.Write(path, stream =>
    {
        using var json = new Utf8JsonWriter(stream, Readable);
        foreach (var pair in pairs)
        {
            json.WriteStartObject();
            json.WriteString("prediction", pair.Prediction);
            json.WriteStartArray("references");
            foreach (string reference in pair.References)
                json.WriteStringValue(reference);
            json.WriteEndArray();
            json.WriteEndObject();
            json.Flush();
            stream.Write("\n"u8);
            json.Reset();
        }
    });

    private static readonly JsonWriterOptions Readable =
        new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
}

/// <summary>Similarity of texts to their references.</summary>
/// <param name="Pairs">Number of texts.</param>
/// <param name="Bleu">Of the corpus, from 0 to 100.</param>
/// <param name="BleuParts">The parts of BLEU.</param>
/// <param name="RougeL">Mean F1, from 0 to 1.</param>
/// <param name="ExactMatch">Share of texts that match.</param>
/// <param name="F1">Mean F1 over words, from 0 to 1.</param>
public sealed record TextScores(int Pairs, Score Bleu, BleuCounts BleuParts, Score RougeL, Score ExactMatch, Score F1)
{
    /// <summary>
    /// Scores pairs by all metrics. Exact match has Wilson's interval, the others that of a
    /// bootstrap.
    /// </summary>
    /// <param name="pairs">At least one.</param>
    /// <param name="seed">Seed of the bootstrap.</param>
    public static TextScores Of(IReadOnlyList<TextPair> pairs, ulong seed)
    {
        BleuCounts[] counts = [.. pairs.Select(pair => Nano.Bleu.Count(pair.Prediction, pair.References))];
        return new TextScores(pairs.Count,
            Confidence.OfStatistic(pairs.Count, seed, rows => BleuCounts.Sum(counts, rows).Score),
            BleuCounts.Sum(counts, [.. Enumerable.Range(0, pairs.Count)]),
            Confidence.OfMean([.. pairs.Select(pair => Nano.RougeL.F1(pair.Prediction, pair.References))], seed),
            Confidence.OfShare(pairs.Count(pair => AnswerMatch.Exact(pair.Prediction, pair.References)), pairs.Count),
            Confidence.OfMean([.. pairs.Select(pair => AnswerMatch.F1(pair.Prediction, pair.References))], seed));
    }
}
