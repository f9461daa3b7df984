using System.Globalization;

namespace Nano.Bands;

/// <summary>
/// `Bands make RUN...` prints data/bands.json, made of the logs of healthy runs; `Bands check`
/// trains shakespeare-char healthily with five seeds and with six planted faults, and fails unless
/// exactly the faults are flagged (`make check-bands`).
/// </summary>
internal static class Program
{
    private static readonly ulong[] Seeds = [1337, 1, 2, 3, 4];

    private static int Main(string[] args)
    {
        CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
        try
        {
            switch (args)
            {
                case ["make", .. { Length: > 0 } runs]:
                    Console.Out.Write(BandsFile.Text(runs));
                    return 0;
                case ["check", .. { Length: <= 1 } only]:
                    return Check(only.FirstOrDefault()) ? 0 : 1;
                default:
                    throw new NanoException($"cannot make sense of '{string.Join(' ', args)}'",
                        "use make RUN... or check [healthy|FAULT]");
            }
        }
        catch (Exception e) when (e is NanoException or FormatException or IOException)
        {
            Console.Error.WriteLine($"error: {e.Message}\nhint:  {(e as NanoException)?.Hint}");
            return 1;
        }
    }

    private static bool Check(string? only)
    {
        using var store = new CorpusStore();
        var data = TrainingData.FromText(store.LoadTextAsync(CorpusStore.DefaultCorpus).GetAwaiter().GetResult(), null);
        var options = Presets.Get("shakespeare-char");
        bool right = true;
        if (only is null or "healthy")
            foreach (ulong seed in Seeds)
                right &= Report($"healthy, seed {seed}", options with { Seed = seed }, data, Fault.None,
                    toTheEnd: true);
        foreach (var fault in Enum.GetValues<Fault>())
            if (fault != Fault.None && (only is null || only == fault.ToString()))
                right &= Report(fault.ToString(), options, data, fault, toTheEnd: only is not null);
        Console.WriteLine(right ? "right: every fault is flagged, and no healthy run" : "WRONG");
        return right;
    }

    /// <summary>Runs until something is flagged, or on to the end, so that the last word is known too.</summary>
    private static bool Report(string name, TrainOptions options, TrainingData data, Fault fault, bool toTheEnd)
    {
        using var compute = new Compute();
        using var run = new FaultyRun(options, data, fault, compute);
        var log = new List<RunLogEntry>();
        bool flagged = false;
        foreach (var entry in run.Run())
        {
            log.Add(entry);
            if (entry is StepEntry)
                continue;
            var verdict = RunVerdict.Of(log);
            if (!flagged && verdict.Outcome is not (RunOutcome.AsExpected or RunOutcome.NoBand))
            {
                flagged = true;
                Tell(name, log, verdict);
            }
            if (flagged && !toTheEnd)
                break;
            if (entry is EndEntry)
                Tell(name + ", at the end", log, verdict);
        }
        return flagged == (fault != Fault.None);
    }

    private static void Tell(string name, IReadOnlyList<RunLogEntry> log, RunVerdict verdict) => Console.WriteLine(
        $"{name}: {verdict.Word} after step {log.OfType<StepEntry>().LastOrDefault()?.Step ?? 0}: "
        + $"{verdict.Reason}{string.Concat(verdict.Causes.Take(3).Select(cause => "\n    likely: " + cause))}");
}
