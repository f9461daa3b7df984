using System.Buffers.Binary;
using System.Text;

namespace Nano;

/// <summary>
/// SentencePiece's tokenizer.model: a protocol buffer (sentencepiece_model.proto), read by hand.
/// Fields: 1 pieces (1 text, 2 score, 3 kind), 2 trainer (3 model type, 40 to 42 the ids of
/// unknown, begin and end), 3 normalizer (2 compiled rules, 3 space in front, 4 single spaces).
/// </summary>
internal static class SentencePieceFile
{
    private const int MaxBytes = 1 << 26, Varint = 0, Fixed64 = 1, Bytes = 2, Fixed32 = 5, BpeModel = 2;

    private static readonly string[] ModelTypes = ["", "unigram", "BPE", "word", "character"];

    /// <summary>
    /// The values of the trainer and normalizer messages, with the format's defaults.
    /// </summary>
    private sealed class Settings
    {
        public int ModelType { get; set; } = 1;

        public int BeginId { get; set; } = 1;

        public int EndId { get; set; } = 2;

        public bool SpaceInFront { get; set; } = true;

        public bool SingleSpaces { get; set; } = true;

        public bool SpaceBehind { get; set; }
    }

    /// <summary>Reads a model.</summary>
    /// <exception cref="BadFileException">It is malformed, no BPE model, or has compiled
    /// normalization rules.</exception>
    public static SentencePieceTokenizer Load(string path)
    {
        var model = new Message(InputFile.ReadBytes(path, MaxBytes, TokenizerLoader.Hint), path);
        var pieces = new List<Piece>();
        var settings = new Settings();
        while (model.Next(out int field, out int type))
        {
            if (field is 1 or 2 or 3 && type == Bytes)
            {
                var inner = model.Inner();
                if (field == 1)
                    pieces.Add(ReadPiece(inner, pieces.Count));
                else if (field == 2)
                    ReadTrainer(inner, settings);
                else
                    ReadNormalizer(inner, settings);
            }
            else
                model.Skip(type);
            if (pieces.Count > SentencePieces.MaxPieces)
                throw new BadFileException(path, $"more than {SentencePieces.MaxPieces} pieces");
        }
        if (pieces.Count == 0)
            throw new BadFileException(path, "not a SentencePiece model: it has no pieces");
        if (settings.ModelType != BpeModel)
            throw new BadFileException(path,
                $"a SentencePiece model of type "
                + $"'{ModelTypes.ElementAtOrDefault(settings.ModelType) ?? $"{settings.ModelType}"}' is not "
                + "supported; BPE is")
            { IsUnsupported = true };
        if (settings.SpaceBehind)
            throw new BadFileException(path,
                "spaces that belong to the word before them (treat_whitespace_as_suffix) are not supported")
            {
                IsUnsupported = true
            };
        foreach (int id in (int[])[settings.BeginId, settings.EndId])
            if (id >= pieces.Count)
                throw new BadFileException(path,
                    $"the id {id} of the begin or end of a text is not among {pieces.Count} pieces");
        return SentencePieces.Create(pieces, settings.BeginId < 0 ? null : settings.BeginId,
            settings.EndId < 0 ? [] : [settings.EndId],
            settings.SpaceInFront ? SpaceInFront.Always : SpaceInFront.Never, settings.SingleSpaces, path);
    }

    private static Piece ReadPiece(Message message, int id)
    {
        (string text, float score, int kind) = ("", 0, (int)PieceKind.Normal);
        while (message.Next(out int field, out int type))
        {
            if (field == 1 && type == Bytes)
                text = message.Text();
            else if (field == 2 && type == Fixed32)
                score = message.Float();
            else if (field == 3 && type == Varint)
                kind = (int)message.Varint();
            else
                message.Skip(type);
        }
        return Enum.IsDefined((PieceKind)kind) ? new Piece(text, score, (PieceKind)kind)
            : throw new BadFileException(message.Path, $"the piece {id} is of unknown kind {kind}");
    }

    private static void ReadTrainer(Message message, Settings settings)
    {
        while (message.Next(out int field, out int type))
        {
            if (type != Varint)
            {
                message.Skip(type);
                continue;
            }
            long value = message.Varint();
            if (field == 3)
                settings.ModelType = (int)value;
            else if (field == 24)
                settings.SpaceBehind = value != 0;
            else if (field == 41)
                settings.BeginId = (int)value;
            else if (field == 42)
                settings.EndId = (int)value;
        }
    }

    private static void ReadNormalizer(Message message, Settings settings)
    {
        while (message.Next(out int field, out int type))
        {
            if (field == 2 && type == Bytes)
            {
                if (message.Inner().Length > 0)
                    throw new BadFileException(message.Path,
                        "compiled normalization rules (such as nfkc) are not supported; 'identity' is")
                    {
                        IsUnsupported = true
                    };
            }
            else if (field is 3 or 4 && type == Varint)
            {
                bool value = message.Varint() != 0;
                if (field == 3)
                    settings.SpaceInFront = value;
                else
                    settings.SingleSpaces = value;
            }
            else
                message.Skip(type);
        }
    }

    /// <summary>A message of a protocol buffer, field after field.</summary>
    private sealed class Message(ReadOnlyMemory<byte> rest, string path)
    {
        private ReadOnlyMemory<byte> rest = rest;

        public string Path { get; } = path;

        public int Length => rest.Length;

        public bool Next(out int field, out int type)
        {
            (field, type) = (0, 0);
            if (rest.IsEmpty)
                return false;
            ulong key = (ulong)Varint();
            (field, type) = (key >> 3 <= int.MaxValue ? (int)(key >> 3) : 0, (int)(key & 7));
            return field > 0 ? true : throw Bad("field 0");
        }

        public long Varint()
        {
            ulong value = 0;
            for (int i = 0; i < 10; i++)
            {
                byte b = ReadBytes(1).Span[0];
                value |= (ulong)(b & 0x7F) << (7 * i);
                if (b < 0x80)
                    return (long)value;
            }
            throw Bad("a number of more than ten bytes");
        }

        public float Float() => BinaryPrimitives.ReadSingleLittleEndian(ReadBytes(4).Span);

        public Message Inner() => new(TakeBytes(), Path);

        public string Text()
        {
            var bytes = TakeBytes().Span;
            return System.Text.Unicode.Utf8.IsValid(bytes) ? Encoding.UTF8.GetString(bytes)
                : throw Bad("a text that is not UTF-8");
        }

        public void Skip(int type)
        {
            if (type == SentencePieceFile.Varint)
                Varint();
            else if (type == Bytes)
                TakeBytes();
            else
                ReadBytes(type == Fixed64 ? 8 : type == Fixed32 ? 4 : throw Bad($"wire type {type}"));
        }

        private ReadOnlyMemory<byte> TakeBytes()
        {
            long length = Varint();
            return length >= 0 && length <= rest.Length ? ReadBytes((int)length)
                : throw Bad($"a field of {(ulong)length} bytes where {rest.Length} are left");
        }

        private ReadOnlyMemory<byte> ReadBytes(int count)
        {
            if (count > rest.Length)
                throw Bad("an end in the middle of a field");
            var taken = rest[..count];
            rest = rest[count..];
            return taken;
        }

        private BadFileException Bad(string found) =>
            new(Path, $"not a SentencePiece model: the protocol buffer has {found}, {rest.Length} bytes before the "
            + "end of the message");
    }
}
