using System.Text.Json.Nodes;

namespace Nano.Tests;

/// <summary>
/// A folder whose tokenizer.json has something that is not supported, beside vocab.json and
/// merges.txt.
/// </summary>
public sealed class OlderFilesTests : IDisposable
{
    private readonly TempFolder temp = new();
    private readonly List<string> notices = [];

    public OlderFilesTests()
    {
        TokenizerLoader.Noticed += Hear;
        var json = JsonNode.Parse(
            File.ReadAllText(Goldens.Path("../cases/tokenizer-json/no-model-type-byte-level/tokenizer.json")))!;
        File.WriteAllText(temp.File("vocab.json"), json["model"]!["vocab"]!.ToJsonString());
        File.WriteAllText(temp.File("merges.txt"),
            "#version: 0.2\n" + string.Join('\n', json["model"]!["merges"]!.AsArray().Select(merge =>
            merge is JsonArray pair ? $"{pair[0]} {pair[1]}" : (string)merge!)) + "\n");
        json["pre_tokenizer"] = new JsonObject { ["type"] = "SomethingNew" };
        File.WriteAllText(temp.File("tokenizer.json"), json.ToJsonString());
    }

    public void Dispose()
    {
        TokenizerLoader.Noticed -= Hear;
        temp.Dispose();
    }

    private void Hear(string text)
    {
        lock (notices)
            if (text.Contains(temp.Root, StringComparison.Ordinal)) // other tests hear and say things at the same time
                notices.Add(text);
    }

    [Fact]
    public void The_older_files_are_used_and_it_is_said()
    {
        var tokenizer = TokenizerLoader.Load(temp.Root);
        Assert.Equal(TokenizerLoader.Load(temp.File("merges.txt")).Encode("hello the"), tokenizer.Encode("hello the"));
        string notice = Assert.Single(notices);
        Assert.Contains("SomethingNew", notice, StringComparison.Ordinal);
        Assert.Contains("merges.txt beside it is used instead", notice, StringComparison.Ordinal);
    }

    [Fact]
    public void Where_they_cannot_be_used_either_both_reasons_are_given()
    {
        File.WriteAllText(temp.File("merges.txt"), "nothing like a merge at all\n");
        var e = Assert.Throws<BadFileException>(() => TokenizerLoader.Load(temp.Root));
        Assert.Contains("SomethingNew", e.Message, StringComparison.Ordinal);
        Assert.Contains("merges.txt", e.Message, StringComparison.Ordinal);
        Assert.Empty(notices);
    }

    [Fact]
    public void A_damaged_tokenizer_json_is_an_error()
    {
        File.WriteAllText(temp.File("tokenizer.json"), "{ \"model\": ");
        Assert.Throws<BadFileException>(() => TokenizerLoader.Load(temp.Root));
        Assert.Empty(notices);
    }
}
