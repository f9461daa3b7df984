namespace Nano.Tests;

/// <summary>Several texts at a time, and how they end.</summary>
public class GenerationTests
{
    static readonly ModelConfig Config = Models.Small with { ContextLength = 90 };
    static readonly DecoderConfig Llama = new()
    {
        VocabSize = 11,
        ContextLength = 90,
        Layers = 2,
        Heads = 4,
        KvHeads = 2,
        Channels = 16,
        Intermediate = 24,
        RopeScaling = new RopeScaling.Linear(2)
    };
    static readonly GenerationOptions Wild = new()
    {
        Sampler = new SamplerOptions { Temperature = 1, TopK = 0 },
        MaxTokens = 12
    };
    static readonly GenerationOptions Greedy = new()
    {
        Sampler = new SamplerOptions { Temperature = 0 },
        MaxTokens = 12
    };

    static Generation Run(Generator generator, GenerationOptions options, params int[][] prompts)
    {
        var generation = generator.Start(prompts, options);
        while (generation.Step())
        {
        }
        return generation;
    }

    // Prompts of very different lengths, one that fills the context and slides, one that two rows share;
    // texts that end early by an end token.
    [Theory]
    [InlineData(1, false)]
    [InlineData(2, false)]
    [InlineData(3, true)]
    public void Rows_of_a_batch_are_their_solo_runs(int threads, bool llama)
    {
        using var model = Models.Random(llama ? Llama : Config);
        using var compute = new Compute(threads);
        using var generator = new Generator(model, compute);
        using var alone = new Generator(model, compute);
        int[][] prompts = [Models.RandomIds(1, 11, 1), Models.RandomIds(70, 11, 2), Models.RandomIds(88, 11, 3),
            Models.RandomIds(5, 11, 4), Models.RandomIds(5, 11, 4)];
        foreach (var options in new[]
        {
            Wild, Greedy, Wild with { EndIds = [3, 7], LogProbabilities = 2 },
                Wild with { Slide = true, MaxTokens = 60 },
            Wild with { Sampler = Wild.Sampler with { RepetitionPenalty = 1.2, PresencePenalty = 0.3,
                FrequencyPenalty = 0.1, MinP = 0.02 } },
        })
        {
            var together = Run(generator, options, prompts);
            for (int row = 0; row < prompts.Length; row++)
            {
                var (text, solo) = (together.Texts[row], Run(alone, options, prompts[row]).Texts[0]);
                Assert.Equal(prompts[row], text.Prompt);
                Assert.Equal(solo.Ids, text.Ids);
                Assert.Equal(solo.Finished, text.Finished);
                // doubles, hence bits of logits
                Assert.Equal(solo.LogProbabilities.Select(thought => thought.Chosen),
                    text.LogProbabilities.Select(thought => thought.Chosen));
            }
            Assert.Equal(together.Texts[3].Ids, together.Texts[4].Ids);
        }
    }

    [Fact]
    public void A_text_ends_at_an_end_token_at_the_limit_or_where_the_context_ends()
    {
        using var model = Models.Random(Config);
        using var compute = new Compute(1);
        using var generator = new Generator(model, compute);
        int[] prompt = Models.RandomIds(5, 11);
        int[] free = [.. Run(generator, Wild, prompt).Texts[0].Ids];
        Assert.Equal(12, free.Length);

        int end = free[6], at = Array.IndexOf(free, end);
        var stopped = Run(generator, Wild with { EndIds = [end] }, prompt).Texts[0];
        Assert.Equal(FinishReason.Stop, stopped.Finished);
        Assert.Equal(free[..(at + 1)], stopped.Ids);

        // 90 positions can be read, and the token after the last of them still be chosen.
        var full = Run(generator, Wild with { MaxTokens = 1000 }, prompt).Texts[0];
        Assert.Equal((FinishReason.Length, 90 + 1 - 5), (full.Finished, full.Ids.Count));
        Assert.Equal(free, full.Ids.Take(12));
        Assert.Single(Run(generator, Wild with { MaxTokens = 1000 }, Models.RandomIds(90, 11)).Texts[0].Ids);
        Assert.Equal(200, Run(generator, Wild with { MaxTokens = 200, Slide = true }, prompt).Texts[0].Ids.Count);

        var none = Run(generator, Wild with { MaxTokens = 0 }, prompt);
        Assert.Equal((FinishReason.Length, 0), (none.Texts[0].Finished, none.Texts[0].Ids.Count));
        Assert.Null(none.PrefillTokensPerSecond);
    }

    [Fact]
    public void Texts_are_cancelled_between_two_tokens_and_by_the_next_generation()
    {
        using var model = Models.Random(Config);
        using var compute = new Compute(1);
        using var generator = new Generator(model, compute);
        using var cancel = new CancellationTokenSource();
        var generation = generator.Start([[1, 2], [3]], Wild, cancel.Token);
        Assert.True(generation.Step() && generation.Step());
        generation.Texts[1].Stop();
        Assert.True(generation.Step());
        cancel.Cancel();
        Assert.False(generation.Step());
        Assert.Equal([(3, FinishReason.Cancelled), (2, FinishReason.Stop)],
            generation.Texts.Select(text => (text.Ids.Count, text.Finished!.Value)));
        Assert.True(generation.PrefillTokensPerSecond > 0 && generation.DecodeTokensPerSecond > 0);

        var first = generator.Start([[1, 2]], Wild);
        Assert.True(first.Step());
        var second = generator.Start([[4]], Wild);
        Assert.False(first.Step());
        Assert.Equal(FinishReason.Cancelled, first.Texts[0].Finished);
        Assert.True(second.Step());
    }

    [Fact]
    public void Log_probabilities_are_the_log_softmax_of_the_models_own_logits()
    {
        using var model = Models.Random(Config);
        using var compute = new Compute(2);
        using var generator = new Generator(model, compute);
        int[] prompt = Models.RandomIds(5, 11);
        var text = Run(generator,
            Wild with
            {
                LogProbabilities = 3,
                Sampler = Wild.Sampler with { Temperature = 2, LogitBias = new Dictionary<int, double> { [4] = 2 } }
            },
                    prompt).Texts[0];
        Assert.Equal(12, text.LogProbabilities.Count);
        for (int i = 0; i < 12; i++)
        {
            float[] logits = Models.Logits(model, compute, [.. prompt, .. text.Ids.Take(i)])[^11..];
            double total = logits.Sum(logit => Math.Exp(logit));
            var thought = text.LogProbabilities[i];
            Assert.Equal(text.Ids[i], thought.Chosen.Id);
            Assert.Equal(Math.Log(Math.Exp(logits[text.Ids[i]]) / total), thought.Chosen.LogProbability, 1e-9);
            int[] best = [.. Enumerable.Range(0, 11).OrderByDescending(id => logits[id]).Take(3)];
            Assert.Equal(best, thought.Top.Select(entry => entry.Id));
            Assert.All(thought.Top,
                entry => Assert.Equal(Math.Log(Math.Exp(logits[entry.Id]) / total), entry.LogProbability, 1e-9));
        }
    }

    [Fact]
    public void Long_prompts_are_read_in_pieces_and_mean_the_same()
    {
        var config = Models.Small with { ContextLength = 1100 };
        using var model = Models.Random(config);
        using var compute = new Compute(2);
        using var generator = new Generator(model, compute);
        int[] prompt = Models.RandomIds(1030, 11);
        int next = Run(generator, Wild with { MaxTokens = 1 }, prompt).Texts[0].Ids[0];
        float[] logits = Models.Logits(model, compute, prompt)[^11..];
        Assert.Equal(new Sampler(Wild.Sampler).Next(logits, 0), next);
    }

    public static TheoryData<GenerationOptions, string> OutOfRange => new()
    {
        { Wild with { MaxTokens = -1 }, "-1" },
        { Wild with { LogProbabilities = -2 }, "-2" },
        { Wild with { EndIds = [5, 11] }, "token 11" },
        { Wild with { Sampler = new SamplerOptions { LogitBias = new Dictionary<int, double> { [12] = 1 } } },
            "token 12" },
    };

    [Theory]
    [MemberData(nameof(OutOfRange))]
    public void Options_out_of_range_are_refused(GenerationOptions options, string expected)
    {
        using var model = Models.Random(Models.Small);
        using var compute = new Compute(1);
        using var generator = new Generator(model, compute);
        Assert.Contains(expected, Assert.Throws<NanoException>(() => generator.Start([[1]], options)).Message,
            StringComparison.Ordinal);
    }
}
