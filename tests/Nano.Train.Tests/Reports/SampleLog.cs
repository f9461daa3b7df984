namespace Nano.Tests;

static class SampleLog
{
    public static RunEntry Run(string preset = "shakespeare-char") => new(
        preset,
        "nano train shakespeare-char --seed 7",
        new DateTimeOffset(2025, 11, 4, 9, 30, 0, TimeSpan.FromHours(1)),
        new OrderedDictionary<string, string> { ["layers"] = "4", ["channels"] = "128", ["batch"] = "12" },
        new RunMachine("Example CPU", 8, "AVX-512", 1000),
        "tinyshakespeare.txt",
        804096);

    public static StepEntry Step(int step, double loss = 2.5) => new(step, loss, 1e-3, 0.75, 42.5, 18000, 600);

    public static EvalEntry Eval(int step, double valLoss = 2.125, string sample = "ROMEO:\nO, speak!") =>
        new(step, 2.0625, valLoss, sample);

    /// <summary>A run of <paramref name="steps"/> steps with an evaluation every 250 and an end.</summary>
    public static List<RunLogEntry> Whole(int steps)
    {
        var entries = new List<RunLogEntry> { Run() };
        for (int i = 1; i <= steps; i++)
        {
            entries.Add(Step(i, 1.75 + 2.5 * Math.Exp(-i / 100.0) + 0.1 * Math.Sin(i * 1.7)));
            if (i % 250 == 0) entries.Add(Eval(i, 1.875 + 250.0 / i));
        }
        entries.Add(new EndEntry(steps, 1.8765, 99.4, steps * 768L, "done"));
        return entries;
    }
}
