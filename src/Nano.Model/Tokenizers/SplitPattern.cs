namespace Nano;

/// <summary>The known ways to cut text into pieces, each by the regular expressions under which it is published.</summary>
internal sealed record SplitPattern(string Name, string Regex, Func<Splitter> NewSplitter)
{
    private const string Contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)", Spaces = @"|\s*[\r\n]+|\s+(?!\S)|\s+",
        High = @"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", Low = @"[\p{Ll}\p{Lm}\p{Lo}\p{M}]", Before = @"[^\r\n\p{L}\p{N}]?";

    /// <summary>GPT-2. Hugging Face has no Split for it: it is what ByteLevel does by itself.</summary>
    public static SplitPattern Gpt2 { get; } = new("gpt2", @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+", () => new Gpt2Splitter(singleDigits: false));

    /// <summary>GPT-2 after every number character has been cut out: SmolLM.</summary>
    public static SplitPattern Gpt2Digits { get; } = Gpt2 with { Name = "gpt2-digits", NewSplitter = () => new Gpt2Splitter(singleDigits: true) };

    /// <summary>cl100k_base and Llama-3.</summary>
    public static SplitPattern Cl100k { get; } = new("cl100k", Contractions + "|" + Before + @"\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*" + Spaces, () => new Cl100kSplitter(3));

    /// <summary>Qwen 2 to 3: the same with single digits.</summary>
    public static SplitPattern Qwen2 { get; } = new("qwen2", Contractions + "|" + Before + @"\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*" + Spaces, () => new Cl100kSplitter(1));

    /// <summary>o200k_base.</summary>
    public static SplitPattern O200k { get; } = new("o200k", Words(Contractions + "?") + @"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*" + Spaces, () => new O200kSplitter(contractions: true, 3));

    /// <summary>Mistral's Tekken: the same without contractions, with single digits.</summary>
    public static SplitPattern Tekken { get; } = new("tekken", Words("") + @"\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*" + Spaces, () => new O200kSplitter(contractions: false, 1));

    /// <summary>All of them.</summary>
    public static IReadOnlyList<SplitPattern> All { get; } = [Gpt2, Gpt2Digits, Cl100k, Qwen2, O200k, Tekken];

    /// <summary>The pattern of a regular expression, or null.</summary>
    public static SplitPattern? OfRegex(string regex) => All.FirstOrDefault(pattern => pattern.Regex == regex);

    private static string Words(string contraction) => $"{Before}{High}*{Low}+{contraction}|{Before}{High}+{Low}*{contraction}|";
}
