namespace Nano.Tests;

/// <summary>Text to train on.</summary>
static class PatternedText
{
    /// <summary>A text of some thousand characters with enough pattern to learn from.</summary>
    public static string Sentences(int count = 200)
    {
        var random = new Random(4);
        string[] who = ["the cat", "a dog", "my aunt", "the old king"], does = ["sees", "eats", "likes", "sells"],
            what = ["fish", "a house", "nothing", "the sea"];
        string Pick(string[] words) => words[random.Next(words.Length)];
        return string.Concat(Enumerable.Range(0, count).Select(_ => $"{Pick(who)} {Pick(does)} {Pick(what)}.\n"));
    }
}
