namespace Nano;

/// <summary>Options of a beam search.</summary>
public sealed record BeamOptions
{
    /// <summary>Texts that are followed at the same time.</summary>
    public int Beams { get; init; } = 4;

    /// <summary>The most tokens of a text; the context is a limit too.</summary>
    public int MaxTokens { get; init; } = 100;

    /// <summary>
    /// A text's score is its log-probability divided by its length to this power: 0 favours short
    /// texts, 1 is the mean of a token.
    /// </summary>
    public double LengthPenalty { get; init; } = 1;

    /// <summary>Ids that end a text; they count for its length.</summary>
    public IReadOnlyList<int> EndIds { get; init; } = [];

    /// <summary>Bias and penalties; the rest of it is for draws and has no effect.</summary>
    public SamplerOptions Changes { get; init; } = new();

    /// <exception cref="NanoException">A value is out of range.</exception>
    public void Validate(int vocabSize)
    {
        if (Beams is < 1 or > 1024)
            throw new NanoException($"the number of beams must be from 1 to 1024, got {Beams}");
        if (!double.IsFinite(LengthPenalty))
            throw new NanoException($"the length penalty must be a number, got {LengthPenalty}");
        new GenerationOptions { MaxTokens = MaxTokens, EndIds = EndIds, Sampler = Changes }.Validate(vocabSize);
    }
}

/// <summary>A text that a beam search has found.</summary>
/// <param name="Ids">Its tokens after the prompt.</param>
/// <param name="LogProbability">The sum over its tokens, in nats.</param>
/// <param name="Score">That, divided by length ^ length penalty.</param>
/// <param name="Finished">Whether it ended itself.</param>
public sealed record Beam(IReadOnlyList<int> Ids, double LogProbability, double Score, FinishReason Finished);

/// <summary>
/// Beam search (Lowerre, 1976; for language models Sutskever et al., 2014), scores as Hugging
/// Face's transformers define them. At each step every one of B texts is continued by every token;
/// of all these, by falling log-probability, those that end are set aside with their score if they
/// are among the first B, and the first B that do not end are continued. It stops when B texts have
/// ended, or at the limit of tokens, where the unfinished texts count as well. Of equals, the lower
/// beam and then the lower id comes first.
/// </summary>
internal sealed class BeamSearch(IDecoder decoder, int vocabulary, int[] prompt, BeamOptions options)
{
    private readonly LogitChanges changes = new(options.Changes);
    private readonly Ranking ranking = new();
    private readonly HashSet<int> endIds = [.. options.EndIds];

    /// <summary>
    /// An unfinished text, and the row that holds its keys and values except for its last token.
    /// </summary>
    private sealed record Path(int[] Ids, double LogProbability, int Row);

    /// <summary>The texts found, best first.</summary>
    public IReadOnlyList<Beam> Run(CancellationToken cancel)
    {
        var found = new List<Beam>();
        Path[] going = [new([], 0, 0)];
        int limit = Math.Min(options.MaxTokens, decoder.Config.ContextLength + 1 - prompt.Length);
        for (int length = 0; length < limit && found.Count < options.Beams && going.Length > 0
            && !cancel.IsCancellationRequested; length++)
            going = Step(going, found);
        if (found.Count < options.Beams)
            found.AddRange(going.Select(path =>
                Scored(path, cancel.IsCancellationRequested ? FinishReason.Cancelled : FinishReason.Length)));
        return [.. found.OrderByDescending(beam => beam.Score).Take(options.Beams)];
    }

    private Beam Scored(Path path, FinishReason reason) =>
        new(path.Ids, path.LogProbability,
            path.LogProbability / Math.Pow(Math.Max(1, path.Ids.Length), options.LengthPenalty), reason);

    private Path[] Step(Path[] going, List<Beam> found)
    {
        var logits = Forward(going);
        var candidates = new List<Path>();
        for (int b = 0; b < going.Length; b++)
            candidates.AddRange(Continuations(going[b], logits.SliceRows(b, 1).Data[..vocabulary]));
        // a stable order
        Path[] best = [.. candidates.OrderByDescending(path => path.LogProbability)
            .Take(options.Beams * (endIds.Count + 1))];
        found.AddRange(best.Take(options.Beams).Where(Ends).Select(path => Scored(path, FinishReason.Stop)));
        return InOwnRows([.. best.Where(path => !Ends(path)).Take(options.Beams)]);
    }

    private bool Ends(Path path) => endIds.Contains(path.Ids[^1]);

    /// <summary>
    /// The likeliest tokens after a text: as many as could be needed if all end tokens were among
    /// them.
    /// </summary>
    private List<Path> Continuations(Path path, ReadOnlySpan<float> logits)
    {
        if (options.Changes.ChangesLogits)
            logits = changes.Apply(logits, prompt, path.Ids);
        Sampler.Check(logits, "the logit", "the weights are damaged, or the bias is too large");
        int count = Math.Min(logits.Length, options.Beams + endIds.Count);
        ranking.Rank(logits, count);
        double normalizer = LogProbabilities.Normalizer(logits);
        var paths = new List<Path>(count);
        for (int i = 0; i < count; i++)
            if (logits[ranking[i]] > float.NegativeInfinity)
                paths.Add(new([.. path.Ids, ranking[i]],
                    path.LogProbability + (logits[ranking[i]] - normalizer), path.Row));
        return paths;
    }

    /// <summary>
    /// Gives each text a row of its own: the first that comes from a row keeps it, others copy what
    /// differs from the prompt into rows that nobody keeps.
    /// </summary>
    private Path[] InOwnRows(Path[] paths)
    {
        var kept = paths.Select(path => path.Row).ToHashSet();
        var free = new Queue<int>(Enumerable.Range(0, options.Beams).Where(row => !kept.Contains(row)));
        var taken = new HashSet<int>();
        for (int i = 0; i < paths.Length; i++)
            if (!taken.Add(paths[i].Row))
            {
                int row = free.Dequeue();
                decoder.CopyRow(paths[i].Row, row, decoder.LengthOf(row) == 0 ? 0 : prompt.Length);
                paths[i] = paths[i] with { Row = row };
            }
        return paths;
    }

    /// <summary>The logits [B, V] behind each text.</summary>
    private Tensor Forward(Path[] going)
    {
        if (going[0].Ids.Length == 0)
            return decoder.Next([going[0].Row], prompt);
        return decoder.LengthOf(going[0].Row) == decoder.Config.LengthOfOtherKeys ? ReadAgain(going)
            : decoder.Next([.. going.Select(path => path.Row)], [.. going.Select(path => path.Ids[^1])]);
    }

    /// <summary>These logits, with all keys made anew.</summary>
    private Tensor ReadAgain(Path[] going)
    {
        for (int row = 0; row < options.Beams; row++)
            decoder.Clear(row);
        Tensor? logits = null; // those of a step are there until the next
        for (int b = 0; b < going.Length; b++)
        {
            var last = decoder.Next([going[b].Row], [.. prompt, .. going[b].Ids]);
            logits ??= new Tensor(new Shape(going.Length, last.Shape[1]));
            logits.SliceRows(b, 1).CopyFrom(last);
        }
        return logits!;
    }
}
