using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Nano;

/// <summary>Writes tokenizers as Hugging Face's tokenizer.json. The same tokenizer gives the same bytes.</summary>
internal static class TokenizerJsonWriter
{
    private static readonly JsonWriterOptions Options =
        new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes byte-level BPE.</summary>
    public static void Save(string path, ByteBpeTokenizer tokenizer)
    {
        var parts = tokenizer.Parts;
        string[] tokens = Tokens(parts, bytes => ByteAlphabet.ToText(bytes));
        Write(path, json =>
        {
            Begin(json, parts);
            json.WritePropertyName("normalizer");
            json.WriteRawValue(tokenizer.Composed ? """{ "type": "NFC" }""" : "null");
            json.WritePropertyName("pre_tokenizer");
            WriteSplit(json, tokenizer.Pattern);
            json.WritePropertyName("post_processor");
            if (parts.BeginId is { } begin)
                WriteTemplate(json, tokens[begin], begin);
            else
                WriteByteLevel(json, useRegex: true);
            json.WritePropertyName("decoder");
            WriteByteLevel(json, useRegex: true);
            WriteModel(json, parts, tokens, unknown: null, byteFallback: false);
        });
    }

    /// <summary>Writes SentencePiece BPE.</summary>
    /// <exception cref="NanoException">Hugging Face has no form for it.</exception>
    public static void Save(string path, SentencePieceTokenizer tokenizer)
    {
        var (parts, rules) = (tokenizer.Parts, tokenizer.Rules);
        if (rules.SingleSpaces || rules.UserDefined.Any(token => token is not null))
            throw new NanoException(
                "a tokenizer with user-defined tokens or with single spaces cannot be written as tokenizer.json",
                "keep its own file beside the model");
        string[] tokens = Tokens(parts,
            bytes => Encoding.UTF8.GetString(bytes).Replace(' ', SentencePieceTokenizer.SpaceSign));
        foreach (int b in Enumerable.Range(0, 256).Where(b => rules.ByteIds?[b] >= 0))
            tokens[rules.ByteIds![b]] = $"<0x{b:X2}>";
        Write(path, json =>
        {
            Begin(json, parts);
            bool first = rules.SpaceInFront == SpaceInFront.First;
            json.WritePropertyName("normalizer");
            const string Replace = """{ "type": "Replace", "pattern": { "String": " " }, "content": "▁" }""";
            json.WriteRawValue(first ? "null" : rules.SpaceInFront == SpaceInFront.Never ? Replace
                : $$"""{ "type": "Sequence", "normalizers": [{ "type": "Prepend", "prepend": "▁" }, {{Replace}}] }""");
            json.WritePropertyName("pre_tokenizer");
            json.WriteRawValue(first
                ? """{ "type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": false }"""
                : "null");
            json.WritePropertyName("post_processor");
            if (parts.BeginId is { } begin)
                WriteTemplate(json, tokens[begin], begin);
            else
                json.WriteNullValue();
            json.WritePropertyName("decoder");
            string strip = rules.SpaceInFront == SpaceInFront.Never ? ""
                : """, { "type": "Strip", "content": " ", "start": 1, "stop": 0 }""";
            json.WriteRawValue("""{ "type": "Sequence", "decoders": [{ "type": "Replace", "pattern": """
                + """{ "String": "▁" }, "content": " " }, { "type": "ByteFallback" }, { "type": "Fuse" }"""
                + strip + "] }");
            WriteModel(json, parts, tokens, rules.UnknownId < 0 ? null : tokens[rules.UnknownId],
                rules.ByteIds is not null);
        });
    }

    /// <summary>The text of each id; empty where it is not used.</summary>
    private static string[] Tokens(BpeParts parts, Func<byte[], string> toText)
    {
        var tokens = new string[parts.Vocabulary.Count];
        for (int id = 0; id < tokens.Length; id++)
            tokens[id] = toText(parts.Vocabulary[id].ToArray());
        foreach (var token in parts.Added.Tokens)
            tokens[token.Id] = token.Text;
        return tokens;
    }

    private static void Write(string path, Action<Utf8JsonWriter> write) => AtomicFile.Write(path, stream =>
    {
        using (var json = new Utf8JsonWriter(stream, Options))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }
        stream.WriteByte((byte)'\n');
    });

    private static void Begin(Utf8JsonWriter json, BpeParts parts)
    {
        json.WriteString("version", "1.0");
        json.WriteNull("truncation");
        json.WriteNull("padding");
        json.WriteStartArray("added_tokens");
        foreach (var token in parts.Added.Tokens.OrderBy(token => token.Id))
        {
            json.WriteStartObject();
            json.WriteNumber("id", token.Id);
            json.WriteString("content", token.Text);
            foreach (string flag in (string[])["single_word", "lstrip", "rstrip", "normalized"])
                json.WriteBoolean(flag, false);
            json.WriteBoolean("special", token.Special);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private static void WriteSplit(Utf8JsonWriter json, SplitPattern pattern)
    {
        if (pattern == SplitPattern.Gpt2)
        {
            WriteByteLevel(json, useRegex: true);
            return;
        }
        json.WriteStartObject();
        json.WriteString("type", "Sequence");
        json.WriteStartArray("pretokenizers");
        if (pattern == SplitPattern.Gpt2Digits)
        {
            json.WriteStartObject();
            json.WriteString("type", "Digits");
            json.WriteBoolean("individual_digits", true);
            json.WriteEndObject();
        }
        else
            foreach (string regex in pattern.Regexes.Count > 0 ? pattern.Regexes : [pattern.Regex])
                WriteRegex(json, regex);
        WriteByteLevel(json, useRegex: pattern == SplitPattern.Gpt2Digits);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteRegex(Utf8JsonWriter json, string regex)
    {
        json.WriteStartObject();
        json.WriteString("type", "Split");
        json.WriteStartObject("pattern");
        json.WriteString("Regex", regex);
        json.WriteEndObject();
        json.WriteString("behavior", "Isolated");
        json.WriteBoolean("invert", false);
        json.WriteEndObject();
    }

    private static void WriteByteLevel(Utf8JsonWriter json, bool useRegex)
    {
        json.WriteStartObject();
        json.WriteString("type", "ByteLevel");
        json.WriteBoolean("add_prefix_space", false);
        json.WriteBoolean("trim_offsets", true);
        json.WriteBoolean("use_regex", useRegex);
        json.WriteEndObject();
    }

    /// <summary>One special token, then the text; for a pair of texts the same twice.</summary>
    internal static void WriteTemplate(Utf8JsonWriter json, string token, int id)
    {
        json.WriteStartObject();
        json.WriteString("type", "TemplateProcessing");
        foreach (string name in (string[])["single", "pair"])
        {
            json.WriteStartArray(name);
            for (int part = 0; part < (name == "single" ? 1 : 2); part++)
            {
                WritePart("SpecialToken", token, part);
                WritePart("Sequence", part == 0 ? "A" : "B", part);
            }
            json.WriteEndArray();
        }
        json.WriteStartObject("special_tokens");
        json.WriteStartObject(token);
        json.WriteString("id", token);
        json.WriteStartArray("ids");
        json.WriteNumberValue(id);
        json.WriteEndArray();
        json.WriteStartArray("tokens");
        json.WriteStringValue(token);
        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteEndObject();

        void WritePart(string kind, string id, int type)
        {
            json.WriteStartObject();
            json.WriteStartObject(kind);
            json.WriteString("id", id);
            json.WriteNumber("type_id", type);
            json.WriteEndObject();
            json.WriteEndObject();
        }
    }

    private static void WriteModel(Utf8JsonWriter json, BpeParts parts, string[] tokens, string? unknown,
        bool byteFallback)
    {
        json.WriteStartObject("model");
        json.WriteString("type", "BPE");
        json.WriteNull("dropout");
        json.WriteString("unk_token", unknown);
        json.WriteNull("continuing_subword_prefix");
        json.WriteNull("end_of_word_suffix");
        json.WriteBoolean("fuse_unk", unknown is not null);
        json.WriteBoolean("byte_fallback", byteFallback);
        json.WriteBoolean("ignore_merges", parts.WholePieces);
        json.WriteStartObject("vocab");
        for (int id = 0; id < tokens.Length; id++)
            if (tokens[id].Length > 0)
                json.WriteNumber(tokens[id], id);
        json.WriteEndObject();
        json.WriteStartArray("merges");
        foreach (var merge in parts.Merges.InOrder())
            json.WriteStringValue($"{tokens[merge.Left]} {tokens[merge.Right]}");
        json.WriteEndArray();
        json.WriteEndObject();
    }
}
