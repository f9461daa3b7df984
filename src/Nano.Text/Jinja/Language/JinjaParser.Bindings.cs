namespace Nano;

/// <summary>Statements that bind variables: set, with, macro, call.</summary>
internal sealed partial class JinjaParser
{
    private static readonly string[] Constants = ["true", "false", "none", "True", "False", "None"];

    /// <summary>A name that something gets.</summary>
    private string Name(string what)
    {
        if (Current.Kind != JinjaTokenKind.Name)
            throw Wrong($"expected {what}, found {Show(Current)}");
        if (Constants.Contains(Current.Text))
            throw Wrong($"'{Current.Text}' cannot be {what}");
        return tokens[next++].Text;
    }

    /// <summary>The variables of a loop or of set: one, or several with commas, also in brackets.</summary>
    /// <param name="withNamespace">Whether one can be the attribute of a namespace.</param>
    private JinjaTarget Target(bool withNamespace = false)
    {
        int at = Current.At;
        var items = new List<JinjaTarget> { OneTarget(withNamespace) };
        bool isTuple = false;
        while (Skip(","))
        {
            isTuple = true;
            if (Current.Kind is JinjaTokenKind.BlockEnd || IsOperator(")"))
                break;
            items.Add(OneTarget(withNamespace));
        }
        return isTuple ? new JinjaTupleTarget(at, items) : items[0];
    }

    private JinjaTarget OneTarget(bool withNamespace)
    {
        int at = Current.At;
        if (Skip("("))
        {
            Deeper();
            var inner = Skip(")") ? new JinjaTupleTarget(at, []) : Target();
            if (inner is not JinjaTupleTarget { Items.Count: 0 })
                Expect(")");
            depth--;
            return inner;
        }
        if (IsName("loop") && nestedFors > 0)
            throw Wrong("'loop' cannot be assigned to within a loop");
        string name = Name("a variable");
        return withNamespace && Skip(".") ? new JinjaAttributeTarget(at, name, Attribute())
            : new JinjaNameTarget(at, name);
    }

    private string Attribute() => Current.Kind == JinjaTokenKind.Name ? tokens[next++].Text
        : throw Wrong($"expected the name of an attribute, found {Show(Current)}");

    private JinjaNode Set(JinjaToken tag)
    {
        var target = Target(withNamespace: true);
        if (Skip("="))
            return new JinjaSet(tag.At, target, TupleOrExpression());
        bool outer = isOptional;
        isOptional = false;
        JinjaFilter? filters = null;
        for (int links = 0; Skip("|"); Link(ref links))
            filters = OneFilter(filters);
        isOptional = outer;
        return new JinjaSetBlock(tag.At, target, filters, Closed(tag));
    }

    private JinjaWith With(JinjaToken tag)
    {
        var values = new List<(JinjaTarget, JinjaExpression)>();
        while (Current.Kind != JinjaTokenKind.BlockEnd)
        {
            if (values.Count > 0)
                Expect(",");
            var target = Target();
            Expect("=");
            values.Add((target, Expression()));
        }
        return new JinjaWith(tag.At, values, Closed(tag));
    }

    private JinjaMacro Macro(JinjaToken tag) => Function(tag, Name("the name of a macro"), Signature(), tag.At);

    private JinjaCallBlock CallBlock(JinjaToken tag)
    {
        var parameters = IsOperator("(") ? Signature() : [];
        var call = Expression() as JinjaCall ?? throw source.Error(tag.At, "'call' needs the call of a macro");
        return new JinjaCallBlock(tag.At, call, Function(tag, null, parameters, tag.At));
    }

    private List<(string Name, JinjaExpression? Default)> Signature()
    {
        Expect("(");
        bool outer = isOptional;
        isOptional = false;
        var parameters = new List<(string Name, JinjaExpression? Default)>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        while (!Skip(")"))
        {
            if (parameters.Count > 0)
                Expect(",");
            string name = Name("a parameter");
            if (!names.Add(name))
                throw Wrong($"there are two parameters {Quoted.Of(name)}");
            var value = Skip("=") ? Expression() : null;
            if (value is null && parameters is [.., { Default: not null }])
                throw Wrong("a parameter without a default stands behind one with a default");
            parameters.Add((name, value));
        }
        isOptional = outer;
        return parameters;
    }

    /// <summary>The body of a macro or call block, which is a function of its own.</summary>
    private JinjaMacro Function(JinjaToken tag, string? name,
        List<(string Name, JinjaExpression? Default)> parameters, int at)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        reads.Push(names);
        int outer = loops;
        loops = 0;
        var body = Closed(tag);
        loops = outer;
        reads.Pop();
        bool isParameter = parameters.Exists(parameter => parameter.Name == "caller");
        if (names.Contains("caller") && parameters.Exists(parameter => parameter is { Name: "caller", Default: null }))
            throw source.Error(at, "a parameter 'caller' needs a default");
        return new JinjaMacro(at, name, parameters, body, Reads("varargs"), Reads("kwargs"),
            names.Contains("caller") && !isParameter);

        bool Reads(string special) => names.Contains(special)
            && !parameters.Exists(parameter => parameter.Name == special);
    }
}
