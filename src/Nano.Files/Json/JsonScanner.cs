using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Nano;

/// <summary>A value in a JSON text.</summary>
/// <param name="Kind">Its kind; <see cref="JsonValueKind.Undefined"/> if there is none.</param>
/// <param name="Start">The start of its text; of a string, after the quote.</param>
/// <param name="Length">Of its text; of a string without the quotes.</param>
internal readonly record struct JsonSlice(JsonValueKind Kind, int Start, int Length);

/// <summary>
/// Finds values in a JSON text without taking the rest of it apart. It takes what Python's json takes: RFC 8259, and
/// NaN, Infinity and -Infinity as numbers;
/// of equal names the last counts; numbers may have any length, as nothing converts them. Half surrogate pairs are
/// allowed in strings, and become U+FFFD each.
/// </summary>
internal ref struct JsonScanner
{
    /// <summary>The deepest nesting of lists and objects: Python's recursion limit.</summary>
    private const int Deepest = 1000;

    private static readonly SearchValues<byte> StringEnds = SearchValues.Create(
        [(byte)'"', (byte)'\\', .. Enumerable.Range(0, 32).Select(c => (byte)c)]);
    private static readonly SearchValues<byte> HexDigits = SearchValues.Create("0123456789abcdefABCDEF"u8);

    private readonly ReadOnlySpan<byte> text;
    private int at;

    private JsonScanner(ReadOnlySpan<byte> text) => this.text = text;

    /// <summary>The value of a field of the object that a text is.</summary>
    /// <param name="text">Valid UTF-8.</param>
    /// <param name="name">The field's name.</param>
    /// <param name="utf8Name">The name as UTF-8.</param>
    /// <param name="found">The value, or one of kind Undefined.</param>
    /// <returns>The kind of the whole text; only an object has fields.</returns>
    /// <exception cref="JsonException">It is not JSON.</exception>
    public static JsonValueKind Find(ReadOnlySpan<byte> text, string name, ReadOnlySpan<byte> utf8Name,
        out JsonSlice found)
    {
        found = default;
        var scanner = new JsonScanner(text);
        scanner.SkipSpace();
        var kind = scanner.Peek() == '{' ? scanner.Object(name, utf8Name, ref found) : scanner.Value(0).Kind;
        scanner.SkipSpace();
        return scanner.at == text.Length ? kind : throw scanner.Unexpected("the end of the line");
    }

    /// <summary>The elements of a list that was found in a text.</summary>
    public static List<JsonSlice> Elements(ReadOnlySpan<byte> text, JsonSlice list)
    {
        var elements = new List<JsonSlice>();
        var scanner = new JsonScanner(text) { at = list.Start + 1 };
        for (scanner.SkipSpace(); scanner.Peek() != ']'; scanner.SkipSpace())
        {
            if (scanner.Peek() == ',')
                scanner.at++;
            elements.Add(scanner.Value(0));
        }
        return elements;
    }

    /// <summary>Writes the characters of a string that was found, and returns how many they are; at most one for each
    /// byte.</summary>
    public static int Decode(ReadOnlySpan<byte> content, Span<char> characters)
    {
        int written = 0;
        while (content.IndexOf((byte)'\\') is >= 0 and int plain)
        {
            written += Encoding.UTF8.GetChars(content[..plain], characters[written..]);
            char c = content[plain + 1] switch
            {
                (byte)'b' => '\b',
                (byte)'f' => '\f',
                (byte)'n' => '\n',
                (byte)'r' => '\r',
                (byte)'t' => '\t',
                (byte)'u' => Hex(content[(plain + 2)..]),
                var other => (char)other,
            };
            content = content[(plain + (content[plain + 1] == 'u' ? 6 : 2))..];
            if (char.IsHighSurrogate(c) && content.StartsWith("\\u"u8) && Hex(content[2..]) is var low
                && char.IsLowSurrogate(low))
            {
                (characters[written], characters[written + 1]) = (c, low);
                written += 2;
                content = content[6..];
            }
            else
                characters[written++] = char.IsSurrogate(c) ? '\uFFFD' : c;
        }
        return written + Encoding.UTF8.GetChars(content, characters[written..]);
    }

    /// <summary>The name of a kind of value, for messages.</summary>
    public static string Name(JsonValueKind kind) => kind switch
    {
        JsonValueKind.Null => "null",
        JsonValueKind.True or JsonValueKind.False => "true or false",
        JsonValueKind.Number => "a number",
        JsonValueKind.String => "a string",
        JsonValueKind.Array => "a list",
        _ => "an object",
    };

    private static char Hex(ReadOnlySpan<byte> digits) =>
        (char)ushort.Parse(digits[..4], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);

    /// <summary>The object that begins here, with a look at one of its fields.</summary>
    private JsonValueKind Object(string name, ReadOnlySpan<byte> utf8Name, ref JsonSlice found)
    {
        for (bool more = Opens('}'); more; more = Continues('}'))
        {
            bool wanted = IsNamed(FieldName(), name, utf8Name);
            var value = Value(1);
            if (wanted)
                found = value;
        }
        return JsonValueKind.Object;
    }

    private readonly bool IsNamed(JsonSlice field, string name, ReadOnlySpan<byte> utf8Name)
    {
        var raw = text.Slice(field.Start, field.Length);
        if (!raw.Contains((byte)'\\'))
            return raw.SequenceEqual(utf8Name);
        char[] characters = new char[raw.Length];
        return characters.AsSpan(0, Decode(raw, characters)).SequenceEqual(name);
    }

    private JsonSlice Value(int depth)
    {
        SkipSpace();
        int start = at;
        switch (Peek())
        {
            case '"':
                return String();
            case '{' or '[' when depth == Deepest:
                throw Wrong($"lists and objects lie in each other more than {Deepest} deep");
            case '{':
                for (bool more = Opens('}'); more; more = Continues('}'))
                {
                    FieldName();
                    Value(depth + 1);
                }
                return new(JsonValueKind.Object, start, at - start);
            case '[':
                for (bool more = Opens(']'); more; more = Continues(']'))
                    Value(depth + 1);
                return new(JsonValueKind.Array, start, at - start);
            default:
                return Word("true"u8, JsonValueKind.True) ?? Word("false"u8, JsonValueKind.False)
                    ?? Word("null"u8, JsonValueKind.Null) ?? Word("NaN"u8, JsonValueKind.Number)
                    ?? Word("Infinity"u8, JsonValueKind.Number) ?? Word("-Infinity"u8, JsonValueKind.Number)
                    ?? Number();
        }
    }

    /// <summary>Passes an opening bracket; says whether anything comes before the closing one, which is passed too if
    /// not.</summary>
    private bool Opens(char close)
    {
        at++;
        SkipSpace();
        if (Peek() != close)
            return true;
        at++;
        return false;
    }

    /// <summary>Passes a comma or the closing bracket; says whether it was a comma.</summary>
    private bool Continues(char close)
    {
        SkipSpace();
        int next = Peek();
        if (next != ',' && next != close)
            throw Unexpected($"',' or '{close}'");
        at++;
        return next == ',';
    }

    /// <summary>A name and the colon behind it.</summary>
    private JsonSlice FieldName()
    {
        SkipSpace();
        if (Peek() != '"')
            throw Unexpected("a name in double quotes");
        var name = String();
        SkipSpace();
        if (Peek() != ':')
            throw Unexpected("':'");
        at++;
        return name;
    }

    private JsonSlice String()
    {
        int start = ++at;
        while (true)
        {
            int length = text[at..].IndexOfAny(StringEnds);
            if (length < 0)
                throw Wrong("a string does not end");
            at += length;
            if (text[at] == '"')
                return new(JsonValueKind.String, start, at++ - start);
            if (text[at] != '\\')
                throw Wrong($"there is a control character, U+{(int)text[at]:X4}, in a string");
            at++;
            int escape = Peek();
            bool isHex = escape == 'u' && text.Length - at > 4 && !text.Slice(at + 1, 4).ContainsAnyExcept(HexDigits);
            if (!isHex && (escape < 0 || !"\"\\/bfnrt"u8.Contains((byte)escape)))
                throw Wrong("there is no such escape in a string");
            at += isHex ? 5 : 1;
        }
    }

    private JsonSlice? Word(ReadOnlySpan<byte> word, JsonValueKind kind)
    {
        if (!text[at..].StartsWith(word))
            return null;
        at += word.Length;
        return new(kind, at - word.Length, word.Length);
    }

    private JsonSlice Number()
    {
        int start = at;
        if (Peek() == '-')
            at++;
        if (Peek() == '0')
            at++;
        else
            Digits(start);
        if (Peek() == '.')
        {
            at++;
            Digits(start);
        }
        if (Peek() is 'e' or 'E')
        {
            at++;
            if (Peek() is '+' or '-')
                at++;
            Digits(start);
        }
        return new(JsonValueKind.Number, start, at - start);
    }

    private void Digits(int start)
    {
        if (!char.IsAsciiDigit((char)Math.Max(0, Peek())))
            throw Unexpected(at == start ? "a value" : "a digit");
        while (char.IsAsciiDigit((char)Math.Max(0, Peek())))
            at++;
    }

    private void SkipSpace()
    {
        while (Peek() is ' ' or '\t' or '\r' or '\n')
            at++;
    }

    /// <summary>The next byte, or -1 at the end.</summary>
    private readonly int Peek() => at < text.Length ? text[at] : -1;

    private readonly JsonException Unexpected(string expected)
    {
        if (at == text.Length)
            return Wrong($"the line ends where {expected} was expected");
        Rune.DecodeFromUtf8(text[at..], out var found, out _);
        return Wrong($"expected {expected}, found {Quoted.Of(found.ToString())}");
    }

    private readonly JsonException Wrong(string problem) => new($"at byte {at}: {problem}");
}
