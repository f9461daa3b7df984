using System.Buffers;

namespace Nano;

internal enum JinjaTokenKind
{
    Text,
    VariableBegin,
    VariableEnd,
    BlockBegin,
    BlockEnd,
    Name,
    String,
    Integer,
    Float,
    Operator,
    End,
}

/// <param name="Kind">The kind.</param>
/// <param name="Text">Its text; a string literal is decoded.</param>
/// <param name="At">Offset in the source.</param>
/// <param name="Value">The value of a number.</param>
internal readonly record struct JinjaToken(JinjaTokenKind Kind, string Text, int At, object? Value = null);

/// <summary>
/// Splits a template into text, tags and what is in them. White space as Hugging Face sets it up:
/// trim_blocks (a line end after a block or comment is dropped), lstrip_blocks (so is white space
/// between a line's start and a block or comment), and the signs - and + of a tag.
/// </summary>
internal sealed partial class JinjaLexer
{
    private static readonly string[] Operators =
    [
        "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=",
        ".", ":", "|", ",", ";",
    ];

    private static readonly SearchValues<char> TagKinds = SearchValues.Create("{%#");

    private readonly JinjaSource source;
    private readonly string text;
    private readonly List<JinjaToken> tokens = [];
    private int at;

    private JinjaLexer(JinjaSource source) => (this.source, text) = (source, source.Text);

    /// <summary>All tokens, ended by one of kind End.</summary>
    /// <exception cref="ChatTemplateException">A tag or string does not end, or a character has no
    /// place in a tag.</exception>
    public static List<JinjaToken> Lex(JinjaSource source)
    {
        var lexer = new JinjaLexer(source);
        while (lexer.at < lexer.text.Length)
            lexer.TextAndTag();
        lexer.Add(JinjaTokenKind.End, "", lexer.at);
        return lexer.tokens;
    }

    private void Add(JinjaTokenKind kind, string text, int offset, object? value = null) =>
        tokens.Add(new JinjaToken(kind, text, offset, value));

    private bool Is(string what, int offset) => string.CompareOrdinal(text, offset, what, 0, what.Length) == 0;

    private void TextAndTag()
    {
        int tag = text.IndexOf('{', at);
        while (tag >= 0 && !(tag + 1 < text.Length && TagKinds.Contains(text[tag + 1])))
            tag = text.IndexOf('{', tag + 1);
        if (tag < 0)
        {
            Add(JinjaTokenKind.Text, text[at..], at);
            at = text.Length;
            return;
        }
        char kind = text[tag + 1];
        char sign = tag + 2 < text.Length && text[tag + 2] is '-' or '+' ? text[tag + 2] : ' ';
        AddText(tag, sign, kind == '{');
        at = tag + (sign == ' ' ? 2 : 3);
        if (kind == '#')
            Comment(tag);
        else if (kind == '%' && RawBegins())
            Raw(tag);
        else
            Tag(tag, kind == '{');
    }

    /// <summary>Emits the text before a tag, without the white space that the tag takes.</summary>
    private void AddText(int end, char sign, bool variable)
    {
        int start = at, keep = end;
        if (sign == '-')
        {
            while (keep > start && PythonText.IsSpace(text[keep - 1]))
                keep--;
        }
        else if (sign != '+' && !variable)
        {
            int line = end > start ? text.LastIndexOf('\n', end - 1, end - start) + 1 : 0;
            bool fromLineStart = line > 0 || start == 0 || text[start - 1] == '\n';
            line = Math.Max(line, start);
            if (fromLineStart && !text.AsSpan(line, end - line).ContainsAnyExcept(PythonText.Spaces))
                keep = line;
        }
        if (keep > start)
            Add(JinjaTokenKind.Text, text[start..keep], start);
    }

    /// <summary>Steps behind the end of a block or comment and the white space that it takes.</summary>
    private void EndTag(int end, char sign)
    {
        at = end;
        if (sign == '-')
            SkipSpace();
        else if (sign != '+' && at < text.Length && text[at] == '\n')
            at++;
    }

    private void SkipSpace()
    {
        while (at < text.Length && PythonText.IsSpace(text[at]))
            at++;
    }

    private void Comment(int tag)
    {
        int end = text.IndexOf("#}", at, StringComparison.Ordinal);
        if (at == text.Length)
            return; // as in Jinja, which has nothing left to complain about
        if (end < 0)
            throw source.Error(tag, "this comment does not end");
        EndTag(end + 2, end > at ? text[end - 1] : ' ');
    }

    /// <summary>
    /// Checks whether the block that has just begun is {% raw %}, and if so moves past it.
    /// </summary>
    private bool RawBegins()
    {
        int before = at;
        if (Word("raw") && (Is("%}", at) || Is("-%}", at)))
        {
            bool strip = text[at] == '-';
            at += strip ? 3 : 2;
            if (strip)
                SkipSpace();
            return true;
        }
        at = before;
        return false;
    }

    private bool Word(string word)
    {
        SkipSpace();
        if (!Is(word, at))
            return false;
        at += word.Length;
        SkipSpace();
        return true;
    }

    private void Raw(int tag)
    {
        int start = at;
        if (at == text.Length)
            return;
        for (int end = text.IndexOf("{%", at, StringComparison.Ordinal); end >= 0;
            end = text.IndexOf("{%", end + 2, StringComparison.Ordinal))
        {
            at = end + 2;
            char sign = at < text.Length && text[at] is '-' or '+' ? text[at++] : ' ';
            if (!Word("endraw"))
                continue;
            char endSign = at < text.Length && text[at] is '-' or '+' ? text[at++] : ' ';
            if (!Is("%}", at))
                continue;
            int behind = at + 2;
            at = start;
            AddText(end, sign, variable: false);
            EndTag(behind, endSign);
            return;
        }
        throw source.Error(tag, "this raw block does not end");
    }

    private void Tag(int tag, bool variable)
    {
        Add(variable ? JinjaTokenKind.VariableBegin : JinjaTokenKind.BlockBegin, variable ? "{{" : "{%", tag);
        string close = variable ? "}}" : "%}";
        for (int braces = 0; ;)
        {
            SkipSpace();
            if (at >= text.Length)
                throw source.Error(tag, $"this tag has no {close}");
            int begin = at;
            char sign = text[at] == '-' || (text[at] == '+' && !variable) ? text[at] : ' ';
            if (braces == 0 && Is(close, sign == ' ' ? at : at + 1))
            {
                EndTag(at + (sign == ' ' ? 2 : 3), variable && sign == ' ' ? '+' : sign);
                Add(variable ? JinjaTokenKind.VariableEnd : JinjaTokenKind.BlockEnd, close, begin);
                return;
            }
            braces += Token() switch { "{" or "[" or "(" => 1, "}" or "]" or ")" => -1, _ => 0 };
            if (braces < 0)
                throw source.Error(begin, $"nothing is open that this '{text[begin]}' could close");
        }
    }

    /// <summary>Emits one token; returns its text if it is an operator.</summary>
    private string Token()
    {
        int start = at;
        char c = text[at];
        if (c is '\'' or '"')
        {
            Add(JinjaTokenKind.String, String(c), start);
            return "";
        }
        if (char.IsAsciiDigit(c))
        {
            Number();
            return "";
        }
        if (c == '_' || char.IsLetter(c))
        {
            while (at < text.Length && (text[at] == '_' || char.IsLetterOrDigit(text[at])))
                at++;
            Add(JinjaTokenKind.Name, text[start..at], start);
            return "";
        }
        string op = Operators.FirstOrDefault(op => Is(op, start)) ?? throw source.Error(start,
            $"{Quoted.Of(text.AsSpan(start, char.IsHighSurrogate(c) && start + 1 < text.Length ? 2 : 1))} has no "
            + "place in a tag");
        at += op.Length;
        Add(JinjaTokenKind.Operator, op, start);
        return op;
    }
}
