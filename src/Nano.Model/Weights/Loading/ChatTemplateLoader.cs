using System.Text;
using System.Text.Json;

namespace Nano;

/// <summary>
/// Finds the chat template of a model: chat_template.jinja or tokenizer_config.json beside it, or
/// the metadata of a GGUF file.
/// </summary>
public static class ChatTemplateLoader
{
    private const string JinjaFile = "chat_template.jinja", ConfigFile = "tokenizer_config.json";
    private const int MaxBytes = 1 << 24;
    private const string Hint = "check the path";

    private static readonly string[] TokenNames = ["bos_token", "eos_token", "unk_token", "pad_token"];

    /// <summary>The template to talk to a model with.</summary>
    /// <param name="modelPath">The model's folder or file.</param>
    /// <param name="chosen">The name of a built-in template, or a file with one, instead of the
    /// model's own; null for that.</param>
    /// <param name="tokenizer">Knows the special tokens where no file names them; null where the
    /// model brings none.</param>
    /// <exception cref="NanoException">There is none; the message lists the built-in ones.</exception>
    /// <exception cref="BadFileException">A file is malformed.</exception>
    public static ChatFormat Load(string modelPath, string? chosen, ITokenizer? tokenizer)
    {
        var tokens = tokenizer is null ? new Dictionary<string, string>(StringComparer.Ordinal)
            : FromTokenizer(tokenizer);
        string? own = ModelLoader.FormatOf(modelPath) switch
        {
            ModelFormat.Safetensors => FromFolder(ModelFolder.Resolve(modelPath), tokens),
            ModelFormat.Gguf => FromGguf(modelPath, tokens),
            _ => null,
        };
        if (chosen is null)
            return new ChatFormat(new ChatTemplate(own
                ?? throw new NanoException($"the model at '{modelPath}' brings no chat template",
                $"choose one with `template`: {string.Join(", ", ChatTemplate.BuiltInNames)}, or a file"),
                    $"of '{modelPath}'"), tokens);
        return new ChatFormat(Open(chosen), tokens);
    }

    /// <summary>The template in a Jinja file, or the built-in one of this name.</summary>
    /// <exception cref="NanoException">There is neither.</exception>
    /// <exception cref="BadFileException">The file is not UTF-8.</exception>
    /// <exception cref="ChatTemplateException">The template is malformed.</exception>
    public static ChatTemplate Open(string chosen) => Path.Exists(chosen)
        ? new ChatTemplate(Encoding.UTF8.GetString(InputFile.ReadUtf8(chosen, MaxBytes, Hint)), $"'{chosen}'")
        : ChatTemplate.BuiltIn(chosen);

    private static Dictionary<string, string> FromTokenizer(ITokenizer tokenizer)
    {
        var tokens = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, id) in new[] { ("bos_token", tokenizer.BeginId),
            ("eos_token", tokenizer.EndIds.Count > 0 ? tokenizer.EndIds[0] : null) })
            if (tokenizer.SpecialTokens.FirstOrDefault(token => token.Value == id) is { Key: { } text })
                tokens[name] = text;
        return tokens;
    }

    private static string? FromFolder(string folder, Dictionary<string, string> tokens)
    {
        string config = Path.Combine(folder, ConfigFile), jinja = Path.Combine(folder, JinjaFile);
        string? template = null;
        if (File.Exists(config))
        {
            using var json = InputFile.ReadJson(config, MaxBytes, Hint);
            if (json.RootElement.ValueKind != JsonValueKind.Object)
                throw new BadFileException(config, "the top level is not a JSON object");
            foreach (string name in TokenNames)
                if (json.RootElement.TryGetProperty(name, out var token) && token.ValueKind != JsonValueKind.Null)
                    tokens[name] = Text(token.ValueKind == JsonValueKind.Object
                        && token.TryGetProperty("content", out var content) ? content : token, name, config);
            if (json.RootElement.TryGetProperty("chat_template", out var own) && own.ValueKind != JsonValueKind.Null)
                template = own.ValueKind == JsonValueKind.Array ? Default(own, config)
                    : Text(own, "chat_template", config);
        }
        return File.Exists(jinja) ? Encoding.UTF8.GetString(InputFile.ReadUtf8(jinja, MaxBytes, Hint)) : template;
    }

    /// <summary>Of several templates, each an object with name and template, the one named "default".</summary>
    private static string Default(JsonElement templates, string path)
    {
        foreach (var template in templates.EnumerateArray())
            if (template.ValueKind == JsonValueKind.Object && template.TryGetProperty("name", out var name)
                && name.ValueKind == JsonValueKind.String && name.ValueEquals("default")
                && template.TryGetProperty("template", out var text))
                return Text(text, "chat_template", path);
        throw new BadFileException(path, "'chat_template' is a list without a template named 'default'");
    }

    private static string Text(JsonElement value, string key, string path)
    {
        try
        {
            return value.ValueKind == JsonValueKind.String ? value.GetString()!
                : throw new BadFileException(path, $"'{key}' is {Quoted.Of(value.GetRawText())}; expected a string");
        }
        catch (InvalidOperationException e) // an escaped half of a surrogate pair
        {
            throw new BadFileException(path, $"'{key}' is not valid Unicode", e);
        }
    }

    private static string? FromGguf(string path, Dictionary<string, string> tokens)
    {
        using var source = ModelLoader.Open(path);
        var metadata = source.Metadata!;
        if (metadata.Strings("tokenizer.ggml.tokens") is { } texts)
            foreach (var (name, key) in new[] { ("bos_token", "bos"), ("eos_token", "eos"), ("unk_token", "unknown"),
                ("pad_token", "padding") })
                // 0xFFFFFFFF stands for none
                if (metadata.Integer($"tokenizer.ggml.{key}_token_id") is { } id && id >= 0 && id < texts.Length)
                    tokens[name] = texts[id];
        return metadata.String("tokenizer.chat_template");
    }
}
