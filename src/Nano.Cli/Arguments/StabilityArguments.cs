using System.CommandLine;

namespace Nano.Cli;

/// <summary>The options of nano train that watch over a run; left out, nothing does.</summary>
internal static class StabilityArguments
{
    private static readonly Option<OnSpike?> Spikes = Common.Word("--on-spike",
        "What to do about a step whose loss or gradient norm leaps up: off, warn, skip (its update) or rollback (to the last evaluation, passing over the data since) (default: off)", TrainSettings.ParseOnSpike);

    private static readonly Option<double?> SpikeZ = Common.Number("--spike-z", "Standard deviations above the running mean that make a spike (default: 6)");
    private static readonly Option<int?> MaxRollbacks = new("--max-rollbacks") { Description = "Rollbacks before the run ends with an error (default: 10)" };
    private static readonly Option<double?> Ema = Common.Number("--ema", "Keep an exponential moving average of the weights with this decay, 0.999 for example; it is evaluated, sampled from and saved in step-N/ema");
    private static readonly Option<int?> Patience = new("--patience") { Description = "End the run after this many evaluations without a better validation loss" };
    private static readonly Option<double?> MinDelta = Common.Number("--min-delta", "How much lower a validation loss must be to count as better (default: 0)");

    public static void AddTo(Command verb)
    {
        foreach (var option in new Option[] { Spikes, SpikeZ, MaxRollbacks, Ema, Patience, MinDelta })
            verb.Options.Add(option);
    }

    public static StabilityOptions Read(ParseResult args, StabilityOptions preset) => new()
    {
        OnSpike = args.GetValue(Spikes) ?? preset.OnSpike,
        SpikeScore = args.GetValue(SpikeZ) ?? preset.SpikeScore,
        MaxRollbacks = args.GetValue(MaxRollbacks) ?? preset.MaxRollbacks,
        AverageDecay = args.GetValue(Ema) ?? preset.AverageDecay,
        Patience = args.GetValue(Patience) ?? preset.Patience,
        MinDelta = args.GetValue(MinDelta) ?? preset.MinDelta,
    };
}
