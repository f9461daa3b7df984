using System.Security.Cryptography;
using System.Text;

namespace Nano.Tests;

/// <summary>Runs on tokens that are not characters.</summary>
public class TrainerTokenizerTests
{
    const int V = 300;

    static readonly Corpus Corpus = new("test",
        PatternedText.Sentences().Replace("fish", "crème brûlée 🐟", StringComparison.Ordinal), "made for this test");

    static readonly Lazy<ITokenizer> Bpe = new(() => BpeTrainer.Train([Corpus.Text], V, threads: 1));

    static readonly TrainOptions Options = Runs.Tiny with { Steps = 30, EvalInterval = 10 };

    static Trainer New(string run, Compute compute, ITokenizer? tokenizer, bool resume = false,
        TrainOptions? options = null, Corpus? corpus = null) =>
        new(options ?? Options, TrainingData.FromText(corpus ?? Corpus, tokenizer), run, resume, compute, 100,
            "nano train test");

    [Fact]
    public void A_run_learns_and_killed_goes_on_to_the_same_bytes_and_its_checkpoint_is_enough_to_generate()
    {
        using var whole = new TempFolder();
        using var parts = new TempFolder();
        using Compute one = new(1), three = new(3, SimdWidth.W128);
        using (var trainer = New(whole.Root, one, Bpe.Value))
        {
            Assert.Equal(V, trainer.Options.Model.VocabSize);
            double[] losses = [.. trainer.Run(CancellationToken.None).OfType<Evaluated>().Select(eval => eval.ValLoss)];
            Assert.Equal(Math.Log(V), losses[0], 0.05);
            Assert.True(losses[^1] < losses[0] - 0.5, string.Join(", ", losses));
        }
        using (var trainer = New(parts.Root, three, Bpe.Value))
            Assert.NotNull(trainer.Run(CancellationToken.None).FirstOrDefault(e => e is StepDone { Step: 13 }));
        // The checkpoint's own tokenizer is the one that goes on.
        using (var trainer = New(parts.Root, three, TokenizerLoader.Load(parts.Root), resume: true))
        {
            Assert.Equal(10, trainer.StartStep);
            Assert.IsType<Finished>(trainer.Run(CancellationToken.None).Last());
        }
        Assert.Equal(Runs.Files(whole.File("step-000030")), Runs.Files(parts.File("step-000030")));

        var (model, tokenizer) = ModelDirectory.Load(parts.Root);
        using var dispose = model;
        Assert.Equal(Bpe.Value.Encode(Corpus.Text), tokenizer!.Encode(Corpus.Text));
        using var generator = new Generator(model, one);
        int[] ids = [.. generator.Continue(Prompt.Encode("the old king", tokenizer), new SamplerOptions { Seed = 1 })
            .Take(40)];
        Assert.Equal(40, ids.Length);
        Assert.NotEmpty(tokenizer.Decode(ids));
    }

    [Fact]
    public void The_text_is_split_by_characters_and_each_part_encoded()
    {
        using var run = new TempFolder();
        using var compute = new Compute(1);
        using var trainer = New(run.Root, compute, Bpe.Value);
        var runes = Corpus.Text.EnumerateRunes().Select(rune => rune.ToString()).ToList();
        string training = string.Concat(runes[..(runes.Count * 9 / 10)]),
            validation = string.Concat(runes[(runes.Count * 9 / 10)..]);
        Assert.Equal((training, validation), Corpus.Split());
        Assert.Equal((Bpe.Value.Encode(training).Length, Bpe.Value.Encode(validation).Length), trainer.TokenCounts);
        Assert.Equal(Encoding.UTF8.GetByteCount(validation),
            trainer.Data.ValidationBytesPerToken * trainer.TokenCounts.Validation, 1e-6);
        Assert.True(trainer.Data.ValidationBytesPerToken > 1.5);
    }

    [Theory]
    [InlineData("", "", "")]
    [InlineData("🐟", "", "🐟")]
    [InlineData("12345678🐟0", "12345678🐟", "0")]
    [InlineData("🐟🐟🐟🐟🐟🐟🐟🐟é🐟ab", "🐟🐟🐟🐟🐟🐟🐟🐟é🐟", "ab")]
    public void A_character_of_two_units_is_one_and_is_not_torn(string text, string training, string validation) =>
        Assert.Equal((training, validation), new Corpus("", text, "").Split());

    [Fact]
    public void Another_tokenizer_than_the_checkpoints_is_refused_at_resume()
    {
        using var run = new TempFolder();
        using var compute = new Compute(1);
        string saved;
        using (var trainer = New(run.Root, compute, Bpe.Value, options: Options with { Steps = 0 }))
            saved = ((Finished)trainer.Run(CancellationToken.None).Last()).Checkpoint;
        string digest = Convert.ToHexStringLower(
            SHA256.HashData(File.ReadAllBytes(Path.Combine(saved, "tokenizer.json"))));
        Assert.Equal(digest, TokenizerIdentity.Sha256(Bpe.Value));
        var before = Runs.Files(saved);
        var equallyLarge = BpeTrainer.Train([Corpus.Text[..400]], V, threads: 1);
        Assert.Equal(V, equallyLarge.VocabSize);
        foreach (var (other, now) in new[] { (equallyLarge, TokenizerIdentity.Sha256(equallyLarge)),
            (null, "not set") })
        {
            var e = Assert.Throws<NanoException>(() =>
                New(run.Root, compute, other, resume: true, options: Options with { Steps = 0 }));
            Assert.Contains($"tokenizer_sha256 was {digest} and is now {now}", e.Message, StringComparison.Ordinal);
            Assert.NotNull(e.Hint);
        }
        Assert.Equal(before, Runs.Files(saved));
    }

    [Fact]
    public void A_run_of_characters_is_described_as_ever_and_refuses_another_tokenizer_at_resume()
    {
        using var run = new TempFolder();
        using var compute = new Compute(1);
        using (var trainer = New(run.Root, compute, null, options: Options with { Steps = 0 }))
            Assert.IsType<Finished>(trainer.Run(CancellationToken.None).Last());
        Assert.DoesNotContain("tokenizer_sha256", File.ReadAllText(run.File("step-000000/trainer.json")),
            StringComparison.Ordinal);
        Assert.Contains("tokenizer_sha256 was not set",
            Assert.Throws<NanoException>(() => New(run.Root, compute, Bpe.Value, resume: true,
                options: Options with { Steps = 0 })).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(V - 1, false)]
    [InlineData(V, true)]
    [InlineData(V + 1, true)]
    public void A_published_model_takes_the_vocabulary_of_the_tokenizer_but_none_larger_than_its_own(int published,
        bool fits)
    {
        using var run = new TempFolder();
        using var compute = new Compute(1);
        var options = Options with { DefaultTokenizer = null, Model = Runs.TinyModel with { VocabSize = published } };
        if (fits)
        {
            using var trainer = New(run.Root, compute, Bpe.Value, options: options);
            Assert.Equal(V, trainer.Model.Config.VocabSize);
            return;
        }
        var e = Assert.Throws<NanoException>(() => New(run.Root, compute, Bpe.Value, options: options));
        Assert.Contains("the tokenizer has 300 tokens and the model of 'tiny' 299", e.Message,
            StringComparison.Ordinal);
        Assert.Contains("`tokenizer`", e.Hint, StringComparison.Ordinal);
        Assert.Empty(Runs.Names(run.Root));
    }

    [Theory]
    [InlineData("shakespeare-char", "characters")]
    [InlineData("shakespeare-gpt", "characters")]
    [InlineData("llama-char", "characters")]
    [InlineData("llama-15m", null)]
    [InlineData("llama-42m", null)]
    [InlineData("llama-110m", null)]
    [InlineData("gpt2-124m", "gpt2")]
    [InlineData("gpt2-355m", "gpt2")]
    [InlineData("gpt2-774m", "gpt2")]
    [InlineData("gpt2-1558m", "gpt2")]
    public void A_preset_knows_its_tokenizer_or_asks_for_one(string preset, string? expected)
    {
        var options = Presets.Get(preset);
        Assert.Equal(expected, options.DefaultTokenizer);
        Assert.Null(CorpusTokenizer.Load("characters", options));
        if (expected is not null)
            return;
        var e = Assert.Throws<NanoException>(() => CorpusTokenizer.Load(null, options));
        Assert.All([$"'{preset}'", "`tokenizer`", "32000"],
            word => Assert.Contains(word, e.Message, StringComparison.Ordinal));
        Assert.Contains("nano tokenize train", e.Hint, StringComparison.Ordinal);
    }

    // nanoGPT, data/shakespeare/readme.md: "train.bin has 301,966 tokens, val.bin has 36,059 tokens".
    [Fact]
    public void Shakespeare_in_the_tokens_of_GPT2_is_as_long_as_in_nanoGPT()
    {
        string folder = Environment.GetEnvironmentVariable("NANO_DATA") ?? "";
        Assert.SkipUnless(
            File.Exists(Path.Combine(folder, "tinyshakespeare.txt"))
                && File.Exists(Path.Combine(folder, "gpt2/vocab.bpe")),
            "tinyshakespeare.txt and gpt2/vocab.bpe are not in the folder that NANO_DATA names");
        using var run = new TempFolder();
        using var compute = new Compute(1);
        var tokenizer = CorpusTokenizer.Load(null, Presets.Get("gpt2-124m"));
        using (var trainer = New(run.Root, compute, tokenizer,
            corpus: CorpusStore.LoadFile(Path.Combine(folder, "tinyshakespeare.txt"))))
        {
            Assert.Equal((301_966, 36_059), trainer.TokenCounts);
            Assert.Equal(50_257, trainer.Options.Model.VocabSize);
        }
        // What a checkpoint carries is the same tokenizer again.
        tokenizer!.Save(run.File("tokenizer.json"));
        Assert.Equal(TokenizerIdentity.Sha256(tokenizer),
            TokenizerIdentity.Sha256(TokenizerLoader.Load(run.File("tokenizer.json"))));
    }
}
