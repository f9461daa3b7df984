namespace Nano;

/// <summary>
/// Builds the tree of a template: statements here, expressions in the other half. The grammar is that of Jinja 3 without what chat
/// templates have no use for (inheritance, includes, call blocks, line statements); anything else is an error with its place.
/// </summary>
internal sealed partial class JinjaParser
{
    private const int MaxDepth = 100;

    private static readonly string[] Reserved = ["and", "or", "not", "in", "is", "if", "else", "elif", "for", "true", "false", "none", "True", "False", "None", "loop"];

    private readonly JinjaSource source;
    private readonly List<JinjaToken> tokens;
    private int next, depth, loops;

    private JinjaParser(JinjaSource source) => (this.source, tokens) = (source, JinjaLexer.Lex(source));

    /// <exception cref="ChatTemplateException">The template is not one, or uses what is not supported.</exception>
    public static IReadOnlyList<JinjaNode> Parse(JinjaSource source) => new JinjaParser(source).Body(null, source.Text.Length, []);

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

    private string NewName(string what)
    {
        if (Current.Kind != JinjaTokenKind.Name)
            throw Wrong($"expected {what}, found {Show(Current)}");
        if (Reserved.Contains(Current.Text))
            throw Wrong($"'{Current.Text}' cannot be {what}");
        return tokens[next++].Text;
    }

    private void Deeper()
    {
        if (++depth > MaxDepth)
            throw Wrong($"nested more than {MaxDepth} deep");
    }

    /// <summary>Nodes up to one of the tags in <paramref name="ends"/>, whose name is the next token then.</summary>
    private List<JinjaNode> Body(string? opener, int openedAt, string[] ends)
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
                    break;
                default:
                    if (opener is not null)
                        throw source.Error(openedAt, $"this '{opener}' is not closed by {string.Join(" or ", ends.Select(end => $"'{end}'"))}");
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
            "if" => [If(tag.At)],
            "for" => [For(tag.At)],
            "set" => [Set(tag.At)],
            "macro" => [Macro(tag.At)],
            "generation" => Generation(tag.At),
            "break" or "continue" when loops > 0 => [Jump(tag)],
            "break" or "continue" => throw source.Error(tag.At, $"'{tag.Text}' outside of a loop"),
            "else" or "elif" or "endif" or "endfor" or "endset" or "endmacro" or "endgeneration" => throw source.Error(tag.At, $"'{tag.Text}' has nothing to belong to"),
            _ => throw source.Error(tag.At, $"the statement {Quoted.Of(tag.Text)} is not supported; supported are if, for, set, macro, break, continue, raw and generation"),
        };
    }

    private JinjaJump Jump(JinjaToken tag)
    {
        Expect(JinjaTokenKind.BlockEnd);
        return new JinjaJump(tag.At, tag.Text == "break");
    }

    /// <summary>The block in which Hugging Face marks what the assistant said; it changes nothing in the text.</summary>
    private List<JinjaNode> Generation(int at)
    {
        Expect(JinjaTokenKind.BlockEnd);
        var body = Body("generation", at, ["endgeneration"]);
        next++;
        Expect(JinjaTokenKind.BlockEnd);
        return body;
    }

    private JinjaIf If(int at)
    {
        var branches = new List<(JinjaExpression, IReadOnlyList<JinjaNode>)>();
        do
        {
            var test = TupleOrExpression();
            Expect(JinjaTokenKind.BlockEnd);
            branches.Add((test, Body("if", at, ["elif", "else", "endif"])));
        }
        while (Skip("elif"));
        IReadOnlyList<JinjaNode> otherwise = [];
        if (Skip("else"))
        {
            Expect(JinjaTokenKind.BlockEnd);
            otherwise = Body("if", at, ["endif"]);
        }
        Expect("endif");
        Expect(JinjaTokenKind.BlockEnd);
        return new JinjaIf(at, branches, otherwise);
    }

    private JinjaFor For(int at)
    {
        var targets = Targets("the variable of a loop");
        Expect("in");
        var items = TupleOrExpression(withCondition: false);
        var test = Skip("if") ? Expression() : null;
        if (IsName("recursive"))
            throw Wrong("recursive loops are not supported");
        Expect(JinjaTokenKind.BlockEnd);
        loops++;
        var body = Body("for", at, ["else", "endfor"]);
        loops--;
        IReadOnlyList<JinjaNode> otherwise = [];
        if (Skip("else"))
        {
            Expect(JinjaTokenKind.BlockEnd);
            otherwise = Body("for", at, ["endfor"]);
        }
        Expect("endfor");
        Expect(JinjaTokenKind.BlockEnd);
        return new JinjaFor(at, targets, items, test, body, otherwise);
    }

    private List<string> Targets(string what)
    {
        bool bracket = Skip("(");
        var names = new List<string> { NewName(what) };
        while (Skip(","))
            names.Add(NewName(what));
        if (bracket)
            Expect(")");
        return names;
    }

    private JinjaNode Set(int at)
    {
        var targets = Targets("the variable to set");
        string? attribute = targets.Count == 1 && Skip(".") ? NewName("the attribute to set") : null;
        if (Skip("="))
        {
            var value = TupleOrExpression();
            Expect(JinjaTokenKind.BlockEnd);
            return new JinjaSet(at, targets, attribute, value);
        }
        if (targets.Count > 1 || attribute is not null)
            throw Wrong($"expected '=', found {Show(Current)}");
        Expect(JinjaTokenKind.BlockEnd);
        var body = Body("set", at, ["endset"]);
        next++;
        Expect(JinjaTokenKind.BlockEnd);
        return new JinjaSetBlock(at, targets[0], body);
    }

    private JinjaMacro Macro(int at)
    {
        string name = NewName("the name of a macro");
        Expect("(");
        var parameters = new List<(string, JinjaExpression?)>();
        while (!Skip(")"))
        {
            if (parameters.Count > 0)
                Expect(",");
            string parameter = NewName("a parameter");
            parameters.Add((parameter, Skip("=") ? Expression() : null));
        }
        Expect(JinjaTokenKind.BlockEnd);
        int outer = loops;
        loops = 0;
        var body = Body("macro", at, ["endmacro"]);
        loops = outer;
        next++;
        Expect(JinjaTokenKind.BlockEnd);
        return new JinjaMacro(at, name, parameters, body);
    }
}
