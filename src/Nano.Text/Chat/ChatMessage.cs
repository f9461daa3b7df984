namespace Nano;

/// <summary>One turn of a conversation.</summary>
/// <param name="Role">Who speaks: "system", "user" or "assistant" as a rule; the template decides
/// what it takes.</param>
/// <param name="Content">What is said.</param>
public sealed record ChatMessage(string Role, string Content);
