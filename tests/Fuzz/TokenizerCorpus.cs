using System.Buffers.Binary;
using System.Text;

namespace Nano.Fuzz;

/// <summary>Small tokenizers of every format, and makers of files that no writer of ours makes.</summary>
static class TokenizerCorpus
{
    const string Text = "to be, or not to be: that is the question 123 \u00e9\u4e2d\U0001F600\n";

    /// <summary>The pieces of a vocabulary of the Llama-2 kind, with few words.</summary>
    public static (string Text, float Score, PieceKind Kind)[] Pieces { get; } =
    [
        ("<unk>", 0, PieceKind.Unknown), ("<s>", 0, PieceKind.Control), ("</s>", 0, PieceKind.Control),
        .. Enumerable.Range(0, 256).Select(b => ($"<0x{b:X2}>", 0f, PieceKind.Byte)),
        ("\u2581t", -1, PieceKind.Normal), ("o\u2581", -4.5f, PieceKind.Normal), ("\u2581to", -3, PieceKind.Normal),
            ("be", -4, PieceKind.Normal), ("\u2581be", -5, PieceKind.Normal),
        .. "\u2581tobenrhaisqu".Select((c, i) => (c.ToString(), -6f - i, PieceKind.Normal)),
    ];

    /// <summary>All of it. The folder is for making it.</summary>
    public static List<FuzzSeed> All(string folder)
    {
        string made = Directory.CreateDirectory(Path.Combine(folder, "make", "tokenizers")).FullName,
            json = Path.Combine(made, "tokenizer.json");
        BpeTrainer.Train([string.Concat(Enumerable.Repeat(Text, 3))], 290, "cl100k").Save(json);
        var seeds = new List<FuzzSeed>
        {
            new("tokenizer.json", File.ReadAllBytes(json), Read, "bytes"),
            new("tokenizer_config.json",
                """{"add_bos_token":true,"bos_token":{"content":"<|endoftext|>"},"eos_token":"<|endoftext|>"}"""u8
                    .ToArray(), ReadFolder, "bytes"),
            new("generation_config.json", """{"eos_token_id":[1,2]}"""u8.ToArray(), ReadFolder, "bytes"),
            new("tokenizer.model", SentencePiece(Pieces, 2, (byte)1, 0), Read, "pieces"),
            new("tokenizer.bin", Llama2c(Pieces), Read, "llama2c"),
            new("encoder.json", Encoding.UTF8
                .GetBytes($$"""{{{string.Join(',', Enumerable.Range(0, 256).Select(b => $"\"{(char)(b + 0x100)}\":{b}").Take(60))}},"a":60,"b":61,"ab":62,"<|endoftext|>":63}"""), ReadFolder, "gpt2"),
            new("vocab.bpe", "#version: 0.2\na b\n"u8.ToArray(), Read, "gpt2"),
        };
        seeds.AddRange(Gguf(made).Select(bytes => new FuzzSeed("vocabulary.gguf", bytes, Read, "gguf")));
        _ = UnicodeProperties.IgnoreCase(UnicodeProperties.Word); // tables that are made once are no file's
        string model = Path.Combine(made, "tokenizer.model");
        File.WriteAllBytes(model, seeds[3].Bytes);
        TokenizerLoader.Load(model).Save(json);
        seeds.Add(new FuzzSeed("tokenizer.json", File.ReadAllBytes(json), Read, "characters"));
        CharTokenizer.FromText(Text).Save(json);
        seeds.Add(new FuzzSeed("tokenizer.json", File.ReadAllBytes(json), Read, "symbols"));
        seeds.AddRange(PipelineCorpus.All(Read));
        return seeds;
    }

    /// <summary>A tokenizer.model: a protocol buffer of pieces, model type, and the normalizer's two flags.</summary>
    public static byte[] SentencePiece(IEnumerable<(string Text, float Score, PieceKind Kind)> pieces, byte modelType,
        byte spaceInFront, byte singleSpaces, byte[]? rules = null)
    {
        var file = new List<byte>();
        foreach (var (text, score, kind) in pieces)
        {
            byte[] utf8 = Encoding.UTF8.GetBytes(text), bits = new byte[4];
            BinaryPrimitives.WriteSingleLittleEndian(bits, score);
            Field(file, 1, [0x0A, (byte)utf8.Length, .. utf8, 0x15, .. bits, 0x18, (byte)kind]);
        }
        Field(file, 2, [0x18, modelType, 0x98, 0x02, 1]); // model_type; byte_fallback is field 35
        Field(file, 3, [0x0A, 1, (byte)'i', 0x12, (byte)(rules?.Length ?? 0), .. rules ?? [], 0x18, spaceInFront, 0x20,
            singleSpaces]);
        return [.. file];

        static void Field(List<byte> file, int number, byte[] content)
        {
            file.AddRange([(byte)((number << 3) | 2), .. content.Length < 128 ? [(byte)content.Length]
                : (byte[])[(byte)(content.Length | 0x80), (byte)(content.Length >> 7)]]);
            file.AddRange(content);
        }
    }

    /// <summary>A tokenizer.bin.</summary>
    public static byte[] Llama2c(IEnumerable<(string Text, float Score, PieceKind Kind)> pieces)
    {
        var file = new List<byte>([32, 0, 0, 0]);
        Span<byte> number = stackalloc byte[4];
        foreach (var (text, score, _) in pieces)
        {
            byte[] utf8 = Encoding.UTF8.GetBytes(text.Replace('\u2581', ' '));
            BinaryPrimitives.WriteSingleLittleEndian(number, score);
            file.AddRange(number);
            BinaryPrimitives.WriteInt32LittleEndian(number, utf8.Length);
            file.AddRange(number);
            file.AddRange(utf8);
        }
        return [.. file];
    }

    /// <summary>
    /// Byte-level vocabularies that name rules with a splitter, several regular expressions, and
    /// none; one of scored pieces with what files leave out.
    /// </summary>
    static IEnumerable<byte[]> Gguf(string folder)
    {
        foreach (string? pre in (string?[])["qwen2", "deepseek-v3", "kimi-k2", "superbpe", "chameleon", null])
            yield return Written(folder, metadata =>
            {
                metadata.Set("tokenizer.ggml.model", "gpt2");
                if (pre is not null)
                    metadata.Set("tokenizer.ggml.pre", pre);
                metadata.Set("tokenizer.ggml.tokens",
                    (string[])["a", "b", "ab", "\u0120", "<|im_end|>", "", "a b", "1"]);
                metadata.Set("tokenizer.ggml.token_type", (int[])[1, 1, 1, 1, 3, 5, 4, 0]);
                metadata.Set("tokenizer.ggml.merges", (string[])["a b"]);
                metadata.Set("tokenizer.ggml.eos_token_id", 4u);
            });
        yield return Written(folder, metadata =>
        {
            metadata.Set("tokenizer.ggml.model", "llama");
            metadata.Set("tokenizer.ggml.tokens", (string[])["<unk>", "<s>", "</s>", "\u2581", "a", "\u2581a",
                "<0x41>", "<0xC3>"]);
            metadata.Set("tokenizer.ggml.unknown_token_id", 0u);
        });
    }

    static byte[] Written(string folder, Action<GgufMetadata> fill)
    {
        string path = Path.Combine(folder, "vocabulary.gguf");
        var metadata = new GgufMetadata(path);
        fill(metadata);
        GgufWriter.Write(path, metadata, []);
        return File.ReadAllBytes(path);
    }

    static void ReadFolder(string path) => Read(Path.GetDirectoryName(path)!);

    /// <summary>Opens a tokenizer, and uses it.</summary>
    static void Read(string path)
    {
        var tokenizer = TokenizerLoader.Load(path);
        try
        {
            tokenizer.Decode(tokenizer.Encode(Text, allowSpecial: true));
        }
        catch (NanoException)
        {
            // It cannot express the text.
        }
        for (int id = 0; id < tokenizer.VocabSize; id++)
            tokenizer.BytesOf(id, first: true);
    }
}
