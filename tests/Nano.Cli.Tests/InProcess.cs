using System.CommandLine;

namespace Nano.Cli.Tests;

/// <summary>
/// Runs verbs inside the tests' own process, which takes milliseconds where the program takes a third of a
/// second; what they print is lost.
/// </summary>
internal static class InProcess
{
    private static readonly RootCommand Commands = Application.Commands();

    /// <summary>
    /// The errors of a command line: what is wrong with it, or the exception that running it ended with; none
    /// where it ran.
    /// </summary>
    public static (string[] Messages, Exception? Exception) Run(params string[] args)
    {
        var parsed = Commands.Parse(args);
        if (Failure.IsWrong(parsed))
            return ([.. parsed.Errors.Select(error => Quoted.Line(Failure.Explain(error)))], null);
        try
        {
            parsed.Invoke(Application.Plainly());
            return ([], null);
        }
        catch (Exception e)
        {
            var (message, hint) = Failure.Words(e);
            return ([message, hint ?? ""], e);
        }
    }
}
