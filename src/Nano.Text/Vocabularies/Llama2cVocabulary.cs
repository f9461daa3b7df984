using System.Buffers.Binary;
using System.Text;

namespace Nano;

/// <summary>
/// llama2.c's tokenizer.bin: the longest token's length, then score, length and bytes of each piece
/// to the end of the file. Piece 0 is the unknown, 1 and 2 begin and end a text, byte b is piece b
/// + 3. A story ends where the next begins, so both 1 and 2 end a text.
/// </summary>
internal static class Llama2cVocabulary
{
    private const int MaxBytes = 1 << 26, FirstByte = 3;

    /// <summary>Reads a vocabulary.</summary>
    /// <exception cref="BadFileException">It is malformed.</exception>
    public static SentencePieceTokenizer Load(string path)
    {
        ReadOnlySpan<byte> file = InputFile.ReadBytes(path, MaxBytes, TokenizerLoader.Hint);
        if (file.Length < 4)
            throw Bad(path, "the file is shorter than its first number");
        uint longest = BinaryPrimitives.ReadUInt32LittleEndian(file);
        if (longest > RankMerges.MaxTokenBytes)
            throw Bad(path, $"the longest token is said to have {longest} bytes, more than {RankMerges.MaxTokenBytes}");
        var pieces = new List<Piece>();
        for (int at = 4; at < file.Length;)
        {
            uint length = file.Length - at < 8 ? uint.MaxValue
                : BinaryPrimitives.ReadUInt32LittleEndian(file[(at + 4)..]);
            if (length > longest || length > file.Length - at - 8)
                throw Bad(path, $"the piece {pieces.Count} at byte {at} is cut off or longer than the {longest} "
                    + "bytes of the longest");
            var bytes = file.Slice(at + 8, (int)length);
            if (!System.Text.Unicode.Utf8.IsValid(bytes))
                throw Bad(path, $"the piece {pieces.Count} at byte {at} is not UTF-8");
            if (pieces.Count == SentencePieces.MaxPieces)
                throw Bad(path, $"there are more than {SentencePieces.MaxPieces} pieces");
            pieces.Add(Read(Encoding.UTF8.GetString(bytes), BinaryPrimitives.ReadSingleLittleEndian(file[at..]),
                pieces.Count));
            at += 8 + (int)length;
        }
        if (pieces.Count < FirstByte + 256)
            throw Bad(path, $"{pieces.Count} pieces are fewer than the {FirstByte + 256} that every such "
                + "vocabulary has");
        return SentencePieces.Create(pieces, 1, [2, 1], SpaceInFront.Always, singleSpaces: false, path);
    }

    private static Piece Read(string text, float score, int id) => id switch
    {
        0 => new Piece("<unk>", score, PieceKind.Unknown),
        1 => new Piece("<s>", score, PieceKind.Control),
        2 => new Piece("</s>", score, PieceKind.Control),
        < FirstByte + 256 => new Piece(text, score, PieceKind.Byte),
        _ => new Piece(text, score, PieceKind.Normal),
    };

    private static BadFileException Bad(string path, string problem) =>
        new(path, $"not a tokenizer.bin of llama2.c: {problem}");
}
