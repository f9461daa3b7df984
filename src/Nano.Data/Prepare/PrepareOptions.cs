namespace Nano;

/// <summary>The format of the input files.</summary>
public enum DataFormat
{
    /// <summary>By name: .jsonl and .ndjson, also before .gz, are JSON lines; all else is text.</summary>
    Auto,

    /// <summary>UTF-8 text; a file is a document.</summary>
    Text,

    /// <summary>
    /// UTF-8 text in which an empty line ends a document: it ends behind every "\n\n", as in
    /// llm.c's dev/data/tinyshakespeare.py.
    /// </summary>
    Sections,

    /// <summary>A JSON object per line, with the document in one of its fields.</summary>
    Jsonl,
}

/// <summary>The part of the data that is the validation split.</summary>
public enum ValidationKind
{
    /// <summary>The last characters, as in nanoGPT's data/shakespeare/prepare.py.</summary>
    LastCharacters,

    /// <summary>The first tokens, as llm.c's scripts do.</summary>
    FirstTokens,

    /// <summary>Whole documents, drawn by their number.</summary>
    Documents,
}

/// <summary>The validation split: which part of the data it is, and its size.</summary>
/// <param name="Kind">The part.</param>
/// <param name="Fraction">Of characters or documents, above 0 and below 1.</param>
/// <param name="Tokens">For <see cref="ValidationKind.FirstTokens"/>.</param>
public sealed record ValidationSplit(ValidationKind Kind, double Fraction = 0, long Tokens = 0)
{
    private const string DocumentsPrefix = "documents:",
        Hint = "write 0.1 for the last tenth of the characters, 32768 for that many tokens at the beginning, "
        + "documents:0.01 for every hundredth document";

    /// <summary>Reads what the command line has: 0.1, 32768 or documents:0.01.</summary>
    /// <exception cref="NanoException">It is none of these.</exception>
    public static ValidationSplit Parse(string text)
    {
        var culture = System.Globalization.CultureInfo.InvariantCulture;
        if (long.TryParse(text, System.Globalization.NumberStyles.None, culture, out long tokens) && tokens > 0)
            return new ValidationSplit(ValidationKind.FirstTokens, Tokens: tokens);
        bool documents = text.StartsWith(DocumentsPrefix, StringComparison.Ordinal);
        return double.TryParse(documents ? text[DocumentsPrefix.Length..] : text,
            System.Globalization.NumberStyles.AllowDecimalPoint, culture, out double fraction)
            && fraction is > 0 and < 1
            ? new ValidationSplit(documents ? ValidationKind.Documents : ValidationKind.LastCharacters, fraction)
            : throw new NanoException($"'{text}' is not a validation split", Hint);
    }

    /// <inheritdoc/>
    public override string ToString() => Kind switch
    {
        ValidationKind.FirstTokens => FormattableString.Invariant($"{Tokens}"),
        ValidationKind.Documents => FormattableString.Invariant($"{DocumentsPrefix}{Fraction}"),
        _ => FormattableString.Invariant($"{Fraction}"),
    };
}

/// <summary>
/// The settings of a preparation: input files, tokenizer, splits and output (`nano data prepare`).
/// </summary>
public sealed record PrepareOptions
{
    /// <summary>The name that leaves documents without anything between them.</summary>
    public const string NoSeparator = "none";

    /// <summary>Files and folders.</summary>
    public required IReadOnlyList<string> Inputs { get; init; }

    /// <summary>Makes ids of text.</summary>
    public required ITokenizer Tokenizer { get; init; }

    /// <summary>The folder to make.</summary>
    public required string Out { get; init; }

    /// <summary>The form of the input files.</summary>
    public DataFormat Format { get; init; }

    /// <summary>The field of a JSON line that has the document.</summary>
    public string Field { get; init; } = "text";

    /// <summary>The part that is set aside to validate on.</summary>
    public ValidationSplit Validation { get; init; } = new(ValidationKind.LastCharacters, 0.1);

    /// <summary>Tokens of a file.</summary>
    public int ShardTokens { get; init; } = 100_000_000;

    /// <summary>
    /// The special token that every document begins with; null for the tokenizer's end of text,
    /// <see cref="NoSeparator"/> for none.
    /// </summary>
    public string? Separator { get; init; }

    /// <summary>0 for all processors. No result depends on it.</summary>
    public int Threads { get; init; }

    /// <summary>True to skip, and count, lines that are not a JSON object with the field.</summary>
    public bool SkipBad { get; init; }

    /// <summary>True to replace prepared data that is already in the folder.</summary>
    public bool Overwrite { get; init; }

    /// <summary>
    /// The options of a known script on tinyshakespeare: nanogpt (301,966 + 36,059 tokens with
    /// gpt2) or llmc (305,260 + 32,768).
    /// </summary>
    /// <exception cref="NanoException">There is no such recipe.</exception>
    public PrepareOptions WithRecipe(string name) => name switch
    {
        "nanogpt" => this with
        {
            Format = DataFormat.Text,
            Separator = NoSeparator,
            Validation = new(ValidationKind.LastCharacters, 0.1)
        },
        "llmc" => this with
        {
            Format = DataFormat.Sections,
            Separator = null,
            Validation = new(ValidationKind.FirstTokens, Tokens: 32768)
        },
        _ => throw new NanoException($"there is no recipe '{name}'", NearestMatch.Hint(name, Recipes, "recipes")),
    };

    /// <summary>Reads a number of tokens: 100M, 500K or 1048576.</summary>
    /// <exception cref="NanoException">It is not such a number, or more than a file can
    /// have.</exception>
    public static int ParseTokens(string text)
    {
        long factor = text.Length == 0 ? 1 : char.ToUpperInvariant(text[^1]) switch
        {
            'K' => 1_000,
            'M' => 1_000_000,
            'G' => 1_000_000_000,
            _ => 1
        };
        return int.TryParse(factor == 1 ? text : text[..^1], System.Globalization.NumberStyles.None,
            System.Globalization.CultureInfo.InvariantCulture, out int number) && number > 0
            && number * factor <= int.MaxValue
            ? (int)(number * factor) : throw new NanoException($"'{text}' is not a number of tokens for a file",
                $"write it as 100M, 500K or 1048576; at most {int.MaxValue}, which llm.c's header can hold");
    }

    /// <summary>The names that <see cref="WithRecipe"/> knows.</summary>
    public static IReadOnlyList<string> Recipes { get; } = ["nanogpt", "llmc"];

    /// <summary>The id that every document begins with, or null.</summary>
    /// <exception cref="NanoException">The tokenizer has no such token.</exception>
    public int? SeparatorId()
    {
        if (Separator == NoSeparator)
            return null;
        var special = Tokenizer.SpecialTokens;
        string hint = special.Count == 0 ? $"`separator` {NoSeparator} writes nothing between documents"
            : $"`separator` takes one of {string.Join(", ", special.Keys.Order(StringComparer.Ordinal).Take(10))}, "
            + $"or {NoSeparator}";
        if (Separator is not null)
            return special.TryGetValue(Separator, out int id) ? id
                : throw new NanoException($"the tokenizer has no special token '{Separator}'", hint);
        return special.TryGetValue("<|endoftext|>", out int end) ? end
            : Tokenizer.EndIds is [var first, ..] ? first
            : throw new NanoException("the tokenizer has no end-of-text token to put before each document", hint);
    }

    /// <exception cref="NanoException">A value is impossible.</exception>
    public void Validate()
    {
        if (Inputs.Count == 0)
            throw new NanoException("no files are named", "name text files, .jsonl files, .gz of both, or folders");
        if (ShardTokens < 1)
            throw new NanoException($"`shard_tokens` must be from 1 to {int.MaxValue:N0}, got {ShardTokens}");
        if (Threads is < 0 or > 1024)
            throw new NanoException($"`threads` must be from 1 to 1024, got {Threads}",
                "leave it out to use all processors");
        if (Field.Length == 0)
            throw new NanoException("`field` must name a field");
        SeparatorId();
    }
}
