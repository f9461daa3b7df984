namespace Nano;

/// <summary>A part of a parsed template.</summary>
/// <param name="At">Offset in the source, for errors.</param>
internal abstract record JinjaNode(int At);

/// <summary>What has a value.</summary>
internal abstract record JinjaExpression(int At) : JinjaNode(At);

internal sealed record JinjaConstant(int At, object? Value) : JinjaExpression(At);

internal sealed record JinjaName(int At, string Name) : JinjaExpression(At);

internal sealed record JinjaListLiteral(int At, IReadOnlyList<JinjaExpression> Items, bool IsTuple) : JinjaExpression(At);

internal sealed record JinjaDictLiteral(int At, IReadOnlyList<(JinjaExpression Key, JinjaExpression Value)> Items) : JinjaExpression(At);

/// <summary>-x or +x.</summary>
internal sealed record JinjaSigned(int At, string Sign, JinjaExpression Operand) : JinjaExpression(At);

internal sealed record JinjaNot(int At, JinjaExpression Operand) : JinjaExpression(At);

/// <summary>+ - * / // % and ~ between two values.</summary>
internal sealed record JinjaArithmetic(int At, string Operator, JinjaExpression Left, JinjaExpression Right) : JinjaExpression(At);

/// <summary>"and" or "or".</summary>
internal sealed record JinjaLogical(int At, bool IsAnd, JinjaExpression Left, JinjaExpression Right) : JinjaExpression(At);

/// <summary>A chain such as a &lt; b &lt; c; the operators include "in" and "not in".</summary>
internal sealed record JinjaComparison(int At, JinjaExpression First, IReadOnlyList<(string Operator, JinjaExpression Value)> Rest) : JinjaExpression(At);

internal sealed record JinjaConditional(int At, JinjaExpression Then, JinjaExpression Test, JinjaExpression? Else) : JinjaExpression(At);

internal sealed record JinjaAttribute(int At, JinjaExpression Target, string Name) : JinjaExpression(At);

internal sealed record JinjaIndex(int At, JinjaExpression Target, JinjaExpression Key) : JinjaExpression(At);

internal sealed record JinjaSlice(int At, JinjaExpression Target, JinjaExpression? Start, JinjaExpression? Stop, JinjaExpression? Step) : JinjaExpression(At);

internal sealed record JinjaArguments(IReadOnlyList<JinjaExpression> Positional, IReadOnlyList<(string Name, JinjaExpression Value)> Named)
{
    public static JinjaArguments None { get; } = new([], []);
}

internal sealed record JinjaCall(int At, JinjaExpression Target, JinjaArguments Arguments) : JinjaExpression(At);

internal sealed record JinjaFilter(int At, JinjaExpression Target, string Name, JinjaArguments Arguments) : JinjaExpression(At);

internal sealed record JinjaTest(int At, JinjaExpression Target, string Name, JinjaArguments Arguments, bool Negated) : JinjaExpression(At);

internal sealed record JinjaText(int At, string Text) : JinjaNode(At);

internal sealed record JinjaOutput(int At, JinjaExpression Value) : JinjaNode(At);

internal sealed record JinjaIf(int At, IReadOnlyList<(JinjaExpression Test, IReadOnlyList<JinjaNode> Body)> Branches, IReadOnlyList<JinjaNode> Else) : JinjaNode(At);

internal sealed record JinjaFor(int At, IReadOnlyList<string> Targets, JinjaExpression Items, JinjaExpression? Test, IReadOnlyList<JinjaNode> Body, IReadOnlyList<JinjaNode> Else) : JinjaNode(At);

/// <summary>{% set a = value %}, {% set a, b = value %} or {% set space.a = value %}.</summary>
internal sealed record JinjaSet(int At, IReadOnlyList<string> Targets, string? Attribute, JinjaExpression Value) : JinjaNode(At);

/// <summary>{% set a %}...{% endset %}.</summary>
internal sealed record JinjaSetBlock(int At, string Target, IReadOnlyList<JinjaNode> Body) : JinjaNode(At);

internal sealed record JinjaMacro(int At, string Name, IReadOnlyList<(string Name, JinjaExpression? Default)> Parameters, IReadOnlyList<JinjaNode> Body) : JinjaNode(At);

/// <summary>{% break %} or {% continue %}.</summary>
internal sealed record JinjaJump(int At, bool IsBreak) : JinjaNode(At);
