namespace Nano;

/// <summary>One turn of a conversation.</summary>
/// <param name="Role">The role of the speaker: "system", "user" or "assistant" as a rule; the
/// template decides what it takes.</param>
/// <param name="Content">The text.</param>
public sealed record ChatMessage(string Role, string Content);
