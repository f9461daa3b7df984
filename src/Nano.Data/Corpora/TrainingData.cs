using System.Globalization;
using System.Text;

namespace Nano;

/// <summary>
/// The data of a run: the tokens of the training and validation splits, and the tokenizer that made
/// them.
/// </summary>
/// <param name="Tokenizer">Text to ids.</param>
/// <param name="Train">Ids to train on.</param>
/// <param name="Validation">Ids to validate on.</param>
/// <param name="ValidationBytesPerToken">UTF-8 bytes of the validation text per token: what a loss
/// is divided by to compare tokenizers.</param>
/// <param name="Origin">One line for people: where the text came from.</param>
/// <param name="Identity">Values that identify the data: a run is only resumed with equal
/// ones.</param>
/// <param name="Separator">The id that every document begins with, or null if nothing marks them.</param>
public sealed record TrainingData(ITokenizer Tokenizer, TokenSource Train, TokenSource Validation,
    double ValidationBytesPerToken, string Origin, IReadOnlyDictionary<string, string> Identity,
    int? Separator = null) : IDisposable
{
    /// <summary>
    /// The key of <see cref="Identity"/> under which a tokenizer that is not the text's characters
    /// lies.
    /// </summary>
    public const string TokenizerDigest = "tokenizer_sha256";

    /// <summary>The id that every document begins with.</summary>
    /// <exception cref="NanoException">Nothing marks documents.</exception>
    public int SeparatorForPacking =>
        Separator ?? throw new NanoException("the data has no marks between documents, so they cannot be packed",
            "prepare it with: nano data prepare, see `separator` there");

    /// <summary>
    /// Of a text: nine tenths train, the last tenth validates. Where the tokenizer has an id that
    /// goes in front of a prompt, it goes in front of both: a model should see in training what it
    /// sees when it generates and is evaluated.
    /// </summary>
    /// <param name="corpus">The text.</param>
    /// <param name="tokenizer">The tokenizer; null for one of its characters.</param>
    public static TrainingData FromText(Corpus corpus, ITokenizer? tokenizer)
    {
        var identity = new Dictionary<string, string> { ["corpus_sha256"] = corpus.Sha256 };
        if (tokenizer is not null) // characters are a function of the corpus
            identity[TokenizerDigest] = TokenizerIdentity.Sha256(tokenizer);
        tokenizer ??= CharTokenizer.FromText(corpus.Text);
        int[] begin = tokenizer.BeginId is { } id ? [id] : [];
        if (begin.Length > 0)
            identity["begins_with"] = begin[0].ToString(CultureInfo.InvariantCulture);
        var (train, validation) = corpus.Split();
        int[] trainIds = [.. begin, .. tokenizer.Encode(train)],
            validationIds = [.. begin, .. tokenizer.Encode(validation)];
        double bytesPerToken = (double)Encoding.UTF8.GetByteCount(validation)
            / Math.Max(1, validationIds.Length - begin.Length);
        return new TrainingData(tokenizer, TokenSource.Of(trainIds), TokenSource.Of(validationIds), bytesPerToken,
            corpus.Origin, identity);
    }

    /// <summary>
    /// True if a path names token files instead of text: prepared data, or a file of llm.c.
    /// </summary>
    public static bool AreTokens(string path) =>
        PreparedData.IsFolder(path) || path.EndsWith(".bin", StringComparison.OrdinalIgnoreCase);

    /// <summary>Of token files. Every file is read once to check its ids and to know it again.</summary>
    /// <param name="path">A folder of <see cref="PreparedData"/>, or a token file of llm.c, or
    /// several of them where the name has a *.</param>
    /// <param name="validation">Files of llm.c to validate on; null for those named "val" where the
    /// others are named "train". Not with a folder.</param>
    /// <param name="tokenizer">The tokenizer of files of llm.c; a folder has its own.</param>
    /// <exception cref="NanoException">Something is missing.</exception>
    /// <exception cref="BadFileException">A file is malformed, or they do not belong together.</exception>
    public static TrainingData FromShards(string path, string? validation = null, ITokenizer? tokenizer = null)
    {
        if (!PreparedData.IsFolder(path))
            return FromFiles(path, validation, tokenizer
                ?? throw new NanoException($"'{path}' does not say which tokenizer made its ids",
                    "name it as `tokenizer`, for example gpt2"));
        if (validation is not null)
            throw new NanoException("prepared data has its own validation split",
                "leave out `validation_data`, or name token files of both splits");
        var data = PreparedData.Load(path);
        var own = data.OpenTokenizer();
        if (tokenizer is not null && TokenizerIdentity.Sha256(tokenizer) != TokenizerIdentity.Sha256(own))
            throw new NanoException($"the ids in '{path}' were made by another tokenizer than the one that is named",
                "leave out `tokenizer`: prepared data brings its own");
        var train = data.Open(data.Train);
        return Of(own, train, data.Open(data.Validation), data.ValidationBytesPerToken, path, data.Tokenizer.Separator);
    }

    /// <summary>Refuses data whose ids mean other texts than a model's.</summary>
    /// <param name="tokenizer">The model's.</param>
    /// <exception cref="NanoException">An id has another text, or there are more or fewer ids.</exception>
    public void CheckIdsOf(ITokenizer tokenizer)
    {
        if (TokenizerIdentity.DifferenceInIds(Tokenizer, tokenizer) is { } difference)
            throw new NanoException(
                $"the data in '{Origin}' was prepared with another tokenizer than the model's: {difference}",
                "prepare it again with: nano data prepare TEXT `tokenizer` MODEL");
    }

    private static TrainingData FromFiles(string path, string? validation, ITokenizer tokenizer)
    {
        string[] trainPaths = TokenFiles.Find(path),
            validationPaths = validation is null ? TokenFiles.Counterpart(path) : TokenFiles.Find(validation);
        if (TokenFiles.Width(trainPaths[0]) != TokenFiles.Width(validationPaths[0]))
            throw new BadFileException(validationPaths[0],
                $"its ids have another width than those of {trainPaths[0]}: the files are not of one data set");
        var train = TokenShards.Open(trainPaths, tokenizer.VocabSize);
        var held = TokenShards.Open(validationPaths, tokenizer.VocabSize);
        return Of(tokenizer, train, held, (double)TokenFiles.Bytes(held, tokenizer) / held.Length, path,
            tokenizer.SpecialTokens.TryGetValue("<|endoftext|>", out int end) ? end : null);
    }

    private static TrainingData Of(ITokenizer tokenizer, TokenShards train, TokenShards validation,
        double bytesPerToken, string origin, int? separator) => new(tokenizer, train, validation, bytesPerToken, origin,
        new Dictionary<string, string>
        {
            ["train_sha256"] = train.Sha256,
            ["validation_sha256"] = validation.Sha256,
            [TokenizerDigest] = TokenizerIdentity.Sha256(tokenizer)
        }, separator);

    /// <summary>Closes files.</summary>
    public void Dispose()
    {
        Train.Dispose();
        Validation.Dispose();
    }
}
