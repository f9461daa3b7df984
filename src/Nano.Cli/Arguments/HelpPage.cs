using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.Globalization;

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
        string arguments = string.Concat(verb.Arguments.Select(argument => " " + NameOf(argument)));
        string below = verb.Subcommands.Count == 0 ? "" : verb is RootCommand ? " VERB" : " [VERB]";
        return $"Usage: {PathOf(verb)}{arguments}{below} [options]";
    }

    private static string PathOf(Command verb) => verb is RootCommand ? "nano"
        : verb.Parents.OfType<Command>().FirstOrDefault() is { } outer ? $"{PathOf(outer)} {verb.Name}" : verb.Name;

    private static IEnumerable<(string Title, IEnumerable<(string Name, string Text)> Entries)> Sections(Command verb)
    {
        if (verb.Arguments.Count > 0)
            yield return ("Arguments", verb.Arguments.Select(argument =>
                (argument.Name.ToUpperInvariant(), argument.Description ?? "")));
        if (verb.Subcommands.Count > 0)
            yield return ("Verbs", verb.Subcommands.Select(below => (below.Name, FirstSentence(below))));
        if (verb is GroupedCommand grouped)
            foreach (var (title, options) in grouped.Groups)
                yield return (title, options.Select(Described));
        else if (verb.Options.Any(option => !IsOfAll(option)))
            yield return ("Options", verb.Options.Where(option => !IsOfAll(option)).Select(Described));
        if (verb is GroupedCommand { WithoutEffect: [_, ..] ignored })
            yield return ("Accepted, without effect on the plan",
                [("", string.Join(", ", ignored.Select(option => option.Name)))]);
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

    private static (string Name, string Text) Described(Option option) => option switch
    {
        HelpOption => (option.Name, "Show this page"),
        VersionOption => (option.Name, "Show the version"),
        { Required: true } => (NameOf(option), $"{option.Description} (required)"),
        _ when DefaultOf(option) is { Length: > 0 } value =>
            (NameOf(option), $"{option.Description} (default: {value})"),
        _ => (NameOf(option), option.Description ?? ""),
    };

    /// <summary>The default that the option itself has; most are said in its description.</summary>
    private static string? DefaultOf(Option option) => option.HasDefaultValue && option.ValueType != typeof(bool)
        ? Convert.ToString(option.GetDefaultValue(), CultureInfo.InvariantCulture) : null;

    private static string NameOf(Option option) => option switch
    {
        { Arity.MaximumNumberOfValues: 0 } => option.Name,
        _ when option.ValueType == typeof(bool) => option.Name,
        { Arity.MinimumNumberOfValues: 0 } => $"{option.Name} [{ValueOf(option)}]",
        _ => $"{option.Name} {ValueOf(option)}",
    };

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
        int indent = name.Length == 0 ? 2 : Left;
        string beginning = ("  " + name).PadRight(indent);
        if (name.Length + 4 > Left)
        {
            yield return beginning.TrimEnd();
            beginning = "";
        }
        foreach (string line in Wrapped(text, Width - indent))
        {
            yield return (beginning.PadRight(indent) + line).TrimEnd();
            beginning = "";
        }
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
