namespace Nano;

/// <summary>
/// A way to cut text into pieces: one of the known ones, which have a splitter of their own, or any
/// regular expressions.
/// </summary>
/// <param name="Name">Its name here.</param>
/// <param name="Regex">The regular expression under which it is published; of several, the first.</param>
/// <param name="NewSplitter">Makes the splitter of a known one.</param>
internal sealed record SplitPattern(string Name, string Regex, Func<Splitter> NewSplitter)
{
    /// <summary>
    /// Regular expressions applied one after the other, each to the pieces that the one before has
    /// left: a match is a piece, and so is what lies between two matches. Empty for a known
    /// pattern.
    /// </summary>
    public IReadOnlyList<string> Regexes { get; private init; } = [];

    /// <summary>
    /// True if a piece always ends after a letter or digit that is followed by white space,
    /// punctuation or a symbol, apostrophes excepted.
    /// </summary>
    public bool EndsWithWords { get; private init; } = true;

    private const string Contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)", Spaces = @"|\s*[\r\n]+|\s+(?!\S)|\s+",
        High = @"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", Low = @"[\p{Ll}\p{Lm}\p{Lo}\p{M}]", Before = @"[^\r\n\p{L}\p{N}]?";

    /// <summary>GPT-2. Hugging Face has no Split for it: it is what ByteLevel does by itself.</summary>
    public static SplitPattern Gpt2 { get; } = new("gpt2",
        @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
        () => new Gpt2Splitter(singleDigits: false));

    /// <summary>GPT-2 after every number character has been cut out: SmolLM.</summary>
    public static SplitPattern Gpt2Digits { get; } =
        Gpt2 with { Name = "gpt2-digits", NewSplitter = () => new Gpt2Splitter(singleDigits: true) };

    /// <summary>cl100k_base and Llama-3.</summary>
    public static SplitPattern Cl100k { get; } = new("cl100k",
        Contractions + "|" + Before + @"\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*" + Spaces,
        () => new Cl100kSplitter(3));

    /// <summary>Qwen 2 to 3: the same with single digits.</summary>
    public static SplitPattern Qwen2 { get; } = new("qwen2",
        Contractions + "|" + Before + @"\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*" + Spaces, () => new Cl100kSplitter(1));

    /// <summary>o200k_base.</summary>
    public static SplitPattern O200k { get; } = new("o200k",
        Words(Contractions + "?") + @"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*" + Spaces,
        () => new O200kSplitter(contractions: true, 3));

    /// <summary>Mistral's Tekken: the same without contractions, with single digits.</summary>
    public static SplitPattern Tekken { get; } = new("tekken", Words("") + @"\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*" + Spaces,
        () => new O200kSplitter(contractions: false, 1));

    /// <summary>All of them.</summary>
    public static IReadOnlyList<SplitPattern> All { get; } = [Gpt2, Gpt2Digits, Cl100k, Qwen2, O200k, Tekken];

    /// <summary>A way to cut text that has no splitter of its own.</summary>
    /// <param name="name">Its name here.</param>
    /// <param name="endsWithWords">See <see cref="EndsWithWords"/>.</param>
    /// <param name="regexes">See <see cref="Regexes"/>.</param>
    public static SplitPattern Of(string name, bool endsWithWords, params string[] regexes) =>
        new(name, regexes[0],
            () => throw new InvalidOperationException($"the pattern {name} has no splitter"))
        {
            Regexes = regexes,
            EndsWithWords = endsWithWords
        };

    /// <summary>The pattern of a regular expression, or null.</summary>
    public static SplitPattern? OfRegex(string regex) => All.FirstOrDefault(pattern => pattern.Regex == regex);

    private static string Words(string contraction) =>
        $"{Before}{High}*{Low}+{contraction}|{Before}{High}+{Low}*{contraction}|";
}
