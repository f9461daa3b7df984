namespace Nano;

/// <summary>
/// Turns a conversation into the text a model was trained to continue. A template is a Jinja
/// string, as the chat_template of a Hugging Face tokenizer or of a GGUF file; the built-in ones
/// are such strings as well. Rendering follows transformers: Jinja 3.1 in its immutable sandbox
/// with trim_blocks, lstrip_blocks and loop controls, the block generation, tojson without HTML
/// escapes, and the functions raise_exception and strftime_now. The text is meant to be encoded
/// with special tokens allowed and nothing put before it: the template writes the beginning of the
/// text itself.
/// </summary>
public sealed class ChatTemplate
{
    private readonly JinjaSource source;
    private readonly IReadOnlyList<JinjaNode> body;

    /// <summary>Reads a template.</summary>
    /// <param name="text">The Jinja string.</param>
    /// <param name="name">The name in messages.</param>
    /// <exception cref="ChatTemplateException">It is malformed or uses what is not supported; the
    /// message has line and column.</exception>
    public ChatTemplate(string text, string name)
    {
        source = new JinjaSource(text, name);
        body = JinjaParser.Parse(source);
    }

    /// <summary>The names that <see cref="BuiltIn"/> knows.</summary>
    public static IReadOnlyList<string> BuiltInNames { get; } = [.. BuiltInTemplates.All.Keys];

    /// <summary>The name of the template.</summary>
    public string Name => source.Name;

    /// <summary>A template that comes with Nano.</summary>
    /// <exception cref="NanoException">There is none of that name.</exception>
    public static ChatTemplate BuiltIn(string name) => BuiltInTemplates.All.TryGetValue(name, out string? text)
        ? new ChatTemplate(text, name)
        : throw new NanoException($"no chat template is called {Quoted.Of(name)}",
            NearestMatch.Hint(name, BuiltInNames, "built-in templates"));

    /// <summary>The text of a conversation.</summary>
    /// <param name="messages">The turns so far.</param>
    /// <param name="addGenerationPrompt">Whether the text ends where the assistant's next turn begins.</param>
    /// <param name="specialTokens">Text by name, such as bos_token and eos_token; one that is
    /// missing is undefined to the template.</param>
    /// <param name="now">The present time, for templates that ask for it.</param>
    /// <exception cref="ChatTemplateException">The template refuses the conversation, does what is
    /// impossible, or exceeds a limit.</exception>
    public string Render(IEnumerable<ChatMessage> messages, bool addGenerationPrompt,
        IReadOnlyDictionary<string, string> specialTokens, DateTime now)
    {
        var variables = ChatVariables.Of(messages, addGenerationPrompt);
        foreach (var (name, text) in specialTokens)
            variables.Set(name, text);
        return Render(variables, now);
    }

    /// <summary>
    /// The text that the template makes of its variables: messages, tools and everything else it
    /// may ask for.
    /// </summary>
    /// <param name="variables">The variables; one that is missing is undefined to the template.</param>
    /// <param name="now">The time that strftime_now tells.</param>
    /// <exception cref="ChatTemplateException">
    /// The template refuses the conversation, does what is impossible, or exceeds a limit.
    /// </exception>
    public string Render(ChatVariables variables, DateTime now) =>
        JinjaRenderer.Render(source, body, variables.Values, now);
}
