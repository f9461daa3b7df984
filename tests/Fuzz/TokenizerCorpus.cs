using System.Text;
using System.Text.Json;

namespace Nano.Fuzz;

/// <summary>Small valid tokenizer files of every kind but tiktoken's, which is told by its hundred thousand lines.</summary>
static class TokenizerCorpus
{
    const string Sample = "the cat that the rat sat at the hat that sat on the cat";

    /// <summary>All of them. The folder is for making them.</summary>
    public static IEnumerable<FuzzSeed> All(string folder)
    {
        string made = Directory.CreateDirectory(Path.Combine(folder, "make", "tokenizers")).FullName;
        yield return Saved(CharTokenizer.FromText("abc \n\u00e9\U0001F600"), made, "characters");
        foreach (string split in BpeTrainer.Splits)
            yield return Saved(BpeTrainer.Train([Sample], 262, split, threads: 1), made, split);
        yield return Seed("tokenizer.bin", Llama2c(), "llama2.c");
        yield return Seed("tokenizer.model", SentencePiece(), "sentencepiece");
        yield return Seed("merges.txt", Encoding.UTF8.GetBytes("#version: 0.2\n" + string.Concat(Merges.Select(merge => merge + "\n"))), "gpt2-files");
        yield return Seed("vocab.json", Vocabulary(), "gpt2-files");
    }

    static FuzzSeed Saved(ITokenizer tokenizer, string folder, string set)
    {
        string path = Path.Combine(folder, set + ".json");
        tokenizer.Save(path);
        return Seed("tokenizer.json", File.ReadAllBytes(path), set);
    }

    static FuzzSeed Seed(string name, byte[] bytes, string set) => new(name, bytes, Use, "tokenizer-" + set);

    /// <summary>Opens a tokenizer and lets it speak all its ids.</summary>
    static void Use(string path)
    {
        ITokenizer tokenizer = TokenizerLoader.Load(path);
        for (int id = 0; id < tokenizer.VocabSize; id++)
            _ = tokenizer.BytesOf(id).Length;
        try
        {
            tokenizer.Encode(Sample);
        }
        catch (NanoException)
        {
            // The damaged vocabulary has no token for one of its characters.
        }
    }

    /// <summary>The unknown, begin and end of a text, every byte, and a few pieces.</summary>
    static IEnumerable<(string Text, float Score, int Kind)> Pieces() =>
    [
        ("<unk>", 0, 2), ("<s>", 0, 3), ("</s>", 0, 3), .. Enumerable.Range(0, 256).Select(b => ($"<0x{b:X2}>", 0f, 6)),
        ("\u2581", -1, 1), ("t", -2, 1), ("h", -3, 1), ("e", -4, 1), ("th", -5, 1), ("\u2581the", -6, 1), ("\u2581t", -7, 1), ("he", -8, 1),
    ];

    static byte[] Llama2c()
    {
        var bytes = new List<byte>(BitConverter.GetBytes(27));
        foreach ((string text, float score, _) in Pieces())
        {
            byte[] utf8 = Encoding.UTF8.GetBytes(text.Replace('\u2581', ' '));
            bytes.AddRange([.. BitConverter.GetBytes(score), .. BitConverter.GetBytes(utf8.Length), .. utf8]);
        }
        return [.. bytes];
    }

    /// <summary>A ModelProto: field 1 is a piece (1 text, 2 score, 3 kind), field 2 the trainer's settings, of which 3 is the kind of model and 2 is BPE.</summary>
    static byte[] SentencePiece()
    {
        var bytes = new List<byte>();
        foreach ((string text, float score, int kind) in Pieces())
        {
            byte[] utf8 = Encoding.UTF8.GetBytes(text);
            byte[] piece = [0x0A, (byte)utf8.Length, .. utf8, 0x15, .. BitConverter.GetBytes(score), 0x18, (byte)kind];
            bytes.AddRange([0x0A, (byte)piece.Length, .. piece]);
        }
        byte[] trainer = [0x18, 2, 0x98, 0x02, 1]; // model_type BPE, byte_fallback (field 35)
        bytes.AddRange([0x12, (byte)trainer.Length, .. trainer]);
        return [.. bytes];
    }

    static readonly string[] Merges = ["t h", "th e", "\u0120 t"];

    static byte[] Vocabulary() => JsonSerializer.SerializeToUtf8Bytes(
        Enumerable.Range(0, 256).Select(b => ByteAlphabet.ToText([(byte)b])).Order(StringComparer.Ordinal).Concat(Merges.Select(merge => merge.Replace(" ", "", StringComparison.Ordinal)))
            .Select((token, id) => KeyValuePair.Create(token, id)).ToDictionary());
}
