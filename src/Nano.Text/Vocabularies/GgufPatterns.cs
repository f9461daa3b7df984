using System.Globalization;

namespace Nano;

/// <summary>
/// The regular expressions behind the names of tokenizer.ggml.pre that have no splitter of their
/// own, as llama.cpp's table and the models' tokenizers state them.
/// </summary>
internal static class GgufPatterns
{
    private const string Contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)", Before = @"[^\r\n\p{L}\p{N}]?",
        Others = @" ?[^\s\p{L}\p{N}]+",
        Spaces = @"\s*[\r\n]+|\s+(?!\S)|\s+", High = @"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}", Low = @"\p{Ll}\p{Lm}\p{Lo}\p{M}",
        Kana = "[\u4E00-\u9FA5\u3040-\u309F\u30A0-\u30FF]+", Threes = "[0-9][0-9][0-9]", UpToThree = @"\p{N}{1,3}",
        CodeWords = """[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+""",
        EastAsian = "[\u4E00-\u9FA5\u0800-\u4E00\uAC00-\uD7FF]+",
        SentenceParts = " ?[^(\\s|.,!?\u2026\u3002\uFF0C\u3001\u0964\u06D4\u060C)]+";

    /// <summary>llama.cpp's own, for files without a name.</summary>
    public static SplitPattern Default { get; } = Words("default", @"[\p{P}\$\+<=>\^~\|]+", SplitPattern.Gpt2.Regex,
        @"\p{N}+", Threes);

    /// <summary>Qwen 3.5: Qwen 2 with marks in words.</summary>
    public static SplitPattern Qwen35 { get; } =
        Words("qwen35", $@"{Contractions}|{Before}[\p{{L}}\p{{M}}]+|\p{{N}}"
            + $@"| ?[^\s\p{{L}}\p{{M}}\p{{N}}]+[\r\n]*|{Spaces}");

    /// <summary>Qwen 2 without contractions, which Turkish suffixes look like.</summary>
    public static SplitPattern UfakZeka { get; } =
        Words("ufakzeka", $@"{Before}\p{{L}}+|\p{{N}}|{Others}[\r\n]*|{Spaces}");

    /// <summary>Seed Coder: Qwen 2 without line ends behind punctuation.</summary>
    public static SplitPattern SeedCoder { get; } =
        Words("seed-coder", $@"{Contractions}|{Before}\p{{L}}+|\p{{N}}| ?[^\s\p{{L}}\p{{N}}\r\n]+|{Spaces}");

    /// <summary>Laguna: Qwen 2, line by line.</summary>
    public static SplitPattern Laguna { get; } = Words("laguna", @"[^\n]+|\n+", SplitPattern.Qwen2.Regex);

    /// <summary>MiniCPM 5: cl100k after numbers have been cut out.</summary>
    public static SplitPattern MiniCpm5 { get; } =
        Words("minicpm5", UpToThree, $@"{Contractions}|{Before}\p{{L}}+|\p{{N}}+|{Others}[\r\n]*|{Spaces}");

    /// <summary>Jais 2: cl100k with white space by powers of two.</summary>
    public static SplitPattern Jais2 { get; } = Words("jais-2",
        $@"{Contractions}|{Before}\p{{L}}+|{UpToThree}|{Others}[\r\n]*|\s*[\r\n]+"
        + string.Concat(((int[])[512, 256, 128, 64, 32, 16, 8, 4]).Select(run => $@"|\s{{{run}}}(?!\S)"))
        + @"|\s{1,2}(?!\S)|\s");

    /// <summary>EXAONE MoE: words with the single spaces between them.</summary>
    public static SplitPattern ExaoneMoe { get; } = Phrases("exaone-moe",
        $@"{Contractions}|{Before}(?:\p{{L}}\p{{M}}*(?: \p{{L}}\p{{M}}*)*)+|\p{{N}}"
        + $@"|{Others}[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+");

    /// <summary>Kimi K2: o200k with Chinese characters apart.</summary>
    public static SplitPattern KimiK2 { get; } = Words("kimi-k2",
        $@"\p{{Han}}+|{Before}[{High}&&[^\p{{Han}}]]*[{Low}&&[^\p{{Han}}]]+{Contractions}?"
        + $@"|{Before}[{High}&&[^\p{{Han}}]]+[{Low}&&[^\p{{Han}}]]*{Contractions}?"
        + $@"|{UpToThree}|{Others}[\r\n]*|{Spaces}");

    /// <summary>Tiny Aya: digits by threes, counted from the right; then o200k.</summary>
    public static SplitPattern TinyAya { get; } = Phrases("tiny_aya", @"\d{1,3}(?=(?:\d{3})*\b)",
        SplitPattern.O200k.Regex);

    /// <summary>
    /// Youtu: Korean, Chinese punctuation, Bopomofo, Chinese and kana apart; then o200k with single
    /// digits.
    /// </summary>
    public static SplitPattern Youtu { get; } = Words("youtu",
        "[\uAC00-\uD7A3\u3131-\u318E]+"
        + "|[\uFF01\u2026\u201C\u201D\u2018\u2019\u2014\uFF1A\uFF1B\uFF0C\u3001-\u303F\uFE30-\uFE4F]+"
        + "|[\u3105-\u312F]+|" + Kana,
        SplitPattern.O200k.Regex.Replace(UpToThree, @"\p{N}", StringComparison.Ordinal));

    /// <summary>DeepSeek V3.</summary>
    public static SplitPattern DeepSeekV3 { get; } =
        Words("deepseek-v3", UpToThree, Kana, $@"{CodeWords}| ?[\p{{P}}\p{{S}}]+[\r\n]*|{Spaces}");

    /// <summary>Spark 2.5: DeepSeek V3 with each line end by itself.</summary>
    public static SplitPattern Spark { get; } =
        Words("spark2_5", UpToThree, Kana, $@"{CodeWords}| ?[\p{{P}}\p{{S}}]+|[\r\n]|\s+(?!\S)|\s+", @"\p{N}");

    /// <summary>AFMoE: DeepSeek V3 with digits by threes counted from the right, and more scripts apart.</summary>
    public static SplitPattern Afmoe { get; } =
        Words("afmoe", @"(?<=\p{N})\p{N}{3}|\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N}))",
        "[\u4E00-\u9FFF\u3400-\u4DBF\uF900-\uFAFF\u3040-\u309F\u30A0-\u30FF"
        + "\uFF65-\uFF9F\u2F00-\u2FDF\u0E40-\u0E7F\u0E80-\u0EFF"
        + "\u1780-\u17FF\u1000-\u109F\uAA60-\uAA7F\uA9E0-\uA9FF\uAC00-\uD7AF\u1100-\u11FF]+",
        $@"{CodeWords}| ?[\p{{P}}\p{{S}}]+[\r\n]*|{Spaces}");

    /// <summary>DeepSeek LLM.</summary>
    public static SplitPattern DeepSeekLlm { get; } = Phrases("deepseek-llm", @"[\r\n]", $@"\s?[{LettersWithCase()}]+",
        "\\s?[!-/:-~\uFF01-\uFF0F\uFF1A-\uFF5E\u2018-\u201F\u3000-\u3002]+", @"\s+$", EastAsian, @"\p{N}+");

    /// <summary>DeepSeek Coder.</summary>
    public static SplitPattern DeepSeekCoder { get; } =
        Phrases("deepseek-coder", @"[\r\n]", @"\s?\p{L}+", @"\s?\p{P}+", EastAsian, @"\p{N}");

    /// <summary>Falcon.</summary>
    public static SplitPattern Falcon { get; } = Words("falcon", @"[\p{P}\$\+<=>\^~\|`]+",
        SplitPattern.Gpt2.Regex, Threes);

    /// <summary>BLOOM: from one space or sentence mark to the next.</summary>
    public static SplitPattern Bloom { get; } = Phrases("bloom", SentenceParts);

    /// <summary>Viking: BLOOM with single digits.</summary>
    public static SplitPattern Viking { get; } = Phrases("viking", SentenceParts, @"\p{N}");

    /// <summary>SuperBPE: only numbers are cut, by threes from the right.</summary>
    public static SplitPattern SuperBpe { get; } = Phrases("superbpe", @"\p{N}+", @"(?=(\d{3})+(?!\d))");

    /// <summary>Chameleon: its image tokens, indentation, digits and punctuation apart; then GPT-2.</summary>
    public static SplitPattern Chameleon { get; } =
        Phrases("chameleon", "<sentinel:[0-9]+>", "IMGIMG[A-I]{1,4}Z", @"[\t\n]|    |  ",
        @"\p{N}", @"[\p{P}!-/:-@\[-`{-~]", SplitPattern.Gpt2.Regex);

    private static SplitPattern Words(string name, params string[] regexes) =>
        SplitPattern.Of(name, endsWithWords: true, regexes);

    private static SplitPattern Phrases(string name, params string[] regexes) =>
        SplitPattern.Of(name, endsWithWords: false, regexes);

    /// <summary>
    /// The letters that DeepSeek LLM's tokenizer names one by one: those with case, of an old
    /// Unicode, but for a few.
    /// </summary>
    private static string LettersWithCase()
    {
        const string Ranges =
            "41-5A 61-7A B5 C0-D6 D8-F6 F8-1BA 1BC-1BF 1C4-293 295-2AF 370-373 376 377 37B-37D 37F 386 388-38A "
            + "38C 38E-3A1 3A3-3F5 3F7-481 48A-52F 531-556 10A0-10C5 13A0-13F5 13F8-13FD 1C90-1CBA 1CBD-1CBF "
            + "1D00-1D2B 1D6B-1D77 1D79-1D9A 1E00-1F15 1F18-1F1D 1F20-1F45 1F48-1F4D 1F50-1F57 1F59 1F5B 1F5D "
            + "1F5F-1F7D 1F80-1FB4 1FB6-1FBC 1FBE 1FC2-1FC4 1FC6-1FCC 1FD0-1FD3 1FD6-1FDB 1FE0-1FEC 1FF2-1FF4 "
            + "1FF6-1FFC 2102 2107 210A-2113 2115 2119-211D 2124 2126 2128 212A-212D 212F-2134 2139 213C-213F "
            + "2145-2149 214E 2183 2184 2C00-2C7B 2C7E-2CE4 2CEB-2CEE 2CF2 2CF3 A640-A66D A680-A69B A722-A76F "
            + "A771-A787 A78B-A78E AB70-ABBF FB00-FB06 FB13-FB17 FF21-FF3A FF41-FF5A 10400-1044F 104B0-104D3 "
            + "104D8-104FB 10C80-10CB2 10CC0-10CF2 118A0-118DF 1E900-1E943";
        return string.Concat(Ranges.Split(' ').Select(range => string.Join('-', range.Split('-').Select(Character))));

        static string Character(string hex) =>
            char.ConvertFromUtf32(int.Parse(hex, NumberStyles.HexNumber, CultureInfo.InvariantCulture));
    }
}
