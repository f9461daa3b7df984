using System.Text;

namespace Nano;

/// <summary>Reads the config.json of a model of any supported architecture.</summary>
public static class ConfigFile
{
    private const int MaxFileBytes = 1 << 20;

    /// <summary>Reads a config.json; see <see cref="FromJson"/>.</summary>
    /// <exception cref="NanoException">The file is missing or cannot be read.</exception>
    /// <exception cref="BadFileException">It is not the configuration of a supported model.</exception>
    public static ModelConfig Load(string path) =>
        FromJson(Text(path), path);

    /// <summary>Opens a config.json.</summary>
    /// <exception cref="NanoException">The file is missing or cannot be read.</exception>
    /// <exception cref="BadFileException">It is not a JSON object.</exception>
    internal static ConfigJson Open(string path) => new(Text(path), path);

    private static string Text(string path) => Encoding.UTF8
        .GetString(InputFile.ReadUtf8(path, MaxFileBytes, "a model's folder holds its config.json"));

    /// <summary>Reads a config.json of a model of any kind.</summary>
    /// <exception cref="NanoException">The file is missing or cannot be read.</exception>
    /// <exception cref="BadFileException">It is not the configuration of a supported model.</exception>
    public static ArchitectureConfig LoadAny(string path) => AnyFromJson(Text(path), path);

    /// <summary>
    /// Reads a Hugging Face config.json; model_type decides the kind of model. Sizes are required;
    /// for other absent keys the defaults of transformers hold. Keys that do not change the
    /// arithmetic are skipped.
    /// </summary>
    /// <param name="json">The file's text.</param>
    /// <param name="path">The file, for errors.</param>
    /// <exception cref="BadFileException">Malformed, another kind of model, or a variant that is
    /// not supported.</exception>
    public static ModelConfig FromJson(string json, string path) => AnyFromJson(json, path) is var config
        && config is ModelConfig decoder ? decoder
        : throw new BadFileException(path, $"'model_type' is {Quoted.Of(config.ModelType)}, which does not write text; "
            + $"supported: gpt2, {string.Join(", ", DecoderFamilies.ModelTypes)}, mamba, "
            + "mamba2, rwkv7")
        { IsUnsupported = true };

    private static ArchitectureConfig AnyFromJson(string json, string path)
    {
        using var file = new ConfigJson(json, path);
        string? kind = file.String("model_type");
        ArchitectureConfig config = kind switch
        {
            "gpt2" => Gpt2Config.Read(file),
            "mamba" or "mamba2" => MambaConfig.Read(file, kind == "mamba2"),
            "rwkv7" => Rwkv7Config.Read(file),
            "t5" => T5Config.Read(file),
            "bart" or "transformer" => TransformerConfig.Read(file, kind),
            "elmo" => ElmoConfig.Read(file),
            "rnn" => RnnConfig.Read(file, CellKind.Tanh),
            "lstm" => RnnConfig.Read(file, CellKind.Lstm),
            "gru" => RnnConfig.Read(file, CellKind.Gru),
            "seq2seq" => Seq2SeqConfig.Read(file),
            "vit" => VitConfig.Read(file),
            "clip" => ClipConfig.Read(file),
            "ddpm_mlp" => DdpmConfig.Read(file),
            "llava" => LlavaConfig.Read(file),
            "whisper" => WhisperConfig.Read(file),
            _ when BertFamily.Find(kind) is { } family => BertConfig.Read(file, family),
            _ => DecoderFamilies.Read(file, kind) ?? throw file.Bad(
                $"'model_type' is {(kind is null ? "missing" : Quoted.Of(kind))}; supported: gpt2, "
                    + string.Join(", ", DecoderFamilies.ModelTypes)
                    + $", mamba, mamba2, rwkv7, {string.Join(", ", BertFamily.ModelTypes)}, t5, bart, "
                    + "transformer, rnn, lstm, gru, seq2seq, elmo, vit, clip, ddpm_mlp, llava, whisper"),
        };
        if (config is ModelConfig decoder)
        {
            config = decoder = decoder with
            {
                BosToken = file.Int("bos_token_id"),
                EosTokens = file.Ints("eos_token_id"),
            };
            GroupedLayout.Read(file, path);
            if (decoder.BosToken < 0 || decoder.EosTokens.Any(id => id < 0))
                throw file.Bad("'bos_token_id' or 'eos_token_id' is negative");
        }
        return config.Problem() is { } problem ? throw file.Bad(problem) : config;
    }
}
