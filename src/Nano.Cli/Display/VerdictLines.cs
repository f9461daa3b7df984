namespace Nano.Cli;

/// <summary>A verdict as lines for people: the word, the numbers, and what may be wrong.</summary>
internal static class VerdictLines
{
    private const int Shown = 3;

    public static IEnumerable<string> Of(RunVerdict verdict) =>
        [$"verdict  {verdict.Word}: {verdict.Reason}",
            .. verdict.Causes.Take(Shown).Select((cause, i) => $"         {(i == 0 ? "likely" : "or")} {cause}")];
}
