namespace Nano;

/// <summary>
/// Builds the tree of a template: blocks and plain statements here, those that bind variables and expressions in the
/// other parts. The grammar is that of Jinja 3.1 with the loop controls and the generation block of transformers.
/// </summary>
internal sealed partial class JinjaParser
{
    private const int MaxDepth = 100, MaxLinks = 1000;

    private readonly JinjaSource source;
    private readonly List<JinjaToken> tokens;

    /// <summary>Filters and tests that do not exist, where Jinja refuses the template for them.</summary>
    private readonly List<(int At, string Problem)> unknown = [];

    /// <summary>For each macro that is open, which of the names caller, varargs and kwargs it reads.</summary>
    private readonly Stack<HashSet<string>> reads = new();

    private readonly HashSet<string> blocks = new(StringComparer.Ordinal);

    private int next, depth, loops, nestedFors;

    /// <summary>True within an if, where Jinja lets a filter that does not exist pass until it is reached.</summary>
    private bool isOptional;

    private JinjaParser(JinjaSource source) => (this.source, tokens) = (source, JinjaLexer.Lex(source));

    /// <exception cref="ChatTemplateException">The text is not a template.</exception>
    public static IReadOnlyList<JinjaNode> Parse(JinjaSource source)
    {
        var parser = new JinjaParser(source);
        var body = parser.Nodes(null, source.Text.Length, []);
        if (parser.unknown is [var first, ..])
            throw source.Error(first.At, first.Problem);
        return body;
    }

    private JinjaToken Current => tokens[next];

    private ChatTemplateException Wrong(string problem) => source.Error(Current.At, problem);

    private static string Show(JinjaToken token) => token.Kind switch
    {
        JinjaTokenKind.End or JinjaTokenKind.VariableEnd or JinjaTokenKind.BlockEnd => "the end of the tag",
        JinjaTokenKind.String => "the string " + Quoted.Of(token.Text),
        _ => Quoted.Of(token.Text),
    };

    private bool IsOperator(string op) => Current.Kind == JinjaTokenKind.Operator && Current.Text == op;

    private bool IsName(string name) => Current.Kind == JinjaTokenKind.Name && Current.Text == name;

    private bool NextIs(string what) =>
        next + 1 < tokens.Count && tokens[next + 1].Kind is JinjaTokenKind.Operator or JinjaTokenKind.Name
        && tokens[next + 1].Text == what;

    private bool Skip(string what)
    {
        if (!(Current.Kind is JinjaTokenKind.Operator or JinjaTokenKind.Name && Current.Text == what))
            return false;
        next++;
        return true;
    }

    private void Expect(string what)
    {
        if (!Skip(what))
            throw Wrong($"expected '{what}', found {Show(Current)}");
    }

    private void Expect(JinjaTokenKind kind)
    {
        if (Current.Kind != kind)
            throw Wrong($"expected the end of the tag, found {Show(Current)}");
        next++;
    }

    /// <summary>
    /// Counts a link of a chain such as a + b + c or x | trim | upper, each of which nests the ones
    /// before it.
    /// </summary>
    private void Link(ref int links)
    {
        if (++links > MaxLinks)
            throw Wrong($"a chain of more than {MaxLinks} operators, filters or elements");
    }

    private void Deeper()
    {
        if (++depth > MaxDepth)
            throw Wrong($"nested more than {MaxDepth} deep");
    }

    /// <summary>The end of an opening tag, which may have a colon, and what stands up to one of some tags.</summary>
    /// <param name="opener">The opening tag.</param>
    /// <param name="ends">The tags; the name of the one found is the next token afterwards.</param>
    /// <param name="optional">Whether filters that do not exist may pass within.</param>
    private List<JinjaNode> Body(JinjaToken opener, string[] ends, bool optional = false)
    {
        Skip(":");
        Expect(JinjaTokenKind.BlockEnd);
        bool outer = isOptional;
        isOptional = optional;
        var nodes = Nodes(opener.Text, opener.At, ends);
        isOptional = outer;
        return nodes;
    }

    /// <summary>Parses the nodes up to a closing tag, and the tag itself.</summary>
    private List<JinjaNode> Closed(JinjaToken opener, bool optional = false)
    {
        var nodes = Body(opener, ["end" + opener.Text], optional);
        next++;
        return nodes;
    }

    private List<JinjaNode> Nodes(string? opener, int openedAt, string[] ends)
    {
        Deeper();
        var nodes = new List<JinjaNode>();
        while (true)
        {
            var token = tokens[next++];
            switch (token.Kind)
            {
                case JinjaTokenKind.Text:
                    nodes.Add(new JinjaText(token.At, token.Text));
                    break;
                case JinjaTokenKind.VariableBegin:
                    nodes.Add(new JinjaOutput(Current.At, TupleOrExpression()));
                    Expect(JinjaTokenKind.VariableEnd);
                    break;
                case JinjaTokenKind.BlockBegin when Current.Kind == JinjaTokenKind.Name && ends.Contains(Current.Text):
                    depth--;
                    return nodes;
                case JinjaTokenKind.BlockBegin:
                    nodes.AddRange(Statement());
                    Expect(JinjaTokenKind.BlockEnd);
                    break;
                default:
                    if (opener is not null)
                        throw source.Error(openedAt,
                            $"this '{opener}' is not closed by {string.Join(" or ", ends.Select(end => $"'{end}'"))}");
                    depth--;
                    return nodes;
            }
        }
    }

    private List<JinjaNode> Statement()
    {
        var tag = Current;
        if (tag.Kind != JinjaTokenKind.Name)
            throw Wrong($"expected the name of a statement, found {Show(tag)}");
        next++;
        return tag.Text switch
        {
            "print" => Print(),
            "if" => [If(tag)],
            "for" => [For(tag)],
            "set" => [Set(tag)],
            "macro" => [Macro(tag)],
            "call" => [CallBlock(tag)],
            "filter" => [FilterBlock(tag)],
            "with" => [With(tag)],
            "block" => [Block(tag)],
            "autoescape" => [new JinjaAutoescape(tag.At, Expression(), Closed(tag))],
            "generation" => [Generation(tag)],
            "include" or "import" or "from" or "extends" => [Unavailable(tag)],
            "break" or "continue" when loops > 0 => [new JinjaJump(tag.At, tag.Text == "break")],
            "break" or "continue" => throw source.Error(tag.At, $"'{tag.Text}' outside of a loop"),
            "else" or "elif" => throw source.Error(tag.At, $"'{tag.Text}' has nothing to belong to"),
            _ when tag.Text.StartsWith("end", StringComparison.Ordinal) =>
                throw source.Error(tag.At, $"{Quoted.Of(tag.Text)} has nothing to belong to"),
            _ => throw source.Error(tag.At, $"there is no statement {Quoted.Of(tag.Text)}"),
        };
    }

    private List<JinjaNode> Print()
    {
        var nodes = new List<JinjaNode>();
        while (Current.Kind != JinjaTokenKind.BlockEnd)
        {
            if (nodes.Count > 0)
                Expect(",");
            nodes.Add(new JinjaOutput(Current.At, Expression()));
        }
        return nodes;
    }

    private JinjaIf If(JinjaToken tag)
    {
        bool outer = isOptional;
        isOptional = true;
        var branches = new List<(JinjaExpression, IReadOnlyList<JinjaNode>)>();
        do
        {
            var test = TupleOrExpression(withCondition: false);
            branches.Add((test, Body(tag, ["elif", "else", "endif"], optional: true)));
        }
        while (Skip("elif"));
        IReadOnlyList<JinjaNode> otherwise = Skip("else") ? Body(tag, ["endif"], optional: true) : [];
        next++;
        isOptional = outer;
        return new JinjaIf(tag.At, branches, otherwise);
    }

    private JinjaFor For(JinjaToken tag)
    {
        nestedFors++;
        var target = Target();
        Expect("in");
        var items = TupleOrExpression(withCondition: false);
        bool outer = isOptional;
        isOptional = false;
        var test = Skip("if") ? Expression() : null;
        isOptional = outer;
        bool recursive = Skip("recursive");
        loops++;
        var body = Body(tag, ["else", "endfor"]);
        loops--;
        // A recursive loop is a function of its own, which a "break" behind it cannot leave.
        int around = loops;
        loops = recursive ? 0 : loops;
        IReadOnlyList<JinjaNode> otherwise = Skip("else") ? Body(tag, ["endfor"]) : [];
        loops = around;
        next++;
        nestedFors--;
        return new JinjaFor(tag.At, target, items, test, recursive, body, otherwise);
    }

    private JinjaFilterBlock FilterBlock(JinjaToken tag)
    {
        bool outer = isOptional;
        isOptional = false;
        var filters = OneFilter(null);
        for (int links = 0; Skip("|"); Link(ref links))
            filters = OneFilter(filters);
        isOptional = outer;
        return new JinjaFilterBlock(tag.At, filters, Closed(tag));
    }

    private JinjaBlock Block(JinjaToken tag)
    {
        string name = Name("the name of a block");
        if (!blocks.Add(name))
            throw source.Error(tag.At, $"there are two blocks {Quoted.Of(name)}");
        bool scoped = Skip("scoped"), required = Skip("required");
        int outer = loops;
        loops = 0;
        var body = Closed(tag);
        loops = outer;
        if (required && body.Exists(node => node is not JinjaText text || !text.Text.All(PythonText.IsSpace)))
            throw source.Error(tag.At, "a required block can only hold white space");
        Skip(name);
        return new JinjaBlock(tag.At, scoped, body);
    }

    private JinjaGeneration Generation(JinjaToken tag)
    {
        int outer = loops;
        loops = 0;
        var body = Closed(tag);
        loops = outer;
        return new JinjaGeneration(tag.At, body);
    }

    /// <summary>A statement that reads another template, which is an error where it is reached.</summary>
    private JinjaUnavailable Unavailable(JinjaToken tag)
    {
        var template = Expression();
        if (tag.Text == "include" && IsName("ignore") && NextIs("missing"))
            next += 2;
        if (tag.Text == "import")
        {
            Expect("as");
            Name("the name of an import");
        }
        else if (tag.Text == "from")
        {
            Expect("import");
            do
            {
                Name("the name of an import");
                if (Skip("as"))
                    Name("the name of an import");
            }
            while (Skip(","));
        }
        if (tag.Text != "extends" && (IsName("with") || IsName("without")) && NextIs("context"))
            next += 2;
        return new JinjaUnavailable(tag.At, tag.Text, template);
    }
}
