using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Nano;

/// <summary>
/// A model in Hugging Face's layout: config.json, model.safetensors (or several such files and an
/// index), and the files of a tokenizer where there is one. GPT-2's linear weights lie there as
/// Conv1D, [in, out], and are transposed to Nano's [out, in]; its names are read with and
/// without the prefix "transformer.", and written with it.
/// </summary>
public static class ModelDirectory
{
    /// <summary>The file of the chat template in newer folders.</summary>
    internal const string ChatTemplateFile = "chat_template.jinja";

    /// <summary>The file that a tokenizer is written to.</summary>
    internal const string TokenizerFile = "tokenizer.json";

    private const string TokenizerConfigFile = "tokenizer_config.json";
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, NewLine = "\n" };

    private const int MostTries = 5;
    private const int MaxTokenizerConfigBytes = 1 << 24, MaxTokenizerFileBytes = 1 << 28;

    /// <summary>
    /// The files of a tokenizer, by the names that transformers, SentencePiece and tiktoken use.
    /// </summary>
    private static readonly string[] TokenizerFiles =
    [
        "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json",
        "merges.txt", "encoder.json", "vocab.bpe", "tokenizer.model", "tokenizer.bin", "vocab.txt", ChatTemplateFile,
        "chat_template.json", "generation_config.json",
    ];

    /// <summary>
    /// Opens the model at a path (see <see cref="ModelFolder.Resolve"/>) without loading it; a path
    /// to a .safetensors file means that file.
    /// </summary>
    /// <exception cref="NanoException">There is no model.</exception>
    /// <exception cref="BadFileException">A file is damaged or does not fit the configuration.</exception>
    public static ModelSource Open(string path)
    {
        if (path.EndsWith(".safetensors", StringComparison.Ordinal) && File.Exists(path))
            return Open(path, Path.GetDirectoryName(Path.GetFullPath(path))!, isFile: true);
        for (int tries = 1; ; tries++)
        {
            string folder = ModelFolder.Resolve(path);
            bool IsGone() => tries < MostTries && !File.Exists(Path.Combine(folder, ModelFolder.ConfigFile));
            try
            {
                var source = Open(path, folder, isFile: false);
                if (!IsGone())
                    return source;
                source.Dispose(); // a run has saved meanwhile and deleted the checkpoint before
            }
            catch (NanoException) when (IsGone())
            {
            }
        }
    }

    private static ModelSource Open(string path, string folder, bool isFile)
    {
        string configPath = Path.Combine(folder, ModelFolder.ConfigFile);
        var config = ConfigFile.Load(configPath);
        var layout = GroupedLayout.Load(configPath);
        var files = new SafetensorsSet(isFile ? path : folder);
        try
        {
            return new ModelSource(path, config, ModelFiles.Tensors(files, config, layout), files)
            {
                TokenizerPath = TokenizerLoader.FindIn(folder),
                ChatTemplate = ReadChatTemplate(folder),
                TokenizerFiles = [.. TokenizerFiles.Select(name => Path.Combine(folder, name)).Where(File.Exists)],
            };
        }
        catch
        {
            files.Dispose();
            throw;
        }
    }

    /// <summary>
    /// The text of chat_template.jinja, or the string chat_template of tokenizer_config.json, or
    /// null.
    /// </summary>
    /// <exception cref="BadFileException">A file is malformed.</exception>
    public static string? ReadChatTemplate(string folder)
    {
        string own = Path.Combine(folder, ChatTemplateFile), config = Path.Combine(folder, TokenizerConfigFile);
        if (File.Exists(own))
            return Encoding.UTF8.GetString(InputFile.ReadUtf8(own, MaxTokenizerConfigBytes, "check the path"));
        if (!File.Exists(config))
            return null;
        using var json = InputFile.ReadJson(config, MaxTokenizerConfigBytes, "check the path");
        try
        {
            return json.RootElement.ValueKind == JsonValueKind.Object
                && json.RootElement.TryGetProperty("chat_template", out var template)
                && template.ValueKind == JsonValueKind.String
                ? template.GetString() : null;
        }
        catch (InvalidOperationException e) // an escaped half of a surrogate pair
        {
            throw new BadFileException(config, "'chat_template' is not valid Unicode", e);
        }
    }

    /// <summary>
    /// Loads the model at a path (see <see cref="ModelFolder.Resolve"/>), with its tokenizer if it
    /// brings one.
    /// </summary>
    /// <exception cref="NanoException">There is no model.</exception>
    /// <exception cref="BadFileException">A file is damaged or does not fit the configuration.</exception>
    public static (LanguageModel Model, ITokenizer? Tokenizer) Load(string path) =>
        ModelLoader.Load(ModelFolder.Resolve(path));

    /// <summary>Writes a model into a folder that exists, with its tokenizer and its chat template, a Jinja string, if
    /// there are such.</summary>
    public static void Save(string folder, LanguageModel model, ITokenizer? tokenizer, string? chatTemplate = null)
    {
        tokenizer?.Save(Path.Combine(folder, TokenizerFile));
        if (chatTemplate is not null)
            AtomicFile.Write(Path.Combine(folder, ChatTemplateFile), stream =>
                stream.Write(Encoding.UTF8.GetBytes(chatTemplate)));
        using var source = ModelSource.Of(model);
        Write(folder, source);
    }

    /// <summary>
    /// Writes a model into a folder that exists: weights, tokenizer files, and config.json last,
    /// which makes the folder a model.
    /// </summary>
    /// <param name="folder">The folder.</param>
    /// <param name="source">The model.</param>
    /// <param name="type">The type to store; null means each tensor's own.</param>
    /// <param name="shardBytes">Larger models go into several files of at most this many bytes of
    /// weights; 0 means one file.</param>
    /// <exception cref="NanoException">A file cannot be written.</exception>
    public static void Write(string folder, ModelSource source, WeightType? type = null, long shardBytes = 0) =>
        Write(folder, source, type, shardBytes, grouped: null);

    /// <summary>Writes a model of which some matrices are codes in GPTQ's layout.</summary>
    internal static void Write(string folder, ModelSource source, WeightType? type, long shardBytes,
        GroupedMatrices? grouped)
    {
        var byName = source.Tensors.ToDictionary(tensor => tensor.Name, StringComparer.Ordinal);
        SafetensorsSet.Write(folder, [.. source.Config.FileTensors().SelectMany(InFile)],
            shardBytes == 0 ? long.MaxValue : shardBytes);
        foreach (string file in source.TokenizerFiles)
            AtomicFile.Write(Path.Combine(folder, Path.GetFileName(file)), stream =>
                stream.Write(InputFile.ReadBytes(file, MaxTokenizerFileBytes, "check the path")));
        AtomicFile.Write(Path.Combine(folder, ModelFolder.ConfigFile),
            stream => stream.Write(Encoding.UTF8.GetBytes(
                ConfigText(source.Config, type ?? MainType(source), grouped))));

        IEnumerable<SafetensorsTensor> InFile(FileTensor file)
        {
            if (grouped is not null && file.Parameters.Count == 1
                && grouped.ByName.TryGetValue(file.Parameters[0], out GroupedMatrix? matrix))
                return GroupedWriter.Folder(file.Name[..file.Name.LastIndexOf('.')], matrix);
            var stored = ModelFiles.Joined(file, [.. file.Parameters.Select(name => byName[name])]);
            return [stored.As(type ?? WeightTypes.Plain(stored.Type)).ToSafetensors()];
        }
    }

    /// <summary>The files of a folder that have names which writing gives, or are on the way to them;
    /// config.json last.</summary>
    internal static IReadOnlyCollection<string> OwnFiles(string folder)
    {
        var weights = Directory.Exists(folder)
            ? Directory.EnumerateFiles(folder, "model*.safetensors*").Select(file => Path.GetFileName(file)) : [];
        return [.. TokenizerFiles,
            .. weights.Where(name => SafetensorsSet.IsWritten(AtomicFile.TargetOf(name) ?? name)),
            SafetensorsIndex.IndexFile, ModelFolder.ConfigFile];
    }

    /// <summary>The type of most weights.</summary>
    private static WeightType MainType(ModelSource source) => source.Tensors.MaxBy(tensor => tensor.Shape.Length)!.Type;

    private static string ConfigText(ModelConfig config, WeightType type, GroupedMatrices? grouped)
    {
        string name = type switch
        {
            WeightType.F16 => "float16",
            WeightType.BF16 => "bfloat16",
            WeightType.F8_E4M3 => "float8_e4m3fn",
            WeightType.F8_E5M2 => "float8_e5m2",
            _ => "float32",
        };
        string text = config.ToJson().Replace("\"torch_dtype\": \"float32\"", $"\"torch_dtype\": \"{name}\"",
            StringComparison.Ordinal);
        if (grouped is null)
            return text;
        JsonNode json = JsonNode.Parse(text)!;
        json[GroupedLayout.Key] = GroupedWriter.Config(grouped.Bits, grouped.Group);
        return json.ToJsonString(Indented) + "\n";
    }
}
