using System.Globalization;

namespace Nano;

/// <summary>Expressions, from the weakest binding to the strongest: a if b else c; or; and; not; comparisons; + -; ~; * / // %; signs; calls, attributes, filters and tests.</summary>
internal sealed partial class JinjaParser
{
    /// <summary>An expression, or a tuple without brackets.</summary>
    private JinjaExpression TupleOrExpression(bool withCondition = true)
    {
        int at = Current.At;
        var first = withCondition ? Expression() : Or();
        if (!IsOperator(","))
            return first;
        var items = new List<JinjaExpression> { first };
        while (Skip(","))
            if (StartsExpression())
                items.Add(withCondition ? Expression() : Or());
        return new JinjaListLiteral(at, items, IsTuple: true);
    }

    private bool StartsExpression() =>
        Current.Kind is JinjaTokenKind.String or JinjaTokenKind.Integer or JinjaTokenKind.Float
        || (Current.Kind == JinjaTokenKind.Name && !(IsName("in") || IsName("if") || IsName("else")))
        || (Current.Kind == JinjaTokenKind.Operator && Current.Text is "(" or "[" or "{" or "-" or "+");

    private JinjaExpression Expression()
    {
        Deeper();
        var value = Or();
        while (IsName("if"))
        {
            int at = tokens[next++].At;
            var test = Or();
            value = new JinjaConditional(at, value, test, Skip("else") ? Expression() : null);
        }
        depth--;
        return value;
    }

    private JinjaExpression Or()
    {
        var left = And();
        while (IsName("or"))
        {
            int at = tokens[next++].At;
            left = new JinjaLogical(at, IsAnd: false, left, And());
        }
        return left;
    }

    private JinjaExpression And()
    {
        var left = Not();
        while (IsName("and"))
        {
            int at = tokens[next++].At;
            left = new JinjaLogical(at, IsAnd: true, left, Not());
        }
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
            else if (IsName("not") && tokens[next + 1] is { Kind: JinjaTokenKind.Name, Text: "in" })
            {
                next += 2;
                rest.Add(("not in", Sum()));
            }
            else
                return rest.Count == 0 ? first : new JinjaComparison(at, first, rest);
        }
    }

    private JinjaExpression Sum() => Chain(Concatenation, "+", "-");

    private JinjaExpression Concatenation() => Chain(Product, "~");

    private JinjaExpression Product() => Chain(Signed, "*", "/", "//", "%");

    private JinjaExpression Chain(Func<JinjaExpression> operand, params string[] operators)
    {
        var left = operand();
        while (Current.Kind == JinjaTokenKind.Operator && operators.Contains(Current.Text))
        {
            var op = tokens[next++];
            left = new JinjaArithmetic(op.At, op.Text, left, operand());
        }
        return left;
    }

    private JinjaExpression Signed()
    {
        var value = SignedOperand();
        if (IsOperator("**"))
            throw Wrong("the operator '**' is not supported");
        return value;
    }

    private JinjaExpression SignedOperand(bool withFilters = true)
    {
        JinjaExpression value;
        if (IsOperator("-") || IsOperator("+"))
        {
            var sign = tokens[next++];
            Deeper();
            value = new JinjaSigned(sign.At, sign.Text, SignedOperand(withFilters: false));
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
                return Name();
            case JinjaTokenKind.String:
                string text = "";
                while (Current.Kind == JinjaTokenKind.String)
                    text += tokens[next++].Text;
                return new JinjaConstant(token.At, text);
            case JinjaTokenKind.Integer:
                next++;
                return new JinjaConstant(token.At, long.TryParse(token.Text, NumberStyles.None, CultureInfo.InvariantCulture, out long value)
                    ? value : throw source.Error(token.At, $"the number {token.Text} is larger than 64 bits hold"));
            case JinjaTokenKind.Float:
                next++;
                return new JinjaConstant(token.At, double.Parse(token.Text, CultureInfo.InvariantCulture));
            case JinjaTokenKind.Operator when token.Text is "(" or "[" or "{":
                next++;
                Deeper();
                JinjaExpression literal = token.Text switch { "(" => Parenthesised(token.At), "[" => List(token.At), _ => Dict(token.At) };
                depth--;
                return literal;
            default:
                throw Wrong($"expected a value, found {Show(token)}");
        }
    }

    private JinjaExpression Name()
    {
        var token = tokens[next++];
        return token.Text switch
        {
            "true" or "True" => new JinjaConstant(token.At, true),
            "false" or "False" => new JinjaConstant(token.At, false),
            "none" or "None" => new JinjaConstant(token.At, null),
            "and" or "or" or "not" or "in" or "is" or "if" or "else" => throw source.Error(token.At, $"expected a value, found '{token.Text}'"),
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
        while (Current.Kind == JinjaTokenKind.Operator)
        {
            var token = Current;
            switch (token.Text)
            {
                case ".":
                    next++;
                    if (Current.Kind is not (JinjaTokenKind.Name or JinjaTokenKind.Integer))
                        throw Wrong($"expected the name of an attribute, found {Show(Current)}");
                    value = Current.Kind == JinjaTokenKind.Integer ? new JinjaIndex(token.At, value, Primary()) : new JinjaAttribute(token.At, value, tokens[next++].Text);
                    break;
                case "[":
                    next++;
                    value = Subscript(token.At, value);
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
        Deeper();
        var start = IsOperator(":") ? null : Expression();
        JinjaExpression result;
        if (Skip(":"))
        {
            var stop = IsOperator(":") || IsOperator("]") ? null : Expression();
            var step = Skip(":") && !IsOperator("]") ? Expression() : null;
            result = new JinjaSlice(at, target, start, stop, step);
        }
        else
            result = new JinjaIndex(at, target, start!);
        Expect("]");
        depth--;
        return result;
    }

    private JinjaArguments Arguments()
    {
        Expect("(");
        Deeper();
        var positional = new List<JinjaExpression>();
        var named = new List<(string, JinjaExpression)>();
        while (!Skip(")"))
        {
            if (positional.Count + named.Count > 0)
                Expect(",");
            if (IsOperator(")"))
                continue;
            if (IsOperator("*") || IsOperator("**"))
                throw Wrong("unpacking arguments with * is not supported");
            if (Current.Kind == JinjaTokenKind.Name && tokens[next + 1] is { Kind: JinjaTokenKind.Operator, Text: "=" })
            {
                string name = tokens[next].Text;
                next += 2;
                named.Add((name, Expression()));
            }
            else if (named.Count > 0)
                throw Wrong("an argument without a name stands behind one with a name");
            else
                positional.Add(Expression());
        }
        depth--;
        return new JinjaArguments(positional, named);
    }

    private JinjaExpression Filters(JinjaExpression value)
    {
        while (true)
        {
            int at = Current.At;
            if (Skip("|"))
            {
                string name = FilterName("filter");
                value = new JinjaFilter(at, value, name, IsOperator("(") ? Arguments() : JinjaArguments.None);
            }
            else if (Skip("is"))
                value = Test(at, value);
            else if (IsOperator("("))
                value = new JinjaCall(at, value, Arguments());
            else
                return value;
        }
    }

    private string FilterName(string kind)
    {
        var token = Current;
        if (token.Kind != JinjaTokenKind.Name)
            throw Wrong($"expected the name of a {kind}, found {Show(token)}");
        next++;
        var known = kind == "filter" ? JinjaFilters.Names : JinjaTests.Names;
        return known.Contains(token.Text) ? token.Text
            : throw source.Error(token.At, $"the {kind} {Quoted.Of(token.Text)} is not supported; supported are {string.Join(", ", known.Order(StringComparer.Ordinal))}");
    }

    private JinjaTest Test(int at, JinjaExpression value)
    {
        bool negated = Skip("not");
        string name = FilterName("test");
        var arguments = JinjaArguments.None;
        if (IsOperator("("))
            arguments = Arguments();
        else if (IsName("is"))
            throw Wrong("tests cannot be chained");
        else if (Current.Kind is JinjaTokenKind.String or JinjaTokenKind.Integer or JinjaTokenKind.Float || IsOperator("[") || IsOperator("{")
            || (Current.Kind == JinjaTokenKind.Name && Current.Text is not ("else" or "or" or "and" or "if")))
            arguments = new JinjaArguments([Postfix(Primary())], []);
        return new JinjaTest(at, value, name, arguments, negated);
    }
}
