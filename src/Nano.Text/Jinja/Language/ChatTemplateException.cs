namespace Nano;

/// <summary>
/// A chat template cannot be read or rendered: a construct that is not supported, a conversation it
/// refuses, or a limit it exceeds.
/// </summary>
/// <param name="template">The name of the template.</param>
/// <param name="line">The line, from 1.</param>
/// <param name="column">The column, from 1.</param>
/// <param name="problem">The problem.</param>
public sealed class ChatTemplateException(string template, int line, int column, string problem)
    : NanoException($"chat template {template}, line {line}, column {column}: {problem}",
        "`template` NAME chooses a built-in template instead: " + string.Join(", ", BuiltInTemplates.All.Keys))
{
    /// <summary>The line, from 1.</summary>
    public int Line { get; } = line;

    /// <summary>The column, from 1.</summary>
    public int Column { get; } = column;
}
