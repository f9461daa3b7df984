using System.Text;

namespace Nano;

/// <summary>Filters of text.</summary>
internal static partial class JinjaFilters
{
    /// <summary>Markup as it is, anything else as text.</summary>
    private static object Soft(object? value, JinjaBudget budget) =>
        value is JinjaMarkup ? value : PythonRepr.Str(value, budget);

    /// <summary>A filter that is the method of the same name.</summary>
    private static object? OfText(object? value, JinjaCallArguments arguments, JinjaFilterContext context)
    {
        arguments.Bind();
        return Method(Soft(value, context.Budget), arguments.Callee.Split('\'')[1], context);
    }

    private static object? Method(object text, string name, JinjaFilterContext context, params object?[] values) =>
        PythonStrings.Find(text, name, context.Budget)!(new JinjaCallArguments(name, values, []));

    private static object? Trim(object? value, JinjaCallArguments arguments, JinjaFilterContext context) =>
        Method(Soft(value, context.Budget), "strip", context,
            arguments.Bind("chars?")[0] is var chars && chars == Missing ? null : chars);

    private static object? Center(object? value, JinjaCallArguments arguments, JinjaFilterContext context) => Method(
        Soft(value, context.Budget), "center", context, arguments.Integer(arguments.Bind("width?")[0], "width", 80));

    private static object? Replace(object? value, JinjaCallArguments arguments, JinjaFilterContext context)
    {
        var given = arguments.Bind("old", "new", "count?");
        var budget = context.Budget;
        long count = given[2] is null ? -1 : arguments.Integer(given[2], "count", -1);
        if (!context.Autoescape)
        {
            string text = PythonRepr.Str(value, budget);
            budget.Read(text);
            return PythonStrings.Replace(text, PythonRepr.Str(given[0], budget), PythonRepr.Str(given[1], budget),
                count, budget);
        }
        object source = given[0] is JinjaMarkup || (given[1] is JinjaMarkup && value is not JinjaMarkup)
            ? new JinjaMarkup(PythonText.Escaped(value, budget)) : Soft(value, budget);
        return Method(source, "replace", context, Soft(given[0], budget), Soft(given[1], budget), count);
    }

    /// <summary>
    /// Unlike str.title, the filter's words are what stands between white space, hyphens and
    /// opening brackets.
    /// </summary>
    private static string Title(object? value, JinjaCallArguments arguments, JinjaFilterContext context)
    {
        arguments.Bind();
        string text = PythonRepr.Str(value, context.Budget);
        context.Budget.Make(text.Length);
        var result = new StringBuilder(text.Length);
        for (int at = 0; at < text.Length;)
        {
            int end = at;
            while (end < text.Length && IsBreak(text[end]) == IsBreak(text[at]))
                end++;
            int first = char.IsHighSurrogate(text[at]) ? 2 : 1;
            result.Append(PythonCase.Upper(text.Substring(at, first)))
                .Append(PythonCase.Lower(text[(at + first)..end]));
            at = end;
        }
        return result.ToString();

        static bool IsBreak(char c) => PythonText.IsSpace(c) || c is '-' or '(' or '{' or '[' or '<';
    }

    private static object? Indent(object? value, JinjaCallArguments arguments, JinjaFilterContext context)
    {
        var given = arguments.Bind("width?", "first?", "blank?");
        string text = PythonText.AsText(value) ?? throw new JinjaError((value as JinjaUndefined)?.Reason
            ?? $"the filter 'indent' needs a string, got {PythonOps.KindOf(value)}");
        bool first = JinjaCallArguments.Flag(given[1], false), blank = JinjaCallArguments.Flag(given[2], false);
        string by = PythonText.AsText(given[0]) ?? Spaces(arguments.Integer(given[0], "width", 4));
        var lines = PythonText.Lines(text + "\n");
        context.Budget.Make(text.Length + ((long)lines.Count * by.Length));
        var result = new StringBuilder();
        for (int i = 0; i < lines.Count; i++)
            result.Append(i > 0 ? "\n" : "").Append((i == 0 ? first : blank || lines[i].Length > 0) ? by : "")
                .Append(lines[i]);
        return PythonText.Like(value, result.ToString());

        string Spaces(long count)
        {
            context.Budget.Make(Math.Max(0, count));
            return new string(' ', (int)Math.Max(0, count));
        }
    }

    private static JinjaMarkup Escape(object? value, JinjaCallArguments arguments, JinjaFilterContext context)
    {
        arguments.Bind();
        return new JinjaMarkup(PythonText.Escaped(value, context.Budget));
    }

    private static JinjaMarkup ForceEscape(object? value, JinjaCallArguments arguments, JinjaFilterContext context)
    {
        arguments.Bind();
        return new JinjaMarkup(PythonText.Escaped(PythonRepr.Str(value, context.Budget), context.Budget));
    }

    private static object? Format(object? value, JinjaCallArguments arguments, JinjaFilterContext context)
    {
        if (arguments.Positional.Count > 0 && arguments.Named.Count > 0)
            throw new JinjaError("the filter 'format' takes values with names or without, not both");
        object? values = new JinjaList(arguments.Positional, isTuple: true);
        if (arguments.Named.Count > 0)
        {
            var named = new JinjaDict();
            foreach (var (name, item) in arguments.Named)
                named.Set(name, item);
            values = named;
        }
        return PythonPercent.Apply(Soft(value, context.Budget), values, context.Budget);
    }

    private static string StripTags(object? value, JinjaCallArguments arguments, JinjaFilterContext context)
    {
        arguments.Bind();
        string text = PythonRepr.Str(value, context.Budget);
        context.Budget.Make(text.Length);
        return PythonHtml.StripTags(text);
    }

    private static string UrlEncode(object? value, JinjaCallArguments arguments, JinjaFilterContext context)
    {
        arguments.Bind();
        var budget = context.Budget;
        if (value is string or JinjaMarkup || !PythonOps.IsIterable(value))
            return Quote(value, forQuery: false);
        var items = value is JinjaDict dict ? new JinjaView("items", dict) : value;
        var parts = new List<string>();
        foreach (object? item in PythonOps.Elements(items, budget))
        {
            var pair = PythonOps.Elements(item, budget).Take(3).ToList();
            if (pair.Count != 2)
                throw new JinjaError("the filter 'urlencode' needs pairs");
            parts.Add(Quote(pair[0], forQuery: true) + "=" + Quote(pair[1], forQuery: true));
        }
        return string.Join('&', parts);

        string Quote(object? part, bool forQuery)
        {
            string text = PythonRepr.Str(part, budget);
            budget.Make(text.Length * 9L);
            return PythonHtml.Quote(text, forQuery);
        }
    }

    private static readonly System.Buffers.SearchValues<char> NotInNames =
        System.Buffers.SearchValues.Create(" \t\n\r\f\v/>=");

    private static object? XmlAttributes(object? value, JinjaCallArguments arguments, JinjaFilterContext context)
    {
        bool space = JinjaCallArguments.Flag(arguments.Bind("autospace?")[0], true);
        var dict = value as JinjaDict
            ?? throw new JinjaError($"the filter 'xmlattr' needs a mapping, got {PythonOps.KindOf(value)}");
        var text = new StringBuilder();
        foreach (var (key, item) in dict.Items.Where(item => item.Value is not (null or JinjaUndefined)))
        {
            string name = PythonText.AsText(key) ?? throw new JinjaError("the names of attributes are strings");
            if (name.AsSpan().ContainsAny(NotInNames))
                throw new JinjaError($"{Quoted.Of(name)} cannot be the name of an attribute");
            text.Append(space || text.Length > 0 ? " " : "").Append(PythonText.Escaped(key, context.Budget));
            text.Append("=\"").Append(PythonText.Escaped(item, context.Budget)).Append('"');
        }
        context.Budget.Make(text.Length);
        return context.Autoescape ? new JinjaMarkup(text.ToString()) : text.ToString();
    }

    private static object? Truncate(object? value, JinjaCallArguments arguments, JinjaFilterContext context)
    {
        var given = arguments.Bind("length?", "killwords?", "end?", "leeway?");
        long length = arguments.Integer(given[0], "length", 255);
        object end = given[2] == Missing ? "..." : given[2]!, rest;
        long kept = length - PythonOps.Length(end, context.Budget);
        long leeway = given[3] is null ? 5 : arguments.Integer(given[3], "leeway", 5);
        if (kept < 0 || leeway < 0)
            throw new JinjaError("the filter 'truncate' needs a length of at least its end, and a leeway from 0");
        if (PythonOps.Length(value, context.Budget) <= length + leeway)
            return value;
        rest = PythonOps.Slice(value, null, kept, null, context.Budget);
        if (!JinjaCallArguments.Flag(given[1], false))
            rest = ((JinjaList)Method(rest, "rsplit", context, " ", 1L)!).Items[0]!;
        return PythonArithmetic.Apply("+", rest, end, context.Budget);
    }

    private static long WordCount(object? value, JinjaCallArguments arguments, JinjaFilterContext context)
    {
        arguments.Bind();
        long count = 0;
        bool inWord = false;
        foreach (var rune in PythonRepr.Str(value, context.Budget).EnumerateRunes())
        {
            bool isWord = rune.Value == '_' || PythonStrings.IsAlphanumeric(rune);
            count += isWord && !inWord ? 1 : 0;
            inWord = isWord;
        }
        return count;
    }

    private static string WordWrap(object? value, JinjaCallArguments arguments, JinjaFilterContext context)
    {
        var given = arguments.Bind("width?", "break_long_words?", "wrapstring?", "break_on_hyphens?");
        string text = PythonText.AsText(value) ?? throw new JinjaError((value as JinjaUndefined)?.Reason
            ?? $"the filter 'wordwrap' needs a string, got {PythonOps.KindOf(value)}");
        string wrap = given[2] is null ? "\n" : arguments.Text(given[2], "wrapstring", "\n");
        return PythonWrap.Wrap(text, arguments.Integer(given[0], "width", 79), JinjaCallArguments.Flag(given[1], true),
            JinjaCallArguments.Flag(given[3], true), wrap, context.Budget);
    }
}
