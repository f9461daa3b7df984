using System.Buffers;
using System.Text;

namespace Nano;

/// <summary>
/// One id per character: the vocabulary is the distinct characters of a text, numbered in code point order.
/// A character is a Unicode scalar value, so one beyond U+FFFF (two UTF-16 units) is one symbol.
/// Saved as a Hugging Face tokenizer.json (see CharTokenizerJson).
/// </summary>
public sealed class CharTokenizer : ITokenizer
{
    private const int CodePoints = 0x110000;

    private readonly Rune[] symbols;

    // Indexed by UTF-16 unit, up to the largest in the vocabulary: id, or -1.
    private readonly int[] basicIds;
    private readonly Dictionary<int, int> supplementaryIds = [];

    /// <param name="symbols">Distinct and in code point order.</param>
    internal CharTokenizer(Rune[] symbols)
    {
        this.symbols = symbols;
        int largest = symbols.LastOrDefault(r => r.IsBmp).Value;
        basicIds = new int[largest + 1];
        Array.Fill(basicIds, -1);
        for (int id = 0; id < symbols.Length; id++)
        {
            if (symbols[id].IsBmp)
                basicIds[symbols[id].Value] = id;
            else
                supplementaryIds[symbols[id].Value] = id;
        }
    }

    /// <summary>The vocabulary: the character of each id, in code point order.</summary>
    public IReadOnlyList<Rune> Symbols => symbols;

    /// <inheritdoc/>
    public int VocabSize => symbols.Length;

    /// <summary>Makes the vocabulary of a text.</summary>
    /// <exception cref="NanoException">The text is empty or holds half of a surrogate pair.</exception>
    public static CharTokenizer FromText(ReadOnlySpan<char> text)
    {
        if (text.IsEmpty)
            throw new NanoException("the text is empty, so it has no characters to make a vocabulary of",
                "check the data file");
        bool[] seen = new bool[CodePoints];
        for (int i = 0; i < text.Length;)
        {
            Rune rune = RuneAt(text, i);
            seen[rune.Value] = true;
            i += rune.Utf16SequenceLength;
        }
        var symbols = new List<Rune>();
        for (int c = 0; c < CodePoints; c++)
            if (seen[c])
                symbols.Add(new Rune(c));
        return new CharTokenizer([.. symbols]);
    }

    /// <summary>Empty: every id is a character.</summary>
    public IReadOnlyDictionary<string, int> SpecialTokens =>
        System.Collections.ObjectModel.ReadOnlyDictionary<string, int>.Empty;

    /// <summary>None.</summary>
    public int? BeginId => null;

    /// <summary>None: such a text has no end.</summary>
    public IReadOnlyList<int> EndIds => [];

    /// <summary>The id of each character.</summary>
    /// <exception cref="NanoException">A character is not in the vocabulary, or half of a surrogate
    /// pair stands alone.</exception>
    public int[] Encode(ReadOnlySpan<char> text, bool allowSpecial = false)
    {
        int[] ids = new int[text.Length];
        int count = 0;
        for (int i = 0; i < text.Length; count++)
        {
            int unit = text[i];
            int id = unit < basicIds.Length ? basicIds[unit] : -1;
            if (id >= 0)
                i++;
            else
                id = EncodeOther(text, ref i);
            ids[count] = id;
        }
        return count == ids.Length ? ids : ids[..count];
    }

    private int EncodeOther(ReadOnlySpan<char> text, ref int i)
    {
        Rune rune = RuneAt(text, i);
        if (!supplementaryIds.TryGetValue(rune.Value, out int id))
            throw new NanoException(
                $"the character {Quoted.Of(rune.ToString())} (U+{rune.Value:X4}) at position {i} is not among the "
                + $"{VocabSize} characters of the vocabulary",
                "leave it out, or train on a text that has it");
        i += rune.Utf16SequenceLength;
        return id;
    }

    private static Rune RuneAt(ReadOnlySpan<char> text, int i) =>
        Rune.DecodeFromUtf16(text[i..], out Rune rune, out _) == OperationStatus.Done
        ? rune
        : throw BpeTokenizer.HalfPair(text[i], i);

    /// <summary>The characters of the ids.</summary>
    /// <exception cref="NanoException">An id is outside the vocabulary.</exception>
    public string Decode(ReadOnlySpan<int> ids)
    {
        int length = 0;
        for (int i = 0; i < ids.Length; i++)
        {
            if ((uint)ids[i] >= (uint)symbols.Length)
                throw new NanoException(
                    $"the id {ids[i]} at position {i} is outside the vocabulary, whose ids run from 0 to "
                    + $"{VocabSize - 1}");
            length = checked(length + symbols[ids[i]].Utf16SequenceLength);
        }
        char[] text = new char[length];
        Span<char> rest = text;
        foreach (int id in ids)
            rest = rest[symbols[id].EncodeToUtf16(rest)..];
        return new string(text);
    }

    /// <inheritdoc/>
    public ReadOnlySpan<byte> BytesOf(int id, bool first = false) =>
        (uint)id < (uint)symbols.Length ? Encoding.UTF8.GetBytes(symbols[id].ToString())
        : throw new NanoException($"the id {id} is outside the vocabulary, whose ids run from 0 to {VocabSize - 1}");

    /// <summary>
    /// Writes the vocabulary as a Hugging Face tokenizer.json; the same vocabulary gives the same
    /// bytes.
    /// </summary>
    /// <exception cref="NanoException">The file cannot be written.</exception>
    public void Save(string path) => CharTokenizerJson.Save(path, symbols);

    /// <summary>Reads a tokenizer.json that describes a character tokenizer, and no other kind.</summary>
    /// <exception cref="NanoException">The file is missing or unreadable.</exception>
    /// <exception cref="BadFileException">It is malformed or another kind of tokenizer; the message
    /// says what was found.</exception>
    public static CharTokenizer Load(string path) => new(CharTokenizerJson.Load(path));
}
