using System.Globalization;

namespace Nano;

/// <summary>
/// The bands of a recipe for a run that follows it in everything but the number of steps. Up to the
/// step at which their learning rates part (by more than 2 %), both runs are the same, and every
/// band holds as it was measured. After it, the validation loss alone is compared:
/// <list type="bullet">
/// <item>A shorter run lowers its learning rate sooner, and has learnt a little less at a given step.
/// Its validation loss lies between the lower edge of the measured runs' end and their upper edge
/// one evaluation earlier.</item>
/// <item>A longer run ends below the upper edge of the measured runs' end.</item>
/// </list>
/// Ten runs of shakespeare-char with 500 and 1,000 steps were measured for this; see docs/measured.md.
/// </summary>
internal static class OtherLength
{
    private const double SameRate = 0.02;

    /// <summary>The bands that apply and a note on what they are; null if the settings say too little.</summary>
    /// <param name="measured">The recipe that was measured.</param>
    /// <param name="run">The settings of the run, equal to the recipe's but for the steps.</param>
    public static RecipeBands? Of(RecipeBands measured, IReadOnlyDictionary<string, string> run)
    {
        if (Rates.Of(measured.Config) is not { } theirs || Rates.Of(run) is not { } own || own.Steps < 1)
            return null;
        int same = 0;
        while (same < Math.Min(own.Steps, theirs.Steps) && IsNear(own.At(same), theirs.At(same)))
            same++;
        var signals = new OrderedDictionary<string, IReadOnlyList<Band>>();
        foreach (var (name, bands) in measured.Signals)
            signals.Add(name, [.. bands.Where(band => band.Step <= same && name != RunSignals.Whole)]);
        bool isShorter = own.Steps < theirs.Steps, isBracket = isShorter && same < own.Steps;
        if (isBracket && Enumerable.Range(same, own.Steps - same).Any(step => own.At(step) > theirs.At(step)))
            return null;
        if (isBracket)
            Bracket(measured, signals, same, own.Steps);
        else if (!isShorter)
            Limit(measured, signals, own.Steps);
        return measured with { Signals = signals, Note = Note(theirs.Steps, own.Steps, same, isBracket) };
    }

    private static bool IsNear(double rate, double other) => Math.Abs(rate - other) <= SameRate * other;

    /// <summary>Bands of a shorter run: from the end of the measured runs to their evaluation before.</summary>
    private static void Bracket(
        RecipeBands measured, OrderedDictionary<string, IReadOnlyList<Band>> signals, int same, int steps)
    {
        if (measured.Signals.GetValueOrDefault(RunSignals.Validation) is not { Count: > 0 } bands)
            return;
        double least = bands[^1].Low;
        var steady = bands.Where(band => band.Step > 0).ToList();
        foreach (int step in steady.Select(band => band.Step).Where(step => step > same && step < steps).Append(steps))
            if (steady.LastOrDefault(band => band.Step < step) is { } before)
                signals[RunSignals.Validation] = [.. signals[RunSignals.Validation], Between(step, least, before.High)];
        if (measured.Signals.GetValueOrDefault(RunSignals.Whole) is [.., var whole]
            && steady.LastOrDefault(band => band.Step < steps) is { } last)
            signals[RunSignals.Whole] = [Between(steps, whole.Low, last.High)];
    }

    /// <summary>Bands of a longer run's end: up to the end of the measured runs.</summary>
    private static void Limit(
        RecipeBands measured, OrderedDictionary<string, IReadOnlyList<Band>> signals, int steps)
    {
        foreach (string name in (string[])[RunSignals.Validation, RunSignals.Whole])
            if (measured.Signals.GetValueOrDefault(name) is [.., var last])
                signals[name] = [.. signals[name], Between(steps, 0, last.High)];
    }

    private static Band Between(int step, double low, double high) => new(step, (low + high) / 2, low, high);

    private static string Note(int measured, int steps, int same, bool isBracket)
    {
        string rest = (isBracket, steps < measured) switch
        {
            (false, true) => "every learning rate is the same",
            (true, _) => $"{Parting(same)}, with theirs from an evaluation earlier to the end",
            _ => $"{Parting(same)}, at the end, with theirs at the end",
        };
        return string.Create(
            CultureInfo.InvariantCulture, $"runs of {measured:N0} steps, this one has {steps:N0}: {rest}");
    }

    private static string Parting(int same) => string.Create(CultureInfo.InvariantCulture,
        $"after step {same:N0} the learning rates differ and only the validation loss is compared");

    /// <summary>The learning rates that settings describe.</summary>
    private sealed record Rates(Schedule Schedule, double Peak, double Minimum, int Warmup, int Steps)
    {
        public double At(int step) => Schedule.At(step, Peak, Minimum, Warmup, Steps);

        public static Rates? Of(IReadOnlyDictionary<string, string> settings) =>
            Number(settings, "steps") is { } steps and <= int.MaxValue
            && Number(settings, "warmup_steps") is { } warmup and <= int.MaxValue
            && Number(settings, "lr") is { } peak && Number(settings, "min_lr") is { } minimum
                ? new(new Schedule(settings.GetValueOrDefault("schedule", "cosine")),
                    peak, minimum, (int)warmup, (int)steps)
                : null;

        private static double? Number(IReadOnlyDictionary<string, string> settings, string key)
        {
            string? text = settings.GetValueOrDefault(key);
            bool isNumber = double.TryParse(text, CultureInfo.InvariantCulture, out double value);
            return isNumber && value >= 0 ? value : null;
        }
    }
}
