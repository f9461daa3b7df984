using System.CommandLine;

namespace Nano.Cli;

/// <summary>How the program says that something went wrong: on stderr, "error: ..." and, where there is one, "hint: ...".</summary>
internal static class Failure
{
    public const int Wrong = 1, WrongUsage = 2, Interrupted = 130;

    /// <summary>Prints an exception as an error and returns the exit code.</summary>
    public static int Report(Exception e)
    {
        Console.Error.WriteLine($"error: {(IsForPeople(e) ? e.Message : $"{e.GetType().Name}: {e.Message}")}");
        if ((e as NanoException)?.Hint is { } hint)
            Console.Error.WriteLine($"hint: {hint}");
        else if (!IsForPeople(e))
            Console.Error.WriteLine("hint: this should not happen; --debug shows where it did");
        return Wrong;
    }

    private static bool IsForPeople(Exception e) => e is NanoException or FormatException or ArgumentException or IOException or UnauthorizedAccessException;

    /// <summary>Prints what is wrong with a command line, with the nearest verb or option, and returns the exit code.</summary>
    public static int Usage(ParseResult parsed)
    {
        foreach (var error in parsed.Errors)
            Console.Error.WriteLine($"error: {error.Message}");
        var command = parsed.CommandResult.Command;
        bool atRoot = parsed.CommandResult == parsed.RootCommandResult;
        var known = atRoot ? command.Subcommands.Select(verb => verb.Name).ToList() : command.Options.SelectMany(option => option.Aliases.Append(option.Name)).ToList();
        string? near = parsed.UnmatchedTokens.Select(token => NearestMatch.Of(token, known)).FirstOrDefault(match => match is not null);
        Console.Error.WriteLine("hint: " + (near is not null ? $"did you mean '{near}'? " : "") + (atRoot ? "verbs: " + string.Join(", ", known) : $"see 'nano {command.Name} --help'"));
        return WrongUsage;
    }
}
