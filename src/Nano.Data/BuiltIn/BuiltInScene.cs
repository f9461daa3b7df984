using System.Text;

namespace Nano;

/// <summary>
/// One scene of the built-in corpus: a small cast, an absent person and a place they speak of, and
/// a few nouns they come back to.
/// </summary>
internal sealed class BuiltInScene
{
    private const int ThemeSize = 6, RecentWords = 8;
    private static readonly char[] Ends = ['.', '.', '.', '.', ';', ';', ':', '!'];

    private readonly SplitMix64 random;
    private readonly StringBuilder play;
    private readonly List<BuiltInPlayer> cast = [];
    private readonly string[] theme;
    private readonly Dictionary<string, string> decided = [];
    private readonly Queue<string> recent = new();
    private readonly List<string> speech = [];

    /// <summary>Chooses who is on stage and what they speak of.</summary>
    /// <param name="random">Decides everything.</param>
    /// <param name="play">The text to which the scene is added.</param>
    public BuiltInScene(SplitMix64 random, StringBuilder play)
    {
        (this.random, this.play) = (random, play);
        int size = 2 + random.Below(3);
        while (cast.Count < size)
        {
            var player = random.Pick(random.Chance(75) ? BuiltInPlayer.Nobles : BuiltInPlayer.Commoners);
            if (!cast.Any(other => other.Called == player.Called))
                cast.Add(player);
        }
        BuiltInPlayer absent;
        do
            absent = random.Pick(BuiltInPlayer.Nobles);
        while (cast.Contains(absent));
        theme = [.. Enumerable.Range(0, ThemeSize).Select(_ => random.Pick(BuiltInWords.Classes["noun"]))];
        decided["them"] = absent.Called;
        (decided["he"], decided["him"], decided["his"]) = absent.Woman ? ("she", "her", "her") : ("he", "him", "his");
        decided["place"] = random.Pick(BuiltInWords.Places);
    }

    /// <summary>
    /// Plays the scene: a greeting, speeches in which questions are answered by the one who was
    /// asked,
    /// and somebody leaves.
    /// </summary>
    public void Write()
    {
        var (speaker, listener) = (cast[0], cast[1]);
        string? asked = null;
        int turns = 8 + random.Below(14);
        for (int turn = 0; turn < turns; turn++)
        {
            decided["you"] = listener.Called;
            decided["lord"] = listener.Lord;
            bool last = turn == turns - 1;
            if (turn == 0)
                Say("greet");
            if (asked is not null)
                Say($"answer {asked}");
            asked = null;
            if (last)
                Leave();
            else if (speech.Count == 0 && random.Chance(20))
                Say("short");
            else
                asked = Speak();
            Deliver(speaker.Label);
            (speaker, listener) = (asked is null ? SomeoneBut(speaker) : listener, speaker);
        }
    }

    private BuiltInPlayer SomeoneBut(BuiltInPlayer speaker)
    {
        int other = random.Below(cast.Count - 1);
        return cast[other < cast.IndexOf(speaker) ? other : other + 1];
    }

    /// <summary>
    /// Says something, perhaps at length and ending in a couplet, perhaps ending in a question, of
    /// which it returns the kind.
    /// </summary>
    private string? Speak()
    {
        bool atLength = random.Chance(20);
        for (int left = atLength ? 3 + random.Below(5) : random.Below(3); left > 0; left--)
            Say(random.Chance(25) ? "pair" : "line");
        if (atLength && random.Chance(60))
            SayCouplet();
        if (speech.Count > 0 && random.Chance(55))
            return null;
        string question = random.Pick(BuiltInPhrases.Questions);
        Say($"ask {question}");
        return question;
    }

    private void Leave()
    {
        if (random.Chance(60))
            SayCouplet();
        Say("exit");
    }

    private void SayCouplet()
    {
        string[] family = random.Pick(BuiltInWords.Rhymes);
        int first = random.Below(family.Length), second = (first + 1 + random.Below(family.Length - 1)) % family.Length;
        foreach (int word in (int[])[first, second])
        {
            decided["rhyme"] = family[word];
            Say("couplet");
        }
    }

    /// <summary>Adds a phrase to the speech, as lines of verse.</summary>
    private void Say(string phrase)
    {
        var text = new StringBuilder();
        Expand(random.Pick(BuiltInPhrases.Rules[phrase]), text);
        if (!IsEnd(text[^1]))
            text.Append(random.Pick(Ends));
        speech.AddRange(text.ToString().Split('|').Select(AsVerse));
    }

    private void Deliver(string label)
    {
        if (!IsEnd(speech[^1][^1]))
            speech[^1] = speech[^1][..^1] + '.';
        play.Append(label).Append(":\n").AppendJoin('\n', speech).Append("\n\n");
        speech.Clear();
    }

    private static bool IsEnd(char c) => c is '.' or '?' or '!';

    /// <summary>Replaces what stands in braces, and that in turn, until words are left.</summary>
    private void Expand(string phrase, StringBuilder text)
    {
        int at = 0;
        for (int open; (open = phrase.IndexOf('{', at)) >= 0;)
        {
            text.Append(phrase, at, open - at);
            int close = phrase.IndexOf('}', open);
            string name = phrase[(open + 1)..close];
            if (decided.TryGetValue(name, out string? word))
                text.Append(word);
            else if (BuiltInWords.Classes.TryGetValue(name, out string[]? words))
                text.Append(Choose(name, words));
            else
                Expand(random.Pick(BuiltInPhrases.Rules[name]), text);
            at = close + 1;
        }
        text.Append(phrase, at, phrase.Length - at);
    }

    /// <summary>A word that was not used just now; of nouns, one in three belongs to the scene's theme.</summary>
    private string Choose(string name, string[] words)
    {
        string word;
        do
            word = random.Pick(name == "noun" && random.Chance(33) ? theme : words);
        while (recent.Contains(word));
        recent.Enqueue(word);
        if (recent.Count > RecentWords)
            recent.Dequeue();
        return word;
    }

    /// <summary>A capital first, and "an" for "a" before a vowel.</summary>
    private static string AsVerse(string line)
    {
        string[] words = line.Split(' ');
        for (int i = 0; i + 1 < words.Length; i++)
            if (words[i] == "a" && StartsWithVowel(words[i + 1]))
                words[i] = "an";
        line = string.Join(' ', words);
        int first = line[0] == '\'' ? 1 : 0;
        return line[..first] + char.ToUpperInvariant(line[first]) + line[(first + 1)..];
    }

    private static bool StartsWithVowel(string word) =>
        word[0] is 'a' or 'e' or 'i' or 'o' or 'u' || word.StartsWith("honest", StringComparison.Ordinal)
        || word.StartsWith("hour", StringComparison.Ordinal) || word.StartsWith("honour", StringComparison.Ordinal);
}
