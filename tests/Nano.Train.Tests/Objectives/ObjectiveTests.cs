namespace Nano.Tests;

public class ObjectiveTests
{
    private const int Mask = 4, V = 1000;

    private static readonly MaskedTokens Rule = new(Mask, V, [0, 2, 3]);

    /// <summary>15 % of 200,000 tokens, and 80, 10 and 10 % of these, within five standard deviations.</summary>
    [Fact]
    public void Tokens_are_masked_in_the_shares_of_the_paper()
    {
        int tokens = 0, chosen = 0, masked = 0, kept = 0, special = 0;
        int[] targets = new int[200];
        for (int row = 0; row < 1000; row++)
        {
            int[] text = [2, .. Enumerable.Range(0, 198).Select(t => 5 + (t % 990)), 3], ids = [.. text];
            Rule.Apply(7, step: 3, row, ids, targets);
            for (int t = 0; t < ids.Length; t++)
            {
                tokens += t is > 0 and < 199 ? 1 : 0;
                if (targets[t] == -100)
                {
                    Assert.Equal(text[t], ids[t]);
                    continue;
                }
                Assert.Equal(text[t], targets[t]);
                chosen++;
                special += t is 0 or 199 ? 1 : 0;
                masked += ids[t] == Mask ? 1 : 0;
                kept += ids[t] == text[t] ? 1 : 0;
            }
        }
        void Share(double expected, double part, double whole) =>
            Assert.Equal(expected, part / whole, 5 * Math.Sqrt(expected * (1 - expected) / whole));
        Assert.Equal(0, special);
        Share(0.15, chosen, tokens);
        Share(0.8, masked, chosen);
        Share(0.1, kept, chosen);
    }

    [Fact]
    public void Masks_depend_on_seed_step_and_row_alone_and_a_row_has_at_least_one()
    {
        int[] text = [.. Enumerable.Range(10, 100)];
        int[] Targets(ulong seed, long step, int row)
        {
            int[] ids = [.. text], targets = new int[100];
            Rule.Apply(seed, step, row, ids, targets);
            return targets;
        }
        Assert.Equal(Targets(1, 2, 3), Targets(1, 2, 3));
        Assert.NotEqual(Targets(1, 2, 3), Targets(2, 2, 3));
        Assert.NotEqual(Targets(1, 2, 3), Targets(1, 3, 3));
        Assert.NotEqual(Targets(1, 2, 3), Targets(1, 2, 4));
        for (int row = 0; row < 100; row++)
        {
            int[] ids = [2, 9, 3], targets = new int[3];
            Rule.Apply(1, 0, row, ids, targets);
            Assert.Equal([-100, 9, -100], targets);
        }
    }

    [Fact]
    public void Half_of_the_pairs_follow_each_other_and_the_others_are_of_two_documents()
    {
        // Sentence s of document d is of tokens 100 d + s.
        int[][][] documents = [.. Enumerable.Range(1, 5).Select(d =>
            Enumerable.Range(0, d).Select(s => Enumerable.Repeat((100 * d) + s, 3 + s).ToArray()).ToArray())];
        var pairs = new SentencePairs(documents, begin: 1, end: 2, longest: 11);
        int following = 0;
        for (int row = 0; row < 2000; row++)
        {
            var pair = pairs.Of(3, 0, row);
            int end = pair.Ids.IndexOf(2), a = pair.Ids[1], b = pair.Ids[^2];
            Assert.Equal((1, 2, pair.Ids.Length), (pair.Ids[0], pair.Ids[^1], pair.Types.Length));
            Assert.True(pair.Ids.Length <= 11);
            Assert.Equal(end + 1, pair.Types.Count(type => type == 0));
            Assert.Equal(pair.Label == 0, a / 100 == b / 100);
            if (pair.Label == 0)
                Assert.Equal(a + 1, b);
            following += 1 - pair.Label;
        }
        Assert.InRange(following, 888, 1112); // 1000 within five deviations
    }

    /// <summary>
    /// Texts count up by one from anywhere, modulo 8: what is masked follows from its neighbours. Chance is ln 8 = 2.08.
    /// </summary>
    [Fact]
    public void A_small_encoder_learns_masked_tokens_and_pairs()
    {
        using var model = new Bert(new BertConfig
        {
            VocabSize = 16,
            ContextLength = 24,
            Layers = 2,
            Heads = 2,
            Channels = 32,
            Intermediate = 64,
        });
        model.Initialize(1);
        using var compute = new Compute(2);
        int[][][] documents = [.. Enumerable.Range(0, 8).Select(d => Enumerable.Range(0, 8)
            .Select(s => Enumerable.Range(0, 6).Select(t => 5 + ((d + s + t) % 8)).ToArray()).ToArray())];
        var pairs = new SentencePairs(documents, 2, 3, 24);
        var masked = new MaskedTraining(new MaskedTokens(4, 16, [0, 2, 3]), 0, seed: 9);
        using var step = new ModelStep(model, compute, number => masked.Pairs(compute, number,
            [.. Enumerable.Range(0, 32).Select(row => pairs.Of(9, number, row))]));
        double first = step.Run(0, 3e-3).Loss, last = 0;
        for (int number = 1; number < 250; number++)
            last += step.Run(number, 3e-3).Loss * (number >= 240 ? 0.1 : 0);
        Assert.True(first > 2.5 && last < 1.6, $"{first} {last}");
    }

    [Fact]
    public void Replaced_tokens_are_learned_with_the_generator_that_draws_them()
    {
        var config = new BertConfig
        {
            Family = "electra",
            VocabSize = 16,
            ContextLength = 16,
            Layers = 1,
            Heads = 2,
            Channels = 16,
            EmbeddingSize = 8,
            Intermediate = 32,
            Head = BertHead.MaskedTokens,
        };
        using Bert generator = new(config), discriminator = new(config with { Head = BertHead.ReplacedTokens });
        generator.Initialize(1);
        discriminator.Initialize(2);
        using var compute = new Compute(2);
        var masked = new MaskedTraining(new MaskedTokens(4, 16, [0, 2, 3]) { Share = 0.5 }, 0, seed: 9);
        int[][] rows = [[2, 5, 6, 7, 8, 3], [2, 9, 10, 3]];
        var batch = masked.Masked(compute, 0, rows);
        var losses = new ReplacedTokens(generator, discriminator, 9).Loss(compute, 0, batch);
        // Weights near zero: a generator that knows nothing of 16 tokens, a discriminator that knows nothing.
        Assert.Equal(Math.Log(16), losses.Generator.Data[0], 0.1);
        Assert.Equal(Math.Log(2), losses.Discriminator.Data[0], 0.1);
        Assert.Equal(losses.Generator.Data[0] + (50 * losses.Discriminator.Data[0]), losses.Sum.Data[0], 1e-4f);
        var again = new ReplacedTokens(generator, discriminator, 9).Loss(compute, 0, batch);
        Assert.Equal(losses.Sum.Data[0], again.Sum.Data[0]);
    }

    /// <summary>Both texts put together are the whole text, and 15 % of it are in spans.</summary>
    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(20)]
    [InlineData(512)]
    public void Spans_are_left_out_and_told_by_the_target(int length)
    {
        var rule = new SpanCorruption(V, EndToken: 1);
        int[] text = [.. Enumerable.Range(10, length)];
        int noise = Math.Max(1, (int)Math.Round(0.15 * length)), spans = Math.Max(1, (int)Math.Round(noise / 3.0));
        for (int row = 0; row < 50; row++)
        {
            var (input, target) = rule.Apply(5, 1, row, text);
            Assert.Equal((1, 1), (input[^1], target[^1]));
            Assert.Equal(spans, input.Count(id => id > V - 300));
            Assert.Equal(V - 1 - spans, target[^2]);
            List<int> whole = [];
            foreach (int id in input[..^1])
                if (id <= V - 300)
                    whole.Add(id);
                else
                    whole.AddRange(target.SkipWhile(other => other != id).Skip(1).TakeWhile(other => other <= V - 300));
            Assert.Equal(text, whole);
            Assert.Equal(length - noise + spans + 1, input.Length);
            Assert.Equal(Enumerable.Range(0, spans).Select(i => V - 1 - i), input.Where(id => id > V - 300));
        }
        Assert.Equal(rule.Apply(5, 1, 0, text).Input, rule.Apply(5, 1, 0, text).Input);
        Assert.True(length < 512 || !rule.Apply(5, 1, 0, text).Input.SequenceEqual(rule.Apply(5, 2, 0, text).Input));
    }

    /// <summary>Rows repeat one token, which both sides show: the loss of telling spans falls far below ln 40.</summary>
    [Fact]
    public void A_small_T5_learns_to_tell_spans()
    {
        using var model = new T5(new T5Config
        {
            VocabSize = 40,
            Layers = 1,
            DecoderLayers = 1,
            Heads = 2,
            HeadDim = 16,
            Channels = 32,
            Intermediate = 64,
            Buckets = 8,
            MaxDistance = 32,
        });
        model.Initialize(1);
        using var compute = new Compute(2);
        var rule = new SpanCorruption(40, EndToken: 1);
        using var step = new ModelStep(model, compute, number => SpanCorruption.BatchOf(compute,
            [.. Enumerable.Range(0, 16).Select(row => rule.Apply(3, number, row,
                [.. Enumerable.Repeat(2 + ((row + (int)number) % 24), 20)]))], startToken: 0));
        double first = step.Run(0, 3e-3).Loss, last = 0;
        for (int number = 1; number < 200; number++)
            last += step.Run(number, 3e-3).Loss * (number >= 190 ? 0.1 : 0);
        Assert.True(first > 3 && last < 1.2, $"{first} {last}");
    }
}
