using System.Text;

namespace Nano;

/// <summary>
/// OpenAI's files for GPT-2: encoder.json (token to id) and vocab.bpe (a version line, then "left
/// right" per merge, in order). Hugging Face calls them vocab.json and merges.txt.
/// </summary>
internal static class Gpt2Files
{
    private const int MaxBytes = 1 << 26;

    private static readonly (string Vocabulary, string Merges)[] Names =
        [("encoder.json", "vocab.bpe"), ("vocab.json", "merges.txt")];

    /// <summary>
    /// The pair of files that a path names: one of the two, or the folder that has both. Null if it
    /// is neither.
    /// </summary>
    public static (string Vocabulary, string Merges)? Find(string path)
    {
        string folder = Directory.Exists(path) ? path : Path.GetDirectoryName(Path.GetFullPath(path))!;
        foreach (var (vocabulary, merges) in Names)
            if (Directory.Exists(path) ? File.Exists(Path.Combine(path, vocabulary))
                && File.Exists(Path.Combine(path, merges))
                : Path.GetFileName(path) == vocabulary || Path.GetFileName(path) == merges)
                return (Path.Combine(folder, vocabulary), Path.Combine(folder, merges));
        return null;
    }

    /// <summary>Reads a pair of files.</summary>
    /// <exception cref="BadFileException">A file is malformed, or they do not belong together.</exception>
    public static ByteBpeTokenizer Load(string vocabularyPath, string mergesPath)
    {
        using var json = InputFile.ReadJson(vocabularyPath, MaxBytes, TokenizerLoader.Hint);
        var table = new TokenTable(json.RootElement, vocabularyPath, "the top level");
        var added = new List<AddedToken>();
        var bytes = new List<byte[]?>();
        for (int id = 0; id < table.Count; id++)
        {
            if (table[id] is { } text && text.StartsWith("<|", StringComparison.Ordinal)
                && text.EndsWith("|>", StringComparison.Ordinal))
                added.Add(new AddedToken(text, id, Special: true));
            bytes.Add(table.Bytes(id));
        }
        var hidden = added.Select(token => token.Id).ToHashSet();
        var lines = Encoding.UTF8.GetString(InputFile.ReadUtf8(mergesPath, MaxBytes, TokenizerLoader.Hint)).Split('\n');
        var merges = new List<Merge>();
        for (int i = 0; i < lines.Length; i++)
        {
            string line = lines[i].TrimEnd('\r');
            if (line.Length > 0 && !(i == 0 && line.StartsWith("#version", StringComparison.Ordinal)))
                merges.Add(table.Merge(line, merges.Count, mergesPath, $"line {i + 1}"));
        }
        var tokens = new AddedTokens(added);
        return new ByteBpeTokenizer(
            new BpeParts(new Vocabulary(bytes, hidden.Contains, vocabularyPath), new MergeTable(merges),
                WholePieces: false, tokens, null,
                [.. tokens.Special.Where(token => token.Key == "<|endoftext|>").Select(token => token.Value)]),
            SplitPattern.Gpt2, composed: false);
    }
}
