using Nano.Tests;

namespace Nano.Cli.Tests;

public class ClassifyTests
{
    private static string NewData(TempFolder folder)
    {
        string path = folder.File("moods.csv");
        string[] words = ["fine", "good", "bad", "sad"], things = ["day", "film", "song", "walk", "meal"];
        var rows = from word in words
                   from thing in things
                   from what in (string[])["a", "the"]
                   select $"{(word is "fine" or "good" ? "good" : "bad")},{what} {word} {thing}";
        File.WriteAllLines(path, ["label,text", .. rows]);
        return path;
    }

    [Fact]
    public void A_classifier_is_trained_and_used()
    {
        using var folder = new TempFolder();
        string data = NewData(folder), model = folder.File("mood");
        var trained = Cli.Run("classify", "train", "--data", data, "--out", model, "--epochs", "30", "--json")
            .Succeeds();
        Assert.Equal(["steps", "train_loss", "held_out_loss", "accuracy", "seconds", "folder"], trained.JsonKeys);
        Assert.Contains("36 texts, 4 held out, 2 classes", trained.Error, StringComparison.Ordinal);
        var used = Cli.Run("classify", "--model", model, "--json", "a sad walk", "the good song").Succeeds();
        Assert.Equal(["text", "label", "probabilities"], used.JsonKeys);
        Assert.Equal("good", used.Json.GetProperty("label").GetString());
        Assert.Contains("\"label\":\"bad\"", used.Out, StringComparison.Ordinal);
        Assert.StartsWith("bad 0.", Cli.Run("classify", "--model", model, "a sad walk").Succeeds().Out,
            StringComparison.Ordinal);
        Cli.Run("classify", "train", "--data", data, "--out", model).Fails(1, "is there already");
        Cli.Run("classify", "--model", model).Fails(1, "no text to classify");
        Cli.Run("embed", "--model", model, "a sad walk").Succeeds();
        Cli.Run("generate", "--model", model).Fails(1, "does not write text");
    }

    [Theory]
    [InlineData("--epochs", "0", "--epochs must be from 1")]
    [InlineData("--batch", "0", "--batch must be from 1")]
    [InlineData("--lr", "-1", "--lr must be positive")]
    [InlineData("--holdout", "1", "--holdout must be from 0")]
    [InlineData("--vocab", "5", "--vocab must be from 6")]
    [InlineData("--vocab", "7", "make --vocab larger")]
    public void An_option_out_of_range_is_named(string option, string value, string expected)
    {
        using var folder = new TempFolder();
        Cli.Run("classify", "train", "--data", NewData(folder), "--out", folder.File("x"), option, value)
            .Fails(1, expected);
        Assert.False(Directory.Exists(folder.File("x")));
    }

    [Fact]
    public void A_model_without_classes_and_data_without_labels_are_refused()
    {
        using var folder = new TempFolder();
        File.WriteAllText(folder.File("a.csv"), "only\n");
        Cli.Run("classify", "train", "--data", folder.File("a.csv"), "--out", folder.File("x"))
            .Fails(1, "line 1: 1 fields");
        Cli.Run("classify", "--model", Goldens.Path("zoo/t5_v1_0"), "a").Fails(1, "holds no encoder");
    }
}
