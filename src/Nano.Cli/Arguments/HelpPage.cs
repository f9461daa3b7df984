using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace Nano.Cli;

/// <summary>The help of a verb: description, usage, arguments, options by heading, verbs below it.</summary>
internal sealed class HelpPage : SynchronousCommandLineAction
{
    /// <summary>Columns of the page, and of the names on its left.</summary>
    private const int Width = 100, Left = 30;

    /// <summary>Lets the --help of a tree of verbs show this page.</summary>
    public static void Use(RootCommand root) => root.Options.OfType<HelpOption>().Single().Action = new HelpPage();

    /// <inheritdoc/>
    public override int Invoke(ParseResult parseResult)
    {
        foreach (string line in Lines(parseResult.CommandResult.Command))
            parseResult.InvocationConfiguration.Output.WriteLine(line);
        return 0;
    }

    /// <summary>The page of a verb.</summary>
    public static IEnumerable<string> Lines(Command verb)
    {
        foreach (string line in (verb.Description ?? "").Split('\n'))
            foreach (string part in line.StartsWith("  ", StringComparison.Ordinal) ? [line] : Wrapped(line, Width))
                yield return part;
        yield return "";
        yield return Usage(verb);
        foreach (var (title, entries) in Sections(verb))
        {
            yield return "";
            yield return title + ":";
            foreach (var (name, text) in entries)
                foreach (string line in Entry(name, text))
                    yield return line;
        }
    }

    private static string Usage(Command verb)
    {
        string path = verb.Name;
        for (var outer = verb.Parents.OfType<Command>().FirstOrDefault(); outer is not null; outer = outer.Parents.OfType<Command>().FirstOrDefault())
            path = outer is RootCommand ? $"nano {path}" : $"{outer.Name} {path}";
        if (verb is RootCommand)
            path = "nano";
        string arguments = string.Concat(verb.Arguments.Select(argument => " " + NameOf(argument)));
        return $"Usage: {path}{arguments}{(verb.Subcommands.Count > 0 ? verb is RootCommand ? " VERB" : " [VERB]" : "")} [options]";
    }

    private static IEnumerable<(string Title, IEnumerable<(string Name, string Text)> Entries)> Sections(Command verb)
    {
        if (verb.Arguments.Count > 0)
            yield return ("Arguments", verb.Arguments.Select(argument => (argument.Name.ToUpperInvariant(), argument.Description ?? "")));
        if (verb.Subcommands.Count > 0)
            yield return ("Verbs", verb.Subcommands.Select(below => (below.Name, FirstSentence(below))));
        if (verb is GroupedCommand grouped)
            foreach (var (title, options) in grouped.Groups)
                yield return (title, options.Select(Described));
        else if (verb.Options.Any(option => !IsOfAll(option)))
            yield return ("Options", verb.Options.Where(option => !IsOfAll(option)).Select(Described));
        if (verb is GroupedCommand { WithoutEffect: [_, ..] ignored })
            yield return ("Accepted, without effect on the plan", [("", string.Join(", ", ignored.Select(option => option.Name)))]);
        yield return ("All verbs", OfAll(verb));
    }

    private static IEnumerable<(string, string)> OfAll(Command verb) =>
        verb.Options.Where(IsOfAll).Select(Described).Concat(verb is RootCommand ? []
            : [("--debug", Common.Debug.Description!), ("--help", "Show this page")]);

    private static bool IsOfAll(Option option) => option == Common.Debug || option is HelpOption or VersionOption;

    private static string FirstSentence(Command verb)
    {
        string line = (verb.Description ?? "").Split('\n')[0];
        int end = line.IndexOf(". ", StringComparison.Ordinal);
        return end < 0 ? line : line[..(end + 1)];
    }

    private static (string Name, string Text) Described(Option option)
    {
        string value = option.Arity.MaximumNumberOfValues == 0 || option is HelpOption or VersionOption ? ""
            : option.Arity.MinimumNumberOfValues == 0 ? option.ValueType == typeof(bool) ? "" : $" [{ValueOf(option)}]" : $" {ValueOf(option)}";
        string text = option is HelpOption ? "Show this page" : option is VersionOption ? "Show the version" : option.Description ?? "";
        if (option.Required)
            text += " (required)";
        else if (option is { HasDefaultValue: true, Arity.MaximumNumberOfValues: > 0 } && option.ValueType != typeof(bool)
            && Convert.ToString(option.GetDefaultValue(), System.Globalization.CultureInfo.InvariantCulture) is { Length: > 0 } usual)
            text += $" (default: {usual})";
        return (option.Name + value, text);
    }

    /// <summary>The word that stands for an option's value.</summary>
    private static string ValueOf(Option option) => option is IWordOption choice ? string.Join('|', choice.Words)
        : option.HelpName ?? (Type.GetTypeCode(Nullable.GetUnderlyingType(option.ValueType) ?? option.ValueType) switch
        {
            TypeCode.Boolean => "true|false",
            TypeCode.Int32 or TypeCode.Int64 or TypeCode.UInt64 => "N",
            TypeCode.Double or TypeCode.Single => "NUMBER",
            _ => option.Name[(option.Name.LastIndexOf('-') + 1)..].ToUpperInvariant(),
        });

    private static string NameOf(Argument argument)
    {
        string name = argument.Name.ToUpperInvariant() + (argument.Arity.MaximumNumberOfValues > 1 ? "..." : "");
        return argument.Arity.MinimumNumberOfValues == 0 ? $"[{name}]" : name;
    }

    /// <summary>A name on the left and its text on the right; a long name has a line of its own.</summary>
    private static IEnumerable<string> Entry(string name, string text)
    {
        string[] lines = [.. Wrapped(text, Width - Left)];
        string indent = name.Length == 0 ? "  " : new(' ', Left);
        if (name.Length == 0)
            lines = [.. Wrapped(text, Width - 2)];
        else if (name.Length + 4 > Left)
            yield return "  " + name;
        else
            lines[0] = ("  " + name).PadRight(Left) + lines[0];
        for (int i = 0; i < lines.Length; i++)
            yield return (i == 0 && name.Length > 0 && name.Length + 4 <= Left ? lines[0] : indent + lines[i]).TrimEnd();
    }

    /// <summary>Breaks a text into lines between words.</summary>
    private static IEnumerable<string> Wrapped(string text, int width)
    {
        string line = "";
        foreach (string word in text.Split(' '))
        {
            if (line.Length > 0 && line.Length + 1 + word.Length > width)
            {
                yield return line;
                line = word;
            }
            else
                line = line.Length == 0 ? word : $"{line} {word}";
        }
        yield return line;
    }
}
