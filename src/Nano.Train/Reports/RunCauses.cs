using System.Globalization;

namespace Nano;

/// <summary>
/// Possible causes of a run's deviation, ordered by how much of its log supports them. Each rule
/// names its evidence; none is proof.
/// </summary>
internal static class RunCauses
{
    private const double MuchTooLarge = 0.5;

    /// <summary>The causes for which something speaks, the likeliest first.</summary>
    /// <param name="history">The log, which describes its run.</param>
    /// <param name="judged">Every number that has a band.</param>
    /// <param name="deviations">Those outside theirs.</param>
    public static IReadOnlyList<string> Of(RunHistory history, IReadOnlyList<Deviation> judged,
        IReadOnlyList<Deviation> deviations)
    {
        var seen = new Evidence(history, judged, deviations);
        return [.. Rules(seen).Where(rule => rule.Weight > 0).OrderByDescending(rule => rule.Weight)
            .Select(rule => rule.Cause)];
    }

    private static IEnumerable<(double Weight, string Cause)> Rules(Evidence e) =>
    [
        (e.AtStart(RunSignals.MatrixNorm) ? 5 : e.AtStart(RunSignals.Validation) ? 4 : 0,
            "the initial weights: their size before the first step is not that of the recipe (deviation 0.02, "
            + "projections into the residual stream 0.02 / sqrt(2L))"),
        (e.Low(RunSignals.Validation) && e.Low(RunSignals.Training) ? 3 + (4 * e.Depth) : 0,
            "the model sees what it is to predict: a causal mask off by one, or targets that are also inputs "
            + "(training and validation loss are both low)"),
        (e.Low(RunSignals.Validation) && !e.Low(RunSignals.Training) ? 4 : e.GapIsGone ? 2 : 0,
            "validation text that is also trained on (only the validation loss is low)"),
        (e.Stalled && !e.High(RunSignals.MatrixNorm) ? 6 : 0, string.Create(CultureInfo.InvariantCulture,
            $"targets that do not belong to their inputs, shuffled or shifted: the training loss stands at "
            + $"{e.LastTraining:0.00} of ln V = {e.LogVocabulary:0.00}, about what letter frequencies alone give")),
        (e.Opposed && e.Excess < MuchTooLarge ? 5 : 0,
            "decay on the wrong group: weights that should decay are too large, or those that should not have "
            + "changed size"),
        ((e.High(RunSignals.MatrixNorm) && !e.AtStart(RunSignals.MatrixNorm) ? 3 : 0)
            + (e.Excess >= MuchTooLarge ? 2 : 0) + (e.LateHigh && !e.Low(RunSignals.MatrixNorm) ? 1 : 0),
            "a learning rate that is too high: weights grow faster, gradients or the loss stay higher than "
            + "they should"),
        ((e.EarlyLow && !e.LateLow && !e.AtStart(RunSignals.MatrixNorm) ? 3.5 : 0) + (e.ExcessShrinks ? 3.5 : 0),
            "first steps that are too large: no bias correction of the moments, or a warm-up that is too short (the "
            + "training loss fell, or the weights grew, too fast at first and not later)"),
        (e.LateHigh && e.Low(RunSignals.MatrixNorm) ? 4
            : e.EarlyHigh && !e.High(RunSignals.MatrixNorm) && !e.Stalled ? 2 : 0,
            "a learning rate that is too low, or a warm-up that is too long (the loss falls, but late)"),
        (e.High(RunSignals.Validation) && !e.High(RunSignals.Training) ? 3
            : 0, "validation text of another kind, or too little training text (only the validation loss is high)"),
        (e.High(RunSignals.Validation) && e.High(RunSignals.Training) ? 0.5
            : 0, "a mask that hides too much, a wrong derivative, or a part of the model that gets no gradient (the "
            + "report shows the norms block by block)"),
        (0.1, "a program, a text or a machine that has changed: nano verify compares every activation and gradient "
            + "with golden values"),
    ];

    /// <summary>The evidence on which the rules rest.</summary>
    private sealed class Evidence(RunHistory history, IReadOnlyList<Deviation> judged,
        IReadOnlyList<Deviation> deviations)
    {
        private const int Early = 100; // the steps of a warm-up
        private const double StallShare = 0.72, SmallGap = 0.3;

        public double LogVocabulary { get; } = double.TryParse(history.Run!.Config.GetValueOrDefault("vocabulary"),
            CultureInfo.InvariantCulture, out double size) ? Math.Log(size) : double.NaN;

        public double LastTraining { get; } =
            judged.LastOrDefault(one => one.Signal.Name == RunSignals.Training)?.Signal.Value ?? double.NaN;

        /// <summary>
        /// The loss has been high since the warm-up and is not far below that of a model that knows
        /// nothing.
        /// </summary>
        public bool Stalled => LateHigh && LastTraining > StallShare * LogVocabulary;

        /// <summary>
        /// The distance of the last validation loss below the expected, as a fraction from 0 to 1.
        /// </summary>
        public double Depth => judged.LastOrDefault(one => one.Signal.Name == RunSignals.Validation) is { } last
            ? Math.Clamp(1 - (last.Signal.Value / last.Band.Mean), 0, 1) : 0;

        /// <summary>
        /// By how much, of the expected, the weights that decay are too large at the last
        /// evaluation.
        /// </summary>
        public double Excess => Excesses.LastOrDefault();

        /// <summary>
        /// The weights were too large when the warm-up was over, and have come closer to the
        /// expected since.
        /// </summary>
        public bool ExcessShrinks => !AtStart(RunSignals.MatrixNorm) && High(RunSignals.MatrixNorm)
            && Excesses.Skip(1).FirstOrDefault() > 1.1 * Excess;

        private IEnumerable<double> Excesses => judged.Where(one => one.Signal.Name == RunSignals.MatrixNorm)
            .Select(one => (one.Signal.Value / one.Band.Mean) - 1);

        public bool EarlyLow => Any(RunSignals.Training, high: false, step => step <= Early);

        public bool EarlyHigh => Any(RunSignals.Training, high: true, step => step <= Early);

        public bool LateLow => Any(RunSignals.Training, high: false, step => step > Early + 150);

        public bool LateHigh => Any(RunSignals.Training, high: true, step => step > Early);

        /// <summary>
        /// Decaying weights too large and the others too small, or the other way round, without
        /// having started so.
        /// </summary>
        public bool Opposed => !AtStart(RunSignals.MatrixNorm)
            && ((Low(RunSignals.VectorNorm) && !Low(RunSignals.MatrixNorm))
                || (High(RunSignals.VectorNorm) && Low(RunSignals.MatrixNorm)));

        /// <summary>
        /// After the first thousand steps there is next to no difference between training and
        /// validation text, where there should be one: judged by the evaluations.
        /// </summary>
        public bool GapIsGone => Low(RunSignals.Validation) && history.LastEvaluation is { Step: > 0 } last
            && judged.LastOrDefault(one => one.Signal.Name == RunSignals.Validation) is { } validation
            && last.ValLoss - last.TrainLoss < SmallGap * Math.Max(0, validation.Band.Mean - last.TrainLoss);

        public bool AtStart(string signal) => deviations.Any(one => one.Signal.Name == signal && one.Signal.Step == 0);

        public bool Low(string signal) => Any(signal, high: false, _ => true);

        public bool High(string signal) => Any(signal, high: true, _ => true);

        private bool Any(string signal, bool high, Func<int, bool> at) =>
            deviations.Any(one => one.Signal.Name == signal && one.IsHigh == high && at(one.Signal.Step));
    }
}
