namespace Nano;

/// <summary>
/// Makes the <see cref="RunSignals"/> of a log entry by entry, and remembers no more than the steps
/// of one window.
/// </summary>
internal sealed class SignalWindows
{
    private const int None = -1;

    private readonly Window now = new(), evaluated = new();

    /// <summary>The steps since the last window, as far as they have come.</summary>
    private sealed class Window
    {
        /// <summary>The last step of the window before; <see cref="None"/> if a step of this one is missing.</summary>
        public int Start { get; set; }

        /// <summary>The step that should come next.</summary>
        public int Next { get; set; } = 1;

        public List<double> Losses { get; } = [];

        public List<double> Norms { get; } = [];

        public void Begin(int start, int next)
        {
            (Start, Next) = (start, next);
            Losses.Clear();
            Norms.Clear();
        }

        public void Copy(Window other)
        {
            Begin(other.Start, other.Next);
            Losses.AddRange(other.Losses);
            Norms.AddRange(other.Norms);
        }

        public void Shorten(int count)
        {
            Losses.RemoveRange(count, Losses.Count - count);
            Norms.RemoveRange(count, Norms.Count - count);
        }
    }

    /// <summary>Takes an entry, and returns the signals that it completes.</summary>
    public IEnumerable<RunSignal> Add(RunLogEntry entry)
    {
        switch (entry)
        {
            case StepEntry step:
                return Finite(Add(step));
            case EvalEntry eval:
                evaluated.Copy(now);
                return Finite([new(RunSignals.Validation, eval.Step, eval.ValLoss),
                    new(RunSignals.MatrixNorm, eval.Step, eval.Health?.MatrixNorm ?? double.NaN),
                    new(RunSignals.VectorNorm, eval.Step, eval.Health?.VectorNorm ?? double.NaN)]);
            case EndEntry end:
                return Finite([new(RunSignals.Whole, end.Step, end.ValLoss)]);
            case SpikeEntry spike when SpikeLog.IsRollback(spike):
                Return(spike.BackTo);
                return [];
            default:
                return [];
        }
    }

    private RunSignal[] Add(StepEntry step)
    {
        if (step.Step != now.Next)
            now.Begin(None, step.Step);
        now.Next++;
        if (now.Start != None)
        {
            now.Losses.Add(step.TrainLoss);
            now.Norms.Add(step.GradNorm);
        }
        if (!RunSignals.EndsWindow(step.Step))
            return [];
        RunSignal[] signals = now.Start == None ? [] :
            [new(RunSignals.Training, step.Step, Sum(now.Losses) / (step.Step - now.Start)),
                new(RunSignals.GradNorm, step.Step, ChartData.Median(now.Norms))];
        now.Begin(step.Step, now.Next);
        return signals;
    }

    /// <summary>
    /// Goes back to a step: to the last evaluation, as a run does, or within the window. From
    /// elsewhere the next whole window is the next signal.
    /// </summary>
    private void Return(int step)
    {
        if (evaluated.Next == step + 1)
            now.Copy(evaluated);
        else if (now.Start != None && step >= now.Start && step < now.Next)
        {
            now.Shorten(step - now.Start);
            now.Next = step + 1;
        }
        else
            now.Begin(RunSignals.EndsWindow(step) ? step : None, step + 1);
    }

    /// <summary>The sum from the first on, in one fixed order.</summary>
    private static double Sum(List<double> values)
    {
        double sum = 0;
        foreach (double value in values)
            sum += value;
        return sum;
    }

    private static IEnumerable<RunSignal> Finite(RunSignal[] signals) =>
        signals.Where(signal => double.IsFinite(signal.Value));
}
