using System.Collections.Frozen;

namespace Nano;

/// <summary>
/// Expressions, from the weakest binding to the strongest: a if b else c; or; and; not; comparisons; + -; ~; * / // %;
/// **; signs; calls, attributes, filters and tests.
/// </summary>
internal sealed partial class JinjaParser
{
    /// <summary>An expression, or a tuple without brackets.</summary>
    /// <param name="withCondition">Whether its parts can have an "if".</param>
    private JinjaExpression TupleOrExpression(bool withCondition = true)
    {
        int at = Current.At;
        var first = withCondition ? Expression() : Or();
        if (!IsOperator(","))
            return first;
        var items = new List<JinjaExpression> { first };
        while (Skip(","))
        {
            if (Current.Kind is JinjaTokenKind.VariableEnd or JinjaTokenKind.BlockEnd || IsOperator(")"))
                break;
            items.Add(withCondition ? Expression() : Or());
        }
        return new JinjaListLiteral(at, items, IsTuple: true);
    }

    private JinjaExpression Expression()
    {
        Deeper();
        int before = unknown.Count;
        var value = Or();
        for (int links = 0; IsName("if");)
        {
            Link(ref links);
            int at = tokens[next++].At;
            var test = Or();
            value = new JinjaConditional(at, value, test, Skip("else") ? Expression() : null);
            unknown.RemoveRange(before, unknown.Count - before); // a branch need not be reached
        }
        depth--;
        return value;
    }

    private JinjaExpression Or()
    {
        var left = And();
        for (int links = 0; IsName("or"); Link(ref links))
            left = new JinjaLogical(tokens[next++].At, IsAnd: false, left, And());
        return left;
    }

    private JinjaExpression And()
    {
        var left = Not();
        for (int links = 0; IsName("and"); Link(ref links))
            left = new JinjaLogical(tokens[next++].At, IsAnd: true, left, Not());
        return left;
    }

    private JinjaExpression Not()
    {
        if (!IsName("not"))
            return Comparison();
        int at = tokens[next++].At;
        Deeper();
        var operand = Not();
        depth--;
        return new JinjaNot(at, operand);
    }

    private JinjaExpression Comparison()
    {
        int at = Current.At;
        var first = Sum();
        var rest = new List<(string, JinjaExpression)>();
        while (true)
        {
            if (Current.Kind == JinjaTokenKind.Operator && Current.Text is "==" or "!=" or "<" or "<=" or ">" or ">=")
                rest.Add((tokens[next++].Text, Sum()));
            else if (Skip("in"))
                rest.Add(("in", Sum()));
            else if (IsName("not") && NextIs("in"))
            {
                next += 2;
                rest.Add(("not in", Sum()));
            }
            else
                return rest.Count == 0 ? first : new JinjaComparison(at, first, rest);
        }
    }

    private JinjaExpression Sum() => Chain(Concatenation, "+", "-");

    private JinjaExpression Concatenation()
    {
        int at = Current.At;
        var first = Product();
        if (!IsOperator("~"))
            return first;
        var parts = new List<JinjaExpression> { first };
        while (Skip("~"))
            parts.Add(Product());
        return new JinjaConcat(at, parts);
    }

    private JinjaExpression Product() => Chain(Power, "*", "/", "//", "%");

    private JinjaExpression Power() => Chain(() => Signed(), "**");

    private JinjaExpression Chain(Func<JinjaExpression> operand, params string[] operators)
    {
        var left = operand();
        for (int links = 0; Current.Kind == JinjaTokenKind.Operator
            && operators.Contains(Current.Text); Link(ref links))
        {
            var op = tokens[next++];
            left = new JinjaArithmetic(op.At, op.Text, left, operand());
        }
        return left;
    }

    private JinjaExpression Signed(bool withFilters = true)
    {
        JinjaExpression value;
        if (IsOperator("-") || IsOperator("+"))
        {
            var sign = tokens[next++];
            Deeper();
            value = new JinjaSigned(sign.At, sign.Text == "-", Signed(withFilters: false));
            depth--;
        }
        else
            value = Primary();
        value = Postfix(value);
        return withFilters ? Filters(value) : value;
    }

    private JinjaExpression Primary()
    {
        var token = tokens[next];
        switch (token.Kind)
        {
            case JinjaTokenKind.Name:
                return NameOrConstant();
            case JinjaTokenKind.String:
                var text = new System.Text.StringBuilder();
                while (Current.Kind == JinjaTokenKind.String)
                    text.Append(tokens[next++].Text);
                return new JinjaConstant(token.At, text.ToString());
            case JinjaTokenKind.Integer or JinjaTokenKind.Float:
                next++;
                return new JinjaConstant(token.At, token.Value);
            case JinjaTokenKind.Operator when token.Text is "(" or "[" or "{":
                next++;
                Deeper();
                JinjaExpression literal = token.Text switch
                {
                    "(" => Parenthesised(token.At),
                    "[" => List(token.At),
                    _ => Dict(token.At),
                };
                depth--;
                return literal;
            default:
                throw Wrong($"expected a value, found {Show(token)}");
        }
    }

    private JinjaExpression NameOrConstant()
    {
        var token = tokens[next++];
        if (token.Text is "caller" or "varargs" or "kwargs")
            foreach (var macro in reads)
                macro.Add(token.Text);
        return token.Text switch
        {
            "true" or "True" => new JinjaConstant(token.At, true),
            "false" or "False" => new JinjaConstant(token.At, false),
            "none" or "None" => new JinjaConstant(token.At, null),
            _ => new JinjaName(token.At, token.Text),
        };
    }

    private JinjaExpression Parenthesised(int at)
    {
        if (Skip(")"))
            return new JinjaListLiteral(at, [], IsTuple: true);
        var value = TupleOrExpression();
        Expect(")");
        return value;
    }

    private JinjaListLiteral List(int at)
    {
        var items = new List<JinjaExpression>();
        while (!Skip("]"))
        {
            if (items.Count > 0)
                Expect(",");
            if (!IsOperator("]"))
                items.Add(Expression());
        }
        return new JinjaListLiteral(at, items, IsTuple: false);
    }

    private JinjaDictLiteral Dict(int at)
    {
        var items = new List<(JinjaExpression, JinjaExpression)>();
        while (!Skip("}"))
        {
            if (items.Count > 0)
                Expect(",");
            if (IsOperator("}"))
                continue;
            var key = Expression();
            Expect(":");
            items.Add((key, Expression()));
        }
        return new JinjaDictLiteral(at, items);
    }

    private JinjaExpression Postfix(JinjaExpression value)
    {
        for (int links = 0; Current.Kind == JinjaTokenKind.Operator; Link(ref links))
        {
            var token = Current;
            switch (token.Text)
            {
                case ".":
                    next++;
                    value = Current.Kind == JinjaTokenKind.Integer
                        ? new JinjaIndex(token.At, value, Primary()) : new JinjaAttribute(token.At, value, Attribute());
                    break;
                case "[":
                    next++;
                    Deeper();
                    value = Subscript(token.At, value);
                    depth--;
                    break;
                case "(":
                    value = new JinjaCall(token.At, value, Arguments());
                    break;
                default:
                    return value;
            }
        }
        return value;
    }

    private JinjaExpression Subscript(int at, JinjaExpression target)
    {
        if (Skip("]"))
            return new JinjaIndex(at, target, new JinjaListLiteral(at, [], IsTuple: true));
        var keys = new List<JinjaExpression>();
        JinjaSlice? slice = null;
        do
        {
            var start = IsOperator(":") ? null : Expression();
            if (!Skip(":"))
            {
                keys.Add(start!);
                continue;
            }
            var stop = IsOperator(":") || IsOperator("]") || IsOperator(",") ? null : Expression();
            var step = Skip(":") && !IsOperator("]") && !IsOperator(",") ? Expression() : null;
            slice = new JinjaSlice(at, target, start, stop, step);
        }
        while (Skip(","));
        Expect("]");
        if (slice is not null)
            return keys.Count == 0 ? slice : throw source.Error(at, "a slice cannot be one of several keys");
        return new JinjaIndex(at, target, keys.Count == 1 ? keys[0] : new JinjaListLiteral(at, keys, IsTuple: true));
    }

    private JinjaArguments Arguments()
    {
        Expect("(");
        Deeper();
        var positional = new List<JinjaExpression>();
        var named = new List<(string Name, JinjaExpression)>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        JinjaExpression? more = null, moreNamed = null;
        while (!Skip(")"))
        {
            if (positional.Count + named.Count > 0 || more is not null || moreNamed is not null)
                Expect(",");
            if (IsOperator(")"))
                continue;
            if (moreNamed is not null || (IsOperator("*") && more is not null))
                throw Wrong("nothing can stand behind the arguments unpacked with **, and * can stand only once");
            if (Skip("*"))
                more = Expression();
            else if (Skip("**"))
                moreNamed = Expression();
            else if (Current.Kind == JinjaTokenKind.Name && NextIs("="))
            {
                string name = tokens[next].Text;
                if (!names.Add(name))
                    throw Wrong($"the argument {Quoted.Of(name)} is given twice");
                next += 2;
                named.Add((name, Expression()));
            }
            else if (named.Count > 0 || more is not null)
                throw Wrong("an argument without a name stands behind one with a name or behind *");
            else
                positional.Add(Expression());
        }
        depth--;
        return new JinjaArguments(positional, named, more, moreNamed);
    }

    private JinjaExpression Filters(JinjaExpression value)
    {
        for (int links = 0; ; Link(ref links))
        {
            int at = Current.At;
            if (Skip("|"))
                value = OneFilter(value);
            else if (Skip("is"))
                value = Test(at, value);
            else if (IsOperator("("))
                value = new JinjaCall(at, value, Arguments());
            else
                return value;
        }
    }

    private JinjaFilter OneFilter(JinjaExpression? value)
    {
        int at = Current.At;
        string name = Dotted("filter", JinjaFilters.Names);
        return new JinjaFilter(at, value, name, IsOperator("(") ? Arguments() : JinjaArguments.None);
    }

    /// <summary>
    /// The name of a filter or test. One that does not exist is an error at once, or where it is
    /// reached.
    /// </summary>
    private string Dotted(string kind, FrozenSet<string> known)
    {
        int at = Current.At;
        string name = Current.Kind == JinjaTokenKind.Name ? tokens[next++].Text
            : throw Wrong($"expected the name of a {kind}, found {Show(Current)}");
        while (Skip("."))
            name += "." + Attribute();
        if (!known.Contains(name) && !isOptional)
            unknown.Add((at, $"there is no {kind} {Quoted.Of(name)}"));
        return name;
    }

    private JinjaTest Test(int at, JinjaExpression value)
    {
        bool negated = Skip("not");
        string name = Dotted("test", JinjaTests.Names);
        var arguments = JinjaArguments.None;
        if (IsOperator("("))
            arguments = Arguments();
        else if (IsName("is"))
            throw Wrong("tests cannot be chained");
        else if (Current.Kind is JinjaTokenKind.String or JinjaTokenKind.Integer or JinjaTokenKind.Float
            || IsOperator("[") || IsOperator("{")
            || (Current.Kind == JinjaTokenKind.Name && Current.Text is not ("else" or "or" or "and")))
            arguments = new JinjaArguments([Postfix(Primary())], []);
        return new JinjaTest(at, value, name, arguments, negated);
    }
}
