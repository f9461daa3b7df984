using System.Text;
using System.Text.Json;

namespace Nano;

/// <summary>
/// BERT's vocab.txt: a token a line, its id the number of the line. The text is cleaned, small unless
/// tokenizer_config.json says do_lower_case false, cut at spaces and punctuation, and made up of the longest tokens
/// that fit (Devlin et al., "BERT", 2018; Wu et al., "Google's Neural Machine Translation System", 2016).
/// </summary>
internal static class WordPieceFile
{
    /// <summary>The name of the file.</summary>
    public const string Name = "vocab.txt";

    private const string ConfigName = "tokenizer_config.json";
    private const int MaxBytes = 1 << 26;

    /// <summary>Padding, unknown words, the beginning and end of a text, and masked tokens.</summary>
    public static IReadOnlyList<string> SpecialTokens { get; } = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

    /// <summary>Reads a file.</summary>
    /// <exception cref="BadFileException">It is malformed, or has no token for unknown words.</exception>
    public static ITokenizer Load(string path)
    {
        string text = Encoding.UTF8.GetString(InputFile.ReadUtf8(path, MaxBytes, TokenizerLoader.Hint));
        string[] lines = text.Split('\n');
        int count = lines[^1].Length == 0 ? lines.Length - 1 : lines.Length;
        var tokens = new OrderedDictionary<string, int>(StringComparer.Ordinal);
        for (int id = 0; id < count; id++)
            if (!tokens.TryAdd(lines[id].TrimEnd('\r'), id))
                throw new BadFileException(path,
                    $"line {id + 1}: {Quoted.Of(lines[id])} stands on an earlier line too");
        if (!tokens.ContainsKey(SpecialTokens[1]))
            throw new BadFileException(path, $"no line is {SpecialTokens[1]}, the token of unknown words");
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        return Read(Document([.. tokens.Keys], IsLowercase(Path.Combine(folder, ConfigName))), path,
            TokenizerConfig.OfFolder(folder));
    }

    /// <summary>The tokenizer of a document.</summary>
    public static ITokenizer Read(byte[] document, string path, TokenizerConfig config)
    {
        using var json = InputFile.ParseJson(document, path);
        return TokenizerJson.Read(json.RootElement, path, config, fast: true);
    }

    private static bool IsLowercase(string path)
    {
        if (!File.Exists(path))
            return true;
        using var json = InputFile.ReadJson(path, MaxBytes, TokenizerLoader.Hint);
        return new TokenizerComponent("the top level", json.RootElement, path).Flag("do_lower_case", absent: true);
    }

    /// <summary>A tokenizer.json for some tokens, of which those of <see cref="SpecialTokens"/> are special.</summary>
    public static byte[] Document(IReadOnlyList<string> tokens, bool lowercase)
    {
        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        for (int id = 0; id < tokens.Count; id++)
            ids[tokens[id]] = id;
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream))
        {
            json.WriteStartObject();
            json.WriteString("version", "1.0");
            json.WriteStartArray("added_tokens");
            foreach (string token in SpecialTokens.Where(ids.ContainsKey).OrderBy(token => ids[token]))
                WriteAdded(json, token, ids[token]);
            json.WriteEndArray();
            json.WritePropertyName("normalizer");
            json.WriteRawValue($$"""
                {"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,
                "lowercase":{{(lowercase ? "true" : "false")}}}
                """);
            json.WritePropertyName("pre_tokenizer");
            json.WriteRawValue("""{"type":"BertPreTokenizer"}""");
            if (ids.TryGetValue("[CLS]", out int cls) && ids.TryGetValue("[SEP]", out int sep))
            {
                json.WritePropertyName("post_processor");
                json.WriteRawValue($$"""{"type":"BertProcessing","sep":["[SEP]",{{sep}}],"cls":["[CLS]",{{cls}}]}""");
            }
            json.WritePropertyName("decoder");
            json.WriteRawValue("""{"type":"WordPiece","prefix":"##","cleanup":true}""");
            WriteModel(json, tokens);
            json.WriteEndObject();
        }
        return stream.ToArray();
    }

    private static void WriteAdded(Utf8JsonWriter json, string token, int id)
    {
        json.WriteStartObject();
        json.WriteNumber("id", id);
        json.WriteString("content", token);
        foreach (string flag in (string[])["single_word", "lstrip", "rstrip", "normalized"])
            json.WriteBoolean(flag, false);
        json.WriteBoolean("special", true);
        json.WriteEndObject();
    }

    private static void WriteModel(Utf8JsonWriter json, IReadOnlyList<string> tokens)
    {
        json.WriteStartObject("model");
        json.WriteString("type", "WordPiece");
        json.WriteString("unk_token", SpecialTokens[1]);
        json.WriteString("continuing_subword_prefix", WordPieceTrainer.Prefix);
        json.WriteNumber("max_input_chars_per_word", 100);
        json.WriteStartObject("vocab");
        for (int id = 0; id < tokens.Count; id++)
            json.WriteNumber(tokens[id], id);
        json.WriteEndObject();
        json.WriteEndObject();
    }
}
