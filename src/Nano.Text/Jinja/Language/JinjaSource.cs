namespace Nano;

/// <summary>
/// A template's text as Jinja reads it: every line end is \n and one at the very end is dropped.
/// Finds line and column of an offset.
/// </summary>
internal sealed class JinjaSource
{
    private const int MaxChars = 1 << 20;

    public JinjaSource(string text, string name)
    {
        Name = name;
        if (text.Length > MaxChars)
            throw new ChatTemplateException(name, 1, 1,
                $"{text.Length} characters are more than a template can need (limit {MaxChars})");
        text = text.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n');
        Text = text.EndsWith('\n') ? text[..^1] : text;
    }

    /// <summary>The name of the template in messages.</summary>
    public string Name { get; }

    public string Text { get; }

    /// <summary>An error at an offset.</summary>
    public ChatTemplateException Error(int offset, string problem)
    {
        var before = Text.AsSpan(0, Math.Min(offset, Text.Length));
        int line = before.Count('\n') + 1, column = before.Length - before.LastIndexOf('\n');
        return new ChatTemplateException(Name, line, column, problem);
    }
}
