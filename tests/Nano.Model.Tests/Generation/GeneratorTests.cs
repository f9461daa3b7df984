namespace Nano.Tests;

public class GeneratorTests
{
    static readonly SamplerOptions Greedy = new() { Temperature = 0 };

    [Fact]
    public void Greedy_text_is_the_golden()
    {
        var (model, _) = ModelDirectory.Load(Models.GoldenFolder);
        using var compute = new Compute(2);
        using var generator = new Generator(model, compute);
        using var golden = SafetensorsReader.Open(Path.Combine(Models.GoldenFolder, "golden.safetensors"));
        int[] prompt = Models.Ids(golden, "greedy_prompt"), expected = Models.Ids(golden, "greedy_ids");
        Assert.Equal(expected[prompt.Length..],
            generator.Continue(prompt, Greedy).Take(expected.Length - prompt.Length));
        model.Dispose();
    }

    /// <summary>Twelve layers have as many ops and tensors as GPT-2 124M.</summary>
    [Fact]
    public void A_token_through_twelve_layers_allocates_at_most_4_KB()
    {
        using var model = Models.Random(Models.Small with { Layers = 12, ContextLength = 100 });
        using var compute = new Compute(2);
        using var generator = new Generator(model, compute);
        var texts = generator.Start([Models.RandomIds(3, 11)], new GenerationOptions { MaxTokens = 90 });
        for (int step = 0; step < 20; step++)
            texts.Step();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int step = 0; step < 50; step++)
            Assert.True(texts.Step());
        Assert.InRange((GC.GetAllocatedBytesForCurrentThread() - before) / 50, 0, 4096);
    }

    // Odd and even contexts, and the smallest; prompts that fill the context or not.
    [Theory]
    [InlineData(12, 1)]
    [InlineData(12, 5)]
    [InlineData(12, 12)]
    [InlineData(7, 3)]
    [InlineData(7, 7)]
    [InlineData(2, 1)]
    [InlineData(1, 1)]
    public void Text_beyond_the_context_goes_on_from_its_newer_half(int context, int promptLength)
    {
        using var model = Models.Random(Models.Small with { ContextLength = context });
        using var compute = new Compute(1);
        using var generator = new Generator(model, compute);
        int[] prompt = Models.RandomIds(promptLength, 11);
        // draws show small differences that the most likely token hides
        var options = new SamplerOptions { Temperature = 1 };
        int[] text = [.. generator.Continue(prompt, options).Take(20 * context)];

        List<int> window = [.. prompt];
        for (int position = 0; position < text.Length; position++)
        {
            if (window.Count > context)
                window = window[^Math.Max(1, context / 2)..];
            float[] logits = Models.Logits(model, compute, [.. window]);
            Assert.Equal(new Sampler(options).Next(logits.AsSpan(logits.Length - 11), position), text[position]);
            window.Add(text[position]);
        }
    }

    [Theory]
    [InlineData(0, "empty", "at least one")]
    [InlineData(13, "13", "12")]
    public void An_empty_or_too_long_prompt_is_refused_at_the_call(int length, string first, string second)
    {
        using var model = Models.Random(Models.Small);
        using var compute = new Compute(1);
        using var generator = new Generator(model, compute);
        var e = Assert.Throws<NanoException>(() => generator.Continue(new int[length], Greedy));
        Assert.Contains(first, e.Message, StringComparison.Ordinal);
        Assert.Contains(second, e.Message, StringComparison.Ordinal);
        Assert.Throws<NanoException>(() => generator.Continue([1], Greedy with { TopP = 2 }));
    }

    [Fact]
    public void A_cancelled_text_ends_between_two_tokens()
    {
        using var model = Models.Random(Models.Small);
        using var compute = new Compute(1);
        using var generator = new Generator(model, compute);
        using var cancel = new CancellationTokenSource();
        var seen = new List<int>();
        foreach (int id in generator.Continue([1, 2], Greedy, cancel.Token))
        {
            seen.Add(id);
            if (seen.Count == 3)
                cancel.Cancel();
        }
        Assert.Equal(generator.Continue([1, 2], Greedy).Take(3), seen);
        Assert.Empty(generator.Continue([1, 2], Greedy, cancel.Token));
    }

    [Fact]
    public void The_same_seed_gives_the_same_text_and_another_seed_another()
    {
        using var model = Models.Random(Models.Small);
        using var compute = new Compute(1);
        using var generator = new Generator(model, compute);
        int[] Text(ulong seed) =>
            [.. generator.Continue([3], new SamplerOptions { Temperature = 1.5, Seed = seed }).Take(40)];
        int[] first = Text(1);
        Assert.Equal(first, Text(1));
        using var other = new Generator(model, compute);
        Assert.Equal(first, other.Continue([3], new SamplerOptions { Temperature = 1.5, Seed = 1 }).Take(40));
        Assert.NotEqual(first, Text(2));
        Assert.All(first, id => Assert.InRange(id, 0, 10));
    }

    [Fact]
    public void Generating_records_nothing_and_leaves_the_tape_in_place()
    {
        using var model = Models.Random(Models.Small);
        using var compute = new Compute(1) { Tape = new Tape() };
        using var generator = new Generator(model, compute);
        var tape = compute.Tape;
        Assert.Equal(5, generator.Continue([3], Greedy).Take(5).Count());
        Assert.Same(tape, compute.Tape);
        Assert.Empty(tape.Ops);
    }

    [Fact]
    public void An_id_outside_the_vocabulary_is_refused_and_the_tape_stays()
    {
        using var model = Models.Random(Models.Small);
        using var compute = new Compute(1) { Tape = new Tape() };
        using var generator = new Generator(model, compute);
        var e = Assert.Throws<NanoException>(() => generator.Continue([3, 11], Greedy));
        Assert.Contains("id 11 at position 1", e.Message, StringComparison.Ordinal);
        Assert.Contains("0 to 10", e.Message, StringComparison.Ordinal);
        Assert.NotNull(compute.Tape);
    }
}
