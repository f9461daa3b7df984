namespace Nano.Tests;

public class NearestMatchTests
{
    [Theory]
    [InlineData("shakespeare", "shakespeare")]
    [InlineData("Shakspere", "shakespeare")]
    [InlineData("trian", "train")]
    [InlineData("trai", "train")]
    [InlineData("evla", "eval")]
    [InlineData("gpt2", "gpt2-tokenizer")]
    [InlineData("shake", "shakespeare")]
    [InlineData("ev", null)]
    [InlineData("x", null)]
    [InlineData("", null)]
    [InlineData("completely different", null)]
    public void The_nearest_is_found_if_it_is_near(string word, string? expected) =>
        Assert.Equal(expected, NearestMatch.Of(word, ["shakespeare", "gpt2-tokenizer", "train", "eval"]));

    [Fact]
    public void Fewer_edits_win_then_the_first() => Assert.Equal("bat", NearestMatch.Of("cat", ["bard", "bat", "hat"]));

    [Fact]
    public void Nothing_is_near_nothing() => Assert.Null(NearestMatch.Of("cat", []));
}
