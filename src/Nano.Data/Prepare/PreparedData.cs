using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Nano;

/// <summary>The tokenizer of prepared data.</summary>
/// <param name="VocabSize">V.</param>
/// <param name="Sha256">Digest of tokenizer.json in lower-case hexadecimal.</param>
/// <param name="Separator">The id that every document begins with, or null.</param>
public sealed record PreparedTokenizer(int VocabSize, string Sha256, int? Separator);

/// <summary>An input file.</summary>
public sealed record PreparedSource(string Path, long Bytes, string Sha256);

/// <summary>
/// The content of dataset.json, which describes a folder of token files. It is written last; the
/// folder also holds the tokenizer, so a run needs nothing else.
/// </summary>
/// <param name="Version">Of the format: 1.</param>
/// <param name="Tokenizer">The tokenizer that made the ids.</param>
/// <param name="Train">Files to train on.</param>
/// <param name="Validation">Files to validate on.</param>
/// <param name="ValidationBytesPerToken">UTF-8 bytes of the validation text per token.</param>
/// <param name="EmptyDocuments">Documents without a character, which were left out.</param>
/// <param name="SkippedLines">Lines that are not documents and were skipped.</param>
/// <param name="FirstSkipped">Descriptions of the first of them.</param>
/// <param name="Options">The options of the preparation.</param>
/// <param name="Sources">From which files.</param>
public sealed record PreparedData(int Version, PreparedTokenizer Tokenizer, SplitInfo Train, SplitInfo Validation,
    double ValidationBytesPerToken, long EmptyDocuments, long SkippedLines,
    IReadOnlyList<string> FirstSkipped, IReadOnlyDictionary<string, string> Options,
    IReadOnlyList<PreparedSource> Sources)
{
    /// <summary>Files of the folder.</summary>
    public const string FileName = "dataset.json", TokenizerName = "tokenizer.json";

    private const int CurrentVersion = 1, LargestDescription = 1 << 28, LargestTokenizer = 1 << 28;
    private const string MissingHint = "make it with: nano data prepare TEXT `tokenizer` gpt2 `out` FOLDER";

    /// <summary>Written with an encoder, which attributes cannot name.</summary>
    private static readonly JsonTypeInfo<PreparedData> Json =
        (JsonTypeInfo<PreparedData>)new JsonSerializerOptions(PreparedJson.Default.Options)
        {
            Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        }.GetTypeInfo(typeof(PreparedData));

    /// <summary>The folder.</summary>
    [JsonIgnore]
    public string Folder { get; init; } = "";

    /// <summary>True if a folder holds prepared data.</summary>
    public static bool Exists(string folder) => File.Exists(Path.Combine(folder, FileName));

    /// <summary>
    /// True if a path is a folder, or was one before a process was killed while it replaced it.
    /// </summary>
    internal static bool IsFolder(string path) => Directory.Exists(path) || AtomicFolder.IsInterrupted(path);

    /// <summary>Reads what a folder has; its token files are not opened. Where a process was killed that was replacing
    /// the folder, it is put right first.</summary>
    /// <exception cref="NanoException">It has no prepared data.</exception>
    /// <exception cref="BadFileException">dataset.json is malformed.</exception>
    public static PreparedData Load(string folder)
    {
        AtomicFolder.RecoverToRead(folder, PreparedFolder.OwnFiles);
        string path = Path.Combine(folder, FileName);
        if (!File.Exists(path))
            throw new NanoException($"there is no prepared data in '{folder}': no {FileName}", MissingHint);
        try
        {
            byte[] bytes = InputFile.ReadBytes(path, LargestDescription, MissingHint);
            var data = JsonSerializer.Deserialize(bytes, Json)
                ?? throw new BadFileException(path, "it is null");
            return data.Checked(path) with { Folder = folder };
        }
        catch (JsonException e)
        {
            throw new BadFileException(path, $"not a description of prepared data: {e.Message}", e);
        }
    }

    /// <summary>Opens the files of a split and checks each against its digest.</summary>
    /// <exception cref="NanoException">A file is missing.</exception>
    /// <exception cref="BadFileException">A file is malformed, or not the one that was prepared.</exception>
    public TokenShards Open(SplitInfo split)
    {
        string[] paths = [.. split.Files.Select(file => Path.Combine(Folder, file.Name))];
        var shards = TokenShards.Open(paths, Tokenizer.VocabSize);
        int wrong = Enumerable.Range(0, paths.Length)
            .FirstOrDefault(i => shards.Digests[i] != split.Files[i].Sha256, -1);
        if (wrong < 0)
            return shards;
        string found = shards.Digests[wrong];
        shards.Dispose();
        throw new BadFileException(paths[wrong],
            $"it is damaged or another file: expected sha256 {split.Files[wrong].Sha256}, as {FileName} says, got "
            + $"{found}");
    }

    /// <summary>The tokenizer that made the ids.</summary>
    /// <exception cref="BadFileException">It is malformed, or not the one that was used.</exception>
    public ITokenizer OpenTokenizer()
    {
        string path = Path.Combine(Folder, TokenizerName);
        var tokenizer = TokenizerLoader.Load(path);
        string digest = Digest(path);
        return digest == Tokenizer.Sha256 && tokenizer.VocabSize == Tokenizer.VocabSize ? tokenizer
            : throw new BadFileException(path,
                $"it is damaged or another tokenizer: expected sha256 {Tokenizer.Sha256}, as {FileName} says, got "
                + $"{digest}");
    }

    /// <summary>Writes the tokenizer, and then what is known of the token files.</summary>
    internal static void Write(string folder, PrepareOptions options, int? separator, SplitInfo train,
        SplitInfo validation, DocumentSource source)
    {
        string tokenizer = Path.Combine(folder, TokenizerName);
        options.Tokenizer.Save(tokenizer);
        var described = new SortedDictionary<string, string>(StringComparer.Ordinal)
        {
            ["field"] = options.Field,
            ["format"] = options.Format.ToString().ToLowerInvariant(),
            ["separator"] = options.Separator ?? "end of text",
            ["shard_tokens"] = FormattableString.Invariant($"{options.ShardTokens}"),
            ["skip_bad"] = options.SkipBad ? "yes" : "no",
            ["validation"] = options.Validation.ToString(),
        };
        var data = new PreparedData(CurrentVersion, new(options.Tokenizer.VocabSize, Digest(tokenizer), separator),
            train, validation,
            (double)validation.Bytes / validation.Tokens, source.Empty, source.SkippedLines, source.FirstSkipped,
            described, [.. source.Files.Select(file => new PreparedSource(file.Path, file.Bytes, file.Sha256))]);
        AtomicFile.Write(Path.Combine(folder, FileName), stream => JsonSerializer.Serialize(stream, data, Json));
    }

    /// <summary>SHA-256 of a tokenizer's file in lower-case hexadecimal.</summary>
    internal static string Digest(string tokenizerPath) =>
        Convert.ToHexStringLower(SHA256.HashData(InputFile.ReadBytes(tokenizerPath, LargestTokenizer, MissingHint)));

    private PreparedData Checked(string path)
    {
        if (Version != CurrentVersion)
            throw new BadFileException(path, $"it is version {Version}; this program knows version {CurrentVersion}");
        // Elements of lists may be null whatever their type says.
        if (FirstSkipped.Any(line => line is null) || Options.Values.Any(value => value is null)
            || Sources.Any(source => source is null) || Train.Files.Concat(Validation.Files).Any(file => file is null))
            throw new BadFileException(path, "a list or the options hold null");
        var digests = Train.Files.Concat(Validation.Files).Select(file => file.Sha256).Append(Tokenizer.Sha256);
        if (digests.FirstOrDefault(digest => !IsDigest(digest)) is { } wrong)
            throw new BadFileException(path, $"{Quoted.Of(wrong)} is not a SHA-256 in lower-case hexadecimal");
        if (Tokenizer.VocabSize < 1 || (Tokenizer.Separator is { } id && (uint)id >= (uint)Tokenizer.VocabSize))
            throw new BadFileException(path,
                $"the separator {Tokenizer.Separator} is not an id of a vocabulary of {Tokenizer.VocabSize}");
        foreach (var split in (SplitInfo[])[Train, Validation])
        {
            if (split.Files.Count == 0 || split.Files.Sum(file => (decimal)file.Tokens) != split.Tokens)
                throw new BadFileException(path, $"the files of a split have other than its {split.Tokens} tokens");
            if (split.Files.FirstOrDefault(file => file.Name != Path.GetFileName(file.Name) || file.Name.Length == 0
                || file.Name is "." or "..") is { } odd)
                throw new BadFileException(path, $"{Quoted.Of(odd.Name)} is not the name of a file in the folder");
        }
        return double.IsFinite(ValidationBytesPerToken) && ValidationBytesPerToken >= 0 ? this
            : throw new BadFileException(path,
                $"expected a finite number of bytes per token from 0, got {ValidationBytesPerToken}");
    }

    private static bool IsDigest(string text) =>
        text.Length == 2 * SHA256.HashSizeInBytes && text.All(char.IsAsciiHexDigitLower);
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    RespectRequiredConstructorParameters = true,
    RespectNullableAnnotations = true,
    AllowDuplicateProperties = false,
    WriteIndented = true,
    NewLine = "\n")]
[JsonSerializable(typeof(PreparedData))]
internal sealed partial class PreparedJson : JsonSerializerContext;
