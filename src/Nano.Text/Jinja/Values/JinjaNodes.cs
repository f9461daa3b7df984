namespace Nano;

/// <summary>A part of a parsed template.</summary>
/// <param name="At">Offset in the source, for errors.</param>
internal abstract record JinjaNode(int At);

/// <summary>A part that has a value.</summary>
internal abstract record JinjaExpression(int At) : JinjaNode(At);

internal sealed record JinjaConstant(int At, object? Value) : JinjaExpression(At);

internal sealed record JinjaName(int At, string Name) : JinjaExpression(At);

internal sealed record JinjaListLiteral(int At, IReadOnlyList<JinjaExpression> Items, bool IsTuple)
    : JinjaExpression(At);

internal sealed record JinjaDictLiteral(int At, IReadOnlyList<(JinjaExpression Key, JinjaExpression Value)> Items)
    : JinjaExpression(At);

/// <summary>-x or +x.</summary>
internal sealed record JinjaSigned(int At, bool IsNegative, JinjaExpression Operand) : JinjaExpression(At);

internal sealed record JinjaNot(int At, JinjaExpression Operand) : JinjaExpression(At);

/// <summary>+ - * / // % or ** between two values.</summary>
internal sealed record JinjaArithmetic(int At, string Operator, JinjaExpression Left, JinjaExpression Right)
    : JinjaExpression(At);

/// <summary>a ~ b ~ c.</summary>
internal sealed record JinjaConcat(int At, IReadOnlyList<JinjaExpression> Parts) : JinjaExpression(At);

/// <summary>"and" or "or".</summary>
internal sealed record JinjaLogical(int At, bool IsAnd, JinjaExpression Left, JinjaExpression Right)
    : JinjaExpression(At);

/// <summary>A chain such as a &lt; b &lt; c; the operators include "in" and "not in".</summary>
internal sealed record JinjaComparison(
    int At, JinjaExpression First, IReadOnlyList<(string Operator, JinjaExpression Value)> Rest) : JinjaExpression(At);

internal sealed record JinjaConditional(int At, JinjaExpression Then, JinjaExpression Test, JinjaExpression? Else)
    : JinjaExpression(At);

internal sealed record JinjaAttribute(int At, JinjaExpression Target, string Name) : JinjaExpression(At);

internal sealed record JinjaIndex(int At, JinjaExpression Target, JinjaExpression Key) : JinjaExpression(At);

internal sealed record JinjaSlice(
    int At, JinjaExpression Target, JinjaExpression? Start, JinjaExpression? Stop, JinjaExpression? Step)
    : JinjaExpression(At);

/// <summary>The arguments of a call.</summary>
/// <param name="Positional">The values without names.</param>
/// <param name="Named">The values with names.</param>
/// <param name="More">The values behind *, or null.</param>
/// <param name="MoreNamed">The mapping behind **, or null.</param>
internal sealed record JinjaArguments(
    IReadOnlyList<JinjaExpression> Positional, IReadOnlyList<(string Name, JinjaExpression Value)> Named,
    JinjaExpression? More = null, JinjaExpression? MoreNamed = null)
{
    public static JinjaArguments None { get; } = new([], []);
}

internal sealed record JinjaCall(int At, JinjaExpression Target, JinjaArguments Arguments) : JinjaExpression(At);

/// <summary>value | name(arguments); no value at the beginning of a filter block.</summary>
internal sealed record JinjaFilter(int At, JinjaExpression? Target, string Name, JinjaArguments Arguments)
    : JinjaExpression(At);

internal sealed record JinjaTest(int At, JinjaExpression Target, string Name, JinjaArguments Arguments, bool Negated)
    : JinjaExpression(At);

/// <summary>A place that a value is assigned to.</summary>
internal abstract record JinjaTarget(int At);

internal sealed record JinjaNameTarget(int At, string Name) : JinjaTarget(At);

internal sealed record JinjaTupleTarget(int At, IReadOnlyList<JinjaTarget> Items) : JinjaTarget(At);

/// <summary>The attribute of a namespace.</summary>
internal sealed record JinjaAttributeTarget(int At, string Name, string Attribute) : JinjaTarget(At);

internal sealed record JinjaText(int At, string Text) : JinjaNode(At);

internal sealed record JinjaOutput(int At, JinjaExpression Value) : JinjaNode(At);

internal sealed record JinjaIf(
    int At, IReadOnlyList<(JinjaExpression Test, IReadOnlyList<JinjaNode> Body)> Branches,
    IReadOnlyList<JinjaNode> Else) : JinjaNode(At);

internal sealed record JinjaFor(
    int At, JinjaTarget Target, JinjaExpression Items, JinjaExpression? Test, bool IsRecursive,
    IReadOnlyList<JinjaNode> Body,
    IReadOnlyList<JinjaNode> Else) : JinjaNode(At);

internal sealed record JinjaSet(int At, JinjaTarget Target, JinjaExpression Value) : JinjaNode(At);

/// <summary>{% set a %}...{% endset %}, with the filters that the text passes through, or null.</summary>
internal sealed record JinjaSetBlock(int At, JinjaTarget Target, JinjaFilter? Filters, IReadOnlyList<JinjaNode> Body)
    : JinjaNode(At);

/// <summary>A macro, or the body of a call block, which has no name.</summary>
/// <param name="At">Offset in the source.</param>
/// <param name="Name">The macro's name.</param>
/// <param name="Parameters">Its parameters and their defaults.</param>
/// <param name="Body">Its statements.</param>
/// <param name="TakesMore">It reads "varargs", so that it takes more values than it has parameters.</param>
/// <param name="TakesNamed">It reads "kwargs", so that it takes values of any name.</param>
/// <param name="UsesCaller">It reads "caller", so that a call block can call it.</param>
internal sealed record JinjaMacro(
    int At, string? Name, IReadOnlyList<(string Name, JinjaExpression? Default)> Parameters,
    IReadOnlyList<JinjaNode> Body,
    bool TakesMore, bool TakesNamed, bool UsesCaller) : JinjaNode(At);

/// <summary>{% call(x) macro(y) %}...{% endcall %}.</summary>
internal sealed record JinjaCallBlock(int At, JinjaCall Call, JinjaMacro Body) : JinjaNode(At);

/// <summary>{% filter upper %}...{% endfilter %}.</summary>
internal sealed record JinjaFilterBlock(int At, JinjaFilter Filters, IReadOnlyList<JinjaNode> Body) : JinjaNode(At);

/// <summary>{% with a = 1 %}...{% endwith %}.</summary>
internal sealed record JinjaWith(
    int At, IReadOnlyList<(JinjaTarget Target, JinjaExpression Value)> Values, IReadOnlyList<JinjaNode> Body)
    : JinjaNode(At);

/// <summary>{% autoescape true %}...{% endautoescape %}.</summary>
internal sealed record JinjaAutoescape(int At, JinjaExpression Value, IReadOnlyList<JinjaNode> Body) : JinjaNode(At);

/// <summary>
/// {% block name %}...{% endblock %}, which sees the template's own variables, or all if it is
/// scoped.
/// </summary>
internal sealed record JinjaBlock(int At, bool IsScoped, IReadOnlyList<JinjaNode> Body) : JinjaNode(At);

/// <summary>{% generation %}...{% endgeneration %}, in which transformers marks what the assistant said.</summary>
internal sealed record JinjaGeneration(int At, IReadOnlyList<JinjaNode> Body) : JinjaNode(At);

/// <summary>{% break %} or {% continue %}.</summary>
internal sealed record JinjaJump(int At, bool IsBreak) : JinjaNode(At);

/// <summary>include, import, from or extends: there are no other templates to be had.</summary>
internal sealed record JinjaUnavailable(int At, string Statement, JinjaExpression Template) : JinjaNode(At);
