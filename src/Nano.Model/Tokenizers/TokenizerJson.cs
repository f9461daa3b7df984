using System.Text;
using System.Text.Json;

namespace Nano;

/// <summary>
/// Hugging Face's tokenizer.json, as far as GPT-2, Llama, Qwen, SmolLM, TinyLlama and Mistral use it. A component that is not known here is an error
/// that names it: another program would make other ids of the same text.
/// </summary>
internal static class TokenizerJson
{
    private const int MaxBytes = 1 << 26;

    private static readonly string[] Keys = ["version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder", "model"],
        ModelKeys = ["type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback", "ignore_merges", "vocab", "merges"];

    /// <summary>Reads a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="config">What the files beside it say about the ends of a text.</param>
    /// <exception cref="BadFileException">It is malformed or has an unknown component.</exception>
    public static ITokenizer Load(string path, TokenizerConfig config)
    {
        using var document = InputFile.ReadJson(path, MaxBytes, TokenizerLoader.Hint);
        try
        {
            return IsCharacters(document.RootElement) ? CharTokenizer.Load(path) : Read(document.RootElement, path, config);
        }
        catch (InvalidOperationException e) // an escaped half of a surrogate pair
        {
            throw new BadFileException(path, $"a string is not valid Unicode: {e.Message}", e);
        }
    }

    /// <summary>Whether a document has the form of <see cref="CharTokenizer"/>: no merges, and a decoder that joins.</summary>
    private static bool IsCharacters(JsonElement root) => root.ValueKind != JsonValueKind.Object
        || (root.TryGetProperty("decoder", out var decoder) && decoder.ValueKind == JsonValueKind.Object && decoder.TryGetProperty("type", out var type) && type.ValueKind == JsonValueKind.String && type.ValueEquals("Fuse"));

    private static BpeTokenizer Read(JsonElement root, string path, TokenizerConfig config)
    {
        TokenizerComponent.CheckKeys(root, "", Keys, path);
        var modelJson = root.TryGetProperty("model", out var found) && found.ValueKind == JsonValueKind.Object ? found : throw new BadFileException(path, "the key 'model' is missing or not a JSON object");
        var model = new TokenizerComponent("model", modelJson, path);
        if (model.Type != "BPE")
            throw new BadFileException(path, $"a model of type {Quoted.Of(model.Type)} is not supported; BPE is");
        TokenizerComponent.CheckKeys(modelJson, "model.", ModelKeys, path);
        foreach (string key in (string[])["dropout", "continuing_subword_prefix", "end_of_word_suffix"])
            if (modelJson.TryGetProperty(key, out var value) && value.GetRawText() is not ("null" or "\"\"" or "0.0" or "0"))
                throw new BadFileException(path, $"'model.{key}' is {Quoted.Of(value.GetRawText())}, which is not supported");
        var table = new TokenTable(modelJson.TryGetProperty("vocab", out var vocabulary) ? vocabulary : default, path, "'model.vocab'");
        var added = ReadAdded(root, table, path);
        var merges = ReadMerges(modelJson, table, path);
        var shape = TokenizerShape.Of(root, path);
        int? begin = config.BeginId(SentencePieces.Distinct(added, path), shape.BeginId is { } id && id < table.Count ? id : null);
        var ends = config.EndIds(added, table.Count);
        return shape.Pattern is { } pattern
            ? new ByteBpeTokenizer(Parts(table, added, merges, model.Flag("ignore_merges"), begin, ends, path), pattern, shape.Composed)
            : CharacterBpe(table, added, merges, model, shape, begin, ends);
    }

    private static BpeParts Parts(TokenTable table, List<AddedToken> added, List<Merge> merges, bool wholePieces, int? begin, IReadOnlyList<int> ends, string path)
    {
        var texts = added.ToDictionary(token => token.Id, token => token.Text);
        var tokens = Enumerable.Range(0, table.Count).Select(id => texts.TryGetValue(id, out string? text) ? Encoding.UTF8.GetBytes(text) : table.Bytes(id)).ToArray();
        return new BpeParts(new Vocabulary(tokens, texts.ContainsKey, path), new MergeTable(merges), wholePieces, SentencePieces.Distinct(added, path), begin, ends);
    }

    private static SentencePieceTokenizer CharacterBpe(TokenTable table, List<AddedToken> added, List<Merge> merges, TokenizerComponent model, TokenizerShape shape, int? begin, IReadOnlyList<int> ends)
    {
        int unknown = model.Text("unk_token") is { } text ? table.Find(text) ?? throw new BadFileException(model.Path, $"'model.unk_token' {Quoted.Of(text)} is not in the vocabulary") : -1;
        bool byteFallback = model.Flag("byte_fallback");
        var special = added.Where(token => token.Special).Select(token => token.Id).ToHashSet();
        var whole = added.Select(token => token.Id).ToHashSet();
        int[] byteIds = new int[256];
        var tokens = new byte[]?[table.Count];
        int bytes = 0;
        for (int id = 0; id < tokens.Length; id++)
        {
            if (table[id] is not { } token)
                continue;
            var kind = id == unknown ? PieceKind.Unknown : special.Contains(id) ? PieceKind.Control
                : byteFallback && SentencePieces.ByteOf(token) is not null ? PieceKind.Byte : PieceKind.Normal;
            tokens[id] = SentencePieces.BytesOf(new Piece(token, 0, kind));
            if (kind != PieceKind.Byte)
                continue;
            byteIds[tokens[id]![0]] = id;
            bytes++;
            whole.Add(id);
        }
        if (byteFallback && bytes != 256)
            throw new BadFileException(model.Path, $"'model.byte_fallback' is set, but {bytes} of 256 bytes have a token");
        var vocabulary = new Vocabulary(tokens, id => id == unknown || whole.Contains(id), model.Path);
        return new SentencePieceTokenizer(new BpeParts(vocabulary, new MergeTable(merges), model.Flag("ignore_merges"), SentencePieces.Distinct(added, model.Path), begin, ends),
            new SentencePieceRules(byteFallback ? byteIds : null, unknown, shape.SpaceInFront, SingleSpaces: false, []));
    }

    private static List<AddedToken> ReadAdded(JsonElement root, TokenTable table, string path)
    {
        var added = new List<AddedToken>();
        if (!root.TryGetProperty("added_tokens", out var list) || list.ValueKind == JsonValueKind.Null)
            return added;
        if (list.ValueKind != JsonValueKind.Array)
            throw new BadFileException(path, "'added_tokens' is not an array");
        foreach (var element in list.EnumerateArray())
        {
            var token = new TokenizerComponent($"added_tokens[{added.Count}]", element, path);
            string text = token.Text("content") ?? throw token.Bad("has no content");
            foreach (string flag in (string[])["single_word", "lstrip", "rstrip"])
                if (token.Flag(flag))
                    throw token.Bad($"has '{flag}', which is not supported");
            int id = token.Number("id");
            if ((uint)id > table.Count + 4096)
                throw token.Bad($"has the id {id}, far outside the vocabulary of {table.Count}");
            table.Add(text, id);
            added.Add(new AddedToken(text, id, token.Flag("special")));
        }
        return added;
    }

    private static List<Merge> ReadMerges(JsonElement model, TokenTable table, string path)
    {
        if (!model.TryGetProperty("merges", out var list) || list.ValueKind != JsonValueKind.Array)
            throw new BadFileException(path, "'model.merges' is missing or not an array");
        var merges = new List<Merge>(list.GetArrayLength());
        foreach (var element in list.EnumerateArray())
        {
            string where = $"'model.merges[{merges.Count}]'";
            if (element.ValueKind == JsonValueKind.String)
                merges.Add(table.Merge(element.GetString()!, merges.Count, path, where));
            else if (element.ValueKind == JsonValueKind.Array && element.GetArrayLength() == 2 && element[0].ValueKind == JsonValueKind.String && element[1].ValueKind == JsonValueKind.String)
                merges.Add(table.Merge(element[0].GetString()!, element[1].GetString()!, merges.Count, path, where));
            else
                throw new BadFileException(path, $"{where} is neither \"left right\" nor [\"left\", \"right\"]");
        }
        return merges;
    }
}
