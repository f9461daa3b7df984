namespace Nano;

/// <summary>The methods of quantisation, each a file of Nano.Quant's Methods.</summary>
public enum QuantisationMethod
{
    /// <summary>Each weight to the nearest number of its group.</summary>
    Nearest,

    /// <summary>GPTQ: columns that make up for the errors of those before.</summary>
    Gptq,

    /// <summary>AWQ: channels scaled by their mean input.</summary>
    Awq,

    /// <summary>SmoothQuant: outliers of activations moved into weights.</summary>
    SmoothQuant,

    /// <summary>HQQ: zeros moved until few errors are large.</summary>
    Hqq,

    /// <summary>Bytes with a scale for each row.</summary>
    Int8,
}

/// <summary>Options of a quantisation by a method.</summary>
public sealed record CalibrationOptions
{
    /// <summary>Columns of a group in a folder where nothing else is said.</summary>
    public const int DefaultGroup = 128;

    /// <summary>The method.</summary>
    public required QuantisationMethod Method { get; init; }

    /// <summary>Bits of a code, 4 or 8; null for the method's own.</summary>
    public int? Bits { get; init; }

    /// <summary>Columns of a group; null for 32 in GGUF files and 128 in folders, of rows by int8 all.</summary>
    public int? Group { get; init; }

    /// <summary>GPTQ: true to round columns in the order of their inputs, the largest first.</summary>
    public bool IsOrdered { get; init; } = true;

    /// <summary>AWQ and SmoothQuant in GGUF files: the type of the file; null for Q4_1 or Q8_0.</summary>
    public GgufFileType? FileType { get; init; }

    /// <summary>Tokens of a chunk of the text, at most the model's context.</summary>
    public int ChunkLength { get; init; }

    /// <summary>The most chunks; null for the whole text.</summary>
    public int? Chunks { get; init; }

    /// <summary>The id with which the model's texts begin, put in the place of the first of each chunk; null for
    /// none.</summary>
    public int? BeginId { get; init; }

    /// <summary>True to accept a model that is quantised already, whose weights then lose twice.</summary>
    public bool Requantises { get; init; }

    /// <summary>True to replace an existing file of the output's name.</summary>
    public bool Overwrite { get; init; }

    /// <summary>True if the method looks at inputs.</summary>
    public bool NeedsText =>
        Method is QuantisationMethod.Gptq or QuantisationMethod.Awq or QuantisationMethod.SmoothQuant;

    /// <summary>True if the method only scales channels before weights are rounded to the nearest.</summary>
    internal bool IsScaling => Method is QuantisationMethod.Awq or QuantisationMethod.SmoothQuant;

    /// <summary>True if the method is one of bytes.</summary>
    private bool IsBytes => Method is QuantisationMethod.Int8 or QuantisationMethod.SmoothQuant;

    /// <summary>Bits of a code.</summary>
    internal int CodeBits => Bits ?? (IsBytes ? 8 : 4);

    /// <summary>Columns of a group of a matrix with this number of columns.</summary>
    internal int GroupOf(int columns, bool isGguf) => Group ?? (isGguf ? 32 : IsBytes ? columns : DefaultGroup);

    /// <summary>Columns of a group as a folder's config.json has them, -1 for all of a row.</summary>
    internal int FolderGroup => IsBytes ? -1 : Group ?? DefaultGroup;

    /// <summary>Refuses options that do not go together.</summary>
    /// <exception cref="NanoException">They do not.</exception>
    internal void Check(bool isGguf)
    {
        if (CodeBits is not (4 or 8) || (IsBytes && CodeBits != 8))
            throw new NanoException($"{Method} with {CodeBits} bits is not supported", IsBytes
                ? "its codes have 8 bits" : "use 4 or 8 bits");
        if (isGguf && !IsBytes && CodeBits == 8)
            throw new NanoException($"a GGUF file has no blocks for codes of 8 bits by {Method}, which have a zero",
                "use 4 bits, or write a folder");
        if (Group is { } group && (group <= 0 || group % 32 != 0))
            throw new NanoException($"the group must be a multiple of 32, got {group}");
        if (IsBytes && Group is not null)
            throw new NanoException($"{Method} has a scale for each row", "leave `group` out");
        if (FileType is not null && !(isGguf && IsScaling))
            throw new NanoException($"`type` is decided by {Method}" + (isGguf ? "" : " and the folder's layout"),
                "it can be chosen for AWQ and SmoothQuant in GGUF files");
    }
}
