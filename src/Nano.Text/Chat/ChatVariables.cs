using System.Text.Json;

namespace Nano;

/// <summary>
/// The variables of a chat template by name, in the order they were set: messages, tools,
/// documents, add_generation_prompt, enable_thinking and whatever else a template asks for. One
/// that is not set is undefined to it.
/// </summary>
public sealed class ChatVariables
{
    private const int MaxBytes = 1 << 26;

    private readonly OrderedDictionary<string, object?> values = new(StringComparer.Ordinal);

    internal IEnumerable<KeyValuePair<string, object?>> Values => values;

    /// <summary>
    /// The variables of a conversation as transformers gives them: tools and documents are none
    /// until they are set.
    /// </summary>
    /// <param name="messages">The turns so far.</param>
    /// <param name="addGenerationPrompt">Whether the text ends where the assistant's next turn begins.</param>
    public static ChatVariables Of(IEnumerable<ChatMessage> messages, bool addGenerationPrompt)
    {
        var variables = new ChatVariables();
        variables.values["messages"] = new JinjaList([.. messages.Select(message => (object?)Turn(message))]);
        return variables.Set("tools", null).Set("documents", null).Set("add_generation_prompt", addGenerationPrompt);
    }

    /// <summary>One variable for each property of a JSON object; see <see cref="Set(string, JsonElement)"/>.</summary>
    /// <exception cref="NanoException">The JSON is not an object, or holds an integer of more
    /// digits than Python reads.</exception>
    public static ChatVariables FromJson(JsonElement json)
    {
        if (json.ValueKind != JsonValueKind.Object)
            throw new NanoException($"the variables of a template are {Kind(json)}; expected a JSON object");
        var variables = new ChatVariables();
        foreach (var property in json.EnumerateObject())
            variables.Set(PythonJson.NameOf(property), property.Value);
        return variables;
    }

    /// <summary>The variables in a JSON file.</summary>
    /// <param name="path">A file of at most 64 MiB.</param>
    /// <exception cref="NanoException">There is no such file.</exception>
    /// <exception cref="BadFileException">It is not JSON, or no object.</exception>
    public static ChatVariables Read(string path)
    {
        byte[] utf8 = InputFile.ReadUtf8(path, MaxBytes, "check the path");
        try
        {
            using var json = JsonDocument.Parse(WithoutMark(utf8));
            return FromJson(json.RootElement);
        }
        catch (JsonException e)
        {
            throw new BadFileException(path, $"not valid JSON: {e.Message}", e);
        }
        catch (NanoException e)
        {
            throw new BadFileException(path, e.Message, e);
        }
    }

    /// <summary>True if a variable is set, even to none.</summary>
    public bool Has(string name) => values.ContainsKey(name);

    /// <summary>Sets a variable to a text, or to none for null.</summary>
    public ChatVariables Set(string name, string? value)
    {
        values[name] = value is null ? null : Whole(value);
        return this;
    }

    /// <summary>Sets a variable to true or false.</summary>
    public ChatVariables Set(string name, bool value)
    {
        values[name] = value;
        return this;
    }

    /// <summary>
    /// Sets a variable to a value from JSON, as Python reads it: 1 is an integer of any size and
    /// 1.0 a float, the order of keys stays, the last of two equal keys wins. An escaped half of a
    /// surrogate pair becomes U+FFFD.
    /// </summary>
    /// <exception cref="NanoException">An integer has more digits than Python reads (4300).</exception>
    public ChatVariables Set(string name, JsonElement value)
    {
        try
        {
            values[name] = PythonJson.Parse(value);
        }
        catch (FormatException e)
        {
            throw new NanoException($"the variable {Quoted.Of(name)}: {e.Message}", null, e);
        }
        return this;
    }

    private static JinjaDict Turn(ChatMessage message)
    {
        var turn = new JinjaDict();
        turn.Set("role", Whole(message.Role));
        turn.Set("content", Whole(message.Content));
        return turn;
    }

    /// <summary>Text with U+FFFD for halves of surrogate pairs, which no UTF-8 can hold.</summary>
    private static string Whole(string text) => text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF')
        ? string.Concat(text.EnumerateRunes()) : text;

    private static ReadOnlyMemory<byte> WithoutMark(byte[] utf8) =>
        utf8 is [0xEF, 0xBB, 0xBF, ..] ? utf8.AsMemory(3) : utf8;

    private static string Kind(JsonElement json) => json.ValueKind switch
    {
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        JsonValueKind.True or JsonValueKind.False => "a boolean",
        _ => "null",
    };
}
