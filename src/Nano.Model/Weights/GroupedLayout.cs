namespace Nano;

/// <summary>
/// The layout of quantised matrices in a Hugging Face folder: quantization_config of its config.json.
/// </summary>
/// <param name="IsAwq">True for AutoAWQ's "gemm", false for AutoGPTQ's.</param>
/// <param name="Bits">Bits of a code, 4 or 8.</param>
/// <param name="GroupSize">Inputs with one scale; -1 for all of a matrix.</param>
/// <param name="IsOrdered">True if groups follow the order in which GPTQ rounded the inputs, so that g_idx is needed.
/// </param>
/// <param name="ZeroOffset">The number that is added to stored zeros.</param>
internal sealed record GroupedLayout(bool IsAwq, int Bits, int GroupSize, bool IsOrdered, int ZeroOffset)
{
    /// <summary>The key in config.json.</summary>
    public const string Key = "quantization_config";

    /// <summary>Codes in a word of 32 bits.</summary>
    public int PerWord => 32 / Bits;

    /// <summary>The layout that a config.json names, or null if its weights are numbers, as they are or in
    /// <see cref="ScaledBlocks"/>.</summary>
    /// <exception cref="BadFileException">It is malformed, or a layout that is not supported.</exception>
    public static GroupedLayout? Load(string path)
    {
        using ConfigJson file = ConfigFile.Open(path);
        return Read(file, path);
    }

    /// <inheritdoc cref="Load"/>
    public static GroupedLayout? Read(ConfigJson file, string path)
    {
        if (file.Object(Key) is not { } quantisation)
            return null;
        string? method = quantisation.String("quant_method");
        if (method == "fp8")
        {
            ScaledBlocks.Check(quantisation);
            return null;
        }
        bool isAwq = method == "awq";
        if (!isAwq && method != "gptq")
            throw Unsupported(path, "quant_method", method, "gptq, awq, fp8");
        int bits = quantisation.RequiredInt("bits"), group = quantisation.RequiredInt("group_size");
        if (bits is not 4 && (isAwq || bits is not 8))
            throw Unsupported(path, "bits", $"{bits}", isAwq ? "4" : "4, 8");
        if (group is not -1 && group <= 0)
            throw file.Bad($"'{Key}.group_size' is {group}; expected a positive number, or -1 for one group");
        return isAwq ? Awq(path, quantisation, bits, group) : Gptq(path, quantisation, bits, group);
    }

    private static GroupedLayout Awq(string path, ConfigJson quantisation, int bits, int group)
    {
        string version = quantisation.String("version") ?? "gemm",
            backend = quantisation.String("backend") ?? "autoawq";
        if (!version.Equals("gemm", StringComparison.OrdinalIgnoreCase))
            throw Unsupported(path, "version", version, "gemm");
        if (backend != "autoawq")
            throw Unsupported(path, "backend", backend, "autoawq");
        return new GroupedLayout(IsAwq: true, bits, group, IsOrdered: false, ZeroOffset: 0);
    }

    private static GroupedLayout Gptq(string path, ConfigJson quantisation, int bits, int group)
    {
        string format = quantisation.String("checkpoint_format") ?? "gptq";
        if (format is not ("gptq" or "gptq_v2"))
            throw Unsupported(path, "checkpoint_format", format, "gptq, gptq_v2");
        if (quantisation.Bool("is_marlin_format") == true)
            throw Unsupported(path, "is_marlin_format", "true", "false");
        return new GroupedLayout(IsAwq: false, bits, group, quantisation.Bool("desc_act") ?? false,
            format == "gptq" ? 1 : 0);
    }

    private static BadFileException Unsupported(string path, string key, string? value, string supported) =>
        new(path, $"'{Key}.{key}' is {(value is null ? "missing" : Quoted.Of(value))}; supported: {supported}")
        {
            IsUnsupported = true
        };
}
