namespace Nano.Tests;

public class TextRowsTests
{
    private static IReadOnlyList<LabelledText> Read(string name, string text)
    {
        using var folder = new TempFolder();
        File.WriteAllText(folder.File(name), text);
        return TextRows.ReadLabelled(folder.File(name));
    }

    /// <summary>Rows as RFC 4180 has them, and as JSON.</summary>
    [Theory]
    [InlineData("a.csv", "x,one\n\"y\",\"two, \"\"three\"\"\r\nfour\"\n\nx,\n")]
    [InlineData("a.csv", "label,text\r\nx,one\r\ny,\"two, \"\"three\"\"\r\nfour\"\r\nx,\"\"\r\n")]
    [InlineData("a.csv", "\uFEFFtext,label\none,x\n\"two, \"\"three\"\"\r\nfour\",y\n,x")]
    [InlineData("a.jsonl", "{\"label\":\"x\",\"text\":\"one\"}\n{\"text\":\"two, \\\"three\\\"\\r\\nfour\",\"label\":\"y\"}\n"
        + "{\"label\":\"x\",\"text\":\"\"}")]
    public void Rows_are_read(string name, string text) =>
        Assert.Equal([new("x", "one"), new("y", "two, \"three\"\r\nfour"), new("x", "")], Read(name, text));

    [Theory]
    [InlineData("a.csv", "x,one\nx,two,three\n", "line 2: 3 fields")]
    [InlineData("a.csv", "x,\"one\n", "line 1: a double quote is never closed")]
    [InlineData("a.csv", "label,text\n", "no rows")]
    [InlineData("a.jsonl", "{\"label\":1,\"text\":\"\"}", "'label' must be a string")]
    public void A_malformed_file_is_an_error_with_its_line(string name, string text, string expected) =>
        Assert.Contains(expected, Assert.Throws<BadFileException>(() => Read(name, text)).Message,
            StringComparison.Ordinal);

    [Fact]
    public void Texts_are_lines_or_fields()
    {
        using var folder = new TempFolder();
        File.WriteAllText(folder.File("a.txt"), "one\r\n\ntwo\n");
        File.WriteAllText(folder.File("a.jsonl"), "{\"text\":\"one\\ntwo\"}\n");
        Assert.Equal(["one", "two"], TextRows.Read(folder.File("a.txt")));
        Assert.Equal(["one\ntwo"], TextRows.Read(folder.File("a.jsonl")));
    }
}
