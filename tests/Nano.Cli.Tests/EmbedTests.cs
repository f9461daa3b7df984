using System.Text.Json;
using Nano.Tests;

namespace Nano.Cli.Tests;

public class EmbedTests
{
    private static TempFolder NewFolder()
    {
        var folder = new TempFolder();
        using var model = new Bert(new BertConfig
        {
            VocabSize = 9,
            ContextLength = 8,
            Layers = 1,
            Heads = 2,
            Channels = 8,
            Intermediate = 8,
            Head = BertHead.None,
        });
        model.Initialize(1);
        AnyModel.Save(folder.Root, model);
        File.WriteAllText(folder.File("vocab.txt"), "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\ncat\nsleeps\nfell\n");
        return folder;
    }

    [Fact]
    public void Texts_become_lines_of_JSON_or_a_table_of_cosines()
    {
        using var folder = NewFolder();
        var json = Cli.Run("embed", "--model", folder.Root, "--json", "a cat sleeps", "a cat fell a cat fell a cat")
            .Succeeds();
        var lines = json.Out.TrimEnd('\n').Split('\n').Select(line => JsonDocument.Parse(line).RootElement).ToArray();
        Assert.Equal(["text", "tokens", "embedding"], json.JsonKeys);
        Assert.Equal([5, 8], lines.Select(line => line.GetProperty("tokens").GetInt32()));
        Assert.Equal(8, lines[0].GetProperty("embedding").GetArrayLength());
        Assert.Contains("text 2 is too long", json.Error, StringComparison.Ordinal);
        File.WriteAllText(folder.File("texts.jsonl"), "{\"text\":\"a cat\"}\n{\"text\":\"fell\"}\n");
        var table = Cli.Run("embed", "--model", folder.Root, "--data", folder.File("texts.jsonl")).Succeeds();
        Assert.Contains("2 texts of 8 numbers each", table.Out, StringComparison.Ordinal);
        Assert.Contains("1.000", table.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_missing_is_named()
    {
        using var folder = NewFolder();
        Cli.Run("embed", "--model", folder.Root).Fails(1, "no text to embed");
        Cli.Run("embed", "--model", folder.Root, "--data", "x", "a").Fails(1, "not from both");
        Cli.Run("embed", "--model", "no-such-folder", "a").Fails(1, "no model at 'no-such-folder'");
        Cli.Run("embed", "--model", folder.Root, "--pooling", "max", "a").Fails(2, "mean, cls or last");
    }
}
