using System.Text;

namespace Nano;

/// <summary>What a run learns from and is judged by: the tokens of two splits, and the tokenizer that made them.</summary>
/// <param name="Tokenizer">Text to ids.</param>
/// <param name="Train">Ids to train on.</param>
/// <param name="Validation">Ids to validate on.</param>
/// <param name="ValidationBytesPerToken">UTF-8 bytes of the validation text per token: what a loss is divided by to compare tokenizers.</param>
/// <param name="Origin">One line for people: where the text came from.</param>
/// <param name="Identity">What tells this data from other data: a run is only resumed with equal values.</param>
public sealed record TrainingData(ITokenizer Tokenizer, int[] Train, int[] Validation, double ValidationBytesPerToken, string Origin, IReadOnlyDictionary<string, string> Identity)
{
    /// <summary>The key of <see cref="Identity"/> under which a tokenizer that is not the text's characters lies.</summary>
    public const string TokenizerDigest = "tokenizer_sha256";

    /// <summary>Of a text: nine tenths train, the last tenth validates.</summary>
    /// <param name="corpus">The text.</param>
    /// <param name="tokenizer">What makes ids of it; null means its characters.</param>
    public static TrainingData FromText(Corpus corpus, ITokenizer? tokenizer)
    {
        var identity = new Dictionary<string, string> { ["corpus_sha256"] = corpus.Sha256 };
        if (tokenizer is not null) // characters are a function of the corpus
            identity[TokenizerDigest] = CorpusTokenizer.Sha256(tokenizer);
        tokenizer ??= CharTokenizer.FromText(corpus.Text);
        var (train, validation) = corpus.Split();
        int[] validationIds = tokenizer.Encode(validation);
        return new TrainingData(tokenizer, tokenizer.Encode(train), validationIds, (double)Encoding.UTF8.GetByteCount(validation) / validationIds.Length, corpus.Origin, identity);
    }
}
