using System.Text.Json;

namespace Nano;

/// <summary>
/// Special tokens that begin and end texts, from the files beside a tokenizer:
/// tokenizer_config.json (add_bos_token, bos_token, eos_token), and eos_token_id of
/// generation_config.json and config.json, a number or several.
/// </summary>
internal sealed class TokenizerConfig
{
    private const int MaxBytes = 1 << 24;

    // Special tokens that end a text in every model that has them.
    private static readonly string[] KnownEnds = ["<|endoftext|>", "</s>", "<|end_of_text|>", "<|eot_id|>",
        "<|eom_id|>", "<|im_end|>"];

    private bool? addBegin;
    private string? begin, end;
    private readonly List<int> ends = [];

    /// <summary>Nothing is said.</summary>
    public static TokenizerConfig None { get; } = new();

    /// <summary>Reads those of the files that are in a folder.</summary>
    /// <exception cref="BadFileException">One is malformed.</exception>
    public static TokenizerConfig OfFolder(string folder)
    {
        var config = new TokenizerConfig();
        foreach (string name in (string[])["tokenizer_config.json", "generation_config.json", "config.json"])
        {
            string path = Path.Combine(folder, name);
            if (!File.Exists(path))
                continue;
            using var json = InputFile.ReadJson(path, MaxBytes, TokenizerLoader.Hint);
            try
            {
                config.Read(new TokenizerComponent("the top level", json.RootElement, path),
                    name == "tokenizer_config.json");
            }
            catch (InvalidOperationException e) // an escaped half of a surrogate pair
            {
                throw new BadFileException(path, $"a string is not valid Unicode: {e.Message}", e);
            }
        }
        return config;
    }

    /// <summary>The id in front of a prompt.</summary>
    /// <param name="added">The tokens that names may mean.</param>
    /// <param name="fromTemplate">The id that tokenizer.json itself puts there.</param>
    public int? BeginId(AddedTokens added, int? fromTemplate) => addBegin == false ? null
        : fromTemplate ?? (addBegin == true && begin is not null && added.Special.TryGetValue(begin, out int id)
            ? id : null);

    /// <summary>The ids that end a text: those that the files name, and special tokens that always do.</summary>
    public IReadOnlyList<int> EndIds(IEnumerable<AddedToken> added, int vocabSize) =>
        [.. added.Where(token => token.Text == end).Select(token => token.Id)
            .Concat(ends.Where(id => id >= 0 && id < vocabSize))
            .Concat(added.Where(token => token.Special && KnownEnds.Contains(token.Text)).Select(token => token.Id))
            .Distinct()];

    private void Read(TokenizerComponent file, bool names)
    {
        if (names)
        {
            addBegin = file.Json.ValueKind == JsonValueKind.Object
                && file.Json.TryGetProperty("add_bos_token", out var add)
                && add.ValueKind is JsonValueKind.True or JsonValueKind.False
                ? file.Flag("add_bos_token") : null;
            (begin, end) = (Name(file, "bos_token"), Name(file, "eos_token"));
            return;
        }
        if (file.Json.ValueKind != JsonValueKind.Object)
            throw file.Bad("is not a JSON object");
        if (!file.Json.TryGetProperty("eos_token_id", out var value))
            return;
        foreach (var id in value.ValueKind == JsonValueKind.Array ? value.EnumerateArray().ToArray() : [value])
            if (id.ValueKind == JsonValueKind.Number && id.TryGetInt32(out int number))
                ends.Add(number);
            else if (id.ValueKind != JsonValueKind.Null)
                throw file.Bad($"has an 'eos_token_id' that is not a whole number: {Quoted.Of(value.GetRawText())}");
    }

    /// <summary>A token's text, given as such or as an object with content.</summary>
    private static string? Name(TokenizerComponent file, string key) =>
        file.Json.TryGetProperty(key, out var value) && value.ValueKind == JsonValueKind.Object
            ? new TokenizerComponent($"'{key}'", value, file.Path).Text("content") : file.Text(key);
}
