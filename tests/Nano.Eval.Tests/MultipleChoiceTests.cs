using System.Runtime.InteropServices;

namespace Nano.Tests.Evaluation;

public class MultipleChoiceTests
{
    /// <summary>Longest match over a handful of pieces; id 9 begins texts where asked for, id 10 ends them.</summary>
    sealed class Pieces(bool begins, bool ends = true) : ITokenizer
    {
        static readonly string[] Vocabulary = ["a", "b", " ", "ab", " b", "é", "\n", "c", "bc"];

        public int VocabSize => 11;

        public IReadOnlyDictionary<string, int> SpecialTokens { get; } = new Dictionary<string, int>();

        public int? BeginId => begins ? 9 : null;

        public IReadOnlyList<int> EndIds => ends ? [10] : [];

        public int[] Encode(ReadOnlySpan<char> text, bool allowSpecial = false)
        {
            var ids = new List<int>();
            for (string rest = text.ToString(); rest.Length > 0;)
            {
                string longest = Vocabulary.Where(piece => rest.StartsWith(piece, StringComparison.Ordinal))
                    .MaxBy(piece => piece.Length) ?? throw new NanoException($"no piece for '{rest[0]}'");
                ids.Add(Array.IndexOf(Vocabulary, longest));
                rest = rest[longest.Length..];
            }
            return [.. ids];
        }

        public string Decode(ReadOnlySpan<int> ids) =>
            string.Concat(ids.ToArray().Where(id => id < 9).Select(id => Vocabulary[id]));

        public ReadOnlySpan<byte> BytesOf(int id, bool first = false) => throw new NotSupportedException();

        public void Save(string path) => throw new NotSupportedException();
    }

    // a 0, b 1, space 2, ab 3, " b" 4, é 5, newline 6, c 7, bc 8.
    [Theory]
    [InlineData("a", " b", new[] { 0 }, new[] { 4 })]
    [InlineData("a ", "b", new[] { 0 }, new[] { 4 })] // the space moves, and becomes part of a token with what follows
    [InlineData("a \n", "b", new[] { 0 }, new[] { 2, 6, 1 })]
    // ab, c less as many as a alone has: the b across the border is not scored
    [InlineData("a", "bc", new[] { 0 }, new[] { 7 })]
    [InlineData("cb", "c", new[] { 7, 1 }, null)] // c, bc: no more than c, b
    [InlineData("", "b", new[] { 10 }, new[] { 1 })]
    [InlineData("  ", "b", new[] { 10 }, new[] { 2, 4 })] // of spaces alone nothing is left
    public void The_border_is_drawn_as_in_the_harness(string context, string choice, int[] seen, int[]? scored)
    {
        if (scored is null)
        {
            Assert.Contains("adds no token",
                Assert.Throws<NanoException>(() =>
                    MultipleChoice.Encode(context, choice, new Pieces(begins: false))).Message,
                    StringComparison.Ordinal);
            return;
        }
        var plain = MultipleChoice.Encode(context, choice, new Pieces(begins: false));
        Assert.Equal([seen, scored], [plain.Context, plain.Ids]);
        var begun = MultipleChoice.Encode(context, choice, new Pieces(begins: true));
        Assert.Equal([[9, .. seen.Where(id => id != 10)], scored], [begun.Context, begun.Ids]);
    }

    [Fact]
    public void An_empty_context_needs_a_token_that_stands_for_it() =>
        Assert.Throws<NanoException>(() => MultipleChoice.Encode("", "b", new Pieces(begins: false, ends: false)));

    [Fact]
    public void The_largest_quotient_wins_and_of_equals_the_first()
    {
        ContinuationScore[] scores = [new(-4, 1, false), new(-6, 3, false), new(-4, 2, false)];
        Assert.Equal([true, false, false],
            Enumerable.Range(0, 3).Select(i => MultipleChoice.IsBest(i, scores, _ => 1)));
        // -4, -2, -2
        Assert.Equal([false, true, false],
            Enumerable.Range(0, 3).Select(i => MultipleChoice.IsBest(i, scores, c => scores[c].Tokens)));
    }

    /// <summary>Every example against plain forward passes, choice by choice, and lengths counted by hand.</summary>
    [Theory]
    [InlineData("", 7)]
    [InlineData(" ", 1000)]
    public void Accuracies_are_those_of_a_plain_computation(string delimiter, int tokensTogether)
    {
        using var model = RandomModels.New();
        using var compute = new Compute(2);
        var tokenizer = new Pieces(begins: true);
        string[] contexts = ["abc", "a b ", "", "cccc b", "ab\n"];
        (string Text, int Characters, int Bytes)[] choices = [("b", 1, 1), ("ééé", 3, 6), ("c b", 3, 3), ("bcbc", 4, 4),
            ("éa", 2, 3), ("a a a a", 7, 7)];
        var examples = new List<ChoiceExample>();
        double[] right = new double[3];
        int truncated = 0;
        const int Count = 150;
        var random = new Random(8);
        for (int i = 0; i < Count; i++)
        {
            var own = choices.OrderBy(_ => random.Next()).Take(2 + (i % 3)).ToArray();
            int answer = random.Next(own.Length);
            var example = new ChoiceExample(contexts[i % 5], [.. own.Select(choice => choice.Text)], answer);
            Continuation[] rows =
                [.. own.Select(choice => MultipleChoice.Encode(example.Context, delimiter + choice.Text, tokenizer))];
            double[] sums = [.. rows.Select(row => RandomModels.LogProbability(model, row.Context, row.Ids))];
            examples.Add(example);
            truncated += rows.Any(row => row.Context.Length + row.Ids.Length > 13) ? 1 : 0;
            right[0] += Best(sums) == answer ? 1 : 0;
            right[1] += Best([.. sums.Zip(own, (sum, choice) => sum / choice.Characters)]) == answer ? 1 : 0;
            right[2] += Best([.. sums.Zip(own, (sum, choice) => sum / choice.Bytes)]) == answer ? 1 : 0;
        }
        var done = new List<(int, int)>();
        var result = MultipleChoice.Evaluate(model, tokenizer, compute, examples, delimiter, tokensTogether,
            (done1, of) => done.Add((done1, of)));
        Assert.Equal((Count, truncated), (result.Examples, result.Truncated));
        Assert.Equal(right.Select(count => Confidence.OfShare((int)count, Count)),
            [result.Accuracy, result.PerCharacter, result.PerByte]);
        Assert.Equal(3, right.Distinct().Count()); // the three measures differ, or this proves nothing
        int all = examples.Sum(example => example.Choices.Count);
        Assert.Equal((all, all), done[^1]);

        static int Best(double[] values) => Array.IndexOf(values, values.Max());
    }

    [Fact]
    public void What_is_wrong_with_an_example_is_said_with_its_number()
    {
        using var model = RandomModels.New();
        using var compute = new Compute(1);
        ChoiceExample good = new("a", ["b c", "c"], 0);
        NanoException Refuse(ChoiceExample bad) =>
            Assert.Throws<NanoException>(() => MultipleChoice.Evaluate(model, new Pieces(begins: false, ends: false),
                compute, [good, bad]));
        Assert.Contains("example 2: the prompt is empty", Refuse(new("", ["b", "c"], 0)).Message,
            StringComparison.Ordinal);
        Assert.Contains("example 2: no piece for 'x'", Refuse(new("a", ["b c", "x"], 0)).Message,
            StringComparison.Ordinal);
        Assert.Contains("example 2: a continuation has 14 tokens", Refuse(new("a", ["cccccccccccccc", "c"], 0)).Message,
            StringComparison.Ordinal);
        Assert.Contains("example 2: the choice adds no token", Refuse(new("a", ["b", "c"], 0)).Message,
            StringComparison.Ordinal);
        var result = MultipleChoice.Evaluate(model, new Pieces(begins: false), compute,
            [good, new("abcabcabcabcabcabc", ["c", "a"], 0)]);
        Assert.Equal(0, result.Truncated); // 12 tokens of context and one that only is predicted
        Assert.Equal(1, MultipleChoice.Evaluate(model, new Pieces(begins: false), compute,
            [good, new("cabcabcabcabcabcabc", ["c", "a"], 0)]).Truncated);
    }

    [Fact]
    public void Examples_are_read_line_by_line()
    {
        using var temp = new TempFolder();
        string path = temp.File("questions.jsonl");
        File.WriteAllText(path,
            "\uFEFF{\"context\": \"A \\u00e9\", \"choices\": [\"x\", \"y\"], \"answer\": 1, \"more\": "
            + "null}\r\n{\"answer\": 0, \"choices\": [\"1\", \"2\", \"3\"], \"context\": \"\"}\n");
        var examples = ChoiceExample.Read(path);
        Assert.Equal(["A é", ""], examples.Select(example => example.Context));
        Assert.Equal([["x", "y"], ["1", "2", "3"]], examples.Select(example => example.Choices));
        Assert.Equal([1, 0], examples.Select(example => example.Answer));
        Assert.Single(ChoiceExample.Read(path, 1));
        Assert.Equal(2, ChoiceExample.Read(path, 5).Count);
        Assert.Contains("limit", Assert.Throws<NanoException>(() => ChoiceExample.Read(path, 0)).Message,
            StringComparison.Ordinal);
    }

    const string Good = "{\"context\": \"a\", \"choices\": [\"b\", \"c\"], \"answer\": 0}";

    [Theory]
    [InlineData("\0", "not valid JSON")]
    [InlineData("{\"context\": \"a\"", "not valid JSON")]
    [InlineData("[1]", "not a JSON object")]
    [InlineData("{\"context\": \"a\", \"context\": 5, \"choices\": [\"b\", \"c\"], \"answer\": 0}",
        "'context' must be a string, not a number")]
    [InlineData("{\"choices\": [\"b\", \"c\"], \"answer\": 0}", "there is no 'context'")]
    [InlineData("{\"context\": null, \"choices\": [\"b\", \"c\"], \"answer\": 0}",
        "'context' must be a string, not null")]
    [InlineData("{\"context\": \"a\", \"choices\": \"bc\", \"answer\": 0}",
        "'choices' must be a list of strings, not a string")]
    [InlineData("{\"context\": \"a\", \"choices\": [\"b\"], \"answer\": 0}", "'choices' has 1 of at least 2 strings")]
    [InlineData("{\"context\": \"a\", \"choices\": [\"b\", 7], \"answer\": 0}",
        "'choices' must be a list of strings, not of a number")]
    [InlineData("{\"context\": \"a\", \"choices\": [\"b\", \"\"], \"answer\": 0}", "choice 1 is empty")]
    [InlineData("{\"context\": \"a\", \"choices\": [\"b\", \"c\"], \"answer\": 2}",
        "'answer' must be a whole number from 0 to 1, got 2")]
    [InlineData("{\"context\": \"a\", \"choices\": [\"b\", \"c\"], \"answer\": -1}", "got -1")]
    [InlineData("{\"context\": \"a\", \"choices\": [\"b\", \"c\"], \"answer\": 0.5}", "got 0.5")]
    [InlineData("{\"context\": \"a\", \"choices\": [\"b\", \"c\"], \"answer\": \"0\"}",
        "'answer' must be a whole number, not a string")]
    public void A_malformed_line_is_an_error_with_file_and_number(string line, string problem)
    {
        using var temp = new TempFolder();
        string path = temp.File("questions.jsonl");
        File.WriteAllText(path, $"{Good}\n{line}\n{Good}\n");
        var e = Assert.Throws<BadFileException>(() => ChoiceExample.Read(path));
        Assert.Equal(path, e.Path);
        Assert.Contains($"line 2: {(problem.StartsWith("got", StringComparison.Ordinal) ? "" : problem)}", e.Message,
            StringComparison.Ordinal);
        Assert.Contains(problem, e.Message, StringComparison.Ordinal);
        Assert.Single(ChoiceExample.Read(path, 1)); // the lines that are asked for are good
    }

    [Fact]
    public void Files_that_hold_no_examples_are_refused()
    {
        using var temp = new TempFolder();
        File.WriteAllBytes(temp.File("latin1.jsonl"), [(byte)'{', 0xE9, (byte)'}']);
        File.WriteAllText(temp.File("empty.jsonl"), "");
        Assert.Contains("line 1: the line is not valid UTF-8",
            Assert.Throws<BadFileException>(() => ChoiceExample.Read(temp.File("latin1.jsonl"))).Message,
            StringComparison.Ordinal);
        Assert.Contains("no lines",
            Assert.Throws<BadFileException>(() => ChoiceExample.Read(temp.File("empty.jsonl"))).Message,
            StringComparison.Ordinal);
        Assert.Contains("no file",
            Assert.Throws<NanoException>(() => ChoiceExample.Read(temp.File("none.jsonl"))).Message,
            StringComparison.Ordinal);
        Assert.Contains("is a folder", Assert.Throws<NanoException>(() => ChoiceExample.Read(temp.Root)).Message,
            StringComparison.Ordinal);
    }

    /// <summary>A file as llm.c's script writes it, judged by plain forward passes.</summary>
    [Fact]
    public void Questions_of_tokens_are_judged_by_mean_loss()
    {
        using var model = RandomModels.New();
        using var compute = new Compute(2);
        using var temp = new TempFolder();
        var stream = new List<ushort>();
        int right = 0, rightBySum = 0, longest = 0;
        int[] random = Runs.RandomTokens(5000, 11);
        for (int i = 0, at = 0; i < 300; i++)
        {
            int[] Take(int count) => random[(at += 3)..][..count];
            var (context, completions) =
                (Take(1 + (i % 5)), Enumerable.Range(0, 4).Select(c => Take(1 + ((i + c) % 4))).ToArray());
            double[] sums = [.. completions.Select(completion =>
                RandomModels.LogProbability(model, context, completion))],
                means = [.. sums.Zip(completions, (sum, completion) => sum / completion.Length)];
            int label = i % 4;
            right += Array.IndexOf(means, means.Max()) == label ? 1 : 0;
            rightBySum += Array.IndexOf(sums, sums.Max()) == label ? 1 : 0;
            int begin = stream.Count;
            stream.AddRange([65535, 0, (ushort)i, (ushort)label, 4, (ushort)context.Length,
                .. context.Select(id => (ushort)id)]);
            foreach (var completion in completions)
                stream.AddRange([(ushort)completion.Length, .. completion.Select(id => (ushort)id)]);
            stream[begin + 1] = (ushort)(2 * (stream.Count - begin));
            longest = Math.Max(longest, 2 * (stream.Count - begin));
        }
        int[] header = new int[256];
        ((int[])[20240522, 1, 300, longest]).CopyTo(header, 0);
        File.WriteAllBytes(temp.File("questions.bin"),
            [.. MemoryMarshal.AsBytes(header.AsSpan()), .. MemoryMarshal.AsBytes<ushort>(stream.ToArray())]);
        using var file = new LlmcEvalFile(temp.File("questions.bin"));
        var progress = new List<(int, int, int)>();
        var result = TokenChoiceScores.Evaluate(model, compute, file,
            progress: (done, of, good) => progress.Add((done, of, good)));
        Assert.Equal(new TokenChoiceResult(300, 0, Confidence.OfShare(rightBySum, 300),
            Confidence.OfShare(right, 300)), result);
        Assert.NotEqual(right, rightBySum);
        Assert.Equal([256, 300], progress.Select(line => line.Item1));
        Assert.Equal((300, 300, right), progress[^1]);
        Assert.Equal(result, TokenChoiceScores.Evaluate(model, compute, file, 1000, tokensTogether: 3));
        Assert.Equal(7, TokenChoiceScores.Evaluate(model, compute, file, 7).Examples);
        Assert.Throws<NanoException>(() => TokenChoiceScores.Evaluate(model, compute, file, 0));
        using var smaller = LanguageModel.Create(Runs.Tiny.Model with { VocabSize = 10 });
        Assert.Contains("example ",
            Assert.Throws<NanoException>(() => TokenChoiceScores.Evaluate(smaller, compute, file)).Message,
            StringComparison.Ordinal);
    }
}
