namespace Nano;

/// <summary>Values of expressions.</summary>
internal sealed partial class JinjaRenderer
{
    private object? Evaluate(JinjaExpression node, JinjaScope scope)
    {
        budget.Step();
        JinjaBudget.EnsureStack();
        return node switch
        {
            JinjaConstant constant => constant.Value,
            JinjaName name => scope.Find(name.Name),
            JinjaListLiteral list => new JinjaList([.. list.Items.Select(item => Evaluate(item, scope))], list.IsTuple),
            JinjaDictLiteral dict => Dict(dict, scope),
            JinjaNot not => !PythonOps.IsTrue(Evaluate(not.Operand, scope)),
            JinjaLogical logical => Evaluate(logical.Left, scope) is var left && PythonOps.IsTrue(left) == logical.IsAnd
                ? Evaluate(logical.Right, scope) : left,
            JinjaConditional choice => Conditional(choice, scope),
            JinjaSigned signed => Signed(signed, scope),
            JinjaArithmetic sum => Arithmetic(sum, scope),
            JinjaConcat concat => Concat(concat, scope),
            JinjaComparison comparison => Comparison(comparison, scope),
            JinjaAttribute attribute => Attribute(attribute, scope),
            JinjaIndex index => Index(index, scope),
            JinjaSlice slice => Slice(slice, scope),
            JinjaCall call => Call(call, scope),
            JinjaFilter filter => Filter(filter, Evaluate(filter.Target!, scope), scope),
            JinjaTest test => Test(test, scope),
            _ => throw new JinjaError("this expression cannot be evaluated"),
        };
    }

    /// <summary>Counts the work of looking at every character of a text.</summary>
    private void Look(object? value)
    {
        if (PythonText.AsText(value) is { } text)
            budget.Read(text);
    }

    private JinjaDict Dict(JinjaDictLiteral node, JinjaScope scope)
    {
        var dict = new JinjaDict(budget);
        foreach (var (key, value) in node.Items)
        {
            object? name = Evaluate(key, scope), entry = Evaluate(value, scope);
            at = key.At;
            dict.Set(name, entry);
        }
        return dict;
    }

    private object? Conditional(JinjaConditional node, JinjaScope scope)
    {
        if (PythonOps.IsTrue(Evaluate(node.Test, scope)))
            return Evaluate(node.Then, scope);
        return node.Else is null ? new JinjaUndefined("the condition is false and there is no 'else'")
            : Evaluate(node.Else, scope);
    }

    private object Signed(JinjaSigned node, JinjaScope scope)
    {
        object? value = Evaluate(node.Operand, scope);
        at = node.At;
        if (!PythonNumbers.IsNumber(value))
            throw new JinjaError((value as JinjaUndefined)?.Reason ?? $"{PythonOps.KindOf(value)} has no sign");
        return node.IsNegative ? PythonNumbers.Negate(value!) : value is double ? value
            : PythonNumbers.Of(PythonNumbers.Whole(value!));
    }

    private object Arithmetic(JinjaArithmetic node, JinjaScope scope)
    {
        object? left = Evaluate(node.Left, scope), right = Evaluate(node.Right, scope);
        at = node.At;
        return PythonArithmetic.Apply(node.Operator, left, right, budget);
    }

    private object Concat(JinjaConcat node, JinjaScope scope)
    {
        List<object?> parts = [.. node.Parts.Select(part => Evaluate(part, scope))];
        at = node.At;
        bool markup = autoescape && parts.Exists(part => part is JinjaMarkup);
        var text = new System.Text.StringBuilder();
        foreach (object? part in parts)
            Write(markup ? PythonText.Escaped(part, budget) : PythonRepr.Str(part, budget), text);
        return markup ? new JinjaMarkup(text.ToString()) : text.ToString();
    }

    private bool Comparison(JinjaComparison node, JinjaScope scope)
    {
        object? left = Evaluate(node.First, scope);
        foreach (var (op, operand) in node.Rest)
        {
            object? right = Evaluate(operand, scope);
            at = operand.At;
            if (!PythonArithmetic.Holds(op, left, right, budget))
                return false;
            left = right;
        }
        return true;
    }

    private object? Attribute(JinjaAttribute node, JinjaScope scope)
    {
        object? target = Evaluate(node.Target, scope);
        at = node.At;
        return JinjaAttributes.Get(target, node.Name, budget);
    }

    private object? Index(JinjaIndex node, JinjaScope scope)
    {
        object? target = Evaluate(node.Target, scope), key = Evaluate(node.Key, scope);
        at = node.At;
        Look(target);
        return JinjaAttributes.Item(target, key, budget);
    }

    private object Slice(JinjaSlice node, JinjaScope scope)
    {
        object? target = Evaluate(node.Target, scope);
        object? start = node.Start is null ? null : Evaluate(node.Start, scope);
        object? stop = node.Stop is null ? null : Evaluate(node.Stop, scope);
        object? step = node.Step is null ? null : Evaluate(node.Step, scope);
        at = node.At;
        Look(target);
        return PythonOps.Slice(target, start, stop, step, budget);
    }

    private object Test(JinjaTest node, JinjaScope scope)
    {
        object? value = Evaluate(node.Target, scope);
        var arguments = Arguments($"the test '{node.Name}'", node.Arguments, scope);
        at = node.At;
        Look(value);
        return JinjaTests.Holds(node.Name, value, arguments, budget) != node.Negated;
    }
}
