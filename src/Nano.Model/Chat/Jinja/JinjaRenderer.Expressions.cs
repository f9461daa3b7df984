namespace Nano;

/// <summary>Values of expressions.</summary>
internal sealed partial class JinjaRenderer
{
    private object? Evaluate(JinjaExpression node, JinjaScope scope)
    {
        budget.Step();
        EnsureStack();
        return node switch
        {
            JinjaConstant constant => constant.Value,
            JinjaName name => scope.Find(name.Name),
            JinjaListLiteral list => new JinjaList([.. list.Items.Select(item => Evaluate(item, scope))], list.IsTuple),
            JinjaDictLiteral dict => Dict(dict, scope),
            JinjaNot not => !JinjaOps.IsTrue(Evaluate(not.Operand, scope)),
            JinjaLogical logical => Evaluate(logical.Left, scope) is var left && JinjaOps.IsTrue(left) == logical.IsAnd ? Evaluate(logical.Right, scope) : left,
            JinjaConditional choice => Conditional(choice, scope),
            JinjaSigned signed => Signed(signed, scope),
            JinjaArithmetic sum => Arithmetic(sum, scope),
            JinjaComparison comparison => Comparison(comparison, scope),
            JinjaAttribute attribute => Attribute(attribute, scope),
            JinjaIndex index => Index(index, scope),
            JinjaSlice slice => Slice(slice, scope),
            JinjaCall call => Call(call, scope),
            JinjaFilter filter => Filter(filter, scope),
            JinjaTest test => Test(test, scope),
            _ => throw new JinjaError("this expression cannot be evaluated"),
        };
    }

    /// <summary>Counts the work of looking at every character of a string.</summary>
    private void Look(object? value)
    {
        if (value is string text)
            budget.Step(text.Length >> 5);
    }

    private JinjaDict Dict(JinjaDictLiteral node, JinjaScope scope)
    {
        var dict = new JinjaDict();
        foreach (var (key, value) in node.Items)
        {
            object? name = Evaluate(key, scope);
            at = key.At;
            dict.Items[name as string ?? throw new JinjaError($"the keys of a mapping must be strings, got {JinjaOps.KindOf(name)}")] = Evaluate(value, scope);
        }
        return dict;
    }

    private object? Conditional(JinjaConditional node, JinjaScope scope)
    {
        if (JinjaOps.IsTrue(Evaluate(node.Test, scope)))
            return Evaluate(node.Then, scope);
        return node.Else is null ? new JinjaUndefined("the condition is false and there is no 'else'") : Evaluate(node.Else, scope);
    }

    private object Signed(JinjaSigned node, JinjaScope scope)
    {
        object? value = Evaluate(node.Operand, scope);
        at = node.At;
        return value is long or double or bool ? JinjaOps.Arithmetic(node.Sign, 0L, value, budget) : throw new JinjaError($"{JinjaOps.KindOf(value)} has no sign");
    }

    private object Arithmetic(JinjaArithmetic node, JinjaScope scope)
    {
        object? left = Evaluate(node.Left, scope), right = Evaluate(node.Right, scope);
        at = node.At;
        return JinjaOps.Arithmetic(node.Operator, left, right, budget);
    }

    private bool Comparison(JinjaComparison node, JinjaScope scope)
    {
        object? left = Evaluate(node.First, scope);
        foreach (var (op, operand) in node.Rest)
        {
            object? right = Evaluate(operand, scope);
            at = operand.At;
            Look(left);
            Look(right);
            bool holds = op switch
            {
                "==" => JinjaOps.AreEqual(left, right, budget),
                "!=" => !JinjaOps.AreEqual(left, right, budget),
                "in" => JinjaOps.Contains(right, left, budget),
                "not in" => !JinjaOps.Contains(right, left, budget),
                "<" => JinjaOps.Compare(left, right) < 0,
                "<=" => JinjaOps.Compare(left, right) <= 0,
                ">" => JinjaOps.Compare(left, right) > 0,
                _ => JinjaOps.Compare(left, right) >= 0,
            };
            if (!holds)
                return false;
            left = right;
        }
        return true;
    }

    private object? Attribute(JinjaAttribute node, JinjaScope scope)
    {
        object? target = Evaluate(node.Target, scope);
        at = node.At;
        return Attribute(target, node.Name);
    }

    private object? Attribute(object? target, string name) => target switch
    {
        JinjaUndefined undefined => throw new JinjaError(undefined.Reason),
        JinjaLoop loop => LoopValue(loop, name),
        JinjaNamespace space => space.Items.TryGetValue(name, out var value) ? value : new JinjaUndefined($"the namespace has no {Quoted.Of(name)}"),
        _ => JinjaMethods.Find(target, name, budget) ?? JinjaOps.Element(target, name),
    };

    private object? Index(JinjaIndex node, JinjaScope scope)
    {
        object? target = Evaluate(node.Target, scope), key = Evaluate(node.Key, scope);
        at = node.At;
        if (target is string text)
            budget.Step(text.Length);
        return target is JinjaNamespace or JinjaLoop && key is string name ? Attribute(target, name) : JinjaOps.Element(target, key);
    }

    private object Slice(JinjaSlice node, JinjaScope scope)
    {
        object? target = Evaluate(node.Target, scope);
        object? start = node.Start is null ? null : Evaluate(node.Start, scope);
        object? stop = node.Stop is null ? null : Evaluate(node.Stop, scope);
        object? step = node.Step is null ? null : Evaluate(node.Step, scope);
        at = node.At;
        if (target is string text)
        {
            budget.Step(text.Length);
            budget.Make(text.Length);
        }
        return JinjaOps.Slice(target, start, stop, step, budget);
    }

    private object? Call(JinjaCall node, JinjaScope scope)
    {
        object? target = Evaluate(node.Target, scope);
        if (target is not JinjaFunction function)
        {
            at = node.At;
            throw new JinjaError(target is JinjaUndefined undefined ? undefined.Reason : $"{JinjaOps.KindOf(target)} cannot be called");
        }
        var arguments = Arguments(function.Name + "()", node.Arguments, scope);
        at = node.At;
        return function.Invoke(arguments);
    }

    private object? Filter(JinjaFilter node, JinjaScope scope)
    {
        object? value = Evaluate(node.Target, scope);
        var arguments = Arguments($"the filter '{node.Name}'", node.Arguments, scope);
        at = node.At;
        Look(value);
        return JinjaFilters.Apply(node.Name, value, arguments, budget);
    }

    private object Test(JinjaTest node, JinjaScope scope)
    {
        object? value = Evaluate(node.Target, scope);
        var arguments = Arguments($"the test '{node.Name}'", node.Arguments, scope);
        at = node.At;
        Look(value);
        return JinjaTests.Holds(node.Name, value, arguments, budget) != node.Negated;
    }

    private JinjaCallArguments Arguments(string callee, JinjaArguments arguments, JinjaScope scope)
    {
        object?[] positional = [.. arguments.Positional.Select(value => Evaluate(value, scope))];
        foreach (object? value in positional)
            Look(value);
        return new JinjaCallArguments(callee, positional, [.. arguments.Named.Select(argument => (argument.Name, Evaluate(argument.Value, scope)))]);
    }

    private static object? LoopValue(JinjaLoop loop, string name)
    {
        int index = loop.Index0, count = loop.Items.Count;
        return name switch
        {
            "index" => index + 1L,
            "index0" => (long)index,
            "revindex" => (long)count - index,
            "revindex0" => count - index - 1L,
            "first" => index == 0,
            "last" => index == count - 1,
            "length" => (long)count,
            "depth" => 1L, // counts recursive loops, which are not supported
            "depth0" => 0L,
            "previtem" => index > 0 ? loop.Items[index - 1] : new JinjaUndefined("the first turn of a loop has no previous item"),
            "nextitem" => index < count - 1 ? loop.Items[index + 1] : new JinjaUndefined("the last turn of a loop has no next item"),
            "cycle" => new JinjaFunction("cycle", arguments => arguments.Positional.Count == 0
                ? throw new JinjaError("cycle() needs values") : arguments.Positional[index % arguments.Positional.Count]),
            _ => throw new JinjaError($"loop.{name} is not supported"),
        };
    }
}
