using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;

namespace Nano.Tests.Tokenizers;

public class BpeTrainerTests
{
    static readonly Gen<string> SmallTexts =
        Gen.Elements("a", "b", "ab", "ba", " ", "aa", " a", "é", "1", "\n", "a b a b", "bab", "😀").ArrayOf(60)
            .Select(string.Concat);

    [Fact]
    public void Merges_are_those_of_counting_everything_anew()
    {
        Prop.ForAll(SmallTexts.ToArbitrary(), Gen.Choose(1, 25).ToArbitrary(), (text, merges) =>
        {
            var (tokens, rules) = Naive(text, merges);
            if (tokens.Count < 256 + merges)
                return; // the text does not have so many
            Assert.Equal(rules, Rules(BpeTrainer.Train([text], 257 + merges), tokens));
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(150));
    }

    [Fact]
    public void By_hand()
    {
        // "aaab" twice and "ab" thrice: aa is there 4 times, ab 5 times. In "a a ab" aa and a+ab are both
        // there twice, and aa has the smaller ids.
        var tokenizer = BpeTrainer.Train(["aaab\naaab\nab\nab\nab"], 256 + 3 + 1);
        Assert.Equal(260, tokenizer.VocabSize);
        Assert.Equal(["ab", "aa", "aaab", "<|endoftext|>"],
            Enumerable.Range(256, 4).Select(id => tokenizer.Decode([id])));
        Assert.Equal([258], tokenizer.Encode("aaab"));
        Assert.Equal([259], tokenizer.Encode("<|endoftext|>", allowSpecial: true));
        Assert.Equal([259], tokenizer.EndIds);
        Assert.Equal(0, tokenizer.Encode("!")[0]); // GPT-2's order of bytes
        Assert.Equal(188, tokenizer.Encode("\0")[0]);
    }

    [Fact]
    public void Of_pairs_that_occur_equally_often_the_smaller_ids_go_first()
    {
        var tokenizer = BpeTrainer.Train(["dc ba dc ba"], 256 + 2 + 1); // ba, dc, " d", " b" twice or once
        Assert.Equal("ba", tokenizer.Decode([256]));
        Assert.Equal("dc", tokenizer.Decode([257]));
    }

    [Fact]
    public void Threads_and_cuts_between_texts_change_nothing()
    {
        using var folder = new TempFolder();
        var random = new Random(5);
        string text = string.Concat(Enumerable.Range(0, 500_000).Select(_ => "abcde \n/é!1"[random.Next(11)]))
            + new string('x', 1_200_000) + "\nend";
        byte[]? first = null;
        foreach (int threads in (int[])[1, 2, 5])
        {
            BpeTrainer.Train([text, text[..1000]], 600, "o200k", threads).Save(folder.File("t.json"));
            byte[] file = File.ReadAllBytes(folder.File("t.json"));
            first ??= file;
            Assert.Equal(first, file);
        }
    }

    [Fact]
    public void What_is_trained_reads_back()
    {
        using var folder = new TempFolder();
        foreach (string split in BpeTrainer.Splits)
        {
            string text = string.Concat(Enumerable.Repeat("The cat's 123 mats, THE CAT’S 1234 MATS!\n\n", 5));
            var tokenizer = BpeTrainer.Train([text], 270, split);
            tokenizer.Save(folder.File("t.json"));
            var read = TokenizerLoader.Load(folder.File("t.json"));
            Assert.Equal(tokenizer.Encode(text), read.Encode(text));
            Assert.Equal(text, read.Decode(read.Encode(text)));
            Assert.Equal(tokenizer.EndIds, read.EndIds);
            read.Save(folder.File("again.json"));
            Assert.Equal(File.ReadAllBytes(folder.File("t.json")), File.ReadAllBytes(folder.File("again.json")));
        }
    }

    [Fact]
    public void Too_much_asked_is_an_error_with_both_numbers()
    {
        var e = Assert.Throws<NanoException>(() => BpeTrainer.Train(["aab aab"], 1000));
        Assert.Contains("only 259 tokens, not 1000", e.Message, StringComparison.Ordinal); // aa or ab, then aab
        Assert.Contains("256", Assert.Throws<NanoException>(() => BpeTrainer.Train(["a"], 256)).Message,
            StringComparison.Ordinal);
        Assert.Contains("gpt2", Assert.Throws<NanoException>(() => BpeTrainer.Train(["a"], 300, "gpt3")).Hint,
            StringComparison.Ordinal);
        Assert.Contains("U+D800", Assert.Throws<NanoException>(() => BpeTrainer.Train(["a\uD800"], 300)).Message,
            StringComparison.Ordinal);
        Assert.Throws<OperationCanceledException>(() =>
            BpeTrainer.Train(["aab aab"], 258, cancel: new CancellationToken(canceled: true)));
    }

    /// <summary>The rules of a tokenizer as its file has them, left and right as bytes.</summary>
    static List<(string, string)> Rules(ITokenizer tokenizer, List<string> tokens)
    {
        using var folder = new TempFolder();
        tokenizer.Save(folder.File("t.json"));
        using var json = JsonDocument.Parse(File.ReadAllText(folder.File("t.json")));
        for (int id = 0; id < tokens.Count; id++)
            Assert.Equal(tokens[id], Encoding.Latin1.GetString(tokenizer.BytesOf(id)));
        return [.. json.RootElement.GetProperty("model").GetProperty("merges").EnumerateArray()
            .Select(merge => merge.GetString()!.Split(' ')).Select(parts => (Latin1(parts[0]), Latin1(parts[1])))];

        static string Latin1(string token) => Encoding.Latin1.GetString(ByteAlphabet.ToBytes(token)!);
    }

    /// <summary>
    /// Counts all pairs of all pieces before each merge. Tokens and rules as Latin-1 strings of
    /// their bytes.
    /// </summary>
    static (List<string> Tokens, List<(string, string)> Rules) Naive(string text, int merges)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        var splitter = SplitPattern.Gpt2.NewSplitter();
        List<List<string>> pieces = [];
        for (int at = 0; at < utf8.Length;)
        {
            int end = splitter.Next(utf8, at);
            pieces.Add([.. utf8[at..end].Select(b => ((char)b).ToString())]);
            at = end;
        }
        List<string> tokens = [.. Enumerable.Range('!', '~' - '!' + 1).Concat(Enumerable.Range(0xA1, 12))
            .Concat(Enumerable.Range(0xAE, 82))
            .Concat(Enumerable.Range(0, 256).Where(b => b is < '!' or (> '~' and < 0xA1) or 0xAD))
            .Select(b => ((char)b).ToString())];
        var rules = new List<(string, string)>();
        while (tokens.Count < 256 + merges)
        {
            var counts = pieces.SelectMany(piece => piece.Zip(piece.Skip(1))).CountBy(pair => pair)
                .Where(pair => pair.Value >= 2).ToList();
            if (counts.Count == 0)
                break;
            var (left, right) = counts.OrderByDescending(pair => pair.Value)
                .ThenBy(pair => tokens.IndexOf(pair.Key.First)).ThenBy(pair => tokens.IndexOf(pair.Key.Second))
                .First().Key;
            rules.Add((left, right));
            if (!tokens.Contains(left + right))
                tokens.Add(left + right);
            foreach (var piece in pieces)
                for (int i = 0; i + 1 < piece.Count; i++)
                    if (piece[i] == left && piece[i + 1] == right)
                    {
                        piece[i] = left + right;
                        piece.RemoveAt(i + 1);
                    }
        }
        return (tokens, rules);
    }
}
