using System.CommandLine;
using System.CommandLine.Parsing;

namespace Nano.Cli;

/// <summary>How the program says that something went wrong: on stderr, "error: ..." and, where there is one, "hint: ...".</summary>
internal static class Failure
{
    public const int Wrong = 1, WrongUsage = 2, Interrupted = 130, BrokenPipe = 141;

    /// <summary>Prints an exception as an error, with a stack trace if asked for, and returns the exit code.</summary>
    public static int Report(Exception e, bool debug)
    {
        if (debug)
            Screen.Error.WriteLine(e);
        e = Cause(e);
        if (e is OperationCanceledException)
        {
            Screen.Error.WriteLine("stopped");
            return Interrupted;
        }
        var (message, hint) = Words(e);
        Screen.Error.WriteLine($"error: {message}");
        if (hint is not null)
            Screen.Error.WriteLine($"hint: {hint}");
        return Wrong;
    }

    /// <summary>What an exception says to people, on one line each: what is wrong, and what to do about it.</summary>
    public static (string Message, string? Hint) Words(Exception e) =>
        IsForPeople(e) ? (OptionNames.In(Quoted.Line(MessageOf(e))), Hint(e) is { } hint ? OptionNames.In(hint) : null)
        : (Quoted.Line($"{e.GetType().Name}: {e.Message}"), "this should not happen; --debug shows where it did");

    /// <summary>
    /// Says that stdout took no more, unless its reader had seen enough of text for people, and returns the
    /// exit code.
    /// </summary>
    public static int Report(OutputLostException lost, ParseResult parsed)
    {
        bool isResult = parsed.Tokens.Any(token => token is { Type: TokenType.Option, Value: "--json" });
        return lost.IsPipe && !isResult ? BrokenPipe : Report(lost, parsed.GetValue(Common.Debug));
    }

    /// <summary>What is behind the exceptions that only say that another was thrown elsewhere.</summary>
    private static Exception Cause(Exception e) =>
        e is AggregateException or TypeInitializationException or System.Reflection.TargetInvocationException
            && e.InnerException is { } inner ? Cause(inner) : e;

    private static bool IsForPeople(Exception e) => e is NanoException or FormatException or ArgumentException
        or IOException
        or UnauthorizedAccessException or OutOfMemoryException or InsufficientExecutionStackException;

    /// <summary>The message without the name of a method's parameter, which says nothing to people.</summary>
    private static string MessageOf(Exception e) => e switch
    {
        OutOfMemoryException => "there is not enough memory for this",
        InsufficientExecutionStackException => "the input is nested too deeply",
        ArgumentException { ParamName: { } name } =>
            e.Message.Replace($" (Parameter '{name}')", "", StringComparison.Ordinal),
        _ => e.Message,
    };

    private static string? Hint(Exception e) => e switch
    {
        NanoException known => known.Hint,
        OutOfMemoryException => "take a smaller model, batch or length, or a machine with more memory",
        UnauthorizedAccessException => "check the permissions",
        _ => null,
    };

    /// <summary>
    /// Whether the command line cannot be run as it stands. A mistyped option is wrong even where it would pass
    /// for an argument.
    /// </summary>
    public static bool IsWrong(ParseResult parsed) =>
        (parsed.Errors.Count > 0 || MistypedOption(parsed) is not null || ArgumentOfOuter(parsed) is not null)
        && parsed.Action is not HelpPage;

    /// <summary>The argument of a verb in front of a verb below it, which would not read it; null for none.</summary>
    private static string? ArgumentOfOuter(ParseResult parsed) =>
        (parsed.CommandResult.Parent as CommandResult)?.Children.OfType<ArgumentResult>()
            .SelectMany(argument => argument.Tokens).FirstOrDefault()?.Value;

    /// <summary>Prints what is wrong with a command line, with the nearest verb or option, and returns the exit code.</summary>
    public static int Usage(ParseResult parsed)
    {
        var command = parsed.CommandResult.Command;
        bool atRoot = parsed.CommandResult == parsed.RootCommandResult;
        var verbs = command.Subcommands.Select(verb => verb.Name).ToList();
        var options = command.Options.Append(Common.Debug).SelectMany(option => option.Aliases.Append(option.Name));
        string? mistyped = MistypedOption(parsed);
        string? stray = mistyped ?? ArgumentOfOuter(parsed) ?? (parsed.UnmatchedTokens is [var first, ..] ? first : null);
        string? near = stray is null ? null : NearestMatch.Of(stray, mistyped is not null ? options : verbs);
        if (stray is not null)
        {
            string what = mistyped is not null ? "there is no option" : atRoot ? "there is no verb" : "unexpected";
            Screen.Error.WriteLine($"error: {what} {Quoted.Of(stray)}");
        }
        else if (atRoot)
            Screen.Error.WriteLine("error: a verb is missing");
        else
            foreach (var error in parsed.Errors)
                Screen.Error.WriteLine($"error: {Quoted.Line(Explain(error))}");
        Screen.Error.WriteLine("hint: " + (near is not null ? $"did you mean '{near}'? " : "") + (atRoot
            ? "verbs: " + string.Join(", ", verbs) : $"see 'nano {Path(parsed.CommandResult)} --help'"));
        return WrongUsage;
    }

    /// <summary>A verb, behind the one it belongs to if it does.</summary>
    private static string Path(CommandResult of) => of.Parent is CommandResult { Parent: not null } outer ? $"{Path(outer)} {of.Command.Name}" : of.Command.Name;

    private static string? MistypedOption(ParseResult parsed) => parsed.Tokens.Any(token => token.Type == TokenType.DoubleDash) ? null
        : parsed.CommandResult.Children.OfType<ArgumentResult>().SelectMany(argument => argument.Tokens.Select(token => token.Value)).Concat(parsed.UnmatchedTokens).FirstOrDefault(LooksLikeOption);

    private static bool LooksLikeOption(string token) => token.Length > 1 && token[0] == '-';

    /// <summary>What is wrong with a command line, with the words of the option.</summary>
    public static string Explain(ParseError error) =>
        error.SymbolResult is OptionResult { Tokens: [var token], Option: var option }
            && Kind(option.ValueType) is { } kind ? $"{option.Name} takes {kind}, not {Quoted.Of(token.Value)}"
            : error.Message;

    private static string? Kind(Type type) => (Nullable.GetUnderlyingType(type) ?? type) is not { IsEnum: false } number ? null : Type.GetTypeCode(number) switch
    {
        TypeCode.Int32 => "a whole number of at most nine digits",
        TypeCode.Int64 => "a whole number",
        TypeCode.UInt64 => "a whole number from 0",
        TypeCode.Double => "a number such as 0.001 or 1e-3",
        _ => null,
    };
}
