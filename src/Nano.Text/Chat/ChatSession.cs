using System.Text;

namespace Nano;

/// <summary>
/// A chat template and the texts of the special tokens that it may print, by their names for it:
/// bos_token, eos_token ...
/// </summary>
public sealed record ChatFormat(ChatTemplate Template, IReadOnlyDictionary<string, string> SpecialTokens);

/// <summary>A conversation with a model: keeps the turns, makes the prompts, and knows what ends an answer.</summary>
public sealed class ChatSession
{
    private const string Mark = "\uE000", NextMark = "\uE001";

    private readonly ChatFormat format;
    private readonly ITokenizer tokenizer;
    private readonly int contextLength;
    private readonly string? system;
    private readonly List<ChatMessage> messages = [];

    /// <param name="format">The model's template.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="contextLength">T: how many tokens the model can see.</param>
    /// <param name="system">The system message; null for the template's own.</param>
    public ChatSession(ChatFormat format, ITokenizer tokenizer, int contextLength, string? system)
    {
        (this.format, this.tokenizer, this.contextLength, this.system) = (format, tokenizer, contextLength, system);
        (EndIds, Stops) = FindEnds();
        Reset();
    }

    /// <summary>The turns so far.</summary>
    public IReadOnlyList<ChatMessage> Messages => messages;

    /// <summary>
    /// True to drop the oldest turns when the conversation outgrows the context; false to report an
    /// error.
    /// </summary>
    public bool DropsOldest { get; init; }

    /// <summary>
    /// The ids that end an answer: the tokenizer's, and the one that the template puts behind an
    /// answer.
    /// </summary>
    public IReadOnlyList<int> EndIds { get; }

    /// <summary>The text that ends an answer where the template puts no special token behind it.</summary>
    public IReadOnlyList<string> Stops { get; }

    /// <summary>Forgets everything but the system message.</summary>
    public void Reset()
    {
        messages.Clear();
        if (system is not null)
            messages.Add(new ChatMessage("system", system));
    }

    /// <summary>Adds a turn of the user's and returns the prompt whose continuation is the answer.</summary>
    /// <param name="text">The message of the user.</param>
    /// <param name="answerTokens">Number of tokens to reserve for the answer when old turns are
    /// dropped,
    /// at most a quarter of the context.</param>
    /// <param name="now">The time, for templates that ask.</param>
    /// <exception cref="NanoException">The template refuses it, or the conversation is longer than
    /// the context; the turn is not added.</exception>
    public int[] Ask(string text, int answerTokens, DateTime now)
    {
        var before = messages.ToArray();
        messages.Add(new ChatMessage("user", text));
        try
        {
            int[] ids = Encode(now);
            int room = DropsOldest ? contextLength - Math.Min(answerTokens, contextLength / 4) : contextLength;
            while (DropsOldest && ids.Length > room && DropOldest())
                ids = Encode(now);
            return ids.Length <= contextLength ? ids : throw new NanoException(
                $"the conversation has {ids.Length} tokens and the model's context only {contextLength}",
                DropsOldest ? "even the last turn alone is too long: shorten it"
                    : "/reset begins a new one; `drop_oldest` forgets the oldest turns as it grows");
        }
        catch
        {
            messages.Clear();
            messages.AddRange(before);
            throw;
        }
    }

    /// <summary>Adds what the model answered.</summary>
    public void Answer(string text) => messages.Add(new ChatMessage("assistant", text));

    /// <summary>
    /// The ids of the whole conversation. Special tokens are the template's to use: their text in
    /// what the user or the system message says is text like any other. To tell them apart after
    /// rendering, it stands between two marks, a character that nobody uses.
    /// </summary>
    private int[] Encode(DateTime now)
    {
        char mark = (char)Enumerable.Range('\uE000', 0x1900)
            .First(c => messages.All(message => !message.Content.Contains((char)c, StringComparison.Ordinal)));
        string[] special = [.. tokenizer.SpecialTokens.Keys.Where(token => token.Length > 0)
            .OrderByDescending(token => token.Length)];
        var marked = messages.Select(message => message.Role == "assistant" ? message
            : message with { Content = Marked(message.Content, special, mark) });
        string[] parts = format.Template.Render(marked, addGenerationPrompt: true, format.SpecialTokens, now)
            .Split(mark);
        return [.. parts.SelectMany((part, i) => part.Length == 0 ? []
            : tokenizer.Encode(part, allowSpecial: i % 2 == 0))];
    }

    /// <summary>The text with marks around every special token in it.</summary>
    private static string Marked(string text, string[] special, char mark)
    {
        var result = new StringBuilder();
        char[] beginnings = [.. special.Select(token => token[0]).Distinct()];
        for (int at = 0; at < text.Length;)
        {
            int plain = text.AsSpan(at).IndexOfAny(beginnings);
            result.Append(text, at, plain < 0 ? text.Length - at : plain);
            if (plain < 0)
                break;
            at += plain;
            string? token = special.FirstOrDefault(token =>
                string.CompareOrdinal(text, at, token, 0, token.Length) == 0);
            if (token is null)
                result.Append(text[at]);
            else
                result.Append(mark).Append(token).Append(mark);
            at += token?.Length ?? 1;
        }
        return result.ToString();
    }

    /// <summary>
    /// Removes the oldest turn of the user's and what was answered; false if only the newest is
    /// left.
    /// </summary>
    private bool DropOldest()
    {
        int first = messages.FindIndex(message => message.Role == "user"),
            next = messages.FindIndex(first + 1, message => message.Role == "user");
        if (next < 0)
            return false;
        messages.RemoveRange(first, next - first);
        return true;
    }

    /// <summary>
    /// Looks at what the template puts between an answer and the next turn: a special token first,
    /// or else a line of text.
    /// </summary>
    private (IReadOnlyList<int> Ids, IReadOnlyList<string> Stops) FindEnds()
    {
        string text;
        try
        {
            text = format.Template.Render([new("user", "a"), new("assistant", Mark), new("user", NextMark)],
                addGenerationPrompt: false, format.SpecialTokens, DateTime.UnixEpoch);
        }
        catch (ChatTemplateException)
        {
            return (tokenizer.EndIds, []); // it takes no such conversation; the first real turn will say why
        }
        int at = text.IndexOf(Mark, StringComparison.Ordinal), next = text.IndexOf(NextMark, StringComparison.Ordinal);
        if (at < 0 || next < at)
            return (tokenizer.EndIds, []);
        string between = text[(at + Mark.Length)..next].Trim();
        foreach (var (special, id) in tokenizer.SpecialTokens.OrderByDescending(token => token.Key.Length))
            if (between.StartsWith(special, StringComparison.Ordinal))
                return ([.. tokenizer.EndIds.Append(id).Distinct()], []);
        return (tokenizer.EndIds, between.Length > 0 ? [between.Split('\n')[0]] : []);
    }
}
