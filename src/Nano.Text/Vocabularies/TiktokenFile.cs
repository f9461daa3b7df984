using System.Buffers.Text;
using System.Globalization;
using System.Text;

namespace Nano;

/// <summary>
/// Rank files of tiktoken: a line "base64(bytes) id" for each token, where the id is also the rank.
/// Such a file does not say how text is cut or which special tokens there are; both are known for
/// gpt2, cl100k_base, o200k_base and Llama-3, which the number of tokens tells apart.
/// </summary>
internal static class TiktokenFile
{
    private const int MaxBytes = 1 << 26, MaxTokens = 1 << 21;

    private sealed record RankEncoding(string Name, int Ranks, SplitPattern Pattern, (string Text, int Id)[] Special,
        string? Begin, string[] Ends);

    private static readonly RankEncoding[] Known =
    [
        new("gpt2", 50256, SplitPattern.Gpt2, [("<|endoftext|>", 50256)], null, ["<|endoftext|>"]),
        new("cl100k_base", 100256, SplitPattern.Cl100k,
            [("<|endoftext|>", 100257), ("<|fim_prefix|>", 100258), ("<|fim_middle|>", 100259),
                ("<|fim_suffix|>", 100260), ("<|endofprompt|>", 100276)], null, ["<|endoftext|>"]),
        new("o200k_base", 199998, SplitPattern.O200k, [("<|endoftext|>", 199999), ("<|endofprompt|>", 200018)], null,
            ["<|endoftext|>"]),
        new("Llama-3", 128000, SplitPattern.Cl100k, Llama3Special(), "<|begin_of_text|>",
            ["<|end_of_text|>", "<|eom_id|>", "<|eot_id|>"]),
    ];

    /// <summary>True if a file begins like a tiktoken file: base64, a space, a number.</summary>
    public static bool Recognises(ReadOnlySpan<byte> beginning)
    {
        int space = beginning.IndexOf((byte)' ');
        return space is > 0 and <= 4 * RankMerges.MaxTokenBytes && Base64.IsValid(beginning[..space])
            && space + 1 < beginning.Length && char.IsAsciiDigit((char)beginning[space + 1]);
    }

    /// <summary>Reads a rank file.</summary>
    /// <exception cref="BadFileException">It is malformed, or none of the known encodings.</exception>
    public static ByteBpeTokenizer Load(string path)
    {
        var tokens = ReadTokens(path);
        var of = Array.Find(Known, encoding => encoding.Ranks == tokens.Count)
            ?? throw new BadFileException(path,
                $"{tokens.Count} ranks are of no known encoding: "
                + $"{string.Join(", ", Known.Select(encoding => $"{encoding.Name} has {encoding.Ranks}"))}");
        return Create(tokens, of, path);
    }

    private static ByteBpeTokenizer Create(List<byte[]?> tokens, RankEncoding of, string path)
    {
        int ranks = tokens.Count;
        foreach (var (text, id) in of.Special)
        {
            while (tokens.Count <= id)
                tokens.Add(null);
            tokens[id] = Encoding.UTF8.GetBytes(text);
        }
        var vocabulary = new Vocabulary(tokens, id => id >= ranks, path);
        for (int b = 0; b < 256; b++)
            if (vocabulary.Find([(byte)b]) < 0)
                throw new BadFileException(path, $"the byte 0x{b:X2} has no token of its own");
        var merges = new MergeTable(RankMerges.Of(vocabulary, id => id < ranks ? id : -1, _ => true,
            characters: false, path));
        var added = new AddedTokens([.. of.Special
            .Select(token => new AddedToken(token.Text, token.Id, Special: true))]);
        return new ByteBpeTokenizer(
            new BpeParts(vocabulary, merges, WholePieces: true, added,
                of.Begin is null ? null : added.Special[of.Begin], [.. of.Ends.Select(text => added.Special[text])]),
            of.Pattern, composed: false);
    }

    private static List<byte[]?> ReadTokens(string path)
    {
        ReadOnlySpan<byte> file = InputFile.ReadUtf8(path, MaxBytes, TokenizerLoader.Hint);
        var tokens = new List<byte[]?>();
        int number = 0;
        foreach (Range range in file.Split((byte)'\n'))
        {
            number++;
            var line = file[range].TrimEnd((byte)'\r');
            if (line.IsEmpty)
                continue;
            int space = line.IndexOf((byte)' ');
            byte[] token = new byte[Base64.GetMaxDecodedFromUtf8Length(Math.Max(0, space))];
            if (space <= 0 || Base64.DecodeFromUtf8(line[..space], token, out int read, out int written)
                != System.Buffers.OperationStatus.Done || read != space || written == 0
                || !int.TryParse(line[(space + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out int rank)
                || rank >= MaxTokens)
                throw new BadFileException(path, $"line {number} is not a token in base64, a space and a rank");
            if (rank != tokens.Count)
                throw new BadFileException(path,
                    $"line {number} has rank {rank}, expected {tokens.Count}: ranks must follow each other");
            tokens.Add(token[..written]);
        }
        return tokens;
    }

    /// <summary>Llama 3.1's 256 special tokens, as Hugging Face names them.</summary>
    private static (string Text, int Id)[] Llama3Special()
    {
        string[] named = ["begin_of_text", "end_of_text", "reserved_special_token_0", "reserved_special_token_1",
            "finetune_right_pad_id", "reserved_special_token_2",
            "start_header_id", "end_header_id", "eom_id", "eot_id", "python_tag"];
        return [.. Enumerable.Range(0, 256)
            .Select(i => ($"<|{(i < named.Length ? named[i] : $"reserved_special_token_{i - 8}")}|>", 128000 + i))];
    }
}
