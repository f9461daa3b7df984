namespace Nano.Tests;

public class AutoRecipeTests
{
    static TrainingData Data(string text, ITokenizer? tokenizer = null) =>
        TrainingData.FromText(new Corpus("test", text, "made here"), tokenizer);

    static string Sentences(int count) =>
        string.Concat(Enumerable.Range(0, count).Select(i => $"sentence {i % 97} says {i % 13}.\n"));

    [Fact]
    public void A_short_text_of_few_characters_is_read_by_character()
    {
        Assert.Null(AutoRecipe.Tokenizer(Sentences(50)).Tokenizer);
    }

    [Fact]
    public void Many_different_characters_get_a_learnt_vocabulary()
    {
        var random = new Random(1);
        string text = string.Concat(Enumerable.Range(0, 60_000)
            .Select(_ => (char)('一' + (random.Next(900) * random.Next(2)) + random.Next(30))));
        var (tokenizer, reason) = AutoRecipe.Tokenizer(text);
        Assert.Equal(4096, tokenizer!.VocabSize);
        Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text)));
        Assert.Contains("4,096", reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(100, 2, 500)]
    [InlineData(10_000, 4, 2000)]
    public void The_model_grows_with_the_text(int sentences, int layers, int steps)
    {
        var (options, _) = AutoRecipe.Options(Data(Sentences(sentences)));
        options.Validate();
        Assert.Equal((layers, steps), (options.Model.Layers, options.Steps));
    }

    [Theory]
    [InlineData(420, 32)] // 378 to train on, 42 to validate: a row of 32 and the token after it
    [InlineData(100, 8)] // 10 to validate
    [InlineData(60, 4)]
    public void Rows_are_no_longer_than_the_validation_text(int characters, int time)
    {
        var data = Data(Sentences(40)[..characters]);
        var (options, _) = AutoRecipe.Options(data);
        Assert.Equal((time, time), (options.Time, options.Model.ContextLength));
        Assert.Equal(characters / 10, data.Validation.Length);
    }
}
