using System.Text;
using System.Text.Json;

namespace Nano;

/// <summary>Reads the model and the added tokens of tokenizer.json.</summary>
internal static class ModelReader
{
    private static readonly string[] BpeKeys =
        ["type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
        "byte_fallback", "ignore_merges", "vocab", "merges"];

    /// <summary>Reads the model.</summary>
    /// <exception cref="BadFileException">It is malformed or of an unknown type.</exception>
    public static TokenModel Read(JsonElement root, string path)
    {
        if (!root.TryGetProperty("model", out var json) || json.ValueKind != JsonValueKind.Object)
            throw new BadFileException(path, "the key 'model' is missing or not a JSON object");
        var model = new TokenizerComponent("model", json, path);
        return (model.Text("type") ?? Inferred(model)) switch
        {
            "BPE" => Bpe(model),
            "Unigram" => Unigram(model),
            "WordPiece" => WordPiece(model),
            "WordLevel" => new WordLevelModel(Vocabulary(model, int.MaxValue), model.Text("unk_token") ?? "<unk>"),
            var other => throw new BadFileException(path,
                $"a model of type {Quoted.Of(other)} is not supported; BPE, Unigram, WordPiece and WordLevel are")
            {
                IsUnsupported = true,
            },
        };
    }

    /// <summary>Reads the added tokens.</summary>
    /// <exception cref="BadFileException">They are malformed.</exception>
    public static List<AddedEntry> Added(JsonElement root, ModelVocabulary vocabulary, string path)
    {
        var added = new List<AddedEntry>();
        if (!root.TryGetProperty("added_tokens", out var list) || list.ValueKind == JsonValueKind.Null)
            return added;
        if (list.ValueKind != JsonValueKind.Array)
            throw new BadFileException(path, "'added_tokens' is not an array");
        foreach (var element in list.EnumerateArray())
        {
            var token = new TokenizerComponent($"added_tokens[{added.Count}]", element, path);
            string text = token.Text("content") ?? throw token.Bad("has no content");
            int id = token.Number("id");
            if (id < 0 || id > Math.Max(vocabulary.IdEnd, vocabulary.Count) + list.GetArrayLength() + 4096)
                throw token.Bad($"has the id {id}, far outside the vocabulary of {vocabulary.Count}");
            added.Add(new AddedEntry(text, token.Flag("single_word"), token.Flag("lstrip"), token.Flag("rstrip"),
                token.Flag("normalized"), token.Flag("special")));
        }
        return added;
    }

    /// <summary>
    /// The type of a model that does not say it, by what it has: files written before tokenizers 0.9.
    /// </summary>
    private static string Inferred(TokenizerComponent model) =>
        model.Json.TryGetProperty("vocab", out var vocabulary) && vocabulary.ValueKind == JsonValueKind.Array
            ? "Unigram"
        : model.Json.TryGetProperty("merges", out _) ? "BPE"
        : model.Has("max_input_chars_per_word") && model.Has("continuing_subword_prefix") ? "WordPiece"
        : model.Has("unk_token") ? "WordLevel"
        : throw model.Bad("has no type, and neither merges nor anything else that tells it");

    private static BpeModel Bpe(TokenizerComponent model)
    {
        TokenizerComponent.CheckKeys(model.Json, "model.", BpeKeys, model.Path);
        if (model.Json.TryGetProperty("dropout", out var dropout) && dropout.ValueKind != JsonValueKind.Null
            && !(dropout.ValueKind == JsonValueKind.Number && dropout.GetDouble() == 0))
            throw new BadFileException(model.Path,
                $"'model.dropout' is {Quoted.Of(dropout.GetRawText())}, which is not supported")
            {
                IsUnsupported = true,
            };
        var options = new BpeOptions(
            model.Text("unk_token"), model.Flag("fuse_unk"), model.Flag("byte_fallback"), model.Flag("ignore_merges"),
            model.Text("continuing_subword_prefix") ?? "", model.Text("end_of_word_suffix") ?? "");
        var vocabulary = Vocabulary(model, int.MaxValue);
        return new BpeModel(vocabulary, Merges(model, vocabulary, Encoding.UTF8.GetByteCount(options.Prefix)), options);
    }

    private static WordPieceModel WordPiece(TokenizerComponent model) =>
        new(Vocabulary(model, TokenModel.MaxTokenLength), model.Text("unk_token") ?? "[UNK]",
            model.Text("continuing_subword_prefix") ?? "##",
            model.Has("max_input_chars_per_word") ? model.Number("max_input_chars_per_word") : 100);

    private static UnigramModel Unigram(TokenizerComponent model)
    {
        if (!model.Json.TryGetProperty("vocab", out var list) || list.ValueKind != JsonValueKind.Array)
            throw new BadFileException(model.Path, "'model.vocab' is missing or not an array of tokens and scores");
        int count = list.GetArrayLength();
        if (count > ModelVocabulary.MaxId)
            throw new BadFileException(model.Path,
                $"'model.vocab' has {count} tokens, more than {ModelVocabulary.MaxId}");
        var vocabulary = new ModelVocabulary();
        double[] scores = new double[count];
        int id = 0;
        foreach (var pair in list.EnumerateArray())
        {
            if (pair.ValueKind != JsonValueKind.Array || pair.GetArrayLength() != 2
                || pair[0].ValueKind != JsonValueKind.String
                || pair[1].ValueKind != JsonValueKind.Number || !double.IsFinite(scores[id] = pair[1].GetDouble()))
                throw new BadFileException(model.Path,
                    $"'model.vocab[{id}]' is {Quoted.Of(pair.GetRawText())}, not a token and its score");
            Set(vocabulary, pair[0].GetString()!, id++, TokenModel.MaxTokenLength, model.Path);
        }
        int unknown = model.Has("unk_id") ? model.Number("unk_id") : -1;
        if (model.Has("unk_id") && (uint)unknown >= (uint)count)
            throw new BadFileException(model.Path, $"'model.unk_id' is {unknown}, not among {count} tokens");
        return new UnigramModel(vocabulary, scores, unknown, model.Flag("byte_fallback"));
    }

    private static ModelVocabulary Vocabulary(TokenizerComponent model, int maxLength)
    {
        if (!model.Json.TryGetProperty("vocab", out var list) || list.ValueKind != JsonValueKind.Object)
            throw new BadFileException(model.Path, "'model.vocab' is not a JSON object of token and id");
        var vocabulary = new ModelVocabulary();
        int most = (int)Math.Min(ModelVocabulary.MaxId, (2L * list.GetPropertyCount()) + 4096); // holes are few
        foreach (var property in list.EnumerateObject())
        {
            if (property.Value.ValueKind != JsonValueKind.Number || !property.Value.TryGetInt32(out int id) || id < 0
                || id >= most)
                throw new BadFileException(model.Path,
                    $"the id {Quoted.Of(property.Value.GetRawText())} of {Quoted.Of(property.Name)} "
                    + $"is not from 0 to {most - 1}");
            if (vocabulary[id] is { } other)
                throw new BadFileException(model.Path,
                    $"the id {id} of {Quoted.Of(property.Name)} is taken by {Quoted.Of(other)}");
            Set(vocabulary, property.Name, id, maxLength, model.Path);
        }
        return vocabulary;
    }

    private static void Set(ModelVocabulary vocabulary, string token, int id, int maxLength, string path)
    {
        if (token.Length > maxLength)
            throw new BadFileException(path, $"the token {id} has {token.Length} characters, more than {maxLength}");
        vocabulary.Set(token, id);
    }

    /// <summary>The rules, of several for the same two neighbours the last.</summary>
    private static Merge[] Merges(TokenizerComponent model, ModelVocabulary vocabulary, int prefixBytes)
    {
        if (!model.Json.TryGetProperty("merges", out var list) || list.ValueKind != JsonValueKind.Array)
            throw new BadFileException(model.Path, "'model.merges' is missing or not an array");
        var merges = new Dictionary<(int Left, int Right), Merge>(list.GetArrayLength());
        int rank = 0, index = 0;
        foreach (var element in list.EnumerateArray())
        {
            string where = $"'model.merges[{index++}]'";
            if (element.ValueKind == JsonValueKind.String
                && element.GetString()!.StartsWith("#version", StringComparison.Ordinal))
                continue;
            var (left, right) = element.ValueKind == JsonValueKind.String
                ? Parts(element.GetString()!, where, model.Path)
                : element.ValueKind == JsonValueKind.Array && element.GetArrayLength() == 2
                    && element[0].ValueKind == JsonValueKind.String && element[1].ValueKind == JsonValueKind.String
                    ? (element[0].GetString()!, element[1].GetString()!)
                    : throw new BadFileException(model.Path,
                        $"{where} is neither \"left right\" nor [\"left\", \"right\"]");
            int leftId = vocabulary.Find(left), rightId = vocabulary.Find(right),
                id = vocabulary.Find(left + Behind(right, prefixBytes, where, model.Path));
            if (leftId < 0 || rightId < 0 || id < 0)
                throw new BadFileException(model.Path,
                    $"{where} merges {Quoted.Of(left)} and {Quoted.Of(right)}, "
                    + "but they or what they make are not in the vocabulary");
            merges[(leftId, rightId)] = new Merge(leftId, rightId, rank++, id);
        }
        return [.. merges.Values.OrderBy(merge => merge.Rank)];
    }

    private static (string Left, string Right) Parts(string pair, string where, string path)
    {
        int space = pair.IndexOf(' ', StringComparison.Ordinal);
        return space >= 0 && space == pair.LastIndexOf(' ') ? (pair[..space], pair[(space + 1)..])
            : throw new BadFileException(path,
                $"{where} is {Quoted.Of(pair)}, not two tokens with a space between them");
    }

    /// <summary>A token without the prefix of continuing ones, of which only the length counts.</summary>
    private static string Behind(string token, int prefixBytes, string where, string path)
    {
        if (prefixBytes == 0)
            return token;
        byte[] utf8 = Encoding.UTF8.GetBytes(token);
        return prefixBytes <= utf8.Length && (prefixBytes == utf8.Length || (utf8[prefixBytes] & 0xC0) != 0x80)
            ? Encoding.UTF8.GetString(utf8.AsSpan(prefixBytes))
            : throw new BadFileException(path,
                $"{where} has the right part {Quoted.Of(token)}, shorter than the prefix of continuing tokens");
    }
}
