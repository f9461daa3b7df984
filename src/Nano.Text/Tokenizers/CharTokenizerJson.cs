using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Nano;

/// <summary>
/// A character vocabulary as a Hugging Face tokenizer.json: a BPE model with the characters as
/// vocabulary and no merges, whose decoder joins them. Other programs can open it; here, a file
/// must be exactly of this form.
/// </summary>
internal static class CharTokenizerJson
{
    // 1.1 million characters at 24 bytes a line need less.
    private const int MaxBytes = 1 << 26;

    private const string MissingHint = "check the path; training on characters writes tokenizer.json beside the model";

    // The whole file save for model.vocab, which stands before "merges".
    private static readonly JsonElement Form = JsonElement.Parse("""
        {
          "version": "1.0",
          "truncation": null,
          "padding": null,
          "added_tokens": [],
          "normalizer": null,
          "pre_tokenizer": null,
          "post_processor": null,
          "decoder": { "type": "Fuse" },
          "model": {
            "type": "BPE",
            "dropout": null,
            "unk_token": null,
            "continuing_subword_prefix": null,
            "end_of_word_suffix": null,
            "fuse_unk": false,
            "byte_fallback": false,
            "ignore_merges": false,
            "merges": []
          }
        }
        """);

    /// <summary>
    /// True if a document describes a tokenizer of characters: BPE without merges, and a decoder
    /// that joins.
    /// </summary>
    public static bool Describes(JsonElement root) => root.ValueKind == JsonValueKind.Object
        && TypeIs(root, "decoder", "Fuse") && TypeIs(root, "model", "BPE")
        && root.GetProperty("model").TryGetProperty("merges", out var merges)
        && merges.ValueKind == JsonValueKind.Array && merges.GetArrayLength() == 0
        && IsNothing(root.GetProperty("model"), "unk_token")
        && IsNothing(root, "normalizer") && IsNothing(root, "pre_tokenizer");

    private static bool TypeIs(JsonElement root, string key, string type) => root.TryGetProperty(key, out var component)
        && component.ValueKind == JsonValueKind.Object && component.TryGetProperty("type", out var value)
        && value.ValueKind == JsonValueKind.String && value.ValueEquals(type);

    private static bool IsNothing(JsonElement json, string key) =>
        !json.TryGetProperty(key, out var value) || value.ValueKind == JsonValueKind.Null;

    public static void Save(string path, Rune[] symbols)
    {
        var options = new JsonWriterOptions
        {
            Indented = true,
            NewLine = "\n",
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping
        };
        AtomicFile.Write(path, stream =>
        {
            using (var json = new Utf8JsonWriter(stream, options))
            {
                json.WriteStartObject();
                foreach (JsonProperty property in Form.EnumerateObject())
                {
                    if (property.NameEquals("model"))
                        WriteModel(json, property.Value, symbols);
                    else
                        property.WriteTo(json);
                }
                json.WriteEndObject();
            }
            stream.WriteByte((byte)'\n');
        });
    }

    private static void WriteModel(Utf8JsonWriter json, JsonElement form, Rune[] symbols)
    {
        json.WriteStartObject("model");
        foreach (JsonProperty property in form.EnumerateObject())
        {
            if (property.NameEquals("merges"))
            {
                json.WriteStartObject("vocab");
                for (int id = 0; id < symbols.Length; id++)
                    json.WriteNumber(symbols[id].ToString(), id);
                json.WriteEndObject();
            }
            property.WriteTo(json);
        }
        json.WriteEndObject();
    }

    public static Rune[] Load(string path)
    {
        using JsonDocument document = InputFile.ReadJson(path, MaxBytes, MissingHint);
        try
        {
            CheckObject(document.RootElement, Form, "", path);
            JsonElement model = document.RootElement.GetProperty("model");
            CheckObject(model, Form.GetProperty("model"), "model.", path);
            return ReadVocabulary(model, path);
        }
        catch (InvalidOperationException e) // an escaped half of a surrogate pair
        {
            throw new BadFileException(path, $"a string is not valid Unicode: {e.Message}", e);
        }
    }

    /// <summary>
    /// Each key must have the value of the form. A key may be absent where it says "nothing" or
    /// "no".
    /// </summary>
    private static void CheckObject(JsonElement found, JsonElement form, string prefix, string path)
    {
        if (found.ValueKind != JsonValueKind.Object)
            throw Bad(path, $"{(prefix == "" ? "the top level" : "'model'")} is not a JSON object");
        foreach (JsonProperty property in found.EnumerateObject())
        {
            if (property.Name is "vocab" && prefix == "model." || property.Name is "model" && prefix == "")
                continue;
            if (!form.TryGetProperty(property.Name, out JsonElement expected))
                throw Bad(path, $"the key {Quoted.Of(prefix + property.Name)} is unknown here");
            if (!JsonElement.DeepEquals(property.Value, expected))
                throw Bad(path, $"'{prefix}{property.Name}' is {Quoted.Of(property.Value.GetRawText())}; expected "
                    + $"{expected.GetRawText()}");
        }
        foreach (string key in prefix == "" ? (string[])["decoder", "model"] : ["type", "vocab", "merges"])
            if (!found.TryGetProperty(key, out _))
                throw Bad(path, $"the key '{prefix}{key}' is missing");
    }

    private static Rune[] ReadVocabulary(JsonElement model, string path)
    {
        JsonElement vocabulary = model.GetProperty("vocab");
        if (vocabulary.ValueKind != JsonValueKind.Object)
            throw Bad(path, "'model.vocab' is not a JSON object");
        var symbols = new Rune[vocabulary.GetPropertyCount()];
        bool[] taken = new bool[symbols.Length];
        foreach (JsonProperty property in vocabulary.EnumerateObject())
        {
            string name = property.Name;
            if (Rune.DecodeFromUtf16(name, out Rune rune, out int used) != OperationStatus.Done || used != name.Length)
                throw Bad(path, $"the token {Quoted.Of(name)} is not one character");
            if (property.Value.ValueKind != JsonValueKind.Number || !property.Value.TryGetInt32(out int id)
                || (uint)id >= (uint)symbols.Length || taken[id])
                throw Bad(path, $"the id {Quoted.Of(property.Value.GetRawText())} of {Quoted.Of(name)} is taken or "
                    + $"not from 0 to {symbols.Length - 1}");
            (symbols[id], taken[id]) = (rune, true);
        }
        if (symbols.Length == 0)
            throw Bad(path, "'model.vocab' is empty");
        for (int id = 1; id < symbols.Length; id++)
            if (symbols[id] <= symbols[id - 1])
                throw Bad(path, $"the ids are not in code point order: {Quoted.Of(symbols[id].ToString())} has "
                    + $"id {id}");
        return symbols;
    }

    private static BadFileException Bad(string path, string problem) =>
        new(path, $"not a character tokenizer: {problem}");
}
