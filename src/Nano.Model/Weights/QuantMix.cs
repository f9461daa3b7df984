using System.Diagnostics.CodeAnalysis;

namespace Nano;

/// <summary>
/// The types of GGUF files, named after that of most of their matrices, with the numbers that files
/// state ("general.file_type").
/// </summary>
[SuppressMessage("Naming", "CA1707", Justification = "The members are the names that llama.cpp uses.")]
public enum GgufFileType
{
#pragma warning disable CS1591 // the names are those of llama.cpp
    F32 = 0, F16 = 1, Q4_0 = 2, Q4_1 = 3, Q8_0 = 7, Q5_0 = 8, Q5_1 = 9, Q2_K = 10, Q3_K_S = 11, Q3_K_M = 12,
    Q3_K_L = 13, Q4_K_S = 14, Q4_K_M = 15, Q5_K_S = 16, Q5_K_M = 17, Q6_K = 18, IQ4_NL = 25, IQ4_XS = 30, BF16 = 32,
    TQ1_0 = 36, TQ2_0 = 37, MXFP4 = 38,
#pragma warning restore CS1591
}

/// <summary>
/// The type of each tensor of a quantised GGUF file, as llama.cpp chooses it: most matrices get the
/// type of the file, the head and those that suffer most get more bits, and rows that are no
/// multiple of a block fall back to a type with smaller blocks.
/// </summary>
/// <param name="FileType">The type of the file.</param>
/// <param name="Layers">Number of blocks.</param>
/// <param name="Heads">Heads of the queries.</param>
/// <param name="KvHeads">Heads of keys and values.</param>
/// <param name="IsTied">True if the head is the token table.</param>
/// <param name="HasImportance">True if the importance of columns is known.</param>
public sealed record QuantMix(GgufFileType FileType, int Layers, int Heads, int KvHeads, bool IsTied,
    bool HasImportance)
{
    // A Llama of 70 billion parameters: eight heads share a value, so that bits for values cost little.
    private const int LargeLayers = 80;

    private const int ManyShare = 4;

    // Mixtral: beside eight experts attention is small, and its bits cost little.
    private const int EightExperts = 8;

    /// <summary>Experts of a block; 0 where it has a single MLP.</summary>
    public int Experts { get; init; }

    /// <summary>The mix for a model.</summary>
    public static QuantMix Of(ModelConfig config, GgufFileType fileType, bool hasImportance) => new(fileType,
        config.Layers, config.Heads, config is DecoderConfig llama ? llama.KvHeads : config.Heads, config.TiedHead,
        hasImportance)
    {
        Experts = (config as DecoderConfig)?.Mixture?.Experts ?? 0,
    };

    /// <summary>The type of most matrices.</summary>
    private WeightType Main => FileType switch
    {
        GgufFileType.Q3_K_S or GgufFileType.Q3_K_M or GgufFileType.Q3_K_L => WeightType.Q3_K,
        GgufFileType.Q4_K_S or GgufFileType.Q4_K_M => WeightType.Q4_K,
        GgufFileType.Q5_K_S or GgufFileType.Q5_K_M => WeightType.Q5_K,
        _ => Enum.Parse<WeightType>($"{FileType}"),
    };

    /// <summary>The type of a tensor.</summary>
    /// <param name="tensor">Its name in a GGUF file.</param>
    /// <param name="layer">The number of its block, or null outside the blocks.</param>
    /// <param name="shape">Its shape.</param>
    /// <param name="stored">The type that it has: it stays where nothing is quantised.</param>
    public WeightType TypeOf(string tensor, int? layer, Shape shape, WeightType stored) =>
        Wanted(tensor, layer, shape, stored) is var type && WeightTypes.IsQuantised(type)
            ? Fitting(type, shape.Columns) : type;

    /// <summary>The type of a tensor if its rows divide into blocks; see <see cref="TypeOf"/>.</summary>
    public WeightType Wanted(string tensor, int? layer, Shape shape, WeightType stored)
    {
        string[] parts = tensor.Split('.');
        if (shape.Rank < 2 || parts is not [.., var part, "weight"]
            || part is "position_embd" or "token_types" or "ffn_gate_inp")
            return stored;
        return WeightTypes.IsQuantised(Main) ? Chosen(part, layer ?? 0, shape.Columns) : Main;
    }

    private WeightType Chosen(string part, int layer, int row)
    {
        if (part == "output" || (IsTied && part == "token_embd"))
            return FileType == GgufFileType.MXFP4 || Main == WeightType.Q8_0 || !BlockFormat.Of(Main).Divides(row)
                ? WeightType.Q8_0 : WeightType.Q6_K;
        if (FileType == GgufFileType.MXFP4)
            return part is "ffn_gate_exps" or "ffn_up_exps" or "ffn_down_exps" ? Main : WeightType.Q8_0;
        return part switch
        {
            "token_embd" => Main is WeightType.TQ1_0 or WeightType.TQ2_0 ? WeightType.Q4_K : Main,
            "attn_k" or "attn_v" when Experts == EightExperts => WeightType.Q8_0,
            "attn_v" or "attn_qkv" => OfValues(layer),
            "ffn_down" or "ffn_down_exps" => OfDown(layer),
            "attn_output" => OfAttentionOutput(),
            _ => Main,
        };
    }

    private WeightType OfAttentionOutput() => Experts == EightExperts
        ? FileType is GgufFileType.Q2_K or GgufFileType.Q3_K_S or GgufFileType.Q3_K_M or GgufFileType.Q4_K_S
            or GgufFileType.Q4_K_M or GgufFileType.IQ4_NL or GgufFileType.IQ4_XS ? WeightType.Q5_K : Main
        : FileType switch
        {
            GgufFileType.Q2_K => WeightType.Q3_K,
            GgufFileType.Q3_K_M => WeightType.Q4_K,
            GgufFileType.Q3_K_L => WeightType.Q5_K,
            _ => Main,
        };

    private WeightType OfValues(int layer)
    {
        bool isShared = KvHeads > 0 && Heads / KvHeads >= ManyShare;
        WeightType type = FileType switch
        {
            GgufFileType.Q2_K => isShared ? WeightType.Q4_K : WeightType.Q3_K,
            GgufFileType.Q3_K_M => layer < 2 ? WeightType.Q5_K : WeightType.Q4_K,
            GgufFileType.Q3_K_L => WeightType.Q5_K,
            GgufFileType.IQ4_NL or GgufFileType.IQ4_XS => isShared ? WeightType.Q5_K : Main,
            GgufFileType.Q4_K_M or GgufFileType.Q5_K_M => GetsMore(layer) ? WeightType.Q6_K : Main,
            GgufFileType.Q4_K_S => layer < 4 ? WeightType.Q5_K : Main,
            _ => Main,
        };
        return Layers == LargeLayers && Heads != KvHeads && type is (WeightType.Q3_K or WeightType.Q4_K)
            ? WeightType.Q5_K : type;
    }

    private WeightType OfDown(int layer)
    {
        bool isFirstEighth = layer < Layers / 8;
        return FileType switch
        {
            GgufFileType.Q2_K => WeightType.Q3_K,
            GgufFileType.Q3_K_M => layer < Layers / 16 ? WeightType.Q5_K : WeightType.Q4_K,
            GgufFileType.Q3_K_L => WeightType.Q5_K,
            GgufFileType.Q4_K_M or GgufFileType.Q5_K_M => GetsMore(layer) ? WeightType.Q6_K : Main,
            GgufFileType.IQ4_NL or GgufFileType.IQ4_XS when isFirstEighth && !HasImportance => WeightType.Q5_K,
            GgufFileType.Q4_K_S when isFirstEighth => WeightType.Q5_K,
            GgufFileType.Q4_0 when isFirstEighth && HasImportance => WeightType.Q4_1,
            GgufFileType.Q5_0 when isFirstEighth && HasImportance => WeightType.Q5_1,
            _ => Main,
        };
    }

    /// <summary>True for the first and last eighth of the layers, and every third between.</summary>
    private bool GetsMore(int layer) =>
        layer < Layers / 8 || layer >= 7 * Layers / 8 || (layer - (Layers / 8)) % 3 == 2;

    /// <summary>The type itself, or the one that it falls back to where its blocks do not divide a row.</summary>
    public static WeightType Fitting(WeightType type, int row)
    {
        if (BlockFormat.Of(type).Divides(row))
            return type;
        WeightType smaller = type switch
        {
            WeightType.Q2_K or WeightType.Q3_K or WeightType.TQ1_0 or WeightType.TQ2_0 => WeightType.Q4_0,
            WeightType.Q4_K => WeightType.Q5_0,
            WeightType.Q5_K => WeightType.Q5_1,
            WeightType.Q6_K => WeightType.Q8_0,
            WeightType.IQ4_XS => WeightType.IQ4_NL,
            _ => type,
        };
        return BlockFormat.Of(smaller).Divides(row) ? smaller : WeightType.F16;
    }
}
