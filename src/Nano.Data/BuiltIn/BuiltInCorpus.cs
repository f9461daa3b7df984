using System.Text;

namespace Nano;

/// <summary>
/// Text to train on where there is neither a file nor a network: short scenes of a play, written by
/// a seeded grammar and laid out as Tiny Shakespeare is (a name and a colon, lines of verse, an
/// empty line). It says nothing, but it has what a character model can learn: spelling, metre,
/// speech prefixes, questions and their answers, who is on stage, rhyme.
/// </summary>
public static class BuiltInCorpus
{
    /// <summary>The <see cref="Corpus.Name"/> of the built-in corpus.</summary>
    public const string Name = "built-in";

    /// <summary>
    /// Writes scenes until there are <paramref name="minimumLength"/> characters; the last scene is
    /// finished. Pure ASCII, LF line ends, the same on every machine for the same arguments.
    /// </summary>
    public static string Generate(ulong seed = 1, int minimumLength = 1_000_000)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(minimumLength);
        var random = new SplitMix64(seed);
        var play = new StringBuilder(minimumLength + 4096);
        do
            new BuiltInScene(random, play).Write();
        while (play.Length <= minimumLength);
        play.Length--; // speeches end in an empty line; the last one does not
        return play.ToString();
    }
}
