namespace Nano.Cli;

/// <summary>A profile as lines for people and as an object for JSON.</summary>
internal static class ProfileTable
{
    /// <summary>One line per kind of work, the longest first, beside the machine's ceilings.</summary>
    public static void Print(TextWriter human, Profiler profiler, Machine machine)
    {
        human.WriteLine(
            $"profile  {profiler.Steps:N0} steps of {profiler.MillisecondsPerStep:F2} ms; ceilings measured: "
            + $"arithmetic {machine.PeakGflops:F0} GFLOP/s, memory {machine.ReadGigabytesPerSecond:F0} GB/s (read)");
        human.WriteLine("op                        M x N x K   calls         ms  % step   GFLOP/s     GB/s  % of "
            + "ceiling");
        foreach (var row in profiler.Rows(machine))
            human.WriteLine(
                $"{row.Name,-23} {row.Shape,17} {row.Calls,7:0.#} {row.Ms,10:F3} "
                + $"{row.Percent,7:F1}{(row.Bound.Length == 0 ? "" : Rates(row))}");
        human.WriteLine("calls and ms per step; bytes: each operand and result once; memory beyond 100 %: the data "
            + "came from a cache");
    }

    /// <summary>The rows for JSON, or null if nothing was profiled.</summary>
    public static object? Json(Profiler? profiler, Machine machine) =>
        profiler is null ? null : new JsonFields
        {
            ["steps"] = profiler.Steps,
            ["ms_per_step"] = Common.Finite(profiler.MillisecondsPerStep),
            ["rows"] = profiler.Rows(machine)
        };

    private static string Rates(ProfileRow row) =>
        $" {row.Gflops,9:F1} {row.Gbps,8:F1} {row.PercentOfCeiling,6:F1} {row.Bound}";
}
