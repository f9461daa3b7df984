using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;

namespace Nano.Tests.Tokenizers;

public class NormalFormCTests
{
    /// <summary>
    /// Texts of marks, letters, jamo and everything that decomposes, and what another
    /// implementation (ICU, in Node) makes of them.
    /// </summary>
    [Fact]
    public void Golden_texts_are_composed_as_elsewhere()
    {
        using var json = JsonDocument.Parse(File.ReadAllText(Goldens.Path("tokenizer/nfc_cases.json")));
        Assert.Equal(400, json.RootElement.GetArrayLength());
        Assert.All(json.RootElement.EnumerateArray(),
            of => Assert.Equal(of[1].GetString(), NormalFormC.Of(of[0].GetString()).ToString()));
    }

    [Theory]
    [InlineData("plain", "plain")]
    [InlineData("e\u0301", "é")]
    [InlineData("a\u0301\u0323", "ạ\u0301")] // the mark below goes first
    [InlineData("\u1100\u1161\u11A8", "각")]
    [InlineData("\u212B", "Å")]
    [InlineData("\u0958", "\u0915\u093C")] // excluded from composition
    [InlineData("a\u0300\u0301", "à\u0301")]
    [InlineData("a\u0332\u0300", "à\u0332")] // not blocked by a lower class
    public void By_hand(string text, string expected) => Assert.Equal(expected, NormalFormC.Of(text).ToString());

    [Fact]
    public void What_is_composed_stays()
    {
        Prop.ForAll(Texts.Any.ToArbitrary(), text =>
        {
            string once = NormalFormC.Of(text).ToString();
            Assert.Equal(once, NormalFormC.Of(once).ToString());
        }).QuickCheckThrowOnFailure();
    }
}
