namespace Nano;

/// <summary>
/// Cuts text into pieces by regular expressions, one after the other, each applied to every piece
/// that the one before has left as if it were all the text: a match is a piece, and so is what lies
/// between two matches (Hugging Face's Split with the behaviour Isolated, and llama.cpp's
/// pre-tokenizers). Safe to share.
/// </summary>
internal sealed class RegexCutter
{
    private readonly UnicodeRegex[] regexes;

    /// <param name="regexes">The regular expressions, which are known to be right.</param>
    public RegexCutter(IReadOnlyList<string> regexes) =>
        this.regexes = [.. regexes.Select(regex => UnicodeRegex.Parse(regex, "a known way to cut text"))];

    /// <summary>The end of every piece, in order; the last is that of the text.</summary>
    /// <param name="text">Not empty.</param>
    /// <exception cref="NanoException">A pattern takes too long on this text.</exception>
    public List<int> Ends(ReadOnlySpan<char> text)
    {
        List<int> ends = [text.Length];
        var matches = new List<(int Start, int End)>();
        foreach (var regex in regexes)
        {
            var cut = new List<int>(ends.Count);
            int start = 0;
            foreach (int end in ends)
            {
                matches.Clear();
                regex.Matches(text[start..end], matches);
                int last = start;
                foreach (var match in matches)
                {
                    CutAt(start + match.Start);
                    CutAt(start + match.End);
                }
                CutAt(end);
                start = end;

                void CutAt(int at)
                {
                    if (at > last)
                        cut.Add(last = at);
                }
            }
            ends = cut;
        }
        return ends;
    }
}
