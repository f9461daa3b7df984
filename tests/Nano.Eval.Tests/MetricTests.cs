using System.Text.Json;

namespace Nano.Tests.Evaluation;

/// <summary>
/// Metrics of texts against what their own projects publish, and against an independent computation
/// (tests/goldens/metrics).
/// </summary>
public class MetricTests
{
    static readonly IReadOnlyList<TextPair> Pairs = TextPair.Read(Goldens.Path("metrics/pairs.jsonl"));

    static readonly JsonElement Values =
        JsonDocument.Parse(File.ReadAllText(Goldens.Path("metrics/values.json"))).RootElement;

    static double[] Numbers(string key) =>
        [.. Values.GetProperty(key).EnumerateArray().Select(value => value.GetDouble())];

    static double BleuOf(params (string Prediction, string[] References)[] pairs) =>
        TextScores.Of([.. pairs.Select(pair => new TextPair(pair.Prediction, pair.References))], 1).Bleu.Value;

    /// <summary>The example of sacrebleu's README and test_bleu.py: 48.530827.</summary>
    [Fact]
    public void Bleu_of_the_published_example()
    {
        Assert.Equal(48.530827, BleuOf(
            ("The dog bit the man.", ["The dog bit the man.", "The dog had bit the man."]),
            ("It wasn't surprising.", ["It was not unexpected.", "No one was surprised."]),
            ("The man had just bitten him.", ["The man bit him first.", "The man had bitten the dog."])), 5e-7);
        Assert.Equal(0, BleuOf(("", ["The dog bit the man."]), ("", ["No one was surprised."])));
    }

    /// <summary>From sacrebleu's test_bleu.py: counts and what they come to.</summary>
    [Fact]
    public void Bleu_of_published_counts()
    {
        Assert.Equal(83.75922397, new BleuCounts(11, 11, [9, 7, 5, 3], [10, 8, 6, 4]).Score, 1e-6);
        Assert.Equal(0, new BleuCounts(14, 10, [0, 0, 0, 0], [10, 11, 12, 0]).Score);
        Assert.Equal(0, new BleuCounts(0, 10, [0, 0, 0, 0], [0, 0, 0, 0]).Score);
        // One match of 2, then none of 1 and, smoothed, half a match of it; of longer ones there are none at all.
        Assert.Equal([0.5, 0.5, 0, 0], new BleuCounts(2, 2, [1, 0, 0, 0], [2, 1, 0, 0]).Precisions);
        // The first that is missing counts a half, the second a quarter.
        Assert.Equal([4.0 / 5, 0.5 / 4, 1.0 / 3, 0.25 / 2],
            new BleuCounts(5, 5, [4, 0, 1, 0], [5, 4, 3, 2]).Precisions);
    }

    [Fact]
    public void Bleu_is_that_of_the_independent_computation()
    {
        var scores = TextScores.Of(Pairs, 1);
        Assert.Equal(Values.GetProperty("bleu").GetDouble(), scores.Bleu.Value, 1e-9);
        Assert.Equal(Values.GetProperty("length").GetInt64(), scores.BleuParts.Length);
        Assert.Equal(Values.GetProperty("reference_length").GetInt64(), scores.BleuParts.ReferenceLength);
        Assert.Equal(Numbers("matches"), scores.BleuParts.Matches.Select(count => (double)count));
        Assert.Equal(Numbers("totals"), scores.BleuParts.Totals.Select(count => (double)count));
        double[] single = Numbers("single_bleu");
        for (int i = 0; i < Pairs.Count; i++)
            Assert.Equal(single[i], Bleu.Count(Pairs[i].Prediction, Pairs[i].References).Score, 1e-9);
    }

    [Fact]
    public void Words_are_those_of_13a() => Assert.Equal(
        Values.GetProperty("words").EnumerateArray()
            .Select(line => line.EnumerateArray().Select(word => word.GetString()!).ToArray()),
            Pairs.Select(pair => Bleu.Words(pair.Prediction)));

    [Theory]
    [InlineData("1,000.5 and a.b", "1,000.5", "and", "a", ".", "b")]
    [InlineData("(x-1) 3-4 e-f", "(", "x-1", ")", "3", "-", "4", "e-f")]
    [InlineData("it's &quot;so&quot;", "it's", "\"", "so", "\"")]
    [InlineData("cut-\nhere\u3000now", "cuthere", "now")]
    public void Words_by_hand(string text, params string[] words) => Assert.Equal(words, Bleu.Words(text));

    /// <summary>From rouge_score's rouge_scorer_test.py, and by hand.</summary>
    [Theory]
    [InlineData("testing one", "testing one two", 4.0 / 5)]
    [InlineData("testing two", "testing one two", 4.0 / 5)]
    [InlineData("", "testing one two", 0)]
    [InlineData("/", "w1 w2", 0)]
    [InlineData("w1", "", 0)]
    [InlineData("police killed the gunman", "police kill the gunman", 3.0 / 4)] // the paper's first example, beta = 1
    [InlineData("the gunman kill police", "police kill the gunman", 2.0 / 4)] // and its second
    [InlineData("Don't STOP", "don t stop", 1)]
    public void Rouge_L(string prediction, string reference, double expected)
    {
        Assert.Equal(expected, RougeL.F1(prediction, [reference]), 1e-12);
        Assert.Equal(Math.Max(expected, RougeL.F1(prediction, ["one two x"])),
            RougeL.F1(prediction, ["one two x", reference]));
    }

    [Theory]
    [InlineData("The Paris!", "paris", true, 1)]
    [InlineData("in Paris, France", "Paris", false, 0.5)]
    [InlineData("", "", true, 1)]
    [InlineData("the", "", true, 1)]
    [InlineData("x", "a", false, 0)]
    [InlineData("then another theory", "then another theory", true, 1)]
    [InlineData("an-d", "and", true, 1)] // the hyphen goes first, so this is a word, not an article
    [InlineData("b b c", "b c c d", false, 4.0 / 7)]
    public void Answers(string prediction, string reference, bool exact, double f1)
    {
        Assert.Equal(exact, AnswerMatch.Exact(prediction, ["zzz", reference]));
        Assert.Equal(f1, AnswerMatch.F1(prediction, ["zzz", reference]), 1e-12);
    }

    [Fact]
    public void Texts_score_as_in_the_independent_computation()
    {
        var scores = TextScores.Of(Pairs, 5);
        double[] rouge = Numbers("rouge_l"), exact = Numbers("exact"), f1 = Numbers("f1");
        for (int i = 0; i < Pairs.Count; i++)
        {
            Assert.Equal(rouge[i], RougeL.F1(Pairs[i].Prediction, Pairs[i].References), 1e-12);
            Assert.Equal(exact[i] == 1, AnswerMatch.Exact(Pairs[i].Prediction, Pairs[i].References));
            Assert.Equal(f1[i], AnswerMatch.F1(Pairs[i].Prediction, Pairs[i].References), 1e-12);
        }
        Assert.Equal(rouge.Average(), scores.RougeL.Value, 1e-12);
        Assert.Equal(f1.Average(), scores.F1.Value, 1e-12);
        Assert.Equal(Confidence.OfShare((int)exact.Sum(), Pairs.Count), scores.ExactMatch);
        Assert.Equal(scores.Bleu, TextScores.Of(Pairs, 5).Bleu);
        Assert.True(scores.Bleu.Low < scores.Bleu.Value && scores.Bleu.Value < scores.Bleu.High);
        Assert.True(scores.RougeL.Low < scores.RougeL.Value && scores.RougeL.Value < scores.RougeL.High);
    }

    [Fact]
    public void Pairs_that_are_written_are_read_again()
    {
        using var temp = new TempFolder();
        TextPair.Write(temp.File("pairs.jsonl"), Pairs);
        Assert.Equal(Pairs.Select(pair => pair.Prediction),
            TextPair.Read(temp.File("pairs.jsonl")).Select(pair => pair.Prediction));
        Assert.Equal(Pairs.SelectMany(pair => pair.References),
            TextPair.Read(temp.File("pairs.jsonl")).SelectMany(pair => pair.References));
        File.WriteAllText(temp.File("bad.jsonl"), "{\"prediction\": \"x\", \"references\": []}\n");
        Assert.Contains("line 1: 'references' has 0 of at least 1",
            Assert.Throws<BadFileException>(() => TextPair.Read(temp.File("bad.jsonl"))).Message,
            StringComparison.Ordinal);
        Assert.Contains("line 1: there is no 'prompt'",
            Assert.Throws<BadFileException>(() => PromptExample.Read(temp.File("bad.jsonl"))).Message,
            StringComparison.Ordinal);
    }

    /// <summary>Each text alone, by the generator that the other tests prove.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(8)]
    public void Greedy_texts_are_those_of_the_generator_one_by_one(int batch)
    {
        using var model = RandomModels.New();
        using var compute = new Compute(2);
        var tokenizer = CharTokenizer.FromText("abcdefghij\n");
        string[] prompts = ["a", "bcd", "jihg", "abcdefg", "abcdefghij", "e", "dad", "hhhhh"];
        var done = new List<int>();
        var (pairs, truncated) = GreedyTexts.Make(model, tokenizer, compute,
            [.. prompts.Select(prompt => new PromptExample(prompt, ["abc", prompt]))], 5, ["\n"], batch, done.Add);
        Assert.Equal(1, truncated); // ten characters and five new tokens in a context of twelve
        using var generator = new Generator(model, compute);
        for (int i = 0; i < prompts.Length; i++)
        {
            int[] prompt = tokenizer.Encode(prompts[i]);
            string text = tokenizer.Decode(
                [.. generator.Continue(prompt[Math.Max(0, prompt.Length - 7)..], new SamplerOptions { Temperature = 0 })
                    .Take(5)]);
            Assert.Equal(text.Split('\n')[0], pairs[i].Prediction);
            Assert.Equal(["abc", prompts[i]], pairs[i].References);
        }
        Assert.Equal(8, done[^1]);
        Assert.Contains("from 1 to 11",
            Assert.Throws<NanoException>(() => GreedyTexts.Make(model, tokenizer, compute, [], 12, [], 1)).Message,
            StringComparison.Ordinal);
        Assert.Throws<NanoException>(() => GreedyTexts.Make(model, tokenizer, compute, [], 5, [], 0));
        Assert.Contains("example 2",
            Assert.Throws<NanoException>(() => GreedyTexts.Make(model, tokenizer, compute,
                [new("a", ["b"]), new("Z", ["b"])], 5, [], 1)).Message, StringComparison.Ordinal);
    }
}
