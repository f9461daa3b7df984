using System.Globalization;

namespace Nano;

/// <summary>The standing of a run among others of its recipe.</summary>
public enum RunOutcome
{
    /// <summary>The recipe was not measured with these options.</summary>
    NoBand,

    /// <summary>Everything lies where it did in healthy runs.</summary>
    AsExpected,

    /// <summary>The validation loss is higher.</summary>
    High,

    /// <summary>The validation loss is lower.</summary>
    Low,

    /// <summary>The validation loss is as expected, but something else in the log is or was not.</summary>
    Unusual,
}

/// <summary>A number of a run that lies outside its band.</summary>
public sealed record Deviation(RunSignal Signal, Band Band)
{
    /// <summary>True if the value is above the band.</summary>
    public bool IsHigh => Signal.Value > Band.High;

    /// <summary>The measured value and the expected range, as a sentence for people.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"{What()} {Format(Signal.Value)}, expected {Expected()}");

    private string Expected() =>
        Band.Low > 0 ? $"{Format(Band.Low)} to {Format(Band.High)}" : $"at most {Format(Band.High)}";

    private string What()
    {
        var text = CultureInfo.InvariantCulture;
        string at = Signal.Step == 0 ? "before the first step" : string.Create(text, $"after step {Signal.Step:N0}");
        int first = RunSignals.WindowStart(Signal.Step);
        string over = first == Signal.Step ? string.Create(text, $"of step {first:N0}")
            : string.Create(text, $"of steps {first:N0} to {Signal.Step:N0}");
        return Signal.Name switch
        {
            RunSignals.Validation => $"the validation loss {at} is",
            RunSignals.Whole => "the loss over the whole validation split is",
            RunSignals.Training => $"the training loss {over} is",
            RunSignals.GradNorm => $"the gradient norm {over} is",
            RunSignals.MatrixNorm => $"the norm of the weights with decay {at} is",
            _ => $"the norm of the weights without decay {at} is",
        };
    }

    private string Format(double value) =>
        value.ToString(Signal.Name is RunSignals.Validation or RunSignals.Whole or RunSignals.Training ? "0.000"
            : "0.00", CultureInfo.InvariantCulture);
}

/// <summary>The verdict on a run, from its log.</summary>
/// <param name="Outcome">In a word.</param>
/// <param name="Reason">In a sentence: the numbers that decided.</param>
/// <param name="Causes">Possible causes, the likeliest first; empty if the run is healthy.</param>
public sealed record RunVerdict(RunOutcome Outcome, string Reason, IReadOnlyList<string> Causes)
{
    private const int Shown = 3;

    /// <summary>The outcome as people read it.</summary>
    public string Word => Outcome switch
    {
        RunOutcome.NoBand => "no band",
        RunOutcome.AsExpected => "as expected",
        _ => Outcome.ToString().ToLowerInvariant(),
    };

    /// <summary>Compares a log, whole or still growing, with the bands that come with the program.</summary>
    public static RunVerdict Of(IReadOnlyList<RunLogEntry> entries) => Of(RunHistory.Of(entries));

    /// <summary>Compares a log with these bands.</summary>
    public static RunVerdict Of(IReadOnlyList<RunLogEntry> entries, IReadOnlyList<RecipeBands> known) =>
        Of(RunHistory.Of(entries, known));

    /// <summary>Compares what is kept of a log with the bands that it was given.</summary>
    public static RunVerdict Of(RunHistory history)
    {
        if (history.Run is not { } run)
            return new RunVerdict(RunOutcome.NoBand, "the log does not say which recipe it followed", []);
        var (recipe, differences) = history.Recipe;
        if (recipe is null && differences is [RecipeBands.NotMeasured])
            return new RunVerdict(RunOutcome.NoBand, $"the recipe '{run.Preset}' was not measured", []);
        if (recipe is null)
            return new RunVerdict(RunOutcome.NoBand,
                $"{run.Preset} was not measured with these options: {string.Join("; ", differences)}", []);
        var judged = history.Signals.Select(signal => new Deviation(signal, recipe.Find(signal.Name, signal.Step)!))
            .ToList();
        if (judged.Count == 0)
            return new RunVerdict(RunOutcome.NoBand, "nothing is logged yet at a step that was measured", []);
        var deviations = judged.Where(IsOutside).ToList();
        string note = recipe.Note is null ? "" : $" ({recipe.Note})";
        return deviations.Count == 0
            ? new RunVerdict(RunOutcome.AsExpected, $"{Telling(judged)}, over {recipe.Seeds.Count} seeds{note}", [])
            : new RunVerdict(OutcomeOf(judged), Sentence(judged, deviations) + note,
                RunCauses.Of(history, judged, deviations));
    }

    /// <summary>
    /// The number that stands for the run as it is now: the last validation loss, whole if it is
    /// known, else whatever came last.
    /// </summary>
    private static Deviation Latest(IReadOnlyList<Deviation> judged) =>
        judged.LastOrDefault(one => one.Signal.Name is RunSignals.Validation or RunSignals.Whole) ?? judged[^1];

    /// <summary>
    /// The number that says most of a healthy run: the latest, or while that is from before the
    /// first step, the training loss.
    /// </summary>
    private static Deviation Telling(IReadOnlyList<Deviation> judged)
    {
        var latest = Latest(judged);
        return latest.Signal.Step > 0 ? latest
            : judged.LastOrDefault(one => one.Signal.Name == RunSignals.Training) ?? latest;
    }

    private static RunOutcome OutcomeOf(IReadOnlyList<Deviation> judged)
    {
        var latest = Latest(judged);
        return !IsOutside(latest) || latest.Signal.Name is not (RunSignals.Validation or RunSignals.Whole)
            ? RunOutcome.Unusual : latest.IsHigh ? RunOutcome.High : RunOutcome.Low;
    }

    private static string Sentence(IReadOnlyList<Deviation> judged, IReadOnlyList<Deviation> deviations)
    {
        var latest = Latest(judged);
        // The first of each kind tells when it began; the rest follows from it.
        var told = deviations.GroupBy(one => one.Signal.Name).Select(kind => kind.First()).Where(one => one != latest)
            .Take(Shown);
        return string.Join("; ", (IsOutside(latest) ? [latest, .. told] : told).Select(one => one.ToString()));
    }

    private static bool IsOutside(Deviation one) => one.Signal.Value < one.Band.Low || one.Signal.Value > one.Band.High;
}
