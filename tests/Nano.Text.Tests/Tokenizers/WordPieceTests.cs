namespace Nano.Tests;

public class WordPieceTests
{
    private static ITokenizer Load(TempFolder folder, string words)
    {
        File.WriteAllText(folder.File("vocab.txt"), words);
        return TokenizerLoader.Load(folder.Root);
    }

    /// <summary>The example of BERT's own tests.</summary>
    [Fact]
    public void A_vocab_txt_makes_the_tokens_of_BERT()
    {
        using var folder = new TempFolder();
        var tokenizer = Load(folder,
            "[UNK]\n[CLS]\n[SEP]\nwant\n##want\n##ed\nwa\nun\nrunn\n##ing\n,\nlow\nlowest\n");
        Assert.Equal([7, 4, 5, 10, 8, 9], tokenizer.Encode("UNwant\u00E9d,running"));
        Assert.Equal([0, 11], tokenizer.Encode("wander low"));
        Assert.Equal(1, tokenizer.BeginId);
        Assert.Equal("unwanted, running", tokenizer.Decode([7, 4, 5, 10, 8, 9]));
    }

    [Fact]
    public void Letters_stay_as_they_are_where_the_configuration_says_so()
    {
        using var folder = new TempFolder();
        File.WriteAllText(folder.File("tokenizer_config.json"), """{"do_lower_case":false}""");
        var tokenizer = Load(folder, "[UNK]\nLow\nlow\n");
        Assert.Equal([1, 2, 0], tokenizer.Encode("Low low LOW"));
    }

    [Theory]
    [InlineData("[UNK]\na\nb\na\n", "line 4: 'a' stands on an earlier line too")]
    [InlineData("a\nb\n", "no line is [UNK]")]
    public void A_vocab_txt_that_is_not_right_is_an_error_with_its_line(string words, string expected)
    {
        using var folder = new TempFolder();
        Assert.Contains(expected, Assert.Throws<BadFileException>(() => Load(folder, words)).Message,
            StringComparison.Ordinal);
    }

    /// <summary>
    /// By hand: of "aab aab ab" the pairs are (a, ##a) twice, (##a, ##b) twice and (a, ##b) once; the first tokens are
    /// ##a, ##b, a in this order, so that (##a, ##b) comes first and then (a, ##ab).
    /// </summary>
    [Fact]
    public void Training_joins_the_most_frequent_pair_until_there_are_enough()
    {
        var tokenizer = WordPieceTrainer.Train(["AAB aab", "ab"], 10);
        using var folder = new TempFolder();
        tokenizer.Save(folder.File("tokenizer.json"));
        Assert.Equal(10, tokenizer.VocabSize);
        Assert.Equal(["##a", "##b", "a", "##ab", "aab"],
            Enumerable.Range(5, 5).Select(id => Token(tokenizer, id)));
        Assert.Equal([9, 7, 6], tokenizer.Encode("aab ab"));
        Assert.Equal([9, 7, 6], TokenizerLoader.Load(folder.File("tokenizer.json")).Encode("aab ab"));
        Assert.Equal((2, 3), (tokenizer.SpecialTokens["[CLS]"], tokenizer.SpecialTokens["[SEP]"]));
        Assert.Equal(11, WordPieceTrainer.Train(["aab aab ab"], 100).VocabSize); // no pair is left
    }

    private static string Token(ITokenizer tokenizer, int id)
    {
        using var folder = new TempFolder();
        tokenizer.Save(folder.File("tokenizer.json"));
        var root = System.Text.Json.Nodes.JsonNode.Parse(File.ReadAllText(folder.File("tokenizer.json")))!;
        return root["model"]!["vocab"]!.AsObject().First(entry => (int)entry.Value! == id).Key;
    }

    [Fact]
    public void A_vocabulary_that_cannot_hold_the_characters_is_refused()
    {
        Assert.Contains("too small", Assert.Throws<NanoException>(() => WordPieceTrainer.Train(["abc"], 6)).Message,
            StringComparison.Ordinal);
        Assert.Contains("no words", Assert.Throws<NanoException>(() => WordPieceTrainer.Train([" "], 60)).Message,
            StringComparison.Ordinal);
    }
}
