namespace Nano.Tests;

public class BeamSearchTests
{
    static readonly ModelConfig Config = Models.Small with { ContextLength = 40 };

    // With a beam for every token, two steps see all texts of two tokens.
    [Theory]
    [InlineData(0)]
    [InlineData(0.5)]
    [InlineData(2)]
    public void As_many_beams_as_tokens_find_the_best_of_all_texts(double lengthPenalty)
    {
        for (ulong seed = 1; seed <= 4; seed++)
        {
            using var model = Models.Random(Config, seed);
            using var compute = new Compute(1);
            using var generator = new Generator(model, compute);
            double[] first = LogSoftmax(model, compute, [5, 2]);
            var all = new List<(int[] Ids, double Score)> { ([3], first[3]) };
            foreach (int id in Enumerable.Range(0, 11).Where(id => id != 3))
                all.AddRange(LogSoftmax(model, compute, [5, 2, id])
                    .Select((value, next) => (new[] { id, next }, (first[id] + value) / Math.Pow(2, lengthPenalty))));
            var (ids, score) = all.MaxBy(text => text.Score);
            var best = generator.Search([5, 2], new BeamOptions
            {
                Beams = 11,
                MaxTokens = 2,
                EndIds = [3],
                LengthPenalty = lengthPenalty
            })[0];
            Assert.Equal(ids, best.Ids);
            Assert.Equal(score, best.Score, 1e-5);
            Assert.Equal(ids[^1] == 3 ? FinishReason.Stop : FinishReason.Length, best.Finished);
        }
    }

    public static TheoryData<int, int[], double, bool> Searches => new()
    {
        { 1, [], 1, false }, { 3, [], 0, false }, { 3, [4], 1, false }, { 4, [4, 9], 0, false },
            { 4, [4, 9], 2, false }, { 5, [0, 1, 2], 1, false }, { 3, [4], 1, true },
    };

    [Theory]
    [MemberData(nameof(Searches))]
    public void A_search_is_that_of_plain_code_without_a_cache(int beams, int[] endIds, double lengthPenalty,
        bool penalised)
    {
        var changes = penalised ? new SamplerOptions
        {
            RepetitionPenalty = 1.5,
            LogitBias = new Dictionary<int, double> { [6] = double.NegativeInfinity }
        } : new SamplerOptions();
        for (ulong seed = 1; seed <= 3; seed++)
        {
            using var model = Models.Random(Config, seed);
            using var compute = new Compute(2);
            using var generator = new Generator(model, compute);
            int[] prompt = Models.RandomIds(6, 11, (int)seed);
            var expected = PlainSearch(ids =>
            {
                float[] logits = Models.Logits(model, compute, [.. prompt, .. ids])[^11..];
                if (penalised)
                {
                    foreach (int id in prompt.Concat(ids).Distinct())
                        logits[id] = logits[id] < 0 ? logits[id] * 1.5f : logits[id] / 1.5f;
                    logits[6] = float.NegativeInfinity;
                }
                return LogSoftmax(logits);
            }, beams, 12, endIds, lengthPenalty);
            var found = generator.Search(prompt, new BeamOptions
            {
                Beams = beams,
                MaxTokens = 12,
                EndIds = endIds,
                LengthPenalty = lengthPenalty,
                Changes = changes
            });
            Assert.Equal(expected.Select(text => string.Join(' ', text.Ids)),
                found.Select(beam => string.Join(' ', beam.Ids)));
            for (int i = 0; i < expected.Count; i++)
            {
                Assert.Equal(expected[i].Sum, found[i].LogProbability, 1e-4);
                Assert.Equal(expected[i].Sum / Math.Pow(expected[i].Ids.Length, lengthPenalty), found[i].Score, 1e-4);
            }
        }
    }

    [Fact]
    public void One_beam_is_the_greedy_text_and_ends_where_the_context_does()
    {
        using var model = Models.Random(Config);
        using var compute = new Compute(1);
        using var generator = new Generator(model, compute);
        int[] prompt = Models.RandomIds(4, 11);
        var generation = generator.Start([prompt],
            new GenerationOptions { Sampler = new SamplerOptions { Temperature = 0 } });
        while (generation.Step())
        {
        }
        var beam = Assert.Single(generator.Search(prompt, new BeamOptions { Beams = 1, MaxTokens = 1000 }));
        Assert.Equal(generation.Texts[0].Ids, beam.Ids);
        Assert.Equal((37, FinishReason.Length), (beam.Ids.Count, beam.Finished));
    }

    [Theory]
    [InlineData(0, 1, "beams")]
    [InlineData(2000, 1, "2000")]
    [InlineData(2, double.NaN, "length penalty")]
    public void Options_out_of_range_are_refused(int beams, double lengthPenalty, string expected)
    {
        using var model = Models.Random(Config);
        using var compute = new Compute(1);
        using var generator = new Generator(model, compute);
        Assert.Contains(expected,
            Assert.Throws<NanoException>(() => generator.Search([1],
                new BeamOptions { Beams = beams, LengthPenalty = lengthPenalty })).Message, StringComparison.Ordinal);
        Assert.Contains("empty", Assert.Throws<NanoException>(() => generator.Search([], new BeamOptions())).Message,
            StringComparison.Ordinal);
    }

    static List<(int[] Ids, double Sum)> PlainSearch(Func<int[], double[]> logSoftmax, int beams, int maxTokens,
        int[] endIds, double lengthPenalty)
    {
        List<(int[] Ids, double Sum)> going = [([], 0)], ended = [];
        for (int length = 0; length < maxTokens && ended.Count < beams; length++)
        {
            var all = going.SelectMany(text => logSoftmax(text.Ids)
                .Select((value, id) => (Ids: (int[])[.. text.Ids, id], Sum: text.Sum + value)))
                .Where(text => !double.IsNegativeInfinity(text.Sum)).OrderByDescending(text => text.Sum).ToList();
            ended.AddRange(all.Take(beams).Where(text => endIds.Contains(text.Ids[^1])));
            going = [.. all.Where(text => !endIds.Contains(text.Ids[^1])).Take(beams)];
        }
        if (ended.Count < beams)
            ended.AddRange(going);
        return [.. ended.OrderByDescending(text => text.Sum / Math.Pow(text.Ids.Length, lengthPenalty)).Take(beams)];
    }

    static double[] LogSoftmax(LanguageModel model, Compute compute, int[] ids) =>
        LogSoftmax(Models.Logits(model, compute, ids)[^11..]);

    static double[] LogSoftmax(float[] logits)
    {
        double total = Math.Log(logits.Sum(logit => Math.Exp(logit)));
        return [.. logits.Select(logit => logit - total)];
    }
}
