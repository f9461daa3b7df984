namespace Nano.Tests;

public class HubModelNameTests
{
    [Theory]
    [InlineData("o/m", "o/m", "main")]
    [InlineData("HuggingFaceTB/SmolLM2-135M@v1.0", "HuggingFaceTB/SmolLM2-135M", "v1.0")]
    [InlineData("gpt2@refs/pr/1", "gpt2", "refs/pr/1")]
    public void A_name_is_read(string text, string id, string revision) =>
        Assert.Equal(new HubModelName(id, revision), HubModelName.Parse(text));

    [Theory]
    [InlineData("")]
    [InlineData("/")]
    [InlineData("o/")]
    [InlineData("/m")]
    [InlineData("a/b/c")]
    [InlineData("../m")]
    [InlineData("o/..")]
    [InlineData("o/m@")]
    [InlineData("o/m@../x")]
    [InlineData("o/m@a@b")]
    [InlineData("o/m?x")]
    [InlineData("o/m\n")]
    [InlineData("o\\m")]
    [InlineData("https://x/m")]
    public void What_is_no_name_is_refused(string text) =>
        Assert.NotNull(Assert.Throws<NanoException>(() => HubModelName.Parse(text)).Hint);
}
