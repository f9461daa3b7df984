using System.Globalization;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Nano.Cli;

/// <summary>Shows a run while it goes: a live panel in a terminal, plain lines elsewhere.</summary>
internal sealed class TrainDisplay
{
    private const int RecentSteps = 50, PanelRows = 12, Frame = 4, RoomRight = 3, NarrowestPanel = 30;
    private readonly Trainer trainer;
    private readonly double peak;
    private readonly Queue<double> recent = new();
    private StepDone? step;
    private Evaluated? evaluated;
    private SpikeFound? spiked;
    private Started? started;
    private FilesKept? kept;

    private TrainDisplay(Trainer trainer, double peak) => (this.trainer, this.peak) = (trainer, peak);

    /// <summary>
    /// True if stdout is a terminal that can redraw a panel and is wide enough for it.
    /// </summary>
    public static bool CanBeLive => !Console.IsOutputRedirected && AnsiConsole.Profile.Capabilities.Ansi
        && Console.WindowWidth >= NarrowestPanel;

    /// <summary>Drains the events of a run; the last one goes to finished.</summary>
    public static void Show(Trainer trainer, double peak, TextWriter human, bool plain, IEnumerable<TrainEvent> events,
        Action<Finished> finished)
    {
        var display = new TrainDisplay(trainer, peak);
        if (plain)
            display.ShowLines(human, events, finished);
        else
            AnsiConsole.Live(new Text("starting ...")).Overflow(VerticalOverflow.Ellipsis)
                .Cropping(VerticalOverflowCropping.Bottom).Start(live => display.ShowLive(live, events, finished));
    }

    private void ShowLines(TextWriter human, IEnumerable<TrainEvent> events, Action<Finished> finished)
    {
        int every = Math.Clamp(trainer.Options.Steps / 20, 1, 100);
        foreach (var e in events)
        {
            Handle(e);
            switch (e)
            {
                case StepDone done when done.Step % every == 0:
                    human.WriteLine(string.Create(CultureInfo.InvariantCulture,
                        $"step {done.Step,6}/{trainer.Options.Steps}  loss {done.Result.Loss:F4}  lr "
                        + $"{done.LearningRate:0.00e+0}  grad norm {done.Result.GradientNorm:F2}  {Speed()}"));
                    break;
                case SpikeFound spike:
                    human.WriteLine($"spike  {Describe(spike)}");
                    break;
                case Started start:
                    human.WriteLine(string.Create(CultureInfo.InvariantCulture,
                        $"before   {start.ValLoss:F4} over the whole validation split"));
                    break;
                case FilesKept kept:
                    human.WriteLine($"kept   {Describe(kept)}");
                    break;
                case Evaluated at:
                    human.WriteLine(string.Create(CultureInfo.InvariantCulture,
                        $"eval {at.Step,6}/{trainer.Options.Steps}  train {at.TrainLoss:F4}  validation "
                        + $"{at.ValLoss:F4}"));
                    human.WriteLine("  | " + Printable(at.Sample).Replace("\n", "\n  | ", StringComparison.Ordinal));
                    if (at.Verdict.Outcome != RunOutcome.NoBand)
                        foreach (string line in VerdictLines.Of(at.Verdict))
                            human.WriteLine(line);
                    break;
                case Finished end:
                    finished(end);
                    break;
            }
        }
    }

    private void ShowLive(LiveDisplayContext live, IEnumerable<TrainEvent> events, Action<Finished> finished)
    {
        long drawn = 0;
        foreach (var e in events)
        {
            Handle(e);
            if (e is Finished end)
                finished(end);
            if (e is StepDone && Environment.TickCount64 - drawn < 200)
                continue;
            drawn = Environment.TickCount64;
            // A terminal writes "^C" after the panel; without room for it the line would wrap and spoil the
            // next drawing.
            AnsiConsole.Profile.Width = Math.Max(NarrowestPanel, Console.WindowWidth) - RoomRight;
            live.UpdateTarget(Panel());
        }
    }

    private void Handle(TrainEvent e)
    {
        if (e is StepDone done)
        {
            step = done;
            recent.Enqueue(done.Milliseconds);
            if (recent.Count > RecentSteps)
                recent.Dequeue();
        }
        evaluated = e as Evaluated ?? evaluated;
        spiked = e as SpikeFound ?? spiked;
        started = e as Started ?? started;
        kept = e as FilesKept ?? kept;
    }

    private static string Describe(FilesKept kept) => $"files that are not of a checkpoint: they stay in {kept.Folder}";

    private static string Describe(SpikeFound found) => found.Spike.Reason + found.Spike.Action switch
    {
        OnSpike.Skip => "; its update is skipped",
        OnSpike.Rollback => $"; back to step {found.BackTo}, and on with other data",
        _ => "",
    };

    private double MedianMilliseconds() => recent.Order().ElementAt(recent.Count / 2);

    private double TokensPerSecond() => trainer.Options.TokensPerStep / MedianMilliseconds() * 1000;

    private string Speed()
    {
        double gflops = TokensPerSecond() * trainer.FlopsPerToken / 1e9;
        return string.Create(CultureInfo.InvariantCulture,
            $"{MedianMilliseconds():F1} ms  {TokensPerSecond():N0} tokens/s  {gflops:F0} GFLOP/s{OfPeak(gflops)}  "
            + $"ETA {Eta()}");
    }

    private TimeSpan Remaining() =>
        TimeSpan.FromMilliseconds((trainer.Options.Steps - (step?.Step ?? 0)) * MedianMilliseconds());

    private string OfPeak(double gflops) => double.IsFinite(peak)
        ? string.Create(CultureInfo.InvariantCulture, $" ({gflops / peak:P0} of peak)") : "";

    private string Eta()
    {
        var left = Remaining();
        return left.TotalHours < 1 ? left.ToString("m\\:ss", CultureInfo.InvariantCulture)
            : string.Create(CultureInfo.InvariantCulture, $"{(int)left.TotalHours}:{left:mm\\:ss}");
    }

    private Panel Panel()
    {
        var rows = new List<IRenderable>();
        if (step is not null)
        {
            int width = AnsiConsole.Profile.Width - Frame, done = (int)(step.Step * width / trainer.Options.Steps);
            rows.Add(new Text(new string('█', done) + new string('░', width - done), new Style(Color.Green)));
            rows.Add(new Text(string.Create(CultureInfo.InvariantCulture,
                $"step {step.Step:N0} of {trainer.Options.Steps:N0}   loss {step.Result.Loss:F4}   lr "
                + $"{step.LearningRate:0.00e+0}   gradient norm {step.Result.GradientNorm:F2}")));
            rows.Add(new Text(Speed()));
        }
        if (spiked is not null)
            rows.Add(new Text(Describe(spiked), new Style(Color.Red)));
        if (started is not null)
            rows.Add(new Text(string.Create(CultureInfo.InvariantCulture,
                $"before the first step: {started.ValLoss:F4} over the whole validation split")));
        if (kept is not null)
            rows.Add(new Text(TerminalText.Clean(Describe(kept))));
        if (evaluated is not null)
        {
            string verdict = evaluated.Verdict.Outcome == RunOutcome.NoBand ? "" : $" ({evaluated.Verdict.Word})";
            rows.Add(new Text(string.Create(CultureInfo.InvariantCulture,
                $"after step {evaluated.Step:N0}: train {evaluated.TrainLoss:F4}, validation "
                + $"{evaluated.ValLoss:F4}{verdict}"), new Style(Color.Yellow)));
            rows.Add(new Text(TerminalText.Clean(Printable(evaluated.Sample)), new Style(Color.Grey70)));
        }
        string header = TerminalText.Clean($" nano train {trainer.Options.Preset} (Ctrl-C saves and stops) ");
        return new Panel(new Rows(rows)) { Height = PanelRows }.Header(Markup.Escape(header)).Expand();
    }

    /// <summary>A sample without the characters that would move the cursor: carriage returns, tabs, escapes.</summary>
    private static string Printable(string sample) =>
        string.Concat(sample.Trim().Select(c => c != '\n' && char.IsControl(c) ? ' ' : c));
}
