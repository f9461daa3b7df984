using System.CommandLine;

namespace Nano.Cli;

/// <summary>The texts of a verb that says something about each: from the command line, or from a file.</summary>
internal static class TextArguments
{
    public static readonly Option<string?> Data = new("--data")
    {
        Description = "File with a text per line, or JSON lines with a field text (.jsonl)",
        HelpName = "FILE",
    };
    public static readonly Argument<string[]> Texts = new("texts")
    {
        Description = "The texts",
        Arity = ArgumentArity.ZeroOrMore,
    };

    /// <summary>The texts, of which there is at least one.</summary>
    /// <param name="args">The command line.</param>
    /// <param name="purpose">What is done to them, for the error.</param>
    public static string[] Read(ParseResult args, string purpose)
    {
        string[] texts = args.GetValue(Texts) ?? [];
        if (args.GetValue(Data) is { } file)
            texts = texts.Length == 0 ? [.. TextRows.Read(file)]
                : throw new NanoException("texts come from the command line or from --data, not from both");
        return texts.Length > 0 ? texts
            : throw new NanoException($"there is no text to {purpose}", "give texts, or a file with --data");
    }

    /// <summary>Says on stderr that a text was too long.</summary>
    public static void NoteCut(int text, int tokens) =>
        Screen.Error.WriteLine($"note: text {text + 1} is too long; {tokens} of its tokens are used");
}
