namespace Nano;

/// <summary>
/// The rules of byte-level BPE for a value of tokenizer.ggml.pre, the key by which llama.cpp tells
/// pre-tokenizers apart.
/// </summary>
/// <param name="Pattern">The pattern that cuts text.</param>
/// <param name="WholePieces">Whether a piece that is a token is that token, whatever the merges
/// would make of it.</param>
/// <param name="Begins">Whether a prompt begins with the token for it where the file does not say.</param>
/// <param name="Composed">Whether the models' own tokenizers bring text into normal form C. llama.cpp does not.</param>
/// <param name="Names">The names; the first is written.</param>
internal sealed record GgufRules(SplitPattern Pattern, bool WholePieces, bool Begins, bool Composed,
    params string[] Names)
{
    private static readonly string[] NotByteLevel = ["gemma4", "granite-embed-multi-311m", "sarvam-moe", "whitespace"];

    /// <summary>The rules for files that do not name any: llama.cpp's.</summary>
    public static GgufRules Default { get; } = new(GgufPatterns.Default, false, false, false, "default");

    /// <summary>
    /// All rules, as the models' own tokenizers have them, over whole characters. llama.cpp
    /// approximates some: tests/goldens/gguf_pre/README.md lists where its ids differ.
    /// </summary>
    public static IReadOnlyList<GgufRules> All { get; } =
    [
        Default,
        new(SplitPattern.Gpt2, false, false, false, "gpt-2", "phi-2", "jina-es", "jina-de", "jina-v1-en", "jina-v2-es",
            "jina-v2-de",
            "jina-v2-code", "roberta-bpe", "gigachat", "a.x-4.0", "mellum", "jais", "exaone4", "trillion",
            "granite-docling"),
        new(SplitPattern.Gpt2, false, false, Composed: true, "olmo", "mpt", "modern-bert"), // GPT-NeoX's
        new(SplitPattern.Gpt2Digits, false, false, false, "smollm", "starcoder", "refact", "command-r",
            "codeshell", "exaone",
            "minerva-7b", "mellum2"),
        new(SplitPattern.Cl100k, WholePieces: true, Begins: true, false, "llama-bpe", "llama3", "llama-v3", "falcon3",
            "falcon-h1",
            "pixtral", "midm-2.0", "lfm2", "jina-v5-nano"),
        new(SplitPattern.Cl100k, false, false, false, "dbrx", "smaug-bpe", "glm4", "chatglm-bpe"),
        new(SplitPattern.Qwen2, false, false, Composed: true, "qwen2"),
        new(SplitPattern.Qwen2, false, false, false, "stablelm2", "deepseek-r1-qwen", "kormo", "f2llmv2",
            "megrez", "hunyuan",
            "solar-open", "grok-2", "bailingmoe", "bailingmoe2", "llada-moe"),
        new(SplitPattern.O200k, false, false, false, "gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"),
        new(SplitPattern.O200k, WholePieces: true, false, false, "granite-embed-multi-97m"),
        new(SplitPattern.Tekken, WholePieces: true, Begins: true, false, "tekken"),
        new(GgufPatterns.Qwen35, false, false, Composed: true, "qwen35"),
        new(GgufPatterns.UfakZeka, false, false, false, "ufakzeka"),
        new(GgufPatterns.SeedCoder, false, false, false, "seed-coder"),
        new(GgufPatterns.Laguna, false, false, false, "laguna"),
        new(GgufPatterns.MiniCpm5, WholePieces: true, false, false, "minicpm5"),
        new(GgufPatterns.Jais2, false, false, false, "jais-2"),
        new(GgufPatterns.ExaoneMoe, false, false, false, "exaone-moe"),
        new(GgufPatterns.KimiK2, false, false, false, "kimi-k2"),
        new(GgufPatterns.TinyAya, false, false, false, "tiny_aya", "cohere2moe"),
        new(GgufPatterns.Youtu, WholePieces: true, false, false, "youtu"),
        new(GgufPatterns.DeepSeekV3, false, false, false, "deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"),
        new(GgufPatterns.Spark, false, false, false, "spark2_5"),
        new(GgufPatterns.Afmoe, false, false, false, "afmoe"),
        new(GgufPatterns.DeepSeekLlm, false, false, false, "deepseek-llm"),
        new(GgufPatterns.DeepSeekCoder, false, false, false, "deepseek-coder"),
        new(GgufPatterns.Falcon, false, false, false, "falcon"),
        new(GgufPatterns.Bloom, false, false, false, "bloom", "poro-chat", "gpt3-finnish"),
        new(GgufPatterns.Viking, false, false, false, "viking"),
        new(GgufPatterns.SuperBpe, false, false, false, "superbpe"),
        new(GgufPatterns.Chameleon, false, Begins: true, false, "chameleon"),
    ];

    /// <summary>The rules of a name.</summary>
    /// <exception cref="BadFileException">The name is not known, or is that of another kind of vocabulary.</exception>
    public static GgufRules Find(string name, string path)
    {
        if (All.FirstOrDefault(rules => rules.Names.Contains(name)) is { } found)
            return found;
        string what = $"the way to cut text {Quoted.Of(name)} (tokenizer.ggml.pre)";
        if (NotByteLevel.Contains(name))
            throw new BadFileException(path,
                $"{what} is not supported: it is not that of a byte-level vocabulary")
            { IsUnsupported = true };
        string[] names = [.. All.SelectMany(rules => rules.Names).Order(StringComparer.Ordinal)];
        string? near = NearestMatch.Of(name.Length > 100 ? name[..100] : name, names);
        string nearest = near is null ? "." : $"; did you mean '{near}'?";
        throw new BadFileException(path,
            $"{what} is not known{nearest} Known are {string.Join(", ", names)}")
        { IsUnsupported = true };
    }

    /// <summary>The name that a tokenizer's rules have, or null.</summary>
    public static string? NameOf(ByteBpeTokenizer tokenizer) =>
        All.FirstOrDefault(rules => rules.Pattern == tokenizer.Pattern
        && rules.WholePieces == tokenizer.Parts.WholePieces && rules.Composed == tokenizer.Composed)?.Names[0];
}
