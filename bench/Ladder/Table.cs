namespace Nano.Ladder;

/// <summary>The table of a ladder, for a terminal or for a README.</summary>
internal static class Table
{
    public static void Print(Ladder ladder, IReadOnlyList<Step> steps, double[] seconds, double[] errors,
        double[] hardErrors, Machine machine, bool markdown)
    {
        bool flops = ladder.Unit == Unit.Flops;
        double ceiling = flops ? machine.PeakGflops : machine.ReadGigabytesPerSecond;
        string unit = flops ? "GFLOP/s" : "GB/s";
        List<string[]> lines = [["step", "what it adds", "ms", unit, "of one core", "factor", "error"]];
        if (hardErrors.Length > 0)
            lines[0] = [.. lines[0], "hard rows"];
        for (int i = 0; i < steps.Count; i++)
        {
            double rate = ladder.Work / seconds[i] / 1e9;
            string factor = i == 0 ? "" : $"{seconds[i - 1] / seconds[i]:f2}";
            string[] line = [$"{i + 1} {steps[i].Name}", steps[i].Adds, $"{seconds[i] * 1e3:f2}", $"{rate:f1}",
                $"{rate / ceiling:p0}", factor, Error(errors[i])];
            lines.Add(hardErrors.Length == 0 ? line
                : [.. line, steps[i].FailsOnHardRows ? $"{Error(hardErrors[i])}: rejected" : Error(hardErrors[i])]);
        }
        string title = $"{ladder.Name}: {ladder.Problem}. Ceiling of one core: {ceiling:f0} {unit} "
            + $"({(flops ? "arithmetic" : "reading memory")}, measured now)";
        Console.WriteLine(markdown ? $"\n### {title}\n" : $"\n{title}");
        int[] widths = [.. lines[0].Select((_, column) => lines.Max(line => line[column].Length))];
        for (int i = 0; i < lines.Count; i++)
        {
            var cells = lines[i]
                .Select((cell, column) => column < 2 ? cell.PadRight(widths[column]) : cell.PadLeft(widths[column]));
            Console.WriteLine(markdown ? $"| {string.Join(" | ", cells)} |" : string.Join("  ", cells));
            if (markdown && i == 0)
                Console.WriteLine($"|{string.Join("|", widths.Select((width, column) => column < 2 ? "---" : "---:"))}|");
        }
    }

    private static string Error(double error) => double.IsInfinity(error) ? "NaN" : $"{error:0.0e0}";
}
